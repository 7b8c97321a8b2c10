#include "graph/onnx_file.h"

#include <google/protobuf/stubs/logging.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <ostream>
#include <system_error>

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

// Decodes raw_data, or else the repeated field of the type.
template <class Stored, class Field, class T>
Status Decode(const onnx::TensorProto& proto, const Field& field, int64_t elements, std::vector<T>& values) {
  const auto count = static_cast<size_t>(elements);
  if (proto.has_raw_data()) {
    if (proto.raw_data().size() != count * sizeof(Stored)) return SizeError(proto, elements);
    values.resize(count);
    for (size_t i = 0; i < count; ++i) {
      Stored value;
      std::memcpy(&value, proto.raw_data().data() + i * sizeof(Stored), sizeof(Stored));
      values[i] = static_cast<T>(value);
    }
    return Status();
  }
  if (static_cast<size_t>(field.size()) != count) return SizeError(proto, elements);
  values.assign(field.begin(), field.end());
  return Status();
}

Status DecodeIntegers(const onnx::TensorProto& proto, int64_t elements, std::vector<int64_t>& values) {
  switch (proto.data_type()) {
    case onnx::TensorProto::INT64: return Decode<int64_t>(proto, proto.int64_data(), elements, values);
    case onnx::TensorProto::INT32: return Decode<int32_t>(proto, proto.int32_data(), elements, values);
    case onnx::TensorProto::INT16: return Decode<int16_t>(proto, proto.int32_data(), elements, values);
    case onnx::TensorProto::INT8: return Decode<int8_t>(proto, proto.int32_data(), elements, values);
    case onnx::TensorProto::UINT16: return Decode<uint16_t>(proto, proto.int32_data(), elements, values);
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::BOOL: return Decode<uint8_t>(proto, proto.int32_data(), elements, values);
    default:
      return Status::Make(StatusCode::kUnsupported, "tensor '%s' has element type %s, supported are FLOAT and integers",
                          proto.name().c_str(), TypeName(proto.data_type()).c_str());
  }
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

Result<Tensor> ToTensor(const onnx::TensorProto& proto, int64_t max_elements) {
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    return Status::Make(StatusCode::kUnsupported, "tensor '%s' keeps its data in another file, which is not supported",
                        proto.name().c_str());
  }
  Tensor tensor;
  tensor.shape.assign(proto.dims().begin(), proto.dims().end());
  LACUNA_ASSIGN_OR_RETURN(elements, CheckedElements(tensor.shape, max_elements, "tensor '" + proto.name() + "'"));
  if (proto.data_type() == onnx::TensorProto::FLOAT) {
    LACUNA_RETURN_IF_ERROR((Decode<float>(proto, proto.float_data(), elements, tensor.floats)));
  } else {
    tensor.type = ElementType::kInteger;
    LACUNA_RETURN_IF_ERROR(DecodeIntegers(proto, elements, tensor.integers));
  }
  return tensor;
}

void SetFloats(std::span<const float> values, onnx::TensorProto& proto) {
  proto.clear_float_data();
  proto.set_raw_data(values.data(), values.size_bytes());
}

}  // namespace graph
