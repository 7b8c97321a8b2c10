#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/target.h"
#include "lacuna/op/forms.h"
#include "lacuna/op/panel_plan.h"
#include "lacuna/op/pattern_blocks.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/pattern.h"
#include "lacuna/pack/row_blocks.h"
#include "lacuna/policy/cost.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/reorder.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace op {

// Vectors the pattern kernel computes for each vector of outputs.
inline double PatternWaste(const KernelTable& kernels, const LayerGeometry& layer) {
  InputTile tile{};
  tile.axis[2].tile = layer.axis[2].output;
  tile.axis[2].kernel = layer.axis[2].kernel;
  const std::array<int64_t, 3> outputs = {1, layer.axis[1].output, layer.axis[2].output};
  const double vectors = RowBlocksOf(kernels, layer.kernel()).Vectors(tile, outputs);
  return vectors * static_cast<double>(kernels.lanes) / static_cast<double>(outputs[1] * outputs[2]);
}

// What a layer's groups cost beyond their multiply-adds, per vector of outputs like them, where `merged` of them share
// an input tile. The panel kernel merges none: it must not win a depthwise layer because the pattern kernel wastes much
// of its vectors on a small image.
inline double GroupsCost(const KernelTable& kernels, const LayerGeometry& layer, int64_t groups, int64_t merged) {
  return static_cast<double>(groups / merged - 1) * kTileCost * static_cast<double>(kernels.lanes) / layer.positions();
}

// The cost per vector of outputs with what the input tile adds: ragged edges, copying, weights read again. Of `budget`
// the weights are the cost without that, of a vector of outputs.
template <class Cutting>
Result<double> WholeCost(const KernelTable& table, const LayerGeometry& layer, int64_t channels, int64_t groups,
                         const TileBudget<Cutting>& budget) {
  LACUNA_ASSIGN_OR_RETURN(tile, ChooseInputTile<Cutting>(layer.axis, channels, budget));
  const double bytes = budget.weights_per_group * static_cast<double>(groups) * sizeof(float);
  const double first =
      bytes <= budget.cost.last_level_bytes ? kCachedWeightCost * budget.cost.l3 : kColdWeightCost * budget.cost.memory;
  const double cost = pack::TileCost(tile, budget) + budget.weights_per_group * first;
  return cost * static_cast<double>(groups) * static_cast<double>(table.lanes) / layer.positions();
}

LACUNA_COLD_FUNC Result<Forms> Forms::Of(const FormRequest& request) {
  Forms forms(request);
  if (request.layer != nullptr && request.policy.winograd != nullptr) {
    LACUNA_ASSIGN_OR_RETURN(
        winograd, request.policy.winograd->offer(request.kernels, request.weights, *request.layer, request.policy));
    forms.winograd_ = std::move(winograd);
  }
  LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows(request.weights, request.policy.reorder));
  forms.order_ = std::move(order);
  LACUNA_RETURN_IF_ERROR(forms.AddPanels(forms.order_, /*kept=*/false));
  LACUNA_RETURN_IF_ERROR(forms.AddPattern());
  if (forms.winograd_ != nullptr) {
    forms.count_ += forms.winograd_->List(std::span(forms.form_).subspan(forms.count_));
  }
  if (!pack::IsIdentity(forms.order_)) {
    LACUNA_ASSIGN_OR_RETURN(kept, pack::OrderRows(request.weights, RowOrder()));
    LACUNA_RETURN_IF_ERROR(forms.AddPanels(kept, /*kept=*/true));
  }
  return forms;
}

LACUNA_COLD_FUNC Status Forms::AddPattern() {
  if (!has_pattern()) return Status();
  const MatrixShape& shape = weights_.shape();
  const int64_t merged = pack::MergedGroups(shape);
  LACUNA_ASSIGN_OR_RETURN(cost, PredictPatternCost(weights_, layer_->kernel()));
  Form form{.name = "pattern", .is_pattern = true};
  form.predicted = cost * PatternWaste(kernels_, *layer_) + GroupsCost(kernels_, *layer_, shape.groups, merged);
  // What input tiles add is predicted where there is a Winograd form to compare with: about the same for all others.
  if (winograd_) {
    const int64_t groups = shape.groups / merged;
    const TileBudget<RowBlocks> budget{.cutting = RowBlocksOf(kernels_, layer_->kernel()),
                                       .bytes = policy_.input_tile_bytes,
                                       .weights_per_group = cost / static_cast<double>(groups),
                                       .rows_per_group = shape.rows_per_group() * merged,
                                       .cost = policy_.cost};
    LACUNA_ASSIGN_OR_RETURN(whole, WholeCost(kernels_, *layer_, layer_->channels_per_group * merged, groups, budget));
    form.predicted = whole + GroupsCost(kernels_, *layer_, shape.groups, merged);
  }
  Add(form);
  return Status();
}

LACUNA_COLD_FUNC Status Forms::AddPanels(std::span<const uint32_t> order, bool kept) {
  for (const PanelKernel& kernel : kernels_.panels) {
    Form form{.name = kept ? kernel.kept_name : kernel.name, .panel = &kernel, .kept = kept};
    if (kernels_.panels.size() > 1 || has_pattern() || winograd_ || kept) {
      LACUNA_ASSIGN_OR_RETURN(cost, PredictPanelCost(weights_, kernel.tile, order));
      const MatrixShape& shape = weights_.shape();
      form.predicted = cost;
      if (has_pattern()) form.predicted += GroupsCost(kernels_, *layer_, shape.groups, /*merged=*/1);
      if (winograd_) {
        const TileBudget<SubTiling> budget{.cutting = {kernels_.lanes, kernel.Widths(), kernel.few != nullptr},
                                           .bytes = policy_.input_tile_bytes,
                                           .weights_per_group = cost / static_cast<double>(shape.groups),
                                           .rows_per_group = shape.rows_per_group(),
                                           .cost = policy_.cost};
        LACUNA_ASSIGN_OR_RETURN(whole, WholeCost(kernels_, *layer_, layer_->channels_per_group, shape.groups, budget));
        form.predicted = whole + GroupsCost(kernels_, *layer_, shape.groups, /*merged=*/1);
      }
    }
    Add(form);
  }
  return Status();
}

LACUNA_COLD_FUNC Result<ChosenForm> Forms::Pack(size_t i) const {
  const Form& form = form_[i];
  ChosenForm chosen;
  if (form.winograd != nullptr) {
    LACUNA_ASSIGN_OR_RETURN(packed, winograd_->Pack(form));
    chosen.winograd = std::move(packed);
    return chosen;
  }
  LACUNA_ASSIGN_OR_RETURN(order, form.kept ? pack::OrderRows(weights_, RowOrder()) : Buffer<uint32_t>::CopyOf(order_));
  LACUNA_ASSIGN_OR_RETURN(packed, form.is_pattern ? PackPattern(weights_, kernels_.patterns.front().tile,
                                                                layer_->kernel(), std::move(order))
                                                  : lacuna::Pack(weights_, form.panel->tile, std::move(order)));
  LACUNA_ASSIGN_OR_RETURN(shared, Shared<PackedWeights<float>>::Make(std::move(packed)));
  chosen.weights = std::move(shared);
  return chosen;
}

LACUNA_COLD_FUNC Result<ChosenForm> Forms::Chosen(std::span<const Candidate> candidates, const Choice& choice,
                                                  std::optional<ChosenForm> packed) && {
  if (form_[choice.index].winograd == nullptr) winograd_.reset();
  if (!packed) {
    LACUNA_ASSIGN_OR_RETURN(made, Pack(choice.index));
    packed = std::move(made);
  }
  packed->record.Set(candidates, choice);
  return *std::move(packed);
}

// The forms as a selector is asked about them.
struct FormCandidates {
  std::array<Candidate, Explanation::kMaxOptions> candidate{};
  LayerKey key;
  size_t count;

  FormCandidates(const FormRequest& request, const Forms& forms) : key(request.key), count(forms.count()) {
    const MatrixShape& shape = request.weights.shape();
    key.scheme = request.policy.scheme.empty() ? std::string_view(request.weights.name()) : request.policy.scheme;
    key.density = static_cast<double>(request.weights.nnz()) /
                  (static_cast<double>(shape.rows) * static_cast<double>(shape.columns));
    if (forms.has_winograd()) key.winograd_error = request.policy.winograd_error;
    key.target = TargetName(request.kernels.target);
    for (size_t i = 0; i < count; ++i) candidate[i] = {forms[i].name, forms[i].predicted};
  }
  std::span<const Candidate> offered() const { return {candidate.data(), count}; }
};

LACUNA_COLD_FUNC Result<ChosenForm> ChooseByPrediction(const FormRequest& request) {
  LACUNA_ASSIGN_OR_RETURN(forms, Forms::Of(request));
  const FormCandidates candidates(request, forms);
  LACUNA_ASSIGN_OR_RETURN(choice, request.policy.selector.Choose(candidates.key, candidates.offered()));
  return std::move(forms).Chosen(candidates.offered(), choice, std::nullopt);
}

LACUNA_COLD_FUNC LayerGeometry GeometryOf(const ConvShape<3>& shape) {
  LayerGeometry layer;
  layer.channels_per_group = shape.channels_per_group();
  for (size_t a = 0; a < 3; ++a) {
    TileAxis& axis = layer.axis[a];
    axis.input = shape.input[a];
    axis.output = shape.output(static_cast<int>(a));
    axis.kernel = shape.kernel[a];
    axis.stride = shape.stride[a];
    axis.dilation = shape.dilation[a];
    axis.pad = shape.pad_begin[a];
  }
  return layer;
}

LACUNA_COLD_FUNC Status CheckMatrix(const MatrixShape& matrix, const ConvShape<3>& shape) {
  if (matrix == MatrixShapeOf(shape)) return Status();
  return Status::InvalidArgument("weights are %lld x %lld in %lld groups, shape needs %lld x %lld in %lld",
                                 static_cast<long long>(matrix.rows), static_cast<long long>(matrix.columns),
                                 static_cast<long long>(matrix.groups), static_cast<long long>(shape.out_channels),
                                 static_cast<long long>(shape.depth()), static_cast<long long>(shape.groups));
}

LACUNA_COLD_FUNC Result<ChosenForm> ChooseForm(const KernelTable& kernels, const LayerWeights& weights,
                                               const PlanPolicy& policy, const LayerGeometry* layer,
                                               const LayerKey& key) {
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  if (weights.packed() != nullptr) {
    ChosenForm chosen;
    chosen.weights = *weights.packed();
    return chosen;
  }
  if (policy.winograd != nullptr && !(policy.winograd_error >= 0.0)) {
    return Status::InvalidArgument("policy.winograd_error is %g, must be at least 0", policy.winograd_error);
  }
  return policy.choose_form({kernels, *weights.rows(), policy, layer, key});
}

LACUNA_COLD_FUNC Result<OwnedLayerPlan> MakeLayerPlan(const KernelTable& kernels, const ChosenForm& form,
                                                      const LayerGeometry& layer, const Epilogue& epilogue,
                                                      const PlanPolicy& policy) {
  if (form.winograd) return policy.winograd->plan(kernels, form.winograd, layer, epilogue, policy.cost);
  LACUNA_ASSIGN_OR_RETURN(
      plan, PanelPlan::Make(kernels, form.weights, layer, epilogue, policy.input_tile_bytes, policy.cost));
  return OwnPlan(std::move(plan));
}

}  // namespace op

}  // namespace lacuna::inline LACUNA_ABI
