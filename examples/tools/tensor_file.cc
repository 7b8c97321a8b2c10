#include "tools/tensor_file.h"

#include <minizip/unzip.h>
#include <minizip/zip.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>

#include "graph/half.h"
#include "graph/onnx_file.h"
#include "graph/onnx_import.h"
#include "graph/replace_file.h"

namespace tools {
namespace {

namespace fs = std::filesystem;
using graph::ElementType;
using graph::Result;
using graph::Shape;
using graph::Status;
using graph::StatusCode;
using graph::Tensor;

constexpr std::string_view kMagic = "\x93NUMPY";

// How NumPy names element types; all little-endian.
struct Descriptor {
  std::string_view text;
  ElementType type;
  size_t bytes;
};
constexpr Descriptor kDescriptors[] = {
    {"<f4", ElementType::kFloat, 4},  {"<f8", ElementType::kDouble, 8}, {"<f2", ElementType::kFloat16, 2},
    {"<i8", ElementType::kInt64, 8},  {"<i4", ElementType::kInt32, 4},  {"<i2", ElementType::kInt16, 2},
    {"|i1", ElementType::kInt8, 1},   {"<u8", ElementType::kUint64, 8}, {"<u4", ElementType::kUint32, 4},
    {"<u2", ElementType::kUint16, 2}, {"|u1", ElementType::kUint8, 1},  {"|b1", ElementType::kBool, 1}};

Status Damaged(const std::string& source, const char* what) {
  return Status::Make(StatusCode::kDataLoss, "'%s' is no valid .npy file: %s", source.c_str(), what);
}

// What follows 'key': in the header's dictionary.
std::optional<std::string_view> Entry(std::string_view header, std::string_view key) {
  const size_t at = header.find("'" + std::string(key) + "'");
  if (at == std::string_view::npos) return std::nullopt;
  header.remove_prefix(at + key.size() + 2);
  const size_t value = header.find_first_not_of(": ");
  if (value == std::string_view::npos) return std::nullopt;
  return header.substr(value);
}

std::optional<Shape> ParseShape(std::string_view text) {
  if (text.empty() || text[0] != '(') return std::nullopt;
  const size_t end = text.find(')');
  if (end == std::string_view::npos) return std::nullopt;
  text = text.substr(1, end - 1);
  Shape shape;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" ,"), text.size()));
    if (text.empty()) return shape;
    int64_t extent = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (parsed.ec != std::errc() || extent < 0) return std::nullopt;
    shape.push_back(extent);
    text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  }
}

template <class Stored, class T, class Convert>
void Decode(std::string_view data, std::vector<T>& values, const Convert& convert) {
  for (size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, data.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = convert(stored);
  }
}

void DecodeAll(std::string_view data, Tensor& tensor) {
  const auto to_float = [](auto value) { return static_cast<float>(value); };
  const auto to_integer = [](auto value) { return static_cast<int64_t>(value); };
  switch (tensor.type) {
    case ElementType::kDouble: return Decode<double>(data, tensor.floats, to_float);
    case ElementType::kFloat16: return Decode<uint16_t>(data, tensor.floats, graph::HalfToFloat);
    case ElementType::kInt64:
    case ElementType::kUint64: return Decode<int64_t>(data, tensor.integers, to_integer);
    case ElementType::kInt32: return Decode<int32_t>(data, tensor.integers, to_integer);
    case ElementType::kInt16: return Decode<int16_t>(data, tensor.integers, to_integer);
    case ElementType::kInt8: return Decode<int8_t>(data, tensor.integers, to_integer);
    case ElementType::kUint32: return Decode<uint32_t>(data, tensor.integers, to_integer);
    case ElementType::kUint16: return Decode<uint16_t>(data, tensor.integers, to_integer);
    case ElementType::kUint8:
    case ElementType::kBool: return Decode<uint8_t>(data, tensor.integers, to_integer);
    default: return Decode<float>(data, tensor.floats, to_float);
  }
}

// Values that were stored with the first axis fastest.
template <class T>
void Reorder(const Shape& shape, std::vector<T>& values) {
  std::vector<T> reordered(values.size());
  Shape at(shape.size(), 0);
  for (const T& value : values) {
    int64_t offset = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) offset = offset * shape[axis] + at[axis];
    reordered[static_cast<size_t>(offset)] = value;
    for (size_t axis = 0; axis < shape.size() && ++at[axis] == shape[axis]; ++axis) at[axis] = 0;
  }
  values = std::move(reordered);
}

bool EndsWith(const std::string& path, std::string_view ending) { return path.ends_with(ending); }

Result<std::string> ReadBytes(const std::string& path) {
  LACUNA_ASSIGN_OR_RETURN(bytes, graph::ReadFile(path));
  return std::string(bytes.begin(), bytes.end());
}

struct CloseUnzip {
  void operator()(void* archive) const { unzClose(archive); }
};

Result<std::vector<NamedTensor>> ReadNpz(const std::string& path) {
  LACUNA_RETURN_IF_ERROR(graph::ReadFile(path).status());  // says why it cannot be read
  const std::unique_ptr<void, CloseUnzip> archive(unzOpen64(path.c_str()));
  const auto damaged = [&](const char* what) {
    return Status::Make(StatusCode::kDataLoss, "'%s' is no valid .npz archive: %s", path.c_str(), what);
  };
  if (archive == nullptr) return damaged("it has no directory");
  std::vector<NamedTensor> tensors;
  int status = unzGoToFirstFile(archive.get());
  for (; status == UNZ_OK; status = unzGoToNextFile(archive.get())) {
    unz_file_info64 info;
    char name[512] = {};
    constexpr auto kMost = static_cast<ZPOS64_T>(graph::kMaxTensorElements) * sizeof(int64_t) + 65536;
    if (unzGetCurrentFileInfo64(archive.get(), &info, name, sizeof(name) - 1, nullptr, 0, nullptr, 0) != UNZ_OK ||
        info.uncompressed_size > kMost || unzOpenCurrentFile(archive.get()) != UNZ_OK) {
      return damaged("an entry cannot be read");
    }
    // As much as there is, not as much as the archive says.
    std::string bytes, part(size_t{1} << 20, '\0');
    int read = 1;
    while (read > 0 && bytes.size() <= info.uncompressed_size) {
      read = unzReadCurrentFile(archive.get(), part.data(), static_cast<unsigned>(part.size()));
      if (read > 0) bytes.append(part, 0, static_cast<size_t>(read));
    }
    if (read < 0 || unzCloseCurrentFile(archive.get()) != UNZ_OK) return damaged("an entry is damaged");
    std::string stem = name;
    if (stem.ends_with(".npy")) stem.resize(stem.size() - 4);
    LACUNA_ASSIGN_OR_RETURN(tensor, ParseNpy(bytes, path + ":" + stem));
    tensors.push_back({std::move(stem), std::move(tensor)});
  }
  if (status != UNZ_END_OF_LIST_OF_FILE) return damaged("its directory");
  return tensors;
}

Result<std::vector<NamedTensor>> ReadFolder(const std::string& path, std::string_view stem) {
  std::vector<NamedTensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path file = fs::path(path) / (std::string(stem) + "_" + std::to_string(i) + ".pb");
    std::error_code error;
    if (!fs::exists(file, error)) break;
    LACUNA_ASSIGN_OR_RETURN(tensor, graph::ImportTensorFile(file.string()));
    tensors.push_back({"", std::move(tensor)});
  }
  if (!tensors.empty()) return tensors;
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.path().extension() == ".npy") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    LACUNA_ASSIGN_OR_RETURN(bytes, ReadBytes(file.string()));
    LACUNA_ASSIGN_OR_RETURN(tensor, ParseNpy(bytes, file.string()));
    tensors.push_back({file.stem().string(), std::move(tensor)});
  }
  if (!tensors.empty()) return tensors;
  return Status::Make(StatusCode::kNotFound, "folder '%s' has neither %s_0.pb nor .npy files", path.c_str(),
                      std::string(stem).c_str());
}

Status WriteNpz(const std::vector<NamedTensor>& tensors, const std::string& path) {
  const auto failed = [&] { return Status::Make(StatusCode::kNotFound, "cannot write '%s'", path.c_str()); };
  zipFile archive = zipOpen64(path.c_str(), APPEND_STATUS_CREATE);
  if (archive == nullptr) return failed();
  bool ok = true;
  for (size_t i = 0; i < tensors.size() && ok; ++i) {
    const std::string bytes = FormatNpy(tensors[i].tensor);
    const std::string name = tensors[i].name + ".npy";
    ok = zipOpenNewFileInZip64(archive, name.c_str(), nullptr, nullptr, 0, nullptr, 0, nullptr, Z_DEFLATED, 1,
                               bytes.size() >= 0xffffffff) == ZIP_OK &&
         zipWriteInFileInZip(archive, bytes.data(), static_cast<unsigned>(bytes.size())) == ZIP_OK &&
         zipCloseFileInZip(archive) == ZIP_OK;
  }
  return zipClose(archive, nullptr) == ZIP_OK && ok ? Status() : failed();
}

template <class Stored, class T, class Convert>
void Encode(const std::vector<T>& values, std::string& bytes, const Convert& convert) {
  for (const T& value : values) {
    const Stored stored = convert(value);
    bytes.append(reinterpret_cast<const char*>(&stored), sizeof(Stored));
  }
}

void EncodeAll(const Tensor& tensor, std::string& bytes) {
  const auto to = [](auto tag) { return [](auto value) { return static_cast<decltype(tag)>(value); }; };
  switch (tensor.type) {
    case ElementType::kDouble: return Encode<double>(tensor.floats, bytes, to(double{}));
    case ElementType::kFloat16: return Encode<uint16_t>(tensor.floats, bytes, graph::FloatToHalf);
    case ElementType::kInt64:
    case ElementType::kUint64: return Encode<int64_t>(tensor.integers, bytes, to(int64_t{}));
    case ElementType::kInt32:
    case ElementType::kUint32: return Encode<int32_t>(tensor.integers, bytes, to(int32_t{}));
    case ElementType::kInt16:
    case ElementType::kUint16: return Encode<int16_t>(tensor.integers, bytes, to(int16_t{}));
    case ElementType::kInt8:
    case ElementType::kUint8:
    case ElementType::kBool: return Encode<int8_t>(tensor.integers, bytes, to(int8_t{}));
    default: return Encode<float>(tensor.floats, bytes, to(float{}));
  }
}

}  // namespace

std::string FileStem(const std::string& name) {
  std::string file = name;
  for (char& c : file) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '-' || (c == '.' && &c != file.data());
    if (!plain) c = '_';
  }
  return file;
}

Result<Tensor> ParseNpy(std::string_view bytes, const std::string& source) {
  if (bytes.size() < 10 || bytes.substr(0, 6) != kMagic) return Damaged(source, "it does not begin as one");
  const int version = bytes[6];
  if (version < 1 || version > 3) return Damaged(source, "its version is not 1 to 3");
  const size_t length_bytes = version == 1 ? 2 : 4, start = 8 + length_bytes;
  if (bytes.size() < start) return Damaged(source, "it is truncated");
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 8, length_bytes);
  if (length > bytes.size() - start) return Damaged(source, "it is truncated");
  const std::string_view header = bytes.substr(start, length);
  const auto descriptor = Entry(header, "descr"), order = Entry(header, "fortran_order"),
             extents = Entry(header, "shape");
  if (!descriptor.has_value() || !order.has_value() || !extents.has_value()) return Damaged(source, "its header");
  const Descriptor* found = nullptr;
  for (const Descriptor& known : kDescriptors) {
    const std::string_view text = descriptor->substr(1);
    const bool same = text.starts_with(known.text) ||
                      (text.size() > 1 && known.bytes == 1 && text.substr(1).starts_with(known.text.substr(1)));
    if (same && text.substr(known.text.size(), 1) == "'") found = &known;
  }
  if (found == nullptr) {
    return Status::Make(StatusCode::kUnsupported, "'%s' has elements %.12s, supported are little-endian numbers",
                        source.c_str(), std::string(*descriptor).c_str());
  }
  const std::optional<Shape> shape = ParseShape(*extents);
  if (!shape.has_value()) return Damaged(source, "its shape");
  LACUNA_ASSIGN_OR_RETURN(elements, graph::CheckedElements(*shape, graph::kMaxTensorElements, "'" + source + "'"));
  const std::string_view data = bytes.substr(start + length);
  if (data.size() != static_cast<size_t>(elements) * found->bytes)
    return Damaged(source, "its size is not that of its shape");
  Tensor tensor = Tensor::Zeros(found->type, *shape);
  DecodeAll(data, tensor);
  if (order->starts_with("True")) {
    tensor.IsFloats() ? Reorder(*shape, tensor.floats) : Reorder(*shape, tensor.integers);
  }
  return tensor;
}

std::string FormatNpy(const Tensor& tensor) {
  std::string_view text = "<f4";
  for (const Descriptor& known : kDescriptors) {
    if (known.type == tensor.type) text = known.text;
  }
  std::string header = "{'descr': '" + std::string(text) + "', 'fortran_order': False, 'shape': (";
  for (const int64_t extent : tensor.shape) header += std::to_string(extent) + ", ";
  header += "), }";
  constexpr size_t kPrefix = 10, kAlign = 64;
  header.resize((header.size() + kPrefix + 1 + kAlign - 1) / kAlign * kAlign - kPrefix, ' ');
  header.back() = '\n';
  std::string bytes(kMagic);
  bytes += '\x01';
  bytes += '\x00';
  const auto length = static_cast<uint16_t>(header.size());
  bytes.append(reinterpret_cast<const char*>(&length), sizeof(length));
  bytes += header;
  EncodeAll(tensor, bytes);
  return bytes;
}

bool IsTensorFile(const std::string& path) {
  if (EndsWith(path, ".npy") || EndsWith(path, ".npz") || EndsWith(path, ".pb")) return true;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.path().extension() == ".npy" || entry.path().extension() == ".pb") return true;
  }
  return false;
}

Result<std::vector<NamedTensor>> ReadTensors(const std::string& path, std::string_view stem) {
  std::error_code error;
  if (fs::is_directory(path, error)) return ReadFolder(path, stem);
  if (EndsWith(path, ".npz")) return ReadNpz(path);
  if (EndsWith(path, ".pb")) {
    LACUNA_ASSIGN_OR_RETURN(tensor, graph::ImportTensorFile(path));
    return std::vector<NamedTensor>{{"", std::move(tensor)}};
  }
  LACUNA_ASSIGN_OR_RETURN(bytes, ReadBytes(path));
  LACUNA_ASSIGN_OR_RETURN(tensor, ParseNpy(bytes, path));
  return std::vector<NamedTensor>{{"", std::move(tensor)}};
}

Status WriteTensors(const std::vector<NamedTensor>& tensors, const std::string& path) {
  if (EndsWith(path, ".npz")) return WriteNpz(tensors, path);
  std::error_code error;
  fs::create_directories(path, error);
  for (const NamedTensor& named : tensors) {
    const std::string file = (fs::path(path) / (FileStem(named.name) + ".npy")).string();
    LACUNA_RETURN_IF_ERROR(graph::ReplaceFile(file, [&](std::ostream& out) {
      const std::string bytes = FormatNpy(named.tensor);
      out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      return true;
    }));
  }
  return Status();
}

}  // namespace tools
