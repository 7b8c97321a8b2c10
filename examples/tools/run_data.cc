#include "tools/run_data.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "graph/builtin.h"

namespace tools {
namespace {

using graph::Result;
using graph::Status;
using graph::Tensor;

const graph::ValueInfo* InputOf(const graph::Graph& model, const std::string& name) {
  for (const graph::ValueInfo& input : model.inputs) {
    if (input.name == name || FileStem(input.name) == name) return &input;
  }
  return nullptr;
}

double ValueAt(const Tensor& tensor, size_t i) {
  return tensor.IsFloats() ? double{tensor.floats[i]} : static_cast<double>(tensor.integers[i]);
}

// What the values of a type can tell apart, twice: both sides are rounded.
double Resolution(graph::ElementType type) {
  if (type == graph::ElementType::kFloat16) return 1.0 / 1024.0;
  return type == graph::ElementType::kBfloat16 ? 1.0 / 128.0 : 0.0;
}

size_t Size(const Tensor& tensor) { return tensor.IsFloats() ? tensor.floats.size() : tensor.integers.size(); }

// The output that is meant: by name, as files are named after it, or by place.
const NamedTensor* Find(const std::vector<NamedTensor>& outputs, const std::string& name, size_t place) {
  for (const NamedTensor& output : outputs) {
    if (output.name == name || FileStem(output.name) == name) return &output;
  }
  return name.empty() && place < outputs.size() ? &outputs[place] : nullptr;
}

}  // namespace

Result<GivenInputs> ReadInputs(const std::vector<std::string>& inputs, const ImageArguments& image_arguments) {
  GivenInputs read;
  for (const std::string& text : inputs) {
    // "NAME=FILE", where neither is sure to lack '='.
    const size_t at = text.rfind('=');
    const bool named = at != std::string::npos && !IsTensorFile(text);
    const std::string name = named ? text.substr(0, at) : "", path = named ? text.substr(at + 1) : text;
    if (IsImageFile(path)) {
      if (!named) return Status::InvalidArgument("--input is '%s', an image must be NAME=IMAGE", text.c_str());
      LACUNA_ASSIGN_OR_RETURN(extents, ImageExtents(name, path, image_arguments));
      read.tensors.push_back(std::move(extents));
      read.images.push_back({name, path});
      continue;
    }
    LACUNA_ASSIGN_OR_RETURN(tensors, ReadTensors(path, "input"));
    if (named && tensors.size() != 1) {
      return Status::InvalidArgument("--input %s: the file has %zu tensors, must have one", text.c_str(),
                                     tensors.size());
    }
    if (named) tensors[0].name = name;
    for (NamedTensor& tensor : tensors) read.tensors.push_back(std::move(tensor));
  }
  if (read.images.empty() && image_arguments.Given()) {
    return Status::InvalidArgument(
        "--mean, --std, --size, --image-layout and --bgr are for images, --input names none");
  }
  return read;
}

Status ReadImages(const graph::Graph& model, const ImageArguments& arguments, GivenInputs& inputs) {
  size_t next = 0;
  for (NamedTensor& tensor : inputs.tensors) {
    if (!tensor.tensor.floats.empty() || !tensor.tensor.integers.empty() || next == inputs.images.size()) continue;
    const std::string& path = inputs.images[next++].path;
    const graph::ValueInfo* input = InputOf(model, tensor.name);
    if (input == nullptr) return Status::InvalidArgument("--input gives '%.60s' twice", tensor.name.c_str());
    LACUNA_ASSIGN_OR_RETURN(values, ReadImageInput(path, *input, arguments));
    tensor.tensor = std::move(values);
  }
  return Status();
}

Status NameInputs(const graph::Graph& model, std::vector<NamedTensor>& inputs) {
  size_t place = 0;
  for (NamedTensor& input : inputs) {
    if (input.name.empty() && place < model.inputs.size()) input.name = model.inputs[place++].name;
    const graph::ValueInfo* known = InputOf(model, input.name);
    // A single integer may have become a constant.
    const bool single = !input.tensor.IsFloats() && input.tensor.integers.size() == 1;
    if (known != nullptr) input.name = known->name;
    if (known != nullptr || single) continue;
    std::string names;
    for (const graph::ValueInfo& info : model.inputs) names += (names.empty() ? "" : ", ") + info.name;
    return Status::InvalidArgument("--input gives '%.60s', the model's inputs are %s", input.name.c_str(),
                                   names.c_str());
  }
  return Status();
}

Status SetInputs(const std::vector<NamedTensor>& given, graph::Network& network) {
  for (size_t i = 0; i < network.input_count(); ++i) {
    const graph::ValueInfo& info = network.input_info(i);
    const NamedTensor* found = nullptr;
    for (const NamedTensor& named : given) found = named.name == info.name ? &named : found;
    if (found != nullptr) {
      LACUNA_RETURN_IF_ERROR(network.SetInput(i, found->tensor));
    } else if (graph::IsFloating(info.type)) {
      graph::FillGaussian(network.input(i), 1.0f, 1000 + i);
    } else {
      std::fill(network.integer_input(i).begin(), network.integer_input(i).end(), 0);
    }
  }
  return Status();
}

std::vector<NamedTensor> OutputsOf(const graph::Network& network) {
  std::vector<NamedTensor> outputs;
  for (size_t i = 0; i < network.output_count(); ++i) {
    outputs.push_back({network.output_name(i), network.OutputTensor(i)});
  }
  return outputs;
}

Status CompareOutputs(const std::vector<NamedTensor>& expected, double tolerance, const graph::Network& network) {
  const std::vector<NamedTensor> outputs = OutputsOf(network);
  size_t wrong = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const NamedTensor* output = Find(outputs, expected[i].name, i);
    if (output == nullptr) {
      return Status::InvalidArgument("--expect has '%.80s', which is no output of the model", expected[i].name.c_str());
    }
    const Tensor& want = expected[i].tensor;
    if (output->tensor.shape != want.shape) {
      std::printf("%-32s has shape %s, expected is %s\n", output->name.c_str(),
                  graph::ToString(output->tensor.shape).c_str(), graph::ToString(want.shape).c_str());
      ++wrong;
      continue;
    }
    double difference = 0.0, largest = 0.0;
    for (size_t k = 0; k < Size(want); ++k) {
      const double a = ValueAt(output->tensor, k), b = ValueAt(want, k);
      if (std::isnan(a) && std::isnan(b)) continue;
      const double own = a == b ? 0.0 : std::abs(a - b);
      difference = std::isnan(own) || own > difference ? own : difference;
      if (std::isfinite(b)) largest = std::max(largest, std::abs(b));
    }
    const bool within = difference <= std::max(tolerance, Resolution(want.type)) * std::max(1.0, largest);
    std::printf("%-32s differs by %.3g at most, largest magnitude %.4g: %s\n", output->name.c_str(), difference,
                largest, within ? "ok" : "beyond the tolerance");
    if (!within) ++wrong;
  }
  if (wrong == 0) return Status();
  return Status::Make(graph::StatusCode::kDataLoss, "%zu of %zu outputs are not as expected", wrong, expected.size());
}

}  // namespace tools
