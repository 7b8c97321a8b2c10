// The shape of every value of a graph.

#ifndef LACUNA_EXAMPLES_GRAPH_SHAPE_INFERENCE_H_
#define LACUNA_EXAMPLES_GRAPH_SHAPE_INFERENCE_H_

#include "graph/graph.h"

namespace graph {

// Errors name the node, and the input or attribute that does not fit.
Result<Shapes> InferShapes(const Graph& graph, int64_t max_elements = kMaxTensorElements);

// The shape of a op b under multidirectional broadcasting.
Result<Shape> BroadcastShapes(const Node& node, const Shape& a, const Shape& b);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_SHAPE_INFERENCE_H_
