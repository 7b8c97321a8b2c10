#include "graph/graph.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "graph/half.h"

namespace graph {

std::string ToString(const Shape& shape) {
  std::string text = "[";
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis != 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + "]";
}

int64_t Elements(const Shape& shape) {
  int64_t elements = 1;
  for (const int64_t extent : shape) elements *= extent;
  return elements;
}

const char* ToString(ElementType type) {
  switch (type) {
    case ElementType::kFloat: return "FLOAT";
    case ElementType::kDouble: return "DOUBLE";
    case ElementType::kFloat16: return "FLOAT16";
    case ElementType::kBfloat16: return "BFLOAT16";
    case ElementType::kInt64: return "INT64";
    case ElementType::kInt32: return "INT32";
    case ElementType::kInt16: return "INT16";
    case ElementType::kInt8: return "INT8";
    case ElementType::kUint64: return "UINT64";
    case ElementType::kUint32: return "UINT32";
    case ElementType::kUint16: return "UINT16";
    case ElementType::kUint8: return "UINT8";
    case ElementType::kBool: return "BOOL";
  }
  return "?";
}

namespace {

constexpr std::pair<int64_t, ElementType> kOnnxTypes[] = {
    {1, ElementType::kFloat},    {2, ElementType::kUint8},   {3, ElementType::kInt8},    {4, ElementType::kUint16},
    {5, ElementType::kInt16},    {6, ElementType::kInt32},   {7, ElementType::kInt64},   {9, ElementType::kBool},
    {10, ElementType::kFloat16}, {11, ElementType::kDouble}, {12, ElementType::kUint32}, {13, ElementType::kUint64},
    {16, ElementType::kBfloat16}};

}  // namespace

std::optional<ElementType> ElementTypeOfOnnx(int64_t type) {
  for (const auto& [number, element] : kOnnxTypes) {
    if (number == type) return element;
  }
  return std::nullopt;
}

int64_t OnnxTypeOf(ElementType type) {
  for (const auto& [number, element] : kOnnxTypes) {
    if (element == type) return number;
  }
  return 0;
}

float RoundedTo(ElementType type, float value) {
  if (type == ElementType::kFloat16) return RoundedToHalf(value);
  if (type == ElementType::kBfloat16) return RoundedToBfloat16(value);
  return value;
}

int64_t Wrapped(ElementType type, int64_t value) {
  switch (type) {
    case ElementType::kInt32: return static_cast<int32_t>(value);
    case ElementType::kInt16: return static_cast<int16_t>(value);
    case ElementType::kInt8: return static_cast<int8_t>(value);
    case ElementType::kUint32: return static_cast<uint32_t>(value);
    case ElementType::kUint16: return static_cast<uint16_t>(value);
    case ElementType::kUint8: return static_cast<uint8_t>(value);
    case ElementType::kBool: return value != 0 ? 1 : 0;
    default: return value;
  }
}

Tensor Tensor::Zeros(ElementType type, Shape shape) {
  Tensor tensor{.type = type, .shape = std::move(shape)};
  const auto elements = static_cast<size_t>(Elements(tensor.shape));
  if (tensor.IsFloats()) {
    tensor.floats.resize(elements);
  } else {
    tensor.integers.resize(elements);
  }
  return tensor;
}

Tensor Tensor::Integers(std::vector<int64_t> values) {
  return {.type = ElementType::kInt64, .shape = {static_cast<int64_t>(values.size())}, .integers = std::move(values)};
}

std::vector<std::string> Node::PresentOutputs() const {
  std::vector<std::string> present;
  std::copy_if(outputs.begin(), outputs.end(), std::back_inserter(present),
               [](const std::string& output) { return !output.empty(); });
  return present;
}

std::vector<std::string> Node::PresentInputs() const {
  std::vector<std::string> present;
  std::copy_if(inputs.begin(), inputs.end(), std::back_inserter(present),
               [](const std::string& input) { return !input.empty(); });
  return present;
}

Status Node::About(const Status& status) const {
  return status.ok() ? status : Status::Make(status.code(), "%s: %s", Label().c_str(), status.message());
}

Result<int64_t> CheckedElements(const Shape& shape, int64_t limit, const std::string& what) {
  lacuna::Checked elements = 1;  // an extent of 0 counts as 1, so that products over any of the axes are in range too
  for (const int64_t extent : shape) {
    if (extent < 0) {
      return Status::InvalidArgument("%s has an extent of %lld, must be at least 0", what.c_str(),
                                     static_cast<long long>(extent));
    }
    elements = elements * std::max<int64_t>(extent, 1);
  }
  if (!elements.ok() || elements.value() > limit) {
    return Status::InvalidArgument("%s has shape %s, more than the limit of %lld elements", what.c_str(),
                                   ToString(shape).c_str(), static_cast<long long>(limit));
  }
  return Elements(shape);
}

}  // namespace graph
