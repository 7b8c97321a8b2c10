// LayerGraph: one layer of a network as a network of its own, to be timed alone.

#ifndef LACUNA_EXAMPLES_GRAPH_LAYER_GRAPH_H_
#define LACUNA_EXAMPLES_GRAPH_LAYER_GRAPH_H_

#include <string>

#include "graph/fusion.h"
#include "graph/graph.h"

namespace graph {

// `layer` with all that is fused into it and the constants that it reads; what else it reads become graph inputs. It
// fuses again as it did. Preconditions: `layer` and `values` are of `graph`.
Graph LayerGraph(const Graph& graph, const Values& values, const Layer& layer);

// What decides a layer's latency apart from the scheme of its weights: operators, attributes, values. Layers with equal
// texts take equally long: "Conv [1, 64, 56, 56] *[64, 64, 3, 3] *[64] pads=1,1,1,1 Relu [1, 64, 56, 56]", constants
// being starred.
std::string LayerText(const Graph& graph, const Values& values, const Layer& layer);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_LAYER_GRAPH_H_
