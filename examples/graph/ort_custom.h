// Pruned layers of a model as operators of the domain "lacuna", which integrations/onnxruntime gives to ONNX Runtime.

#ifndef LACUNA_EXAMPLES_GRAPH_ORT_CUSTOM_H_
#define LACUNA_EXAMPLES_GRAPH_ORT_CUSTOM_H_

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

struct CustomLayer {
  std::string name;
  std::string op{};    // "lacuna.Conv", with the activation that it took in, "lacuna.Conv + Relu"
  std::string left{};  // why the layer stays as it is; then op is empty
};

// Every Conv, Gemm, MatMul and GRU of the model's own graph whose weights have an entry "lacuna.scheme/..." in the
// metadata becomes an operator of lacuna; a Relu, LeakyRelu, Sigmoid, Tanh, HardSwish or Clip that is all that reads a
// Conv's or product's output becomes a part of it. Everything else passes through. kInvalidArgument: no layer has such
// an entry.
Result<std::vector<CustomLayer>> EmitOrtCustom(onnx::ModelProto& model);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_ORT_CUSTOM_H_
