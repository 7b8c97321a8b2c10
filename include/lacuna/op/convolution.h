// Convolution: a convolution layer ready to run.

#ifndef LACUNA_OP_CONVOLUTION_H_
#define LACUNA_OP_CONVOLUTION_H_

#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/op/depthwise_plan.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/layer_plan.h"
#include "lacuna/op/pack_for.h"
#include "lacuna/op/panel_plan.h"
#include "lacuna/op/tile_job.h"
#include "lacuna/op/winograd_plan.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>

namespace lacuna {

template <int kRank>
struct RunArgs {
  std::span<std::byte> workspace{};  // at least WorkspaceBytes(executor.concurrency())
  TensorView<const float, kRank + 2>
      residual{};  // read if Epilogue::residual; extents of the output; may be the output
};

namespace op {

// The spatial axes of a view as (depth, height, width).
template <class T, size_t kAxes>
ActivationView<T> ToActivations(const TensorView<T, static_cast<int>(kAxes)>& view) {
  ActivationView<T> activations{view.data, view.stride[0], view.stride[1], {}};
  for (size_t a = 2; a < kAxes; ++a) activations.axis_stride[3 - kAxes + a] = view.stride[a];
  return activations;
}

}  // namespace op

// A plan: weights packed for one SIMD target, a layout of the input tile, an epilogue. Movable; Run may be called from
// many threads at once. Made by MakeConvolution.
template <int kRank>
class Convolution {
 public:
  using View = TensorView<float, kRank + 2>;
  using ConstView = TensorView<const float, kRank + 2>;

  const ConvShape<kRank>& shape() const { return shape_; }
  // Highway's bit of the SIMD target whose kernels the plan is bound to.
  int64_t target() const { return kernels_->target; }
  // The packed weights, to be shared with further plans. Empty if the layer is in Winograd form.
  const Shared<PackedWeights<float>>& weights() const { return choice_.weights; }

  // Bytes that Run needs in RunArgs::workspace for an executor of that concurrency.
  size_t WorkspaceBytes(size_t threads) const {
    return std::visit([&](const auto& plan) { return plan.WorkspaceBytes(threads); }, plan_);
  }

  // y = activation(convolution(x) + bias + residual), ConvShape has the formula. Axes are (batch, channel, spatial...);
  // planar and channels-last views are served alike, but for depthwise layers: where the channel stride of x, y and
  // residual is 1 they have a kernel of their own, which needs no workspace. x and y must not overlap. Fails if an
  // extent or the workspace does not fit; no memory is allocated. Results are bit-identical for any number of threads.
  template <Executor E = const SerialExecutor>
  Status Run(const ConstView& x, const View& y, const RunArgs<kRank>& args, E&& executor = SerialExecutor{}) const {
    LACUNA_RETURN_IF_ERROR(CheckView("x", x, shape_.input_tensor()));
    LACUNA_RETURN_IF_ERROR(CheckView("y", y, shape_.output_tensor()));
    ActivationView<const float> residual;
    if (residual_) {
      LACUNA_RETURN_IF_ERROR(CheckView("args.residual", args.residual, shape_.output_tensor()));
      residual = op::ToActivations<const float, kRank + 2>(args.residual);
    }
    const auto from = op::ToActivations<const float, kRank + 2>(x);
    const auto to = op::ToActivations<float, kRank + 2>(y);
    if (depthwise_ && DepthwisePlan::Takes(from, to, residual)) {
      depthwise_->Run(from, to, residual, shape_.batch, executor);
      return Status();
    }
    if (const auto* winograd = std::get_if<WinogradPlan>(&plan_)) {
      return winograd->Run(from, to, residual, shape_.batch, args.workspace, executor);
    }
    return std::get_if<PanelPlan>(&plan_)->Run(from, to, residual, shape_.batch, shape_.output(kRank - 1),
                                               args.workspace, executor);
  }

  Explanation Explain() const {
    Explanation explanation = std::visit([](const auto& plan) { return plan.Explain(); }, plan_);
    choice_.AddTo(explanation);
    if (depthwise_) depthwise_->AddTo(explanation);
    return explanation;
  }

  // See MakeConvolution of lacuna.h, which passes the kernels of the active SIMD target. This one serves callers that
  // compile per-target code themselves: `kernels` is lacuna::HWY_NAMESPACE::Kernels<P>().
  template <Policy P, class Weights>
  static Result<Convolution> Make(const KernelTable& kernels, const Weights& weights, const ConvShape<kRank>& shape,
                                  const Epilogue& epilogue, const P& policy) {
    LACUNA_RETURN_IF_ERROR(shape.Validate());
    LACUNA_RETURN_IF_ERROR(epilogue.Validate(shape.out_channels));
    LayerGeometry layer;
    layer.channels_per_group = shape.channels_per_group();
    for (size_t a = 0; a < kRank; ++a) {
      TileAxis& axis = layer.axis[3 - kRank + a];
      axis.input = shape.input[a];
      axis.output = shape.output(static_cast<int>(a));
      axis.kernel = shape.kernel[a];
      axis.stride = shape.stride[a];
      axis.dilation = shape.dilation[a];
      axis.pad = shape.pad_begin[a];
    }
    LACUNA_RETURN_IF_ERROR(CheckMatrix(weights, shape));
    LACUNA_ASSIGN_OR_RETURN(choice, PackFor(kernels, weights, policy, &layer, LayerKey::Of(shape)));
    LACUNA_ASSIGN_OR_RETURN(plan, MakeLayerPlan(kernels, choice, layer, epilogue, policy));
    Convolution convolution(kernels, shape, epilogue.residual);
    convolution.plan_ = std::move(plan);
    convolution.choice_ = std::move(choice);
    if (shape.in_channels == shape.groups && shape.out_channels == shape.groups && shape.groups > 1) {
      LACUNA_ASSIGN_OR_RETURN(depthwise, DepthwisePlan::Make(kernels, weights, shape.groups, layer, epilogue));
      convolution.depthwise_ = std::move(depthwise);
    }
    return convolution;
  }

 private:
  template <class Weights>
  static Status CheckMatrix(const Weights& weights, const ConvShape<kRank>& shape) {
    const MatrixShape matrix = weights.shape();
    if (matrix == MatrixShapeOf(shape)) return Status();
    return Status::InvalidArgument("weights are %lld x %lld in %lld groups, shape needs %lld x %lld in %lld",
                                   static_cast<long long>(matrix.rows), static_cast<long long>(matrix.columns),
                                   static_cast<long long>(matrix.groups), static_cast<long long>(shape.out_channels),
                                   static_cast<long long>(shape.depth()), static_cast<long long>(shape.groups));
  }
  static Status CheckMatrix(const Shared<PackedWeights<float>>& weights, const ConvShape<kRank>& shape) {
    if (!weights) return Status::InvalidArgument("weights is an empty Shared, must hold packed weights");
    struct Packed {
      const PackedWeights<float>& weights;
      MatrixShape shape() const { return weights.LayerShape(); }
    };
    return CheckMatrix(Packed{*weights}, shape);
  }

  Convolution(const KernelTable& kernels, const ConvShape<kRank>& shape, bool residual)
      : kernels_(&kernels), shape_(shape), residual_(residual) {}

  const KernelTable* kernels_;
  ConvShape<kRank> shape_;
  bool residual_;
  PackedChoice choice_;
  LayerPlan plan_;
  std::optional<DepthwisePlan> depthwise_;  // of a depthwise layer: for activations with channels innermost
};

}  // namespace lacuna

#endif  // LACUNA_OP_CONVOLUTION_H_
