// What the tools take to load a model: shapes and constants of its inputs.

#ifndef LACUNA_EXAMPLES_TOOLS_MODEL_OPTIONS_H_
#define LACUNA_EXAMPLES_TOOLS_MODEL_OPTIONS_H_

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "tools/tensor_file.h"

namespace tools {

struct ModelArguments {
  std::string model;
  std::optional<int64_t> batch;
  std::vector<std::string> shapes;     // "input=1x3x480x640"
  std::vector<std::string> constants;  // "input=16000", "input=file.npy"
  std::vector<std::string> values;     // further values that become outputs
};

void AddModelOptions(CLI::App& app, ModelArguments& arguments);

// A built-in network, or an ONNX file. All that keeps a file from being run is printed to stderr, a line each, where
// the Status has room for the first only.
//
// Extents that the file leaves open are those of `inputs`, unless --shape gives them; a single integer among them
// becomes a constant.
graph::Result<graph::Graph> LoadModel(const ModelArguments& arguments, const std::vector<NamedTensor>& inputs = {});

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_MODEL_OPTIONS_H_
