// The policies of lacuna's engines: the default one with one decision changed, to show what it is worth.

#ifndef LACUNA_BENCH_LACUNA_POLICIES_H_
#define LACUNA_BENCH_LACUNA_POLICIES_H_

#include "lacuna/policy/policy.h"
#include "lacuna/policy/select.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "selection.h"

namespace lacuna::bench {

enum class Algorithm : uint8_t { kPanel, kPattern, kWinograd };

constexpr Algorithm AlgorithmOf(std::string_view candidate) {
  if (candidate == "pattern") return Algorithm::kPattern;
  return candidate.starts_with("winograd") ? Algorithm::kWinograd : Algorithm::kPanel;
}

// The best of one kind; refused where there is none.
template <Algorithm kAlgorithm>
struct SelectAlgorithm {
  static size_t Choose(std::span<const Candidate> candidates) {
    size_t best = candidates.size();
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (AlgorithmOf(candidates[i].name) != kAlgorithm) continue;
      if (best == candidates.size() || candidates[i].predicted < candidates[best].predicted) best = i;
    }
    return best;
  }
};
struct PatternPolicy : DefaultPolicy {
  using Select = SelectAlgorithm<Algorithm::kPattern>;
};
struct PanelPolicy : DefaultPolicy {
  using Select = SelectAlgorithm<Algorithm::kPanel>;
};
// With Winograd forms fractions of peak are of what a direct convolution would have had to do.
struct WinogradOnlyPolicy : WinogradPolicy {
  using Select = SelectAlgorithm<Algorithm::kWinograd>;
};
struct KeepPolicy : DefaultPolicy {
  using Reorder = KeepOrder;
};
struct ReorderPolicy : DefaultPolicy {
  using Reorder = GroupSimilarRows;
};

// One type for every way to select, as each further policy type is compiled for every SIMD target.
struct SelectBy {
  Selection selection;

  Choice Choose(const LayerKey& layer, std::span<const Candidate> candidates) const {
    if (selection.by == Selection::By::kMeasurement) {
      return SelectByMeasurement{.budget_seconds = selection.budget_seconds}.Choose(layer, candidates);
    }
    if (selection.by == Selection::By::kName) return SelectByName{selection.name.c_str()}.Choose(layer, candidates);
    Choice choice;
    choice.index = SelectByCostModel::Choose(candidates);
    choice.Because("%s", SelectByCostModel::kReason);
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (!IsWanted(candidates[i].name)) continue;
      const Candidate& chosen = candidates[choice.index];
      if (!IsWanted(chosen.name) || SelectByCostModel::IsLess(candidates[i].predicted, chosen.predicted)) {
        choice.index = i;
      }
    }
    return choice;
  }

  // Whether a candidate has the name that is asked for, if one is.
  bool IsWanted(std::string_view name) const {
    if (selection.by == Selection::By::kName) return name == selection.name;
    return selection.by != Selection::By::kEndOfName || name.ends_with(selection.name);
  }
};
struct SelectionPolicy : WinogradPolicy {
  using Select = SelectBy;
  SelectBy select;
};

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_LACUNA_POLICIES_H_
