// PackFor: chooses how a layer is computed among what a policy has, and packs its weights for that.

#ifndef LACUNA_OP_PACK_FOR_H_
#define LACUNA_OP_PACK_FOR_H_

#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/format/any.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/pattern.h"
#include "lacuna/pack/row_blocks.h"
#include "lacuna/pack/winograd.h"
#include "lacuna/pack/winograd_blocks.h"
#include "lacuna/policy/policy.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <utility>

namespace lacuna {

// Packed weights, of one kind or the other, and the options that were weighed for them.
struct PackedChoice {
  Shared<PackedWeights<float>> weights;
  Shared<WinogradWeights<float>> winograd;
  std::array<Explanation::Option, Explanation::kMaxOptions> options{};
  size_t option_count = 0;

  void AddTo(Explanation& explanation) const {
    explanation.options = options;
    explanation.option_count = option_count;
  }
};

// The blocks of a target's pattern kernels.
inline RowBlocks RowBlocksOf(const KernelTable& kernels, const KernelAxes& kernel) {
  RowBlocks blocks{.lanes = kernels.lanes, .one_row = kernel[1].kernel == 1};
  for (const PanelKernel& pattern : kernels.patterns) {
    if (blocks.blocks < RowBlocks::kMost) blocks.block[blocks.blocks++] = {pattern.tile.height, pattern.tile.vectors};
  }
  return blocks;
}

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
  KernelMatrix<float> kernels;
  Buffer<uint32_t> order;
  const PanelKernel* panel = nullptr;  // the cheapest for the matrix of kernels
  double panel_cost = 0;               // of a product, per vector of tiles, all groups

  static bool Fits(const LayerGeometry& layer, const NamedWinogradTile& tile, double error) {
    return TakesWinograd(layer.axis, tile.tile) && WinogradError(tile.tile) <= error;
  }

  template <class Reorder, class Weights>
  static Result<WinogradOffer> Of(const KernelTable& table, const Weights& weights, const LayerGeometry& layer) {
    const int64_t taps = layer.axis[0].kernel * layer.axis[1].kernel * layer.axis[2].kernel;
    LACUNA_ASSIGN_OR_RETURN(kernels, KernelMatrix<float>::Of(weights, taps));
    LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows<Reorder>(kernels));
    WinogradOffer offer{std::move(kernels), std::move(order)};
    offer.panel_cost = std::numeric_limits<double>::infinity();
    for (const PanelKernel& kernel : table.panels) {
      LACUNA_ASSIGN_OR_RETURN(cost, PredictPanelCost(offer.kernels, kernel.tile, offer.order));
      if (cost >= offer.panel_cost) continue;
      offer.panel = &kernel;
      offer.panel_cost = cost;
    }
    return offer;
  }

  // Of the transformed weights, without what packing fills in.
  double Bytes(const WinogradTile& tile) const {
    return static_cast<double>(tile.products()) * static_cast<double>(kernels.nnz()) * sizeof(float);
  }

  // Per vector of outputs.
  double Predict(const KernelTable& table, const LayerGeometry& layer, const WinogradTile& tile) const {
    const MatrixShape& shape = kernels.shape();
    const auto groups = static_cast<double>(shape.groups);
    const WinogradBlocks blocks =
        ChooseWinogradBlocks(layer.axis, tile,
                             {.cutting = {table.lanes, panel->Widths(), panel->few != nullptr},
                              .weights_per_group = panel_cost / groups,
                              .channels_per_group = shape.columns,
                              .rows_per_group = shape.rows_per_group()});
    return blocks.cost * groups * static_cast<double>(table.lanes) / layer.positions();
  }

  Result<WinogradWeights<float>> Pack(const LayerGeometry& layer, const NamedWinogradTile& tile) {
    return PackWinograd(kernels, {layer.axis[0].kernel, layer.axis[1].kernel, layer.axis[2].kernel}, tile, panel->tile,
                        std::move(order));
  }
};

// A panel kernel's cost per vector of outputs with what its input tile adds: ragged edges, copying, weights read again.
// `predicted` is PredictPanelCost.
inline Result<double> PanelCost(const KernelTable& table, const PanelKernel& kernel, const LayerGeometry& layer,
                                const MatrixShape& shape, double predicted, size_t input_tile_bytes) {
  const auto groups = static_cast<double>(shape.groups);
  const TileBudget<SubTiling> budget{.cutting = {table.lanes, kernel.Widths(), kernel.few != nullptr},
                                     .bytes = input_tile_bytes,
                                     .weights_per_group = predicted / groups,
                                     .rows_per_group = shape.rows_per_group()};
  LACUNA_ASSIGN_OR_RETURN(tile, ChooseInputTile<SubTiling>(layer.axis, layer.channels_per_group, budget));
  const double cost = pack::TileCost(tile, budget) + budget.weights_per_group * kColdWeightCost;
  return cost * groups * static_cast<double>(table.lanes) / layer.positions();
}

}  // namespace op

template <Policy P, class Weights>
Result<PackedChoice> PackFor(const KernelTable& kernels, const Weights& weights, [[maybe_unused]] const P& policy,
                             const LayerGeometry* layer = nullptr) {
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  if (P::kWinograd && !(policy.winograd_error >= 0.0)) {
    return Status::InvalidArgument("policy.winograd_error is %g, must be at least 0", policy.winograd_error);
  }
  using Reorder = typename P::Reorder;
  const MatrixShape& shape = weights.shape();
  PackedChoice choice;
  std::array<Candidate, Explanation::kMaxOptions> candidates{};
  size_t count = 0;
  const auto add = [&](const char* name, double predicted) {
    if (count == candidates.size()) return;
    choice.options[count] = {name, predicted};
    candidates[count++] = {name, predicted};
  };

  const bool pattern = layer != nullptr && !kernels.patterns.empty();
  std::optional<op::WinogradOffer> winograd;
  if constexpr (P::kWinograd) {
    for (const NamedWinogradTile& tile : kWinogradTiles) {
      if (layer == nullptr || winograd || !op::WinogradOffer::Fits(*layer, tile, policy.winograd_error)) continue;
      LACUNA_ASSIGN_OR_RETURN(offer, op::WinogradOffer::Of<Reorder>(kernels, weights, *layer));
      winograd = std::move(offer);
    }
  }
  LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows<Reorder>(weights));
  for (const PanelKernel& kernel : kernels.panels) {
    double predicted = 0;
    if (kernels.panels.size() > 1 || pattern || winograd) {
      LACUNA_ASSIGN_OR_RETURN(cost, PredictPanelCost(weights, kernel.tile, order));
      predicted = cost;
      if (pattern) predicted += op::GroupsCost(kernels, *layer, shape.groups, /*merged=*/1);
      if constexpr (P::kWinograd) {
        if (winograd) {
          LACUNA_ASSIGN_OR_RETURN(whole,
                                  op::PanelCost(kernels, kernel, *layer, shape, predicted, policy.input_tile_bytes));
          predicted = whole;
        }
      }
    }
    add(kernel.name, predicted);
  }
  if (pattern) {
    LACUNA_ASSIGN_OR_RETURN(cost, PredictPatternCost(weights, layer->kernel()));
    add("pattern", cost * op::PatternWaste(kernels, *layer) +
                       op::GroupsCost(kernels, *layer, shape.groups, pack::MergedGroups(shape)));
  }
  const size_t direct = count;
  std::array<const NamedWinogradTile*, std::size(kWinogradTiles)> tiles{};
  if constexpr (P::kWinograd) {
    for (const NamedWinogradTile& tile : kWinogradTiles) {
      if (!winograd || !op::WinogradOffer::Fits(*layer, tile, policy.winograd_error)) continue;
      if (winograd->Bytes(tile.tile) > static_cast<double>(policy.winograd_weight_bytes)) continue;
      tiles[count - direct] = &tile;
      add(tile.name, winograd->Predict(kernels, *layer, tile.tile));
    }
  }
  if (count > 1) choice.option_count = count;

  const size_t chosen = P::Select::Choose(std::span<const Candidate>(candidates.data(), count));
  if (chosen >= count) {
    return Status::InvalidArgument("policy: Select::Choose returned %zu, must be below %zu", chosen, count);
  }
  if constexpr (P::kWinograd) {
    if (chosen >= direct) {
      LACUNA_ASSIGN_OR_RETURN(packed, winograd->Pack(*layer, *tiles[chosen - direct]));
      LACUNA_ASSIGN_OR_RETURN(shared, Shared<WinogradWeights<float>>::Make(std::move(packed)));
      choice.winograd = std::move(shared);
      return choice;
    }
  }
  winograd.reset();
  const bool is_pattern = pattern && chosen + 1 == direct;
  LACUNA_ASSIGN_OR_RETURN(
      packed, is_pattern ? PackPattern(weights, kernels.patterns.front().tile, layer->kernel(), std::move(order))
                         : Pack(weights, kernels.panels[chosen].tile, std::move(order)));
  LACUNA_ASSIGN_OR_RETURN(shared, Shared<PackedWeights<float>>::Make(std::move(packed)));
  choice.weights = std::move(shared);
  return choice;
}

// Weights that are packed already are taken as they are.
template <Policy P>
Result<PackedChoice> PackFor(const KernelTable&, const Shared<PackedWeights<float>>& weights, const P&,
                             const LayerGeometry* = nullptr) {
  if (!weights) return Status::InvalidArgument("weights is an empty Shared, must hold packed weights");
  PackedChoice choice;
  choice.weights = weights;
  return choice;
}

template <Policy P>
Result<PackedChoice> PackFor(const KernelTable& kernels, const AnyWeights<float>& weights, const P& policy,
                             const LayerGeometry* layer = nullptr) {
  return weights.Visit([&](const auto& format) { return PackFor(kernels, format, policy, layer); });
}

}  // namespace lacuna

#endif  // LACUNA_OP_PACK_FOR_H_
