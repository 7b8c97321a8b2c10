// How well lacuna selected, over all cases of a run.

#ifndef LACUNA_BENCH_SELECT_REPORT_H_
#define LACUNA_BENCH_SELECT_REPORT_H_

#include "lacuna/core/status.h"

#include <string>
#include <vector>

#include "select_case.h"

namespace lacuna::bench {

// What a selection has to reach; beyond it a case is a miss.
inline constexpr double kMeasurementLoss = 1.05, kCostModelLoss = 1.15;
inline constexpr double kNoSlowerThanDense = 0.98;

// A row per scheme and rate, per scheme and in all; then the cases that were skipped, and the misses.
void PrintSelection(const std::vector<SelectCase>& cases);

// A JSON object: "context", and "candidates", an object per case and candidate: predicted cost, ms as the selector
// measured it and as it was judged.
Status WriteSelection(const std::string& path, const std::vector<SelectCase>& cases);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_SELECT_REPORT_H_
