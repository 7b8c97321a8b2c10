#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/overlap.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/op/convolution.h"
#include "lacuna/op/depthwise_plan.h"
#include "lacuna/op/forms.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/layer_plan.h"
#include "lacuna/policy/choices.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace op {

// The form that was chosen; for a depthwise layer, kernels of its own besides, for the views that they take.
class ConvolutionPlan final : public LayerPlan {
 public:
  ConvolutionPlan(OwnedLayerPlan plan, const ChoiceRecord& record, std::optional<DepthwisePlan> depthwise)
      : plan_(std::move(plan)), record_(record), depthwise_(std::move(depthwise)) {}

  size_t WorkspaceBytes(size_t threads) const override { return plan_->WorkspaceBytes(threads); }
  Status Run(const LayerRun& run, ExecutorRef executor) const override {
    if (depthwise_ && depthwise_->Takes(run)) return depthwise_->Run(run, executor);
    return plan_->Run(run, executor);
  }
  Explanation Explain() const override {
    Explanation explanation = plan_->Explain();
    record_.AddTo(explanation);
    if (depthwise_) {
      const Explanation own = depthwise_->Explain();
      explanation.channels_last = own.channels_last;
      explanation.planar = own.planar;
      explanation.packed_bytes += own.packed_bytes;
    }
    return explanation;
  }

 private:
  OwnedLayerPlan plan_;
  ChoiceRecord record_;
  std::optional<DepthwisePlan> depthwise_;
};

LACUNA_COLD_FUNC Result<PlannedConvolution> PlanConvolution(const KernelTable& kernels, const LayerWeights& weights,
                                                            const ConvShape<3>& shape, const Epilogue& epilogue,
                                                            const PlanPolicy& policy) {
  LACUNA_RETURN_IF_ERROR(epilogue.Validate(shape.out_channels));
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  LACUNA_RETURN_IF_ERROR(CheckMatrix(weights.shape(), shape));
  const LayerGeometry layer = GeometryOf(shape);
  LACUNA_ASSIGN_OR_RETURN(form, ChooseForm(kernels, weights, policy, &layer, LayerKey::Of(shape)));
  LACUNA_ASSIGN_OR_RETURN(chosen, MakeLayerPlan(kernels, form, layer, epilogue, policy));
  std::optional<DepthwisePlan> depthwise;
  if (shape.in_channels == shape.groups && shape.out_channels == shape.groups && shape.groups > 1) {
    LACUNA_ASSIGN_OR_RETURN(made, DepthwisePlan::Make(kernels, weights, shape.groups, layer, epilogue));
    depthwise = std::move(made);
  }
  LACUNA_ASSIGN_OR_RETURN(plan, OwnPlan(ConvolutionPlan(std::move(chosen), form.record, std::move(depthwise))));
  return PlannedConvolution{std::move(plan), std::move(form.weights)};
}

}  // namespace op

template <int kRank>
Status Convolution<kRank>::Run(const ConstView& x, const View& y, const RunArgs<kRank>& args,
                               ExecutorRef executor) const {
  LACUNA_RETURN_IF_ERROR(CheckView("x", x, shape_.input_tensor()));
  LACUNA_RETURN_IF_ERROR(CheckView("y", y, shape_.output_tensor()));
  LACUNA_RETURN_IF_ERROR(CheckDisjoint("x", x, "y", y));
  LayerRun run{.x = op::ToActivations<const float, kRank + 2>(x),
               .y = op::ToActivations<float, kRank + 2>(y),
               .residual = {},
               .batch = shape_.batch,
               .width = shape_.output(kRank - 1),
               .workspace = args.workspace};
  if (residual_) {
    LACUNA_RETURN_IF_ERROR(CheckView("args.residual", args.residual, shape_.output_tensor()));
    LACUNA_RETURN_IF_ERROR(CheckResidual("args.residual", args.residual, "y", y));
    run.residual = op::ToActivations<const float, kRank + 2>(args.residual);
  }
  return planned_.plan->Run(run, executor);
}

}  // namespace lacuna::inline LACUNA_ABI
