// What a run found about layers that are bound by their weights: matrix-vector products and recurrent layers.

#ifndef LACUNA_BENCH_WEIGHT_REPORT_H_
#define LACUNA_BENCH_WEIGHT_REPORT_H_

#include "layers.h"
#include "report.h"

namespace lacuna::bench {

// Whether a product with a vector is measured.
bool IsMeasuredGemv(const Layer& layer);

// A row per layer, scheme and engine of lacuna: speed-ups beside the roof ratio, which is what the bytes alone would
// gain; read bandwidth. Then the goals, each with its lowest figure in this run.
void PrintGemvs(const LayerRuns& runs);
void PrintRecurrences(const LayerRuns& runs);
// Weights of other types than f32, with engine lacuna_f32 beside them.
void PrintNarrowGemvs(const LayerRuns& runs);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_WEIGHT_REPORT_H_
