// ONNX protobufs from and to files, with every failure a Status.

#ifndef LACUNA_EXAMPLES_GRAPH_ONNX_FILE_H_
#define LACUNA_EXAMPLES_GRAPH_ONNX_FILE_H_

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

// The bytes of a file. kNotFound names the path if it cannot be opened or read, kUnsupported if it exceeds 2 GiB
// (protobuf's limit).
Result<std::vector<char>> ReadFile(const std::string& path);

// kDataLoss if the bytes are not a whole ModelProto. `source` is how messages call them.
Result<onnx::ModelProto> ParseModel(std::span<const char> bytes, const std::string& source);

// The same of a file, without a copy of its bytes beside the model. Errors are those of ReadFile too.
Result<onnx::ModelProto> ReadModel(const std::string& path);

// By ReplaceFile.
Status WriteModel(const onnx::ModelProto& model, const std::string& path);

// Every numeric type. kUnsupported names any other; data kept outside the model's file are read from `folder`, from
// which no name may lead out, and refused if it is empty.
Result<Tensor> ToTensor(const onnx::TensorProto& proto, int64_t max_elements, const std::string& folder = "");

// Takes the data of all tensors that keep them in files of their own, in `folder`, into the model.
Status EmbedExternalData(onnx::ModelProto& model, const std::string& folder);

// Replaces the values of a floating-point tensor, which keeps its type. Preconditions: as many values as `proto` has
// elements.
void SetFloats(std::span<const float> values, onnx::TensorProto& proto);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_ONNX_FILE_H_
