// What a run found about layers that are bound by their weights: matrix-vector products and recurrent layers.

#ifndef LACUNA_BENCH_WEIGHT_REPORT_H_
#define LACUNA_BENCH_WEIGHT_REPORT_H_

#include "report.h"

namespace lacuna::bench {

// A row per layer, scheme and engine of lacuna: speed-ups beside the roof ratio, which is what the bytes alone would
// gain; read bandwidth. Then the goals, each with its lowest figure in this run.
void PrintGemvs(const LayerRuns& runs);
void PrintRecurrences(const LayerRuns& runs);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_WEIGHT_REPORT_H_
