// ONNX model -> Graph.

#ifndef LACUNA_EXAMPLES_GRAPH_ONNX_IMPORT_H_
#define LACUNA_EXAMPLES_GRAPH_ONNX_IMPORT_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "graph/graph.h"

namespace graph {

struct ImportOptions {
  int64_t batch = 1;                          // the first extent of an input whose model leaves it open
  int64_t max_elements = kMaxTensorElements;  // of any one tensor
  std::map<std::string, Tensor> constants{};  // graph inputs to treat as initializers of this value
};

// Errors: kNotFound (file), kDataLoss (truncated or malformed protobuf, values that contradict their shape),
// kUnsupported (operator, element type, external data: the message names the node or tensor), kInvalidArgument (a value
// that nothing defines, a wrong number of inputs, an attribute of the wrong type).
Result<Graph> ImportOnnxFile(const std::string& path, const ImportOptions& options = {});
Result<Graph> ImportOnnx(std::span<const char> bytes, const ImportOptions& options = {},
                         const std::string& source = "model");

// One serialised TensorProto, the form of ONNX's test data.
Result<Tensor> ImportTensorFile(const std::string& path);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_ONNX_IMPORT_H_
