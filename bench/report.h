// What a run found: a table per layer, and the figures over groups of layers that lacuna is judged by.

#ifndef LACUNA_BENCH_REPORT_H_
#define LACUNA_BENCH_REPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "layer_run.h"

namespace lacuna::bench {

using LayerRuns = std::vector<std::unique_ptr<LayerRun>>;

// A row per layer and scheme: ms of lacuna, of its variants and of every peer, speed-ups, fractions of peak and of
// roof.
void PrintLayers(const LayerRuns& runs);

// Geometric means over groups of layers, scheme by scheme; packing.
void PrintSummary(const LayerRuns& runs);

// A row per op, scheme and engine of lacuna: speed-ups over the others, largest error. Nothing if there are no
// variants.
void PrintVariants(const LayerRuns& runs);

// What more threads bring, and whether their results are those of one.
void PrintThreads(const LayerRuns& runs);

// A row per network of which all convolutions were measured, and per way of pruning it: ms, each layer as often as the
// network has it; speed-up over the fastest peer.
void PrintNetworks(const LayerRuns& runs);

// Prints what every engine chose, in its own words.
void PrintDetails(const LayerRuns& runs);

// Prints wrong outputs, missing samples and arithmetic faster than the measured peak, which voids a run. Returns how
// many.
int PrintFaults(const LayerRuns& runs, RunContext& context, bool check_peak);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_REPORT_H_
