// Convolution: a convolution layer ready to run.

#ifndef LACUNA_OP_CONVOLUTION_H_
#define LACUNA_OP_CONVOLUTION_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/layer_plan.h"
#include "lacuna/op/plan_policy.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/policy/policy.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

template <int kRank>
struct RunArgs {
  std::span<std::byte> workspace{};  // at least WorkspaceBytes(executor.concurrency())
  TensorView<const float, kRank + 2>
      residual{};  // read if Epilogue::residual; extents of the output; may be the output
};

namespace op {

// A convolution of any rank, planned. `weights` are the packed ones; none if the layer is in Winograd form.
struct PlannedConvolution {
  OwnedLayerPlan plan;
  Shared<PackedWeights<float>> weights;
};
// `shape` is valid.
LACUNA_API Result<PlannedConvolution> PlanConvolution(const KernelTable& kernels, const LayerWeights& weights,
                                                      const ConvShape<3>& shape, const Epilogue& epilogue,
                                                      const PlanPolicy& policy);

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
  int64_t target() const { return target_; }
  // The packed weights, to be shared with further plans. Empty if the layer is in Winograd form.
  const Shared<PackedWeights<float>>& weights() const { return planned_.weights; }

  // Bytes that Run needs in RunArgs::workspace for an executor of that concurrency.
  size_t WorkspaceBytes(size_t threads) const { return planned_.plan->WorkspaceBytes(threads); }

  // y = activation(convolution(x) + bias + residual), ConvShape has the formula. Axes are (batch, channel, spatial...);
  // planar and channels-last views are served alike, but for depthwise layers: where the channel stride of x, y and
  // residual is 1 they have a kernel of their own, and one for planes whose rows are contiguous if they are 3x3 or 5x5
  // of stride 1 or 2 without dilation; those need no workspace. x and y must not overlap (docs/numerics.md). Fails if they do,
  // or an extent or the workspace does not fit; no memory is allocated. Results are bit-identical for any number of threads.
  Status Run(const ConstView& x, const View& y, const RunArgs<kRank>& args,
             ExecutorRef executor = SerialExecutor{}) const;

  Explanation Explain() const { return planned_.plan->Explain(); }

  // See MakeConvolution, which passes the kernels of the active SIMD target. This one serves callers that compile
  // per-target code themselves: `kernels` is lacuna::HWY_NAMESPACE::Kernels<P>().
  template <Policy P>
  static Result<Convolution> Make(const KernelTable& kernels, const LayerWeights& weights,
                                  const ConvShape<kRank>& shape, const Epilogue& epilogue, const P& policy) {
    LACUNA_RETURN_IF_ERROR(shape.Validate());
    LACUNA_ASSIGN_OR_RETURN(planned,
                            op::PlanConvolution(kernels, weights, AsVolume(shape), epilogue, PlanPolicy::Of(policy)));
    return Convolution(kernels.target, shape, epilogue.residual, std::move(planned));
  }

 private:
  Convolution(int64_t target, const ConvShape<kRank>& shape, bool residual, op::PlannedConvolution planned)
      : target_(target), shape_(shape), residual_(residual), planned_(std::move(planned)) {}

  int64_t target_;
  ConvShape<kRank> shape_;
  bool residual_;
  op::PlannedConvolution planned_;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/convolution.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_CONVOLUTION_H_
