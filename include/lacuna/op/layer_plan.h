// PackedChoice: a layer's weights, packed for the form that was chosen for it; and LayerPlan, what runs that form.

#ifndef LACUNA_OP_LAYER_PLAN_H_
#define LACUNA_OP_LAYER_PLAN_H_

#include "lacuna/core/epilogue.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/panel_plan.h"
#include "lacuna/op/winograd_plan.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/winograd.h"

#include <array>
#include <cstddef>
#include <utility>
#include <variant>

namespace lacuna {

// Packed weights, of one kind or the other, and the options that were weighed for them.
struct PackedChoice {
  Shared<PackedWeights<float>> weights;
  Shared<WinogradWeights<float>> winograd;
  std::array<Explanation::Option, Explanation::kMaxOptions> options{};
  size_t option_count = 0;
  size_t chosen = 0;
  std::array<char, sizeof(Explanation::reason)> reason{};

  void AddTo(Explanation& explanation) const {
    explanation.options = options;
    explanation.option_count = option_count;
    explanation.chosen = chosen;
    explanation.reason = reason;
  }
};

using LayerPlan = std::variant<PanelPlan, WinogradPlan>;

template <class P>
Result<LayerPlan> MakeLayerPlan(const KernelTable& kernels, const PackedChoice& choice, const LayerGeometry& layer,
                                const Epilogue& epilogue, const P& policy) {
  if constexpr (P::kWinograd) {
    if (choice.winograd) {
      LACUNA_ASSIGN_OR_RETURN(plan, WinogradPlan::Make(kernels, choice.winograd, layer, epilogue, policy.cost));
      return LayerPlan(std::move(plan));
    }
  }
  LACUNA_ASSIGN_OR_RETURN(
      plan, PanelPlan::Make(kernels, choice.weights, layer, epilogue, policy.input_tile_bytes, policy.cost));
  return LayerPlan(std::move(plan));
}

}  // namespace lacuna

#endif  // LACUNA_OP_LAYER_PLAN_H_
