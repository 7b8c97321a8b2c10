// Fusion: which nodes run inside the epilogue of the layer before them.

#ifndef LACUNA_EXAMPLES_GRAPH_FUSION_H_
#define LACUNA_EXAMPLES_GRAPH_FUSION_H_

#include "lacuna/core/epilogue.h"

#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

// One step of execution: a node and the nodes fused into it.
//   y = activation(scale[c] * node(x)[c] + shift[c] + residual)
// where c is the output channel of a convolution or the output feature of a Gemm or MatMul.
struct Layer {
  const Node* node = nullptr;
  std::string output;                // the value that stands after everything fused
  std::vector<std::string> further;  // the node's other outputs, behind none of which anything is fused
  std::vector<float> scale;          // BatchNormalization; empty: 1
  std::vector<float> shift;          // BatchNormalization or an added constant vector; empty: 0
  std::string residual;              // a value of the output's shape that is added, or empty
  lacuna::Epilogue activation{};     // bias and residual stay unset here
  std::vector<const Node*> fused;    // nodes that need no step of their own
};

// The activation that `node` applies to its first input, or nothing if it is none that an Epilogue knows. Clip bounds
// must be constants.
Result<std::optional<lacuna::Epilogue>> ActivationOf(const Graph& graph, const Node& node);

// scale and shift of an inference BatchNormalization: y = scale[c] * x + shift[c].
Status FoldBatchNormalization(const Graph& graph, const Node& node, std::vector<float>& scale,
                              std::vector<float>& shift);

// Layers in execution order. Fuses into Conv, and into Gemm and MatMul with constant weights: a BatchNormalization or
// constant vector, then a residual Add, then an activation (x * sigmoid(x) and x * HardSigmoid(x) written as two nodes
// included), each only where the value between has no other use.
Result<std::vector<Layer>> FuseLayers(const Graph& graph, const Values& values);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_FUSION_H_
