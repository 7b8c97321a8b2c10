// The bytes of a blob: weights as one block, to be written to a file, mapped from it and used in place (core/blob.h).
//
// A blob is little-endian and begins at an address that is a multiple of 64:
//
//   byte  bytes  content
//   0     8      "lacuna" and two zero bytes
//   8     8      checksum of bytes [16, total), see BlobChecksum
//   16    4      version of this layout, 1
//   20    4      byte order: 0x01020304
//   24    4      kind of content, BlobKind
//   28    4      type of weights, BlobValue
//   32    8      total bytes, a multiple of 64
//   40    4      S, the number of scalars
//   44    4      A, the number of arrays
//   48    32     SIMD target (Highway's name, padded with zeros) that packed weights are for; zeros for a format
//   80    8 S    scalars, signed 64-bit integers
//   ...   24 A   of every array: its first byte, counted from that of the blob (8 bytes), number of elements (8), bytes
//                of an element (4), zero (4)
//   ...          zeros up to a multiple of 64, then the arrays, in order and each followed by zeros likewise
//
// An array without elements takes no bytes. Indices (IndexArray) have 2 or 4 bytes, as the table says.
//
// Which scalars and arrays a kind has, and in which order, is said by ListFields of its type, and there alone. A type T
// that can be stored has, private or public:
//
//   friend struct BlobAccess;                           // if anything of this is private
//   T();                                                // empty
//   static constexpr BlobKind kBlobKind;
//   template <class Self, class Fields>
//   static void ListFields(Self& self, Fields& fields)  // Self is T or const T
//     fields.Scalar("name", scalar);                    // integer or enum; Validate checks the enum
//     fields.Array("name", array);                      // Buffer, span of const elements, IndexArray
//   using value_type; Status Validate() const;          // makes any content safe to use
//
// The list must not depend on the content.

#ifndef LACUNA_CORE_BLOB_LAYOUT_H_
#define LACUNA_CORE_BLOB_LAYOUT_H_

#include "lacuna/core/abi.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// Numbers in files: they never change. Kinds from kFirstPacked on are packed weights, which belong to one SIMD target.
enum class BlobKind : uint32_t {
  kDense = 1,
  kBcr = 2,
  kBlock = 3,
  kCsr = 4,
  kPattern = 5,
  kPacked = 64,
  kFirstPacked = kPacked,
};

constexpr bool IsPacked(BlobKind kind) { return kind >= BlobKind::kFirstPacked; }

// Null for a number that is not in the list.
constexpr const char* BlobKindName(BlobKind kind) {
  switch (kind) {
    case BlobKind::kDense: return "dense";
    case BlobKind::kBcr: return "bcr";
    case BlobKind::kBlock: return "block";
    case BlobKind::kCsr: return "csr";
    case BlobKind::kPattern: return "pattern";
    case BlobKind::kPacked: return "packed";
  }
  return nullptr;
}

enum class BlobValue : uint32_t {
  kFloat32 = 1,  // IEEE 754
};
template <class T>
inline constexpr BlobValue kBlobValue{};
template <>
inline constexpr BlobValue kBlobValue<float> = BlobValue::kFloat32;

// The one who may call what a stored type keeps private.
struct BlobAccess {
  template <class T>
  static T Empty() {
    return T();
  }
  template <class T>
  static constexpr BlobKind Kind() requires requires {
    T::kBlobKind;
  }
  { return T::kBlobKind; }
  template <class T, class Fields>
  static void List(T& object, Fields& fields) {
    T::ListFields(object, fields);
  }
  // f(alternatives...): the buffers of which at most one has elements. An array of a fixed type is its own alternative.
  template <class Array, class F>
  static void VisitAlternatives(Array& array, const F& f) {
    if constexpr (requires { array.data(); }) {
      f(array);
    } else {
      Array::VisitAlternatives(array, f);
    }
  }
};

// 64 bits of a multiple of 8 bytes: with mix(h, w) = rotate_left((h ^ w) * P, 31), word i is mixed into lane i % 4 of
// four, which begin as 1, 2, 3, 4; the hash begins as the number of bytes, and the lanes are mixed into it in turn. Mix
// is a bijection of either argument, so no change inside one word goes unnoticed; lanes keep the multiplier busy.
inline uint64_t BlobChecksum(std::span<const std::byte> bytes) {
  constexpr uint64_t kPrime = 0x9E3779B185EBCA87;  // of xxHash64
  const auto mix = [](uint64_t hash, uint64_t word) { return std::rotl((hash ^ word) * kPrime, 31); };
  const auto word_at = [&](size_t i) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof(word));
    return word;
  };
  std::array<uint64_t, 4> lane = {1, 2, 3, 4};
  size_t at = 0;
  for (; at + 32 <= bytes.size(); at += 32) {
    for (size_t i = 0; i < 4; ++i) lane[i] = mix(lane[i], word_at(at + 8 * i));
  }
  for (size_t i = 0; at < bytes.size(); at += 8, ++i) lane[i] = mix(lane[i], word_at(at));
  uint64_t hash = bytes.size();
  for (const uint64_t l : lane) hash = mix(hash, l);
  return hash;
}

namespace blob {

inline constexpr std::array<char, 8> kMagic = {'l', 'a', 'c', 'u', 'n', 'a', 0, 0};
inline constexpr uint32_t kVersion = 1;
inline constexpr uint32_t kByteOrder = 0x01020304;
inline constexpr size_t kChecksumBegin = 16;
inline constexpr size_t kTargetBytes = 32;

struct Header {
  std::array<char, 8> magic;
  uint64_t checksum;
  uint32_t version;
  uint32_t byte_order;
  BlobKind kind;
  BlobValue value;
  uint64_t bytes;
  uint32_t scalars;
  uint32_t arrays;
  std::array<char, kTargetBytes> target;
};
static_assert(sizeof(Header) == 80);

// An entry of the table of arrays.
struct Section {
  uint64_t begin;
  uint64_t count;
  uint32_t element_bytes;
  uint32_t zero;
};
static_assert(sizeof(Section) == 24);

}  // namespace blob

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_BLOB_LAYOUT_H_
