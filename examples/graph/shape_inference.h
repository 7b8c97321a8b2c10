// Type and shape of every value of a graph.

#ifndef LACUNA_EXAMPLES_GRAPH_SHAPE_INFERENCE_H_
#define LACUNA_EXAMPLES_GRAPH_SHAPE_INFERENCE_H_

#include <vector>

#include "graph/graph.h"

namespace graph {

// Errors name the node, and the input or attribute that does not fit.
Result<Values> InferValues(const Graph& graph, int64_t max_elements = kMaxTensorElements);

// The same of one node: type and shape of each of its outputs. Precondition: `values` has all inputs of the node.
Result<std::vector<TensorInfo>> InferNode(const Graph& graph, const Node& node, const Values& values,
                                          int64_t max_elements);

// The shape of a op b under multidirectional broadcasting.
Result<Shape> BroadcastShapes(const Node& node, const Shape& a, const Shape& b);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_SHAPE_INFERENCE_H_
