// Serialize and View: weights as one block of bytes (core/blob_layout.h) that a file holds and that is used in place.

#ifndef LACUNA_CORE_BLOB_H_
#define LACUNA_CORE_BLOB_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/blob_layout.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace blob {

inline Status CheckByteOrder() {
  if constexpr (std::endian::native == std::endian::little) return Status();
  return Status::Make(StatusCode::kUnsupported, "blob: this machine is big-endian, blobs are little-endian");
}

// `target` as the header has it. Packed weights need a target, formats must not have one.
inline Result<std::array<char, kTargetBytes>> TargetField(BlobKind kind, std::string_view target) {
  if (IsPacked(kind) == target.empty() || target.size() >= kTargetBytes) {
    return Status::InvalidArgument("target has %zu characters, must have %s for %s weights", target.size(),
                                   IsPacked(kind) ? "1 to 31" : "none", BlobKindName(kind));
  }
  std::array<char, kTargetBytes> field{};
  std::copy(target.begin(), target.end(), field.begin());
  return field;
}

// Fields that count themselves.
class Measure {
 public:
  template <class Value>
  void Scalar(const char*, const Value&) {
    ++scalars_;
  }
  template <class Elements>
  void Array(const char*, const Elements& array) {
    ++arrays_;
    BlobAccess::VisitAlternatives(array, [&](const auto&... alternatives) {
      payload_bytes_ += RoundUp((alternatives.size_bytes() + ...), kAlignment);
    });
  }

  uint32_t scalars() const { return scalars_; }
  uint32_t arrays() const { return arrays_; }
  size_t table_begin() const { return sizeof(Header) + sizeof(int64_t) * scalars_; }
  size_t table_end() const { return table_begin() + sizeof(Section) * arrays_; }
  size_t payload_begin() const { return RoundUp(table_end(), kAlignment); }
  size_t bytes() const { return payload_begin() + payload_bytes_; }

 private:
  uint32_t scalars_ = 0, arrays_ = 0;
  size_t payload_bytes_ = 0;
};

// Fields that copy themselves to `out`, which holds as many bytes as `layout` says and is zero.
class Writer {
 public:
  Writer(const Measure& layout, std::span<std::byte> out)
      : out_(out), scalar_at_(sizeof(Header)), section_at_(layout.table_begin()), payload_at_(layout.payload_begin()) {}

  template <class Value>
  void Scalar(const char*, const Value& value) {
    static_assert(std::is_signed_v<Value> || sizeof(Value) < sizeof(int64_t), "scalars are stored as int64_t");
    const auto stored = static_cast<int64_t>(value);
    std::memcpy(out_.data() + std::exchange(scalar_at_, scalar_at_ + sizeof(stored)), &stored, sizeof(stored));
  }
  template <class Elements>
  void Array(const char*, const Elements& array) {
    BlobAccess::VisitAlternatives(array, [&](const auto& first, const auto&... rest) {
      Section section{payload_at_, 0, sizeof(*first.data()), 0};
      const auto write = [&](const auto& elements) {
        if (elements.size() == 0) return;
        section.count = elements.size();
        section.element_bytes = sizeof(*elements.data());
        std::memcpy(out_.data() + payload_at_, elements.data(), elements.size_bytes());
        payload_at_ += RoundUp(elements.size_bytes(), kAlignment);
      };
      write(first);
      (write(rest), ...);
      std::memcpy(out_.data() + std::exchange(section_at_, section_at_ + sizeof(section)), &section, sizeof(section));
    });
  }

 private:
  std::span<std::byte> out_;
  size_t scalar_at_, section_at_, payload_at_;
};

// The integer that a scalar is.
template <class Value, bool kEnum = std::is_enum_v<Value>>
struct IntegerOf {
  using type = Value;
};
template <class Value>
struct IntegerOf<Value, true> {
  using type = std::underlying_type_t<Value>;
};

// Fields that view themselves in `bytes`, of which there are at least layout.payload_begin(). Every array must lie
// exactly where Writer puts it: a blob has no gaps but for zeros. After the first failure nothing more is read.
class Reader {
 public:
  Reader(BlobKind kind, const Measure& layout, std::span<const std::byte> bytes)
      : kind_(BlobKindName(kind)),
        bytes_(bytes),
        scalar_at_(sizeof(Header)),
        section_at_(layout.table_begin()),
        payload_at_(layout.payload_begin()) {
    ExpectZeros("the table of arrays", layout.table_end(), payload_at_);
  }

  template <class Value>
  void Scalar(const char* name, Value& value) {
    using Integer = typename IntegerOf<Value>::type;
    int64_t stored;
    std::memcpy(&stored, bytes_.data() + std::exchange(scalar_at_, scalar_at_ + sizeof(stored)), sizeof(stored));
    if (!std::in_range<Integer>(stored)) return Fail(name, "value", static_cast<uint64_t>(stored), "fit its type");
    value = static_cast<Value>(stored);
  }
  template <class Elements>
  void Array(const char* name, Elements& array) {
    Section section;
    std::memcpy(&section, bytes_.data() + std::exchange(section_at_, section_at_ + sizeof(section)), sizeof(section));
    if (!status_.ok()) return;
    BlobAccess::VisitAlternatives(array, [&](auto&... alternatives) {
      if (((section.element_bytes != sizeof(*alternatives.data())) && ...) || section.zero != 0) {
        return Fail(name, "element_bytes", section.element_bytes | uint64_t{section.zero} << 32, "fit the element");
      }
      if (section.begin != payload_at_) return Fail(name, "begin", section.begin, "follow what stands before it");
      if (section.count > (bytes_.size() - payload_at_) / section.element_bytes) {
        return Fail(name, "count", section.count, "leave the array inside the blob");
      }
      const auto bytes = static_cast<size_t>(section.count) * section.element_bytes;
      const auto view = [&](auto& elements) {
        if (section.element_bytes == sizeof(*elements.data())) View(bytes_.subspan(payload_at_, bytes), elements);
      };
      (view(alternatives), ...);
      const size_t end = std::min(RoundUp(payload_at_ + bytes, kAlignment), bytes_.size());
      ExpectZeros(name, payload_at_ + bytes, end);
      payload_at_ = end;
    });
  }

  // To be called after the last field.
  Status Finish() const {
    if (status_.ok() && payload_at_ != bytes_.size()) {
      return Status::Make(StatusCode::kDataLoss, "blob: the arrays of %s end at byte %zu, must end at %zu", kind_,
                          payload_at_, bytes_.size());
    }
    return status_;
  }

 private:
  template <class T>
  static std::span<const T> ElementsOf(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <class T>
  static void View(std::span<const std::byte> bytes, Buffer<T>& to) {
    to = Buffer<T>::View(ElementsOf<T>(bytes));
  }
  template <class T>
  static void View(std::span<const std::byte> bytes, std::span<const T>& to) {
    to = ElementsOf<T>(bytes);
  }

  void ExpectZeros(const char* after, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      if (bytes_[i] != std::byte{0}) return Fail(after, "padding", static_cast<uint64_t>(bytes_[i]), "be zero");
    }
  }
  void Fail(const char* name, const char* what, uint64_t value, const char* must) {
    if (!status_.ok()) return;
    status_ = Status::Make(StatusCode::kDataLoss, "blob: %s of %s.%s is %llu, must %s", what, kind_, name,
                           static_cast<unsigned long long>(value), must);
  }

  const char* kind_;
  std::span<const std::byte> bytes_;
  size_t scalar_at_, section_at_, payload_at_;
  Status status_;
};

// The header, if `bytes` begin with one that this version of lacuna understands.
inline Result<Header> ReadHeader(std::span<const std::byte> bytes) {
  LACUNA_RETURN_IF_ERROR(CheckByteOrder());
  const auto damaged = [](const char* what) { return Status::Make(StatusCode::kDataLoss, "blob: %s", what); };
  Header header;
  if (bytes.size() < sizeof(header)) {
    return Status::Make(StatusCode::kDataLoss, "bytes has %zu bytes, a blob has at least %zu", bytes.size(),
                        sizeof(header));
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kMagic) return damaged("the first bytes are not \"lacuna\"");
  if (header.byte_order != kByteOrder) return damaged("the byte order mark is not that of a little-endian file");
  if (header.version != kVersion) {
    return Status::Make(StatusCode::kUnsupported, "blob: version is %u, must be %u", header.version, kVersion);
  }
  if (BlobKindName(header.kind) == nullptr) {
    return Status::Make(StatusCode::kUnsupported, "blob: kind is %u, which this version of lacuna does not know",
                        static_cast<uint32_t>(header.kind));
  }
  return header;
}

// View without the Validate of the type: arrays lie inside the blob, whatever they hold.
template <class T>
Result<T> Read(std::span<const std::byte> bytes, std::string_view target) {
  constexpr BlobKind kKind = BlobAccess::Kind<T>();
  LACUNA_ASSIGN_OR_RETURN(target_field, TargetField(kKind, target));
  LACUNA_ASSIGN_OR_RETURN(header, ReadHeader(bytes));
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment != 0) {
    return Status::InvalidArgument("bytes is at an address %zu past a multiple of %zu, must be at a multiple",
                                   static_cast<size_t>(reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment),
                                   kAlignment);
  }
  if (header.bytes != bytes.size() || header.bytes % kAlignment != 0) {
    return Status::Make(StatusCode::kDataLoss,
                        "bytes has %zu bytes, the blob has %llu, both must be one multiple of 64", bytes.size(),
                        static_cast<unsigned long long>(header.bytes));
  }
  const uint64_t checksum = BlobChecksum(bytes.subspan(kChecksumBegin));
  if (header.checksum != checksum) {
    return Status::Make(StatusCode::kDataLoss, "blob: checksum is 0x%llx, must be 0x%llx: the bytes are damaged",
                        static_cast<unsigned long long>(header.checksum), static_cast<unsigned long long>(checksum));
  }
  if (header.kind != kKind) {
    return Status::InvalidArgument("bytes hold %s weights, must hold %s", BlobKindName(header.kind),
                                   BlobKindName(kKind));
  }
  if (header.value != kBlobValue<typename T::value_type>) {
    return Status::InvalidArgument("bytes hold weights of type %u, must hold %u", static_cast<uint32_t>(header.value),
                                   static_cast<uint32_t>(kBlobValue<typename T::value_type>));
  }
  if (header.target != target_field) {
    return Status::Make(StatusCode::kUnsupported, "blob: weights are packed for the SIMD target %.32s, must be for %s",
                        header.target.data(), target_field.data());
  }
  T object = BlobAccess::Empty<T>();
  Measure layout;
  BlobAccess::List(std::as_const(object), layout);
  if (header.scalars != layout.scalars() || header.arrays != layout.arrays() || bytes.size() < layout.payload_begin()) {
    return Status::Make(StatusCode::kDataLoss,
                        "blob: %s has %u scalars and %u arrays in %zu bytes, must have %u and %u in at least %zu",
                        BlobKindName(kKind), header.scalars, header.arrays, bytes.size(), layout.scalars(),
                        layout.arrays(), layout.payload_begin());
  }
  Reader reader(kKind, layout, bytes);
  BlobAccess::List(object, reader);
  LACUNA_RETURN_IF_ERROR(reader.Finish());
  return object;
}

}  // namespace blob

// Bytes of the blob of `weights`, a multiple of 64.
template <class T>
size_t SerializedBytes(const T& weights) {
  blob::Measure layout;
  BlobAccess::List(weights, layout);
  return layout.bytes();
}

// Writes the blob of `weights` to the first SerializedBytes(weights) bytes of `out`, at any address. Packed weights
// need the name of the SIMD target whose kernels they are packed for: lacuna::ActiveTargetName(), or
// hwy::TargetName(plan.target()).
template <class T>
Status Serialize(const T& weights, std::span<std::byte> out, std::string_view target = {}) {
  constexpr BlobKind kKind = BlobAccess::Kind<T>();
  static_assert(kBlobValue<typename T::value_type> != BlobValue{}, "no BlobValue for this type of weights");
  LACUNA_RETURN_IF_ERROR(blob::CheckByteOrder());
  LACUNA_ASSIGN_OR_RETURN(target_field, blob::TargetField(kKind, target));
  blob::Measure layout;
  BlobAccess::List(weights, layout);
  if (out.size() < layout.bytes()) {
    return Status::InvalidArgument("out has %zu bytes, must have SerializedBytes(weights) = %zu", out.size(),
                                   layout.bytes());
  }
  out = out.first(layout.bytes());
  std::fill(out.begin(), out.end(), std::byte{0});
  blob::Writer writer(layout, out);
  BlobAccess::List(weights, writer);
  blob::Header header{blob::kMagic,    0,
                      blob::kVersion,  blob::kByteOrder,
                      kKind,           kBlobValue<typename T::value_type>,
                      out.size(),      layout.scalars(),
                      layout.arrays(), target_field};
  std::memcpy(out.data(), &header, sizeof(header));
  header.checksum = BlobChecksum(out.subspan(blob::kChecksumBegin));
  std::memcpy(out.data(), &header, sizeof(header));
  return Status();
}

// The same in memory of its own.
template <class T>
Result<Buffer<std::byte>> Serialize(const T& weights, std::string_view target = {}) {
  LACUNA_ASSIGN_OR_RETURN(bytes, Buffer<std::byte>::Make(SerializedBytes(weights)));
  LACUNA_RETURN_IF_ERROR(Serialize(weights, {bytes.data(), bytes.size()}, target));
  return std::move(bytes);
}

// What a blob holds, by its header alone: `bytes` may be the first 80 of it.
inline Result<BlobKind> PeekKind(std::span<const std::byte> bytes) {
  LACUNA_ASSIGN_OR_RETURN(header, blob::ReadHeader(bytes));
  return header.kind;
}

// The weights of a blob, in place: nothing is copied or allocated, so `bytes` (a mapped file, say) must outlive the
// result and whatever shares it, unchanged. Reads all bytes once, for the checksum, and all indices, for Validate: what
// comes out is safe to compute with, whoever wrote the file. `target` as for Serialize. Fails if
//   - the address is not a multiple of 64, or T is not what the blob holds (kInvalidArgument),
//   - a byte was changed, or bytes are missing or too many (kDataLoss),
//   - version, byte order or SIMD target are not those of this library, machine and `target` (kUnsupported),
//   - the arrays break an invariant of T (the Status of its Validate).
template <class T>
Result<T> View(std::span<const std::byte> bytes, std::string_view target = {}) {
  LACUNA_ASSIGN_OR_RETURN(weights, blob::Read<T>(bytes, target));
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  return std::move(weights);
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_BLOB_H_
