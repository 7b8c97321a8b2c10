// Functions of a model: operators that it defines itself, by nodes.

#ifndef LACUNA_EXAMPLES_GRAPH_ONNX_FUNCTIONS_H_
#define LACUNA_EXAMPLES_GRAPH_ONNX_FUNCTIONS_H_

#include <onnx/onnx_pb.h>

#include "graph/graph.h"

namespace graph {

// Replaces each node of the graph, its subgraphs included, that calls one of the model's functions by the nodes of that
// function. kInvalidArgument for functions that call each other in a circle.
Status ExpandFunctions(onnx::ModelProto& model);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_ONNX_FUNCTIONS_H_
