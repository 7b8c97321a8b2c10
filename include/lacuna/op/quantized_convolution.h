// QuantizedConvolution: a convolution of 8-bit integers, ready to run.

#ifndef LACUNA_OP_QUANTIZED_CONVOLUTION_H_
#define LACUNA_OP_QUANTIZED_CONVOLUTION_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/overlap.h"
#include "lacuna/core/quantization.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/core/typed_view.h"
#include "lacuna/core/view.h"
#include "lacuna/format/row_source.h"
#include "lacuna/kernel/int8_table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/int8_depthwise_plan.h"
#include "lacuna/op/int8_plan.h"
#include "lacuna/op/plan_policy.h"
#include "lacuna/policy/policy.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <variant>

namespace lacuna::inline LACUNA_ABI {

template <int kRank>
struct QuantizedRunArgs {
  std::span<std::byte> workspace{};                  // at least WorkspaceBytes(executor.concurrency())
  TypedView<const std::byte, kRank + 2> residual{};  // read if QuantizedEpilogue::has_residual; extents of the output
};

namespace op {

using QuantizedPlan = std::variant<Int8Plan, Int8DepthwisePlan>;

// `shape` is valid. Filters that read one channel each have a plan of their own.
LACUNA_API Result<QuantizedPlan> PlanQuantized(const Int8Kernels& kernels, const RowSource<int8_t>& weights,
                                               const ConvShape<3>& shape, const QuantizedEpilogue& epilogue,
                                               const PlanPolicy& policy);

}  // namespace op

// A plan: weights packed for one SIMD target, a layout of the input tile, an epilogue. Movable; Run may be called from
// many threads at once. Of rank 1 with a kernel of 1 it is a matrix product: planar views are [K, N], channels-last
// ones [N, K]. Made by MakeQuantizedConvolution.
template <int kRank>
class QuantizedConvolution {
 public:
  using View = TypedView<std::byte, kRank + 2>;
  using ConstView = TypedView<const std::byte, kRank + 2>;

  const ConvShape<kRank>& shape() const { return shape_; }
  // Highway's bit of the SIMD target whose kernels the plan is bound to.
  int64_t target() const { return kernels().target; }
  // That multiplies: "vpdpbusd".
  const char* instruction() const {
    return std::holds_alternative<Int8Plan>(plan_) ? kernels().instruction : "i32 multiply-add";
  }

  // Bytes that Run needs in QuantizedRunArgs::workspace for an executor of that concurrency.
  size_t WorkspaceBytes(size_t threads) const {
    return std::visit([&](const auto& plan) { return plan.WorkspaceBytes(threads); }, plan_);
  }

  // y as QuantizedEpilogue defines it. Axes are (batch, channel, spatial...), of any strides: planar and channels-last
  // views are served alike. x and y must not overlap; the residual may be y. Fails if a type, an extent or the
  // workspace does not fit; no memory is allocated. Results are the same bits for any number of threads, on every SIMD
  // target.
  Status Run(const ConstView& x, const View& y, const QuantizedRunArgs<kRank>& args,
             ExecutorRef executor = SerialExecutor{}) const {
    LACUNA_RETURN_IF_ERROR(CheckTypedView("x", x, x_type_, shape_.input_tensor()));
    LACUNA_RETURN_IF_ERROR(CheckTypedView("y", y, y_type_, shape_.output_tensor()));
    LACUNA_RETURN_IF_ERROR(CheckDisjoint("x", x, "y", y));
    Int8Run run{.x = op::ToActivations<const std::byte, kRank + 2>(x.untyped()),
                .y = op::ToActivations<std::byte, kRank + 2>(y.untyped()),
                .residual = {},
                .batch = shape_.batch,
                .workspace = args.workspace};
    if (has_residual_) {
      LACUNA_RETURN_IF_ERROR(CheckTypedView("args.residual", args.residual, residual_type_, shape_.output_tensor()));
      LACUNA_RETURN_IF_ERROR(CheckResidual("args.residual", args.residual, "y", y));
      run.residual = op::ToActivations<const std::byte, kRank + 2>(args.residual.untyped());
    }
    return std::visit([&](const auto& plan) { return plan.Run(run, executor); }, plan_);
  }

  Explanation Explain() const {
    return std::visit([](const auto& plan) { return plan.Explain(); }, plan_);
  }

  // See MakeQuantizedConvolution, which passes the kernels of the active SIMD target.
  template <Policy P>
  static Result<QuantizedConvolution> Make(const Int8Kernels& kernels, const RowSource<int8_t>& weights,
                                           const ConvShape<kRank>& shape, const QuantizedEpilogue& epilogue,
                                           const P& policy) {
    LACUNA_RETURN_IF_ERROR(shape.Validate());
    LACUNA_ASSIGN_OR_RETURN(plan,
                            op::PlanQuantized(kernels, weights, AsVolume(shape), epilogue, PlanPolicy::Of(policy)));
    return QuantizedConvolution(shape, epilogue, std::move(plan));
  }

 private:
  QuantizedConvolution(const ConvShape<kRank>& shape, const QuantizedEpilogue& epilogue, op::QuantizedPlan plan)
      : shape_(shape),
        x_type_(epilogue.x.type),
        y_type_(epilogue.y.type),
        residual_type_(epilogue.residual.type),
        has_residual_(epilogue.has_residual),
        plan_(std::move(plan)) {}

  const Int8Kernels& kernels() const {
    return std::visit([](const auto& plan) -> const Int8Kernels& { return plan.kernels(); }, plan_);
  }

  ConvShape<kRank> shape_;
  ValueType x_type_, y_type_, residual_type_;
  bool has_residual_;
  op::QuantizedPlan plan_;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/quantized_convolution.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_QUANTIZED_CONVOLUTION_H_
