#include "tools/model_options.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "graph/builtin.h"
#include "graph/onnx_import.h"
#include "tools/tensor_file.h"

namespace tools {
namespace {

using graph::Result;
using graph::Shape;
using graph::Status;
using graph::StatusCode;
using graph::Tensor;

// "name=text"; the name may hold '=' itself.
Result<std::pair<std::string, std::string>> Named(const char* option, const std::string& text) {
  const size_t at = text.rfind('=');
  if (at != std::string::npos && at > 0) return std::pair(text.substr(0, at), text.substr(at + 1));
  return Status::InvalidArgument("%s is '%s', must be NAME=VALUE", option, text.c_str());
}

template <class T>
bool ParseNumber(std::string_view text, T& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
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

// How many single-letter edits lie between two names.
size_t Distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// Of something that looks like the name of a network rather than a file.
Status NoSuchNetwork(const std::string& name) {
  const std::string names = graph::BuiltinNetworkNames();
  std::string closest;
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = std::min(names.find_first_of(", ", begin), names.size());
    const std::string known = names.substr(begin, end - begin);
    if (!known.empty() && (closest.empty() || Distance(name, known) < Distance(name, closest))) closest = known;
    begin = end + 1;
  }
  return Status::Make(StatusCode::kNotFound,
                      "'%.40s' is no file and no built-in network; did you mean %s? There are %s", name.c_str(),
                      closest.c_str(), names.c_str());
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
    return graph::BuiltinNetwork(arguments.model, arguments.batch.value_or(1));
  }
  std::error_code error;
  if (!std::filesystem::exists(arguments.model, error) && arguments.model.find_first_of("/.") == std::string::npos) {
    return NoSuchNetwork(arguments.model);
  }
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
  options.given = [&](const std::string& name) -> const Tensor* {
    for (const NamedTensor& input : inputs) {
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
