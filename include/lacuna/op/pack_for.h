// PackFor: chooses the register tile of a policy and packs weights for it.

#ifndef LACUNA_OP_PACK_FOR_H_
#define LACUNA_OP_PACK_FOR_H_

#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/format/any.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/pattern.h"
#include "lacuna/pack/row_blocks.h"
#include "lacuna/policy/policy.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace lacuna {

// Packed weights and the tiles that were weighed for them.
struct PackedChoice {
  Shared<PackedWeights<float>> weights;
  std::array<Explanation::Option, 8> options{};
  size_t option_count = 0;

  void AddTo(Explanation& explanation) const {
    explanation.options = options;
    explanation.option_count = option_count;
  }
};

// What packing may know of the layer: without it, weights are packed for the panel kernel.
struct LayerGeometry {
  KernelAxes kernel{};
  std::array<int64_t, 3> output{1, 1, 1};
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
  tile.axis[2].tile = layer.output[2];
  tile.axis[2].kernel = layer.kernel[2].kernel;
  const double vectors = RowBlocksOf(kernels, layer.kernel).Vectors(tile, {1, layer.output[1], layer.output[2]});
  return vectors * static_cast<double>(kernels.lanes) / static_cast<double>(layer.output[1] * layer.output[2]);
}

// What a layer's groups cost beyond their multiply-adds, per vector of outputs like them, where `merged` of them share
// an input tile. The panel kernel merges none: it must not win a depthwise layer because the pattern kernel wastes much
// of its vectors on a small image.
inline double GroupsCost(const KernelTable& kernels, const LayerGeometry& layer, int64_t groups, int64_t merged) {
  const double outputs = static_cast<double>(layer.output[0]) * static_cast<double>(layer.output[1] * layer.output[2]);
  return static_cast<double>(groups / merged - 1) * kTileCost * static_cast<double>(kernels.lanes) / outputs;
}

}  // namespace op

template <Policy P, class Weights>
Result<PackedChoice> PackFor(const KernelTable& kernels, const Weights& weights, const P&,
                             const LayerGeometry* layer = nullptr) {
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  PackedChoice choice;
  LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows<typename P::Reorder>(weights));
  std::array<Candidate, 8> candidates{};
  size_t count = std::min(kernels.panels.size(), candidates.size() - 1);
  const bool pattern = layer != nullptr && !kernels.patterns.empty();
  for (size_t i = 0; i < count; ++i) {
    const PanelKernel& kernel = kernels.panels[i];
    double predicted = 0;
    if (count > 1 || pattern) {
      LACUNA_ASSIGN_OR_RETURN(cost, PredictPanelCost(weights, kernel.tile, order));
      predicted = cost;
      if (pattern) predicted += op::GroupsCost(kernels, *layer, weights.shape().groups, /*merged=*/1);
      choice.options[choice.option_count++] = {kernel.name, predicted};
    }
    candidates[i] = {kernel.name, predicted};
  }
  if (pattern) {
    LACUNA_ASSIGN_OR_RETURN(cost, PredictPatternCost(weights, layer->kernel));
    const MatrixShape& shape = weights.shape();
    const double predicted = cost * op::PatternWaste(kernels, *layer) +
                             op::GroupsCost(kernels, *layer, shape.groups, pack::MergedGroups(shape));
    choice.options[choice.option_count++] = {"pattern", predicted};
    candidates[count++] = {"pattern", predicted};
  }
  const size_t chosen = P::Select::Choose(std::span<const Candidate>(candidates.data(), count));
  if (chosen >= count) {
    return Status::InvalidArgument("policy: Select::Choose returned %zu, must be below %zu", chosen, count);
  }
  const bool is_pattern = pattern && chosen + 1 == count;
  LACUNA_ASSIGN_OR_RETURN(
      packed, is_pattern ? PackPattern(weights, kernels.patterns.front().tile, layer->kernel, std::move(order))
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
