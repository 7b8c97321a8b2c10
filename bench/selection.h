// Selection: how lacuna is told to choose among the candidates of a layer, and what it chose.

#ifndef LACUNA_BENCH_SELECTION_H_
#define LACUNA_BENCH_SELECTION_H_

#include "lacuna/core/status.h"
#include "lacuna/policy/defaults.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine.h"

namespace lacuna::bench {

struct Selection {
  // By cost model among all candidates, or among those whose name has a certain end.
  enum class By : uint8_t { kCostModel, kMeasurement, kName, kEndOfName };
  By by = By::kCostModel;
  std::string name{};                       // of the candidate, or its end
  double budget_seconds = kMeasureSeconds;  // by measurement
};

// A candidate as the plan lists it.
struct PlanOption {
  std::string name;
  double predicted;         // in a unit that the candidates of a layer share
  double measured_seconds;  // by the selector; 0: not measured
};

// A plan, ready to run, and what it was chosen from.
struct SelectedPlan {
  EnginePointer engine;
  std::vector<PlanOption> options;
  size_t chosen = 0;
};

// MakeConvolution<kRank> with WinogradPolicy, one thread, planar activations, the cost model scaled to this machine
// where that can be measured. Selecting by name fails if there is no such candidate (kUnsupported).
template <int kRank>
Result<SelectedPlan> SelectPlan(const Problem& problem, const Selection& selection);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_SELECTION_H_
