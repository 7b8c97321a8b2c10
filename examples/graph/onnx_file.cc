#include "graph/onnx_file.h"

#include <google/protobuf/stubs/logging.h>

#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <ostream>
#include <system_error>
#include <type_traits>
#include <utility>

#include "graph/half.h"
#include "graph/replace_file.h"

namespace graph {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data of a TensorProto is little-endian");

constexpr int64_t kMaxProtobufBytes = std::numeric_limits<int32_t>::max();

std::string TypeName(int type) {
  return onnx::TensorProto_DataType_IsValid(type)
             ? onnx::TensorProto_DataType_Name(static_cast<onnx::TensorProto_DataType>(type))
             : std::to_string(type);
}

Status SizeError(const onnx::TensorProto& proto, int64_t elements) {
  return Status::Make(StatusCode::kDataLoss, "tensor '%s': its data do not hold the %lld elements of its shape",
                      proto.name().c_str(), static_cast<long long>(elements));
}

// Where a tensor's values are: bytes as in raw_data, unless they are in the repeated field of their type.
using Bytes = std::optional<std::span<const char>>;

// Elements stored as `Stored`, each through `convert`.
template <class Stored, class Field, class T, class Convert>
Status Decode(const onnx::TensorProto& proto, const Bytes& bytes, const Field& field, int64_t elements,
              std::vector<T>& values, const Convert& convert) {
  const auto count = static_cast<size_t>(elements);
  if (bytes.has_value()) {
    if (bytes->size() != count * sizeof(Stored)) return SizeError(proto, elements);
    values.resize(count);
    if constexpr (std::is_same_v<Stored, T>) {
      if (count != 0) std::memcpy(values.data(), bytes->data(), bytes->size());
      return Status();
    }
    for (size_t i = 0; i < count; ++i) {
      Stored value;
      std::memcpy(&value, bytes->data() + i * sizeof(Stored), sizeof(Stored));
      values[i] = convert(value);
    }
    return Status();
  }
  if (static_cast<size_t>(field.size()) != count) return SizeError(proto, elements);
  values.reserve(count);
  for (const auto& value : field) values.push_back(convert(static_cast<Stored>(value)));
  return Status();
}

template <class Stored, class Field>
Status DecodeFloats(const onnx::TensorProto& proto, const Bytes& bytes, const Field& field, Tensor& tensor) {
  return Decode<Stored>(proto, bytes, field, Elements(tensor.shape), tensor.floats,
                        [](Stored value) { return static_cast<float>(value); });
}

template <class Stored, class Field>
Status DecodeIntegers(const onnx::TensorProto& proto, const Bytes& bytes, const Field& field, Tensor& tensor) {
  return Decode<Stored>(proto, bytes, field, Elements(tensor.shape), tensor.integers,
                        [](Stored value) { return static_cast<int64_t>(value); });
}

Status DecodeValues(const onnx::TensorProto& proto, const Bytes& bytes, Tensor& tensor) {
  switch (tensor.type) {
    case ElementType::kFloat: return DecodeFloats<float>(proto, bytes, proto.float_data(), tensor);
    case ElementType::kDouble: return DecodeFloats<double>(proto, bytes, proto.double_data(), tensor);
    case ElementType::kFloat16:
      return Decode<uint16_t>(proto, bytes, proto.int32_data(), Elements(tensor.shape), tensor.floats, HalfToFloat);
    case ElementType::kBfloat16:
      return Decode<uint16_t>(proto, bytes, proto.int32_data(), Elements(tensor.shape), tensor.floats, Bfloat16ToFloat);
    case ElementType::kInt64: return DecodeIntegers<int64_t>(proto, bytes, proto.int64_data(), tensor);
    case ElementType::kInt32: return DecodeIntegers<int32_t>(proto, bytes, proto.int32_data(), tensor);
    case ElementType::kInt16: return DecodeIntegers<int16_t>(proto, bytes, proto.int32_data(), tensor);
    case ElementType::kInt8: return DecodeIntegers<int8_t>(proto, bytes, proto.int32_data(), tensor);
    case ElementType::kUint64: return DecodeIntegers<uint64_t>(proto, bytes, proto.uint64_data(), tensor);
    case ElementType::kUint32: return DecodeIntegers<uint32_t>(proto, bytes, proto.uint64_data(), tensor);
    case ElementType::kUint16: return DecodeIntegers<uint16_t>(proto, bytes, proto.int32_data(), tensor);
    case ElementType::kUint8:
    case ElementType::kBool: return DecodeIntegers<uint8_t>(proto, bytes, proto.int32_data(), tensor);
  }
  return Status();
}

Status Unreadable(const std::string& path, const char* why) {
  return Status::Make(StatusCode::kNotFound, "cannot read '%s': %s", path.c_str(), why);
}

// Opens a file at its beginning; its size in bytes.
Result<int64_t> Open(const std::string& path, std::ifstream& file) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return Unreadable(path, "is a directory");
  file.open(path, std::ios::binary | std::ios::ate);
  if (!file) return Unreadable(path, std::strerror(errno));
  const auto size = static_cast<int64_t>(file.tellg());
  if (size < 0) return Unreadable(path, "its size is unknown");
  if (size > kMaxProtobufBytes) {
    return Status::Make(StatusCode::kUnsupported, "'%s' has %lld bytes, the limit is %lld", path.c_str(),
                        static_cast<long long>(size), static_cast<long long>(kMaxProtobufBytes));
  }
  file.seekg(0);
  return size;
}

// `parse` fills a model from `size` bytes of `source` and tells whether it could.
template <class Parse>
Result<onnx::ModelProto> ParseFrom(const std::string& source, int64_t size, const Parse& parse) {
  const google::protobuf::LogSilencer silencer;  // the Status says it
  onnx::ModelProto model;
  if (size > kMaxProtobufBytes || !parse(model)) {
    return Status::Make(StatusCode::kDataLoss, "'%s' is truncated or not an ONNX model (%lld bytes)", source.c_str(),
                        static_cast<long long>(size));
  }
  if (!model.has_graph()) {
    return Status::Make(StatusCode::kDataLoss, "'%s' is truncated or not an ONNX model: it has no graph",
                        source.c_str());
  }
  return model;
}

// The bytes of a tensor that are kept in a file of their own, inside `folder`.
Result<std::vector<char>> ReadExternal(const onnx::TensorProto& proto, int64_t elements, const std::string& folder) {
  namespace fs = std::filesystem;
  const auto error = [&](StatusCode code, const std::string& what) {
    return Status::Make(code, "tensor '%s' keeps its data in another file: %s", proto.name().c_str(), what.c_str());
  };
  std::map<std::string, std::string> entries;
  for (const auto& entry : proto.external_data()) entries[entry.key()] = entry.value();
  const std::string& location = entries["location"];
  if (folder.empty())
    return error(StatusCode::kUnsupported, "the model is not a file, so there is no folder to look in");
  std::error_code code;
  const fs::path root = fs::weakly_canonical(folder, code);
  const fs::path path = fs::weakly_canonical(root / location, code);
  const fs::path relative = path.lexically_relative(root);
  if (location.empty() || fs::path(location).is_absolute() || relative.empty() || *relative.begin() == "..") {
    return error(StatusCode::kInvalidArgument, "'" + location + "' is not inside the model's folder");
  }
  const auto number = [&](const char* key) {
    const std::string& text = entries[key];
    int64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return text.empty() ? 0 : parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? value : -1;
  };
  const int64_t offset = number("offset"), length = number("length");
  std::ifstream file;
  if (fs::is_directory(path, code)) return error(StatusCode::kNotFound, "'" + location + "' is a directory");
  file.open(path, std::ios::binary | std::ios::ate);
  if (!file) return error(StatusCode::kNotFound, "cannot read '" + location + "'");
  const auto size = static_cast<int64_t>(file.tellg());
  if (offset < 0 || length < 0 || offset > size || length > size - offset) {
    return error(StatusCode::kDataLoss, "'" + location + "' has " + std::to_string(size) + " bytes, not those at " +
                                            entries["offset"] + " of length " + entries["length"]);
  }
  const int64_t count = entries["length"].empty() ? size - offset : length;
  if (count > elements * int64_t{sizeof(int64_t)}) return SizeError(proto, elements);
  std::vector<char> bytes(static_cast<size_t>(count));
  file.seekg(offset);
  if (count > 0 && !file.read(bytes.data(), count)) return error(StatusCode::kDataLoss, "read error");
  return bytes;
}

}  // namespace

Result<std::vector<char>> ReadFile(const std::string& path) {
  std::ifstream file;
  LACUNA_ASSIGN_OR_RETURN(size, Open(path, file));
  std::vector<char> bytes(static_cast<size_t>(size));
  if (size > 0 && !file.read(bytes.data(), size)) return Unreadable(path, "read error");
  return bytes;
}

Result<onnx::ModelProto> ParseModel(std::span<const char> bytes, const std::string& source) {
  return ParseFrom(source, static_cast<int64_t>(bytes.size()), [&](onnx::ModelProto& model) {
    return model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  });
}

Result<onnx::ModelProto> ReadModel(const std::string& path) {
  std::ifstream file;
  LACUNA_ASSIGN_OR_RETURN(size, Open(path, file));
  return ParseFrom(path, size, [&](onnx::ModelProto& model) { return model.ParseFromIstream(&file); });
}

Status WriteModel(const onnx::ModelProto& model, const std::string& path) {
  return ReplaceFile(path, [&](std::ostream& file) { return model.SerializeToOstream(&file); });
}

Result<Tensor> ToTensor(const onnx::TensorProto& proto, int64_t max_elements, const std::string& folder) {
  const std::optional<ElementType> type = ElementTypeOfOnnx(proto.data_type());
  if (!type.has_value()) {
    return Status::Make(StatusCode::kUnsupported, "tensor '%s' has element type %s, supported are numbers",
                        proto.name().c_str(), TypeName(proto.data_type()).c_str());
  }
  Tensor tensor{.type = *type};
  tensor.shape.assign(proto.dims().begin(), proto.dims().end());
  LACUNA_ASSIGN_OR_RETURN(elements, CheckedElements(tensor.shape, max_elements, "tensor '" + proto.name() + "'"));
  Bytes bytes;
  std::vector<char> external;
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    LACUNA_ASSIGN_OR_RETURN(read, ReadExternal(proto, elements, folder));
    external = std::move(read);
    bytes = external;
  } else if (proto.has_raw_data()) {
    bytes = std::span(proto.raw_data());
  }
  LACUNA_RETURN_IF_ERROR(DecodeValues(proto, bytes, tensor));
  return tensor;
}

namespace {

Status Embed(onnx::TensorProto& tensor, const std::string& folder) {
  if (tensor.data_location() != onnx::TensorProto::EXTERNAL) return Status();
  const Shape shape(tensor.dims().begin(), tensor.dims().end());
  LACUNA_ASSIGN_OR_RETURN(elements, CheckedElements(shape, kMaxTensorElements, "tensor '" + tensor.name() + "'"));
  LACUNA_ASSIGN_OR_RETURN(bytes, ReadExternal(tensor, elements, folder));
  tensor.set_raw_data(bytes.data(), bytes.size());
  tensor.clear_external_data();
  tensor.clear_data_location();
  return Status();
}

Status EmbedAll(onnx::GraphProto& graph, const std::string& folder) {
  for (onnx::TensorProto& tensor : *graph.mutable_initializer()) LACUNA_RETURN_IF_ERROR(Embed(tensor, folder));
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_t()) LACUNA_RETURN_IF_ERROR(Embed(*attribute.mutable_t(), folder));
      if (attribute.has_g()) LACUNA_RETURN_IF_ERROR(EmbedAll(*attribute.mutable_g(), folder));
    }
  }
  return Status();
}

template <class Stored, class Convert>
void SetRaw(std::span<const float> values, onnx::TensorProto& proto, const Convert& convert) {
  std::vector<Stored> stored;
  stored.reserve(values.size());
  for (const float value : values) stored.push_back(convert(value));
  proto.set_raw_data(stored.data(), stored.size() * sizeof(Stored));
}

}  // namespace

Status EmbedExternalData(onnx::ModelProto& model, const std::string& folder) {
  return EmbedAll(*model.mutable_graph(), folder);
}

void SetFloats(std::span<const float> values, onnx::TensorProto& proto) {
  proto.clear_float_data();
  proto.clear_double_data();
  proto.clear_int32_data();
  switch (proto.data_type()) {
    case onnx::TensorProto::DOUBLE: return SetRaw<double>(values, proto, [](float value) { return double{value}; });
    case onnx::TensorProto::FLOAT16: return SetRaw<uint16_t>(values, proto, FloatToHalf);
    case onnx::TensorProto::BFLOAT16: return SetRaw<uint16_t>(values, proto, FloatToBfloat16);
    default: proto.set_raw_data(values.data(), values.size_bytes());
  }
}

}  // namespace graph
