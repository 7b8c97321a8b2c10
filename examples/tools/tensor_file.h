// Tensors in files: .npy, .npz, ONNX's TensorProto (.pb) and folders of ONNX test data.

#ifndef LACUNA_EXAMPLES_TOOLS_TENSOR_FILE_H_
#define LACUNA_EXAMPLES_TOOLS_TENSOR_FILE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace tools {

struct NamedTensor {
  std::string name;  // empty where the file has none: .npy and .pb
  graph::Tensor tensor;
};

// Whether ReadTensors knows what to do with `path`, by its ending or, for a folder, by what is in it.
bool IsTensorFile(const std::string& path);

// All tensors of a file, or of a folder: NAME.npy each, or input_0.pb, input_1.pb and so on, in their order and without
// names; `stem` is "input" or "output". kNotFound, kDataLoss (truncated, sizes that contradict each other),
// kUnsupported (element types that are no numbers, big-endian data) name the file.
graph::Result<std::vector<NamedTensor>> ReadTensors(const std::string& path, std::string_view stem = "input");

// Writes a .npz where `path` ends so, else NAME.npy into the folder `path`, which is made. Elements have the types of
// the tensors; bfloat16 is written as float.
graph::Status WriteTensors(const std::vector<NamedTensor>& tensors, const std::string& path);

// How WriteTensors names the file of a value, whatever characters the model uses, without ".npy".
std::string FileStem(const std::string& name);

// One .npy file's bytes, and back.
graph::Result<graph::Tensor> ParseNpy(std::string_view bytes, const std::string& source);
std::string FormatNpy(const graph::Tensor& tensor);

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_TENSOR_FILE_H_
