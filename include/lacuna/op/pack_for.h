// PackFor: chooses the register tile of a policy and packs weights for it.

#ifndef LACUNA_OP_PACK_FOR_H_
#define LACUNA_OP_PACK_FOR_H_

#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/pack/packed_weights.h"
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

template <Policy P, class Weights>
Result<PackedChoice> PackFor(const KernelTable& kernels, const Weights& weights, const P&) {
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  PackedChoice choice;
  std::array<Candidate, 8> candidates{};
  const size_t count = std::min(kernels.panels.size(), candidates.size());
  for (size_t i = 0; i < count; ++i) {
    const PanelKernel& kernel = kernels.panels[i];
    double predicted = 0;
    if (count > 1) {
      LACUNA_ASSIGN_OR_RETURN(cost, PredictPanelCost(weights, kernel.tile));
      predicted = cost;
      choice.options[choice.option_count++] = {kernel.name, cost};
    }
    candidates[i] = {kernel.name, predicted};
  }
  const size_t chosen = P::Select::Choose(std::span<const Candidate>(candidates.data(), count));
  if (chosen >= count) {
    return Status::InvalidArgument("policy: Select::Choose returned %zu, must be below %zu", chosen, count);
  }
  LACUNA_ASSIGN_OR_RETURN(packed, Pack<typename P::Reorder>(weights, kernels.panels[chosen].tile));
  LACUNA_ASSIGN_OR_RETURN(shared, Shared<PackedWeights<float>>::Make(std::move(packed)));
  choice.weights = std::move(shared);
  return choice;
}

// Weights that are packed already are taken as they are.
template <Policy P>
Result<PackedChoice> PackFor(const KernelTable&, const Shared<PackedWeights<float>>& weights, const P&) {
  if (!weights) return Status::InvalidArgument("weights is an empty Shared, must hold packed weights");
  PackedChoice choice;
  choice.weights = weights;
  return choice;
}

}  // namespace lacuna

#endif  // LACUNA_OP_PACK_FOR_H_
