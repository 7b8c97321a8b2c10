// ONNX model -> Graph.

#ifndef LACUNA_EXAMPLES_GRAPH_ONNX_IMPORT_H_
#define LACUNA_EXAMPLES_GRAPH_ONNX_IMPORT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

struct ImportOptions {
  // The first extent of an input whose model leaves it open, 1 if none is given. One that is given must not contradict
  // an extent that the model fixes.
  std::optional<int64_t> batch{};
  std::map<std::string, Shape> shapes{};  // of graph inputs, where the model leaves extents open
  // Of graph inputs too: extents that stand where the model and `shapes` leave them open, and nowhere else.
  std::map<std::string, Shape> fallback_shapes{};
  std::map<std::string, Tensor> constants{};  // graph inputs to treat as initializers of this value
  // What a graph input will be given, null where that is not known: its extents stand where the model leaves them open,
  // and a single integer, which may decide what runs, becomes a constant.
  std::function<const Tensor*(const std::string&)> given{};
  std::vector<std::string> further_outputs{};  // values inside the graph that become outputs, after its own
  int64_t max_elements = kMaxTensorElements;   // of any one tensor
  // FoldConstants, and all that keeps the executor from running the model is an error. Else nodes stay as the model has
  // them, whatever they are; open extents are -1 and constants of other types left out.
  bool for_execution = true;
  std::vector<std::string>* problems = nullptr;  // receives all that keeps the model from running, a line each
};

// Nodes are sorted, functions of the model expanded, fused operators of ONNX Runtime's domain taken apart. Errors:
// kNotFound (file), kDataLoss (truncated or malformed protobuf, values that contradict their shape), kUnsupported
// (operator, element type, open extent: the message names the node, tensor or input), kInvalidArgument (a value that
// nothing defines, a cycle, a wrong number of inputs, an attribute of the wrong type).
Result<Graph> ImportOnnxFile(const std::string& path, const ImportOptions& options = {});
Result<Graph> ImportOnnx(std::span<const char> bytes, const ImportOptions& options = {},
                         const std::string& source = "model");

// One serialised TensorProto, the form of ONNX's test data.
Result<Tensor> ImportTensorFile(const std::string& path);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_ONNX_IMPORT_H_
