// A graph as an ONNX model, so that other engines run the same network.

#ifndef LACUNA_EXAMPLES_GRAPH_ONNX_EXPORT_H_
#define LACUNA_EXAMPLES_GRAPH_ONNX_EXPORT_H_

#include <onnx/onnx_pb.h>

#include "graph/graph.h"

namespace graph {

// Every node, weight and metadata entry of `graph`; outputs have the types and shapes that follow from its inputs,
// whose errors these are. kUnsupported names a node with a subgraph.
Result<onnx::ModelProto> ToModel(const Graph& graph);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_ONNX_EXPORT_H_
