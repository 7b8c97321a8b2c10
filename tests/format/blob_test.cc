#include "lacuna/core/blob.h"

#include "lacuna/core/permutation.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/block.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/pattern.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/allocations.h"
#include "tests/support/blob_damage.h"
#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

DenseWeights<float> Sparse(const MatrixShape& shape, double density, uint32_t seed = 1) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  FillGaussian(values, seed);
  Thin(values, seed + 1, density);
  auto dense = DenseWeights<float>::CopyOf(shape, values);
  REQUIRE(dense.ok());
  return *std::move(dense);
}

template <class Weights>
Weights Made(Result<Weights> weights) {
  const std::string message = weights.status().message();
  CAPTURE(message);
  REQUIRE(weights.ok());
  return *std::move(weights);
}

// f(weights) for every format of a matrix whose columns are kernels of `taps` cells.
template <class F>
void ForEachFormat(const DenseWeights<float>& dense, int64_t taps, const F& f) {
  f(dense);
  f(Made(BcrWeights<float>::FromDense(dense, {4, 8})));
  f(Made(BcrWeights<float>::FromDense(dense, {1, 3})));  // keeps whole columns of its blocks: no row_count
  f(Made(BlockWeights<float>::FromDense(dense, {2, 2})));
  f(Made(CsrWeights<float>::FromDense(dense)));
  f(Made(PatternWeights<float>::FromDense(dense, taps)));
  f(Made(PatternWeights<float>::FromDense(dense, taps, 2)));
}

// [1 0 2]
// [0 0 0]
// [0 3 0]
CsrWeights<float> SmallCsr() {
  const std::vector<float> values = {1, 0, 2, 0, 0, 0, 0, 3, 0};
  return Made(
      CsrWeights<float>::FromDense(Made(DenseWeights<float>::CopyOf({.rows = 3, .columns = 3, .groups = 1}, values))));
}

TEST_CASE("blob: every format is viewed in place and equal, whatever shape and density") {
  struct Case {
    MatrixShape shape;
    int64_t taps;
  };
  const Case cases[] = {{{1, 1, 1}, 1},    {{8, 18, 1}, 9}, {{13, 45, 1}, 9},
                        {{12, 50, 2}, 25}, {{9, 9, 9}, 9},  {{2, 65537, 1}, 1}};
  for (const Case& c : cases) {
    const MatrixShape& shape = c.shape;
    for (const double density : {0.0, 0.2, 1.0}) {
      CAPTURE(shape.rows);
      CAPTURE(shape.columns);
      CAPTURE(density);
      const DenseWeights<float> dense = Sparse(shape, density);
      ForEachFormat(dense, c.taps, [&]<class Weights>(const Weights& weights) {
        const Blob bytes = BlobOf(weights);
        CHECK(bytes.size() % kAlignment == 0);
        const auto kind = PeekKind(bytes);
        REQUIRE(kind.ok());
        CAPTURE(BlobKindName(*kind));
        const Weights viewed = CheckRoundTrip<Weights>(bytes);
        CHECK(viewed.shape() == weights.shape());
        CHECK(viewed.nnz() == weights.nnz());
        CHECK(viewed.StorageBytes() == weights.StorageBytes());
        const auto back = ExpandRows(viewed);
        REQUIRE(back.ok());
        CHECK(std::ranges::equal(back->values(), dense.values()));
      });
    }
  }
}

TEST_CASE("blob: viewing allocates nothing") {
  ForEachFormat(Sparse({12, 36, 1}, 0.3), 9, [&]<class Weights>(const Weights& weights) {
    const Blob bytes = BlobOf(weights);
    const size_t before = Allocations();
    CHECK(before > 0);
    const auto viewed = View<Weights>(bytes);
    CHECK(Allocations() == before);
    CHECK(viewed.ok());
  });
}

TEST_CASE("blob: the bytes are what the header file documents") {
  const Blob bytes = BlobOf(SmallCsr());
  REQUIRE(bytes.size() == 192 + 3 * 64);  // header, 3 scalars and 3 arrays are 80 + 24 + 72 bytes
  const std::vector<uint8_t> start = {'l', 'a', 'c', 'u', 'n', 'a', 0, 0};
  CHECK(std::ranges::equal(bytes.begin(), bytes.begin() + 8, start.begin(), start.end(), {},
                           [](std::byte b) { return static_cast<uint8_t>(b); }));
  CHECK(Load<uint32_t>(bytes, 16) == 1);           // version
  CHECK(Load<uint32_t>(bytes, 20) == 0x01020304);  // byte order
  CHECK(bytes[20] == std::byte{4});
  CHECK(Load<uint32_t>(bytes, 24) == 4);    // csr
  CHECK(Load<uint32_t>(bytes, 28) == 1);    // float
  CHECK(Load<uint64_t>(bytes, 32) == 384);  // total
  CHECK(Load<uint32_t>(bytes, 40) == 3);
  CHECK(Load<uint32_t>(bytes, 44) == 3);
  CHECK(std::all_of(bytes.begin() + 48, bytes.begin() + 80, [](std::byte b) { return b == std::byte{0}; }));
  const int64_t scalars[] = {3, 3, 1};
  for (size_t i = 0; i < 3; ++i) CHECK(Load<int64_t>(bytes, 80 + 8 * i) == scalars[i]);
  const uint64_t begin[] = {192, 256, 320}, count[] = {4, 3, 3}, element_bytes[] = {4, 2, 4};
  for (size_t i = 0; i < 3; ++i) {
    CHECK(Load<uint64_t>(bytes, 104 + 24 * i) == begin[i]);
    CHECK(Load<uint64_t>(bytes, 112 + 24 * i) == count[i]);
    CHECK(Load<uint64_t>(bytes, 120 + 24 * i) == element_bytes[i]);
  }
  CHECK(Load<uint32_t>(bytes, 192 + 12) == 3);  // row_begin ends
  CHECK(Load<uint16_t>(bytes, 256 + 2) == 2);   // column of the second weight
  CHECK(Load<float>(bytes, 320 + 8) == 3.0f);
  CHECK(Load<uint64_t>(bytes, 8) == 0xb6c7b8390c607569);
}

TEST_CASE("BlobChecksum: of known bytes") {
  std::vector<std::byte> bytes(48);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  CHECK(BlobChecksum({}) == 0xb7c1552dbcc61056);
  CHECK(BlobChecksum(bytes) == 0xa67881130470e931);
}

TEST_CASE("blob: written to any address, into no more than it needs") {
  const CsrWeights<float> csr = SmallCsr();
  const Blob bytes = BlobOf(csr);
  std::vector<std::byte> out(bytes.size() + 9, std::byte{0xee});
  REQUIRE(Serialize(csr, std::span(out).subspan(1)).ok());
  CHECK(std::equal(bytes.begin(), bytes.end(), out.begin() + 1));
  CHECK(std::all_of(out.end() - 8, out.end(), [](std::byte b) { return b == std::byte{0xee}; }));
  CheckInvalid(Serialize(csr, std::span(out).first(383)),
               "out has 383 bytes, must have SerializedBytes(weights) = 384");
  CheckInvalid(Serialize(csr, std::span(out), "AVX2"), "target has 4 characters, must have none for csr weights");
  CheckInvalid(View<CsrWeights<float>>(bytes, "AVX2").status(), "target has 4 characters, must have none for csr");
}

TEST_CASE("blob: a mapped file is used where it is") {
  const DenseWeights<float> dense = Sparse({24, 90, 1}, 0.3);
  const auto bcr = Made(BcrWeights<float>::FromDense(dense, {8, 16}));
  const Blob bytes = BlobOf(bcr);
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  REQUIRE(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
  REQUIRE(std::fflush(file) == 0);
  void* mapped = mmap(nullptr, bytes.size(), PROT_READ, MAP_PRIVATE, fileno(file), 0);
  REQUIRE(mapped != MAP_FAILED);
  const std::span<const std::byte> map(static_cast<const std::byte*>(mapped), bytes.size());
  {
    const size_t before = Allocations();
    const auto viewed = View<BcrWeights<float>>(map);
    CHECK(Allocations() == before);
    REQUIRE(viewed.ok());
    const auto* value = reinterpret_cast<const std::byte*>(viewed->arrays().value.data());
    CHECK(value > map.data());
    CHECK(value < map.data() + map.size());
    const auto back = viewed->ToDense();
    REQUIRE(back.ok());
    CHECK(std::ranges::equal(back->values(), dense.values()));
  }
  CHECK(munmap(mapped, bytes.size()) == 0);
  std::fclose(file);
}

TEST_CASE("blob: PeekKind needs the header alone and believes it") {
  const DenseWeights<float> dense = Sparse({4, 18, 1}, 0.5);
  const auto check = [&](const auto& weights, BlobKind kind) {
    const Blob bytes = BlobOf(weights);
    const auto found = PeekKind(std::span<const std::byte>(bytes.data(), 80));
    REQUIRE(found.ok());
    CHECK(*found == kind);
    CHECK_FALSE(IsPacked(*found));
    CheckError(PeekKind(std::span<const std::byte>(bytes.data(), 79)).status(), StatusCode::kDataLoss,
               "bytes has 79 bytes, a blob has at least 80");
  };
  check(dense, BlobKind::kDense);
  check(Made(BcrWeights<float>::FromDense(dense, {2, 4})), BlobKind::kBcr);
  check(Made(BlockWeights<float>::FromDense(dense, {2, 4})), BlobKind::kBlock);
  check(Made(CsrWeights<float>::FromDense(dense)), BlobKind::kCsr);
  check(Made(PatternWeights<float>::FromDense(dense, 9)), BlobKind::kPattern);
}

TEST_CASE("blob: what is refused, and why") {
  const Blob good = BlobOf(SmallCsr());
  const auto refuse = [&](auto change, StatusCode code, const char* message, bool fix_checksum = true) {
    Blob bytes = CopyOf(good);
    change(bytes);
    if (fix_checksum) FixChecksum(bytes);
    CheckError(View<CsrWeights<float>>(bytes).status(), code, message);
  };
  constexpr auto kDataLoss = StatusCode::kDataLoss;
  refuse([](Blob& b) { b[0] = std::byte{'L'}; }, kDataLoss, "blob: the first bytes are not \"lacuna\"");
  refuse([](Blob& b) { Store(b, 20, 0x04030201u); }, kDataLoss, "blob: the byte order mark is not that of a little");
  refuse([](Blob& b) { Store(b, 16, 2u); }, StatusCode::kUnsupported, "blob: version is 2, must be 1");
  refuse([](Blob& b) { Store(b, 24, 99u); }, StatusCode::kUnsupported, "blob: kind is 99, which this version");
  refuse([](Blob& b) { Store(b, 24, 2u); }, StatusCode::kInvalidArgument, "bytes hold bcr weights, must hold csr");
  refuse([](Blob& b) { Store(b, 28, 7u); }, StatusCode::kInvalidArgument, "bytes hold weights of type 7, must hold 1");
  refuse([](Blob& b) { Store(b, 32, uint64_t{448}); }, kDataLoss, "bytes has 384 bytes, the blob has 448");
  refuse([](Blob& b) { Store(b, 320, 9.0f); }, kDataLoss, "blob: checksum is 0x", false);
  refuse([](Blob& b) { Store(b, 40, 4u); }, kDataLoss,
         "blob: csr has 4 scalars and 3 arrays in 384 bytes, must have 3");
  refuse([](Blob& b) { Store(b, 44, 2u); }, kDataLoss, "blob: csr has 3 scalars and 2 arrays");
  refuse([](Blob& b) { b[48] = std::byte{'A'}; }, StatusCode::kUnsupported, "packed for the SIMD target A, must be");
  refuse([](Blob& b) { Store(b, 104, uint64_t{256}); }, kDataLoss, "blob: begin of csr.row_begin is 256, must follow");
  refuse([](Blob& b) { Store(b, 112, uint64_t{49}); }, kDataLoss, "blob: count of csr.row_begin is 49, must leave the");
  refuse([](Blob& b) { Store(b, 112, std::numeric_limits<uint64_t>::max() / 4 + 2); }, kDataLoss,
         "blob: count of csr.row_begin is 4611686018427387905, must leave the array inside the blob");
  refuse([](Blob& b) { Store(b, 120, 2u); }, kDataLoss, "blob: element_bytes of csr.row_begin is 2, must fit");
  refuse([](Blob& b) { Store(b, 124, 1u); }, kDataLoss, "blob: element_bytes of csr.row_begin is 4294967300");
  refuse([](Blob& b) { Store(b, 120, 0u); }, kDataLoss, "blob: element_bytes of csr.row_begin is 0, must fit");
  refuse([](Blob& b) { b[180] = std::byte{5}; }, kDataLoss, "blob: padding of csr.the table of arrays is 5, must be");
  refuse([](Blob& b) { b[383] = std::byte{5}; }, kDataLoss, "blob: padding of csr.value is 5, must be zero");
  // The last array is shorter and what follows it is zero: 64 bytes too many.
  refuse(
      [](Blob& b) {
        Store(b, 160, uint64_t{0});
        std::fill(b.begin() + 320, b.end(), std::byte{0});
      },
      kDataLoss, "blob: the arrays of csr end at byte 320, must end at 384");
  // The format's own Validate.
  refuse([](Blob& b) { Store(b, 80, int64_t{4}); }, StatusCode::kInvalidArgument, "csr.row_begin, column and value");
  refuse([](Blob& b) { Store(b, 256, uint16_t{3}); }, StatusCode::kInvalidArgument, "csr.column[0] is 3, must ascend");

  auto moved = Blob::Make(good.size() + 64);
  REQUIRE(moved.ok());
  std::ranges::copy(good, moved->begin() + 16);
  CheckInvalid(View<CsrWeights<float>>(std::span<const std::byte>(moved->data() + 16, good.size())).status(),
               "bytes is at an address 16 past a multiple of 64");
  CheckError(View<CsrWeights<float>>({}).status(), kDataLoss, "bytes has 0 bytes, a blob has at least 80");
}

TEST_CASE("blob: no truncation and no changed byte goes unnoticed") {
  ForEachFormat(Sparse({6, 18, 2}, 0.3), 9,
                [&]<class Weights>(const Weights& weights) { CheckDamageIsSeen<Weights>(BlobOf(weights)); });
}

TEST_CASE("blob: behind a checksum that fits, damage is refused or harmless") {
  ForEachFormat(Sparse({6, 18, 2}, 0.3), 9, [&]<class Weights>(const Weights& weights) {
    CheckDamageIsSafe<Weights>(BlobOf(weights), {}, [](const Weights& w) { CheckRows(w); });
  });
}

TEST_CASE("IsPermutation: each number once, in windows") {
  CHECK(IsPermutation({}, 7));
  for (const size_t size : {size_t{1}, size_t{5}, size_t{32768}, size_t{32769}, size_t{100000}}) {
    CAPTURE(size);
    std::vector<uint32_t> order(size);
    std::iota(order.begin(), order.end(), 40u);
    std::shuffle(order.begin(), order.end(), std::mt19937(3));
    CHECK(IsPermutation(order, 40));
    CHECK_FALSE(IsPermutation(order, 39));
    CHECK_FALSE(IsPermutation(order, 41));
    if (size == 1) continue;
    const uint32_t first = order.front();
    order.front() = order.back();
    CHECK_FALSE(IsPermutation(order, 40));
    order.front() = 40 + static_cast<uint32_t>(size);
    CHECK_FALSE(IsPermutation(order, 40));
    order.front() = first;
    order.back() = 39;
    CHECK_FALSE(IsPermutation(order, 40));
  }
}

}  // namespace
}  // namespace lacuna::test
