#include "tools/model_options.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "graph/builtin.h"
#include "graph/onnx_import.h"
#include "graph/rewriting.h"
#include "graph/shape_inference.h"
#include "tools/parse_number.h"
#include "tools/suggestion.h"
#include "tools/tensor_file.h"

namespace tools {
namespace {

using graph::Result;
using graph::Shape;
using graph::Status;
using graph::Tensor;

// "name=text"; the name may hold '=' itself.
Result<std::pair<std::string, std::string>> Named(const char* option, const std::string& text) {
  const size_t at = text.rfind('=');
  if (at != std::string::npos && at > 0) return std::pair(text.substr(0, at), text.substr(at + 1));
  return Status::InvalidArgument("%s is '%s', must be NAME=VALUE", option, text.c_str());
}

// "1x3x480x640"; nothing is a scalar.
Result<Shape> ParseShape(const std::string& text) {
  Shape shape;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('x', begin), text.size());
    int64_t extent = 0;
    if (!ParseNumber(std::string_view(text).substr(begin, end - begin), extent) || extent < 0) {
      return Status::InvalidArgument("--shape has '%s', must be extents like 1x3x480x640", text.c_str());
    }
    shape.push_back(extent);
    begin = end + 1;
  }
  return shape;
}

// Numbers separated by commas, or a file. One number is a scalar; the importer gives it the input's type.
Result<Tensor> ParseConstant(const std::string& text) {
  if (IsTensorFile(text)) {
    LACUNA_ASSIGN_OR_RETURN(tensors, ReadTensors(text));
    return std::move(tensors[0].tensor);
  }
  Tensor integers = Tensor::Integers({}), floats = Tensor::Zeros(graph::ElementType::kFloat, {0});
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view number = std::string_view(text).substr(begin, end - begin);
    int64_t integer = 0;
    float value = 0.0f;
    if (!ParseNumber(number, value)) {
      return Status::InvalidArgument("--constant has '%s', neither numbers nor a file", text.c_str());
    }
    floats.floats.push_back(value);
    if (ParseNumber(number, integer)) integers.integers.push_back(integer);
    begin = end + 1;
  }
  Tensor tensor = integers.integers.size() == floats.floats.size() ? std::move(integers) : std::move(floats);
  const size_t count = std::max(tensor.floats.size(), tensor.integers.size());
  tensor.shape = count == 1 ? Shape{} : Shape{static_cast<int64_t>(count)};
  return tensor;
}

}  // namespace

void AddModelOptions(CLI::App& app, ModelArguments& arguments) {
  app.add_option("model", arguments.model, "ONNX file, or a built-in network: " + graph::BuiltinNetworkNames())
      ->required();
  app.add_option("--batch", arguments.batch,
                 "images, clips or sequences per run, where the model leaves it open (default: 1)")
      ->check(CLI::Range(1, 65536));
  app.add_option("--shape", arguments.shapes,
                 "NAME=1x3x480x640: the extents of an input where the model leaves them open; may be given several "
                 "times");
  app.add_option("--constant", arguments.constants,
                 "NAME=16000, NAME=1,2,3 or NAME=FILE.npy: an input that never changes, so that what hangs on it is "
                 "computed beforehand; may be given several times");
  app.add_option("--value", arguments.values,
                 "NAME: a value inside the model that becomes an output; may be given several times");
}

Result<graph::Graph> LoadModel(const ModelArguments& arguments, const std::vector<NamedTensor>& inputs) {
  if (graph::IsBuiltinNetwork(arguments.model)) {
    if (!arguments.shapes.empty() || !arguments.constants.empty() || !arguments.values.empty()) {
      return Status::InvalidArgument("--shape, --constant and --value are for ONNX files, '%s' is built in",
                                     arguments.model.c_str());
    }
    LACUNA_ASSIGN_OR_RETURN(network, graph::BuiltinNetwork(arguments.model, arguments.batch.value_or(1)));
    LACUNA_ASSIGN_OR_RETURN(values, graph::InferValues(network));
    graph::RewritePatterns(network, values);
    return std::move(network);
  }
  LACUNA_RETURN_IF_ERROR(CheckModelName(arguments.model));
  graph::ImportOptions options;
  options.batch = arguments.batch;
  options.further_outputs = arguments.values;
  for (const std::string& text : arguments.shapes) {
    LACUNA_ASSIGN_OR_RETURN(named, Named("--shape", text));
    LACUNA_ASSIGN_OR_RETURN(shape, ParseShape(named.second));
    options.shapes[named.first] = shape;
  }
  for (const std::string& text : arguments.constants) {
    LACUNA_ASSIGN_OR_RETURN(named, Named("--constant", text));
    LACUNA_ASSIGN_OR_RETURN(constant, ParseConstant(named.second));
    options.constants[named.first] = std::move(constant);
  }
  // Of images there is no more than extents yet.
  const auto has_values = [](const Tensor& tensor) { return !tensor.floats.empty() || !tensor.integers.empty(); };
  for (const NamedTensor& input : inputs) {
    if (!has_values(input.tensor)) options.fallback_shapes[input.name] = input.tensor.shape;
  }
  options.given = [&](const std::string& name) -> const Tensor* {
    for (const NamedTensor& input : inputs) {
      if (options.fallback_shapes.contains(input.name)) continue;
      if (input.name == name || (!input.name.empty() && input.name == FileStem(name))) return &input.tensor;
    }
    return nullptr;
  };
  std::vector<std::string> problems;
  options.problems = &problems;
  auto imported = graph::ImportOnnxFile(arguments.model, options);
  if (problems.size() > 1) {
    for (const std::string& problem : problems) std::fprintf(stderr, "  %s\n", problem.c_str());
  }
  return imported;
}

}  // namespace tools
