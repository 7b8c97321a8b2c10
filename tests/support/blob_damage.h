// Blobs for tests: what a viewed one must be, and damage that must come out as a Status or as safe weights.

#ifndef LACUNA_TESTS_SUPPORT_BLOB_DAMAGE_H_
#define LACUNA_TESTS_SUPPORT_BLOB_DAMAGE_H_

#include "lacuna/core/blob.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace lacuna::test {

using Blob = Buffer<std::byte>;

inline Blob CopyOf(std::span<const std::byte> bytes) {
  auto copy = Blob::CopyOf(bytes);
  REQUIRE(copy.ok());
  return *std::move(copy);
}

template <class T>
Blob BlobOf(const T& weights, std::string_view target = {}) {
  auto bytes = Serialize(weights, target);
  const std::string_view message = bytes.status().message();
  CAPTURE(message);
  REQUIRE(bytes.ok());
  CHECK(bytes->size() == SerializedBytes(weights));
  return *std::move(bytes);
}

template <class T>
T Load(const Blob& bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}
template <class T>
void Store(Blob& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

// As whoever wants to do harm would.
inline void FixChecksum(Blob& bytes) {
  Store(bytes, 8, BlobChecksum(std::span<const std::byte>(bytes.data(), bytes.size()).subspan(16)));
}

// Fields that check that every array lies in the blob, aligned, and belongs to nobody.
struct InPlace {
  std::span<const std::byte> bytes;
  size_t arrays = 0;  // that have elements

  template <class Value>
  void Scalar(const char*, const Value&) {}
  template <class Elements>
  void Array(const char* name, const Elements& array) {
    CAPTURE(name);
    BlobAccess::VisitAlternatives(array, [&](const auto&... alternatives) { (Check(alternatives), ...); });
  }
  template <class Elements>
  void Check(const Elements& elements) {
    if (elements.size() == 0) return;
    const auto* begin = reinterpret_cast<const std::byte*>(elements.data());
    CHECK(begin >= bytes.data());
    CHECK(begin + elements.size() * sizeof(*elements.data()) <= bytes.data() + bytes.size());
    CHECK(reinterpret_cast<uintptr_t>(begin) % kAlignment == 0);
    if constexpr (requires { elements.owned(); }) CHECK_FALSE(elements.owned());
    ++arrays;
  }
};

// Fields that replace every array by a copy of exactly its size, so that AddressSanitizer sees what is read beyond it.
struct CopiedApart {
  std::vector<std::shared_ptr<void>> owned{};  // copies of spans

  template <class Value>
  void Scalar(const char*, const Value&) {}
  template <class Elements>
  void Array(const char*, Elements& array) {
    BlobAccess::VisitAlternatives(array, [&](auto&... alternatives) { (Copy(alternatives), ...); });
  }
  template <class U>
  void Copy(Buffer<U>& buffer) {
    auto copy = Buffer<U>::CopyOf(std::as_const(buffer));
    REQUIRE(copy.ok());
    buffer = *std::move(copy);
  }
  template <class U>
  void Copy(std::span<const U>& elements) {
    auto copy = std::make_shared<Buffer<U>>(*Buffer<U>::CopyOf(elements));
    elements = *copy;
    owned.push_back(std::move(copy));
  }
};

// A blob viewed is the weights that were stored: in place, and the same bytes when stored again.
template <class T>
T CheckRoundTrip(const Blob& bytes, std::string_view target = {}) {
  auto viewed = View<T>(bytes, target);
  const std::string_view message = viewed.status().message();
  CAPTURE(message);
  REQUIRE(viewed.ok());
  InPlace in_place{bytes};
  BlobAccess::List(std::as_const(*viewed), in_place);
  CHECK(in_place.arrays > 0);
  CHECK(std::ranges::equal(BlobOf(*viewed, target), bytes));
  return *std::move(viewed);
}

// Every length but the right one, and every byte changed to every other value, is a Status.
template <class T>
void CheckDamageIsSeen(const Blob& bytes, std::string_view target = {}) {
  REQUIRE(View<T>(bytes, target).ok());
  size_t accepted = 0;
  for (size_t size = 0; size < bytes.size(); ++size) {
    accepted += View<T>(CopyOf({bytes.data(), size}), target).ok();
  }
  CHECK(accepted == 0);
  auto longer = Blob::Make(bytes.size() + kAlignment);
  REQUIRE(longer.ok());
  std::ranges::copy(bytes, longer->begin());
  CHECK_FALSE(View<T>(*longer, target).ok());

  Blob damaged = CopyOf(bytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (unsigned change = 1; change < 256; ++change) {
      damaged[i] = bytes[i] ^ static_cast<std::byte>(change);
      accepted += View<T>(damaged, target).ok();
    }
    damaged[i] = bytes[i];
  }
  CHECK(accepted == 0);
  CHECK(View<T>(damaged, target).ok());
}

// With the checksum made to fit, damage is refused by View or harmless: then use(weights) must not fault, and the
// weights pass Validate. Bytes one by one, words that are extreme or nearly right, and some of each at random.
template <class T, class Use>
void CheckDamageIsSafe(const Blob& bytes, std::string_view target, const Use& use) {
  size_t accepted = 0, refused = 0, wrong = 0;
  const auto try_one = [&](Blob& damaged) {
    FixChecksum(damaged);
    const bool viewed = View<T>(damaged, target).ok();
    auto apart = blob::Read<T>(damaged, target);
    if (apart.ok()) {
      CopiedApart copies;
      BlobAccess::List(*apart, copies);
      const bool valid = apart->Validate().ok();
      wrong += valid != viewed;
      if (valid) use(*apart);
    } else {
      wrong += viewed;
    }
    ++(viewed ? accepted : refused);
  };
  Blob damaged = CopyOf(bytes);
  const auto try_value = [&](size_t at, auto value) {
    if (std::memcmp(damaged.data() + at, &value, sizeof(value)) == 0) return;
    Store(damaged, at, value);
    try_one(damaged);
    std::copy_n(bytes.begin() + at, sizeof(value), damaged.begin() + at);
  };
  for (size_t at = 16; at < bytes.size(); ++at) {
    const auto byte = static_cast<uint8_t>(bytes[at]);
    for (unsigned bit = 1; bit < 256; bit *= 2) try_value(at, static_cast<uint8_t>(byte ^ bit));
    for (const int value : {0, 1, 0x7f, 0xff, byte + 1, byte - 1}) try_value(at, static_cast<uint8_t>(value));
  }
  const auto try_words = [&](auto zero) {
    using Word = decltype(zero);
    for (size_t at = 16; at < bytes.size(); at += sizeof(Word)) {
      const auto word = Load<Word>(bytes, at);
      const Word all = static_cast<Word>(~Word{0}), half = static_cast<Word>(all / 2);
      const Word values[] = {0,
                             1,
                             all,
                             half,
                             static_cast<Word>(half + 1),
                             static_cast<Word>(word + 1),
                             static_cast<Word>(word - 1),
                             static_cast<Word>(word * 2),
                             static_cast<Word>(word / 2),
                             static_cast<Word>(0 - word)};
      for (const Word value : values) try_value(at, value);
    }
  };
  try_words(uint16_t{0});
  try_words(uint32_t{0});
  try_words(uint64_t{0});
  for (size_t at = 16; at + 8 <= bytes.size(); at += 8) {
    for (unsigned shift = 15; shift < 64; ++shift) try_value(at, uint64_t{1} << shift);
  }

  std::mt19937 random(1);
  for (int round = 0; round < 4000; ++round) {
    std::vector<size_t> places(1 + random() % 4);
    for (size_t& at : places) {
      at = 80 + random() % (bytes.size() - 80);
      damaged[at] = static_cast<std::byte>(random() % 3 == 0 ? random() : static_cast<unsigned>(bytes[at]) + 1);
    }
    try_one(damaged);
    for (const size_t at : places) damaged[at] = bytes[at];
  }
  CHECK(wrong == 0);
  CHECK(refused > 0);
  CHECK(accepted > 0);  // a changed weight is as good as any
}

// Reads all that VisitRow gives: columns ascending and in range, as many as are stored.
template <class Weights>
void CheckRows(const Weights& weights) {
  int64_t count = 0;
  bool in_order = true;
  volatile float sum = 0;
  for (int64_t row = 0; row < weights.shape().rows; ++row) {
    int64_t last = -1;
    weights.VisitRow(row, [&](int64_t column, float value) {
      in_order = in_order && column > last && column < weights.shape().columns;
      last = column;
      sum = sum + value;
      ++count;
    });
  }
  CHECK(in_order);
  CHECK(count == weights.nnz());
}

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_BLOB_DAMAGE_H_
