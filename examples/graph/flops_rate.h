// FLOPs rates: how many times fewer FLOPs the convolutions of a network take once some of them are pruned.

#ifndef LACUNA_EXAMPLES_GRAPH_FLOPS_RATE_H_
#define LACUNA_EXAMPLES_GRAPH_FLOPS_RATE_H_

#include "graph/graph.h"
#include "graph/layer_selection.h"

namespace graph {

// FLOPs of dense convolutions: two for each weight and each output it feeds, taps on padding included.
struct ConvolutionFlops {
  double all = 0.0;
  double selected = 0.0;  // of those that are to be pruned
};

// The FLOPs of the Conv `node` whose weights are `matrix`.
double FlopsOf(const Values& values, const Node& node, const WeightMatrix& matrix);

// `selection` must not have been asked before.
Result<ConvolutionFlops> CountConvolutionFlops(const Graph& graph, const Values& values, LayerSelection selection);

// The rate r of the selected layers' weights for which all / (all - selected + selected / r) is `flops_rate`.
// kInvalidArgument if it is below 1 or needs more than lacuna::prune::kMaxRate of them: the message names the largest.
Result<double> RateForFlops(const ConvolutionFlops& flops, double flops_rate);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_FLOPS_RATE_H_
