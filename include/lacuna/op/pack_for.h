// PackFor: chooses how a layer is computed among what a policy has, and packs its weights for that.

#ifndef LACUNA_OP_PACK_FOR_H_
#define LACUNA_OP_PACK_FOR_H_

#include "lacuna/core/blob_layout.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/format/any.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/layer_plan.h"
#include "lacuna/op/pattern_blocks.h"
#include "lacuna/op/trial.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/pattern.h"
#include "lacuna/pack/row_blocks.h"
#include "lacuna/pack/winograd.h"
#include "lacuna/pack/winograd_blocks.h"
#include "lacuna/policy/choices.h"
#include "lacuna/policy/cost.h"
#include "lacuna/policy/policy.h"
#include "lacuna/policy/reorder.h"
#include "lacuna/policy/select.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace lacuna {

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

// What choosing and packing a layer may be offered of Winograd forms: those of kWinogradTiles that fit the layer and
// the policy's error.
struct WinogradOffer {
  static constexpr size_t kMostPanels = 8;

  KernelMatrix<float> kernels;
  Buffer<uint32_t> order;
  std::array<double, kMostPanels> panel_cost{};  // of a product, per vector of tiles, all groups

  static bool Fits(const LayerGeometry& layer, const NamedWinogradTile& tile, double error) {
    return TakesWinograd(layer.axis, tile.tile) && WinogradError(tile.tile) <= error;
  }

  template <class Reorder, class Weights>
  static Result<WinogradOffer> Of(const KernelTable& table, const Weights& weights, const LayerGeometry& layer) {
    const int64_t taps = layer.axis[0].kernel * layer.axis[1].kernel * layer.axis[2].kernel;
    LACUNA_ASSIGN_OR_RETURN(kernels, KernelMatrix<float>::Of(weights, taps));
    LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows<Reorder>(kernels));
    WinogradOffer offer{std::move(kernels), std::move(order)};
    for (size_t i = 0; i < std::min(table.panels.size(), kMostPanels); ++i) {
      LACUNA_ASSIGN_OR_RETURN(cost, PredictPanelCost(offer.kernels, table.panels[i].tile, offer.order));
      offer.panel_cost[i] = cost;
    }
    return offer;
  }

  // Of the transformed weights, without what packing fills in.
  double Bytes(const WinogradTile& tile) const {
    return static_cast<double>(tile.products()) * static_cast<double>(kernels.nnz()) * sizeof(float);
  }

  // The cheapest panel kernel for the products of `tile`, and the cost per vector of outputs.
  struct Prediction {
    const PanelKernel* panel = nullptr;
    double cost = std::numeric_limits<double>::infinity();
  };
  Prediction Predict(const KernelTable& table, const LayerGeometry& layer, const WinogradTile& tile,
                     const CostFactors& factors) const {
    const MatrixShape& shape = kernels.shape();
    const auto groups = static_cast<double>(shape.groups);
    Prediction best;
    for (size_t i = 0; i < std::min(table.panels.size(), kMostPanels); ++i) {
      const PanelKernel& panel = table.panels[i];
      const WinogradBudget budget{.cutting = {table.lanes, panel.Widths(), panel.few != nullptr},
                                  .weights_per_group = panel_cost[i] / groups,
                                  .channels_per_group = shape.columns,
                                  .rows_per_group = shape.rows_per_group(),
                                  .cost = factors};
      const WinogradBlocks blocks = ChooseWinogradBlocks(layer.axis, tile, budget);
      const double cost = blocks.cost * groups * static_cast<double>(table.lanes) / layer.positions();
      if (cost < best.cost) best = {&panel, cost};
    }
    return best;
  }

  // Dense if there is a product for that.
  Result<WinogradWeights<float>> Pack(const LayerGeometry& layer, const NamedWinogradTile& tile,
                                      const PanelKernel* panel, const DenseProduct* product) const {
    const std::array<int64_t, 3> kernel = {layer.axis[0].kernel, layer.axis[1].kernel, layer.axis[2].kernel};
    if (product != nullptr) return PackWinograd(kernels, kernel, tile, *product);
    LACUNA_ASSIGN_OR_RETURN(rows, Buffer<uint32_t>::CopyOf(order));
    return PackWinograd(kernels, kernel, tile, panel->tile, std::move(rows));
  }
};

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

// The forms in which a policy can compute a layer, and what each is predicted to cost.
template <class P, class Weights>
class Forms {
 public:
  // `layer` may be null: only the panel kernel's forms then, as it alone packs without knowing the layer.
  static Result<Forms> Of(const KernelTable& kernels, const Weights& weights, const P& policy,
                          const LayerGeometry* layer) {
    Forms forms(kernels, weights, policy, layer);
    LACUNA_RETURN_IF_ERROR(forms.OfferWinograd());
    LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows<typename P::Reorder>(weights));
    forms.order_ = std::move(order);
    LACUNA_RETURN_IF_ERROR(forms.AddPanels(forms.order_, /*kept=*/false));
    LACUNA_RETURN_IF_ERROR(forms.AddPattern());
    forms.AddWinograd();
    if (!pack::IsIdentity(forms.order_)) {
      LACUNA_ASSIGN_OR_RETURN(kept, pack::OrderRows<KeepOrder>(weights));
      LACUNA_RETURN_IF_ERROR(forms.AddPanels(kept, /*kept=*/true));
    }
    return forms;
  }

  size_t count() const { return count_; }
  bool has_winograd() const { return winograd_.has_value(); }
  const char* name(size_t i) const { return form_[i].name; }
  double predicted(size_t i) const { return form_[i].predicted; }

  Result<PackedChoice> Pack(size_t i) const {
    const Form& form = form_[i];
    PackedChoice choice;
    if constexpr (P::kWinograd) {
      if (form.winograd != nullptr) {
        LACUNA_ASSIGN_OR_RETURN(packed, winograd_->Pack(*layer_, *form.winograd, form.panel, form.product));
        LACUNA_ASSIGN_OR_RETURN(shared, Shared<WinogradWeights<float>>::Make(std::move(packed)));
        choice.winograd = std::move(shared);
        return choice;
      }
    }
    LACUNA_ASSIGN_OR_RETURN(order, form.kept ? pack::OrderRows<KeepOrder>(weights_) : Buffer<uint32_t>::CopyOf(order_));
    LACUNA_ASSIGN_OR_RETURN(packed, form.is_pattern ? PackPattern(weights_, kernels_.patterns.front().tile,
                                                                  layer_->kernel(), std::move(order))
                                                    : lacuna::Pack(weights_, form.panel->tile, std::move(order)));
    LACUNA_ASSIGN_OR_RETURN(shared, Shared<PackedWeights<float>>::Make(std::move(packed)));
    choice.weights = std::move(shared);
    return choice;
  }

  // What was chosen, packed unless it is already, with what was weighed. Afterwards there are no Winograd forms any
  // more: what only they need is freed before others are packed.
  Result<PackedChoice> Packed(const Choice& chosen, std::optional<PackedChoice> packed) {
    if (form_[chosen.index].winograd == nullptr) winograd_.reset();
    PackedChoice choice;
    if (packed) {
      choice = *std::move(packed);
    } else {
      LACUNA_ASSIGN_OR_RETURN(made, Pack(chosen.index));
      choice = std::move(made);
    }
    choice.option_count = count_;
    for (size_t i = 0; i < count_; ++i) choice.options[i] = {name(i), predicted(i), chosen.measured_seconds[i]};
    choice.chosen = chosen.index;
    static_assert(sizeof(chosen.reason) == sizeof(choice.reason));
    std::copy(std::begin(chosen.reason), std::end(chosen.reason), choice.reason.begin());
    return choice;
  }

 private:
  struct Form {
    const char* name = "";
    double predicted = 0;
    const PanelKernel* panel = nullptr;
    const NamedWinogradTile* winograd = nullptr;
    const DenseProduct* product = nullptr;  // of a Winograd form whose matrices are dense
    bool is_pattern = false;
    bool kept = false;  // rows in the format's order, not the policy's
  };

  Forms(const KernelTable& kernels, const Weights& weights, const P& policy, const LayerGeometry* layer)
      : kernels_(kernels), weights_(weights), policy_(policy), layer_(layer) {}

  bool has_pattern() const { return layer_ != nullptr && !kernels_.patterns.empty(); }
  void Add(const Form& form) {
    if (count_ < form_.size()) form_[count_++] = form;
  }
  bool Fits(const NamedWinogradTile& tile) const {
    return layer_ != nullptr && WinogradOffer::Fits(*layer_, tile, policy_.winograd_error);
  }

  Status OfferWinograd() {
    if constexpr (P::kWinograd) {
      if (std::none_of(std::begin(kWinogradTiles), std::end(kWinogradTiles), [&](const auto& t) { return Fits(t); })) {
        return Status();
      }
      LACUNA_ASSIGN_OR_RETURN(offer, WinogradOffer::Of<typename P::Reorder>(kernels_, weights_, *layer_));
      winograd_ = std::move(offer);
    }
    return Status();
  }

  void AddWinograd() {
    if constexpr (P::kWinograd) {
      if (!winograd_) return;
      for (const NamedWinogradTile& tile : kWinogradTiles) {
        if (!Fits(tile) || winograd_->Bytes(tile.tile) > static_cast<double>(policy_.winograd_weight_bytes)) continue;
        const WinogradOffer::Prediction best = winograd_->Predict(kernels_, *layer_, tile.tile, policy_.cost);
        Add({.name = tile.name, .predicted = best.cost, .panel = best.panel, .winograd = &tile});
      }
      const DenseProduct* product = policy_.winograd_product;
      if (product == nullptr || !product->available()) return;
      const MatrixShape& shape = winograd_->kernels.shape();
      for (const NamedWinogradTile& tile : kWinogradTiles) {
        if (!Fits(tile) || DenseWinogradBytes(shape, tile.tile) > static_cast<double>(policy_.winograd_weight_bytes)) {
          continue;
        }
        const WinogradBlocks blocks =
            ChooseWinogradBlocks(layer_->axis, tile.tile, DenseWinogradBudget(shape, kernels_.lanes, policy_.cost));
        Add({.name = product->WinogradName(tile.tile),
             .predicted = blocks.cost * static_cast<double>(shape.groups) * static_cast<double>(kernels_.lanes) /
                          layer_->positions(),
             .winograd = &tile,
             .product = product});
      }
    }
  }

  Status AddPattern() {
    if (!has_pattern()) return Status();
    const MatrixShape& shape = weights_.shape();
    const int64_t merged = pack::MergedGroups(shape);
    LACUNA_ASSIGN_OR_RETURN(cost, PredictPatternCost(weights_, layer_->kernel()));
    Form form{.name = "pattern", .is_pattern = true};
    form.predicted = cost * PatternWaste(kernels_, *layer_) + GroupsCost(kernels_, *layer_, shape.groups, merged);
    // What input tiles add is predicted where there is a Winograd form to compare with: about the same for all others.
    if constexpr (P::kWinograd) {
      if (winograd_) {
        const int64_t groups = shape.groups / merged;
        const TileBudget<RowBlocks> budget{.cutting = RowBlocksOf(kernels_, layer_->kernel()),
                                           .bytes = policy_.input_tile_bytes,
                                           .weights_per_group = cost / static_cast<double>(groups),
                                           .rows_per_group = shape.rows_per_group() * merged,
                                           .cost = policy_.cost};
        LACUNA_ASSIGN_OR_RETURN(whole,
                                WholeCost(kernels_, *layer_, layer_->channels_per_group * merged, groups, budget));
        form.predicted = whole + GroupsCost(kernels_, *layer_, shape.groups, merged);
      }
    }
    Add(form);
    return Status();
  }

  Status AddPanels(std::span<const uint32_t> order, bool kept) {
    for (const PanelKernel& kernel : kernels_.panels) {
      Form form{.name = kept ? kernel.kept_name : kernel.name, .panel = &kernel, .kept = kept};
      if (kernels_.panels.size() > 1 || has_pattern() || winograd_ || kept) {
        LACUNA_ASSIGN_OR_RETURN(cost, PredictPanelCost(weights_, kernel.tile, order));
        const MatrixShape& shape = weights_.shape();
        form.predicted = cost;
        if (has_pattern()) form.predicted += GroupsCost(kernels_, *layer_, shape.groups, /*merged=*/1);
        if constexpr (P::kWinograd) {
          if (winograd_) {
            const TileBudget<SubTiling> budget{.cutting = {kernels_.lanes, kernel.Widths(), kernel.few != nullptr},
                                               .bytes = policy_.input_tile_bytes,
                                               .weights_per_group = cost / static_cast<double>(shape.groups),
                                               .rows_per_group = shape.rows_per_group(),
                                               .cost = policy_.cost};
            LACUNA_ASSIGN_OR_RETURN(whole,
                                    WholeCost(kernels_, *layer_, layer_->channels_per_group, shape.groups, budget));
            form.predicted = whole + GroupsCost(kernels_, *layer_, shape.groups, /*merged=*/1);
          }
        }
      }
      Add(form);
    }
    return Status();
  }

  const KernelTable& kernels_;
  const Weights& weights_;
  const P& policy_;
  const LayerGeometry* layer_;
  Buffer<uint32_t> order_;  // of rows, as the policy wants it
  std::optional<WinogradOffer> winograd_;
  std::array<Form, Explanation::kMaxOptions> form_{};
  size_t count_ = 0;
};

}  // namespace op

// `layer` may be null, see op::Forms; `key` describes it to selectors, but for what the weights and kernels tell.
template <Policy P, class Weights>
Result<PackedChoice> PackFor(const KernelTable& kernels, const Weights& weights, const P& policy,
                             const LayerGeometry* layer = nullptr, LayerKey key = {}) {
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  if (P::kWinograd && !(policy.winograd_error >= 0.0)) {
    return Status::InvalidArgument("policy.winograd_error is %g, must be at least 0", policy.winograd_error);
  }
  using Forms = op::Forms<P, Weights>;
  LACUNA_ASSIGN_OR_RETURN(forms, Forms::Of(kernels, weights, policy, layer));
  const MatrixShape& shape = weights.shape();
  key.scheme = policy.scheme.empty() ? std::string_view(BlobKindName(BlobAccess::Kind<Weights>())) : policy.scheme;
  key.density =
      static_cast<double>(weights.nnz()) / (static_cast<double>(shape.rows) * static_cast<double>(shape.columns));
  if (forms.has_winograd()) key.winograd_error = policy.winograd_error;
  key.target = hwy::TargetName(kernels.target);

  std::array<Candidate, Explanation::kMaxOptions> candidates{};
  for (size_t i = 0; i < forms.count(); ++i) candidates[i] = {forms.name(i), forms.predicted(i)};
  const std::span<const Candidate> offered(candidates.data(), forms.count());
  // Selectors that see the layer may time its candidates.
  if constexpr (SelectsForLayer<typename P::Select>) {
    if (layer != nullptr) {
      Trials<P, Forms> trials(kernels, forms, *layer, shape, key.batch, policy);
      for (size_t i = 0; i < forms.count(); ++i) candidates[i].measure = trials.MeasureOf(i);
      LACUNA_ASSIGN_OR_RETURN(chosen, ChooseCandidate(policy, key, offered));
      return forms.Packed(chosen, trials.Take(chosen.index));
    }
  }
  LACUNA_ASSIGN_OR_RETURN(chosen, ChooseCandidate(policy, key, offered));
  return forms.Packed(chosen, std::nullopt);
}

// Weights that are packed already are taken as they are.
template <Policy P>
Result<PackedChoice> PackFor(const KernelTable&, const Shared<PackedWeights<float>>& weights, const P&,
                             const LayerGeometry* = nullptr, const LayerKey& = {}) {
  if (!weights) return Status::InvalidArgument("weights is an empty Shared, must hold packed weights");
  PackedChoice choice;
  choice.weights = weights;
  return choice;
}

template <Policy P>
Result<PackedChoice> PackFor(const KernelTable& kernels, const AnyWeights<float>& weights, const P& policy,
                             const LayerGeometry* layer = nullptr, const LayerKey& key = {}) {
  return weights.Visit([&](const auto& format) { return PackFor(kernels, format, policy, layer, key); });
}

}  // namespace lacuna

#endif  // LACUNA_OP_PACK_FOR_H_
