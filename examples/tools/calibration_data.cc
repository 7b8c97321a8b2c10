#include "tools/calibration_data.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace tools {
namespace {

namespace fs = std::filesystem;
using graph::Result;
using graph::Shape;
using graph::Status;
using graph::StatusCode;
using graph::Tensor;
using graph::ValueInfo;

// Subfolders in the order of their names; none for a file.
std::vector<std::string> Subfolders(const std::string& path) {
  std::vector<std::string> folders;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.is_directory(error)) folders.push_back(entry.path().string());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

// The shape of one sample in an array of `given`, and how many there are; nothing if it does not fit.
struct Split {
  Shape shape;
  int64_t count = 0;
};

bool Fits(const Shape& wanted, const Shape& given, size_t skipped) {
  for (size_t axis = 0; axis < wanted.size(); ++axis) {
    if (axis >= skipped && wanted[axis] >= 0 && wanted[axis] != given[axis]) return false;
  }
  return true;
}

Split SplitOf(const Shape& wanted, const Shape& given) {
  if (given.size() == wanted.size() + 1 && Fits(wanted, Shape(given.begin() + 1, given.end()), 0)) {
    return {Shape(given.begin() + 1, given.end()), given[0]};
  }
  if (wanted.empty()) return graph::Elements(given) == 1 ? Split{{}, 1} : Split{};
  if (given.size() != wanted.size() || !Fits(wanted, given, 1)) return {};
  const int64_t batch = wanted[0] < 0 ? 1 : wanted[0];
  if (batch == 0 || given[0] % batch != 0) return {};
  Split split{given, given[0] / batch};
  split.shape[0] = batch;
  return split;
}

Tensor Part(const Tensor& whole, const Split& split, int64_t i, bool floats) {
  Tensor part{.type = whole.type, .shape = split.shape};
  const auto size = static_cast<size_t>(graph::Elements(split.shape)), first = static_cast<size_t>(i) * size;
  if (!whole.IsFloats() && floats) {
    part.type = graph::ElementType::kFloat;
    for (size_t k = first; k < first + size; ++k) part.floats.push_back(static_cast<float>(whole.integers[k]));
  } else if (whole.IsFloats()) {
    part.floats.assign(whole.floats.begin() + static_cast<std::ptrdiff_t>(first),
                       whole.floats.begin() + static_cast<std::ptrdiff_t>(first + size));
  } else {
    part.integers.assign(whole.integers.begin() + static_cast<std::ptrdiff_t>(first),
                         whole.integers.begin() + static_cast<std::ptrdiff_t>(first + size));
  }
  return part;
}

const ValueInfo* Find(const std::vector<ValueInfo>& inputs, const NamedTensor& tensor, size_t place) {
  for (const ValueInfo& input : inputs) {
    if (tensor.name == input.name || tensor.name == FileStem(input.name)) return &input;
  }
  return tensor.name.empty() && place < inputs.size() ? &inputs[place] : nullptr;
}

Status Append(const std::string& path, const std::vector<ValueInfo>& inputs, size_t most, CalibrationData& data) {
  LACUNA_ASSIGN_OR_RETURN(tensors, ReadTensors(path));
  struct Array {
    const ValueInfo* input;
    const Tensor* tensor;
    Split split;
  };
  std::vector<Array> arrays;
  int64_t count = 1;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const ValueInfo* input = Find(inputs, tensors[i], i);
    if (input == nullptr) {
      data.others[tensors[i].name] = tensors[i].tensor;
      continue;
    }
    const Split split = SplitOf(input->shape, tensors[i].tensor.shape);
    if (split.count < 1) {
      return Status::InvalidArgument("'%s': '%.60s' has shape %s, samples of the input have %s (-1: any)", path.c_str(),
                                     input->name.c_str(), graph::ToString(tensors[i].tensor.shape).c_str(),
                                     graph::ToString(input->shape).c_str());
    }
    if (split.count > 1 && count > 1 && split.count != count) {
      return Status::InvalidArgument("'%s': '%.60s' holds %lld samples, others hold %lld", path.c_str(),
                                     input->name.c_str(), static_cast<long long>(split.count),
                                     static_cast<long long>(count));
    }
    count = std::max(count, split.count);
    arrays.push_back({input, &tensors[i].tensor, split});
  }
  for (const ValueInfo& input : inputs) {
    const bool found = std::any_of(arrays.begin(), arrays.end(), [&](const Array& a) { return a.input == &input; });
    if (!found) {
      return Status::Make(StatusCode::kNotFound, "'%s' has no samples of the input '%.80s'", path.c_str(),
                          input.name.c_str());
    }
  }
  for (int64_t i = 0; i < count && (most == 0 || data.samples.size() < most); ++i) {
    graph::Sample& sample = data.samples.emplace_back();
    for (const Array& array : arrays) {
      const int64_t own = array.split.count == 1 ? 0 : i;
      sample[array.input->name] = Part(*array.tensor, array.split, own, graph::IsFloating(array.input->type));
    }
  }
  return Status();
}

}  // namespace

Result<CalibrationData> ReadCalibrationData(const std::string& path, const std::vector<ValueInfo>& inputs,
                                            size_t most) {
  CalibrationData data;
  const std::vector<std::string> folders = IsTensorFile(path) ? std::vector<std::string>() : Subfolders(path);
  if (folders.empty()) {
    LACUNA_RETURN_IF_ERROR(Append(path, inputs, most, data));
  }
  for (const std::string& folder : folders) LACUNA_RETURN_IF_ERROR(Append(folder, inputs, most, data));
  return data;
}

}  // namespace tools
