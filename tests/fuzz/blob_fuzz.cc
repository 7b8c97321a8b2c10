// Bytes as a blob of each format: refused, or weights that are safe to compute with and that are stored as the same
// bytes.
//
// The first byte is odd where magic, version, size and checksum are made to fit: damage then reaches what Validate
// guards.

#include <cstring>

#include "tests/fuzz/decisions.h"
#include "tests/support/blob_damage.h"

namespace lacuna::fuzz::blob_fuzzer {
namespace {

constexpr int64_t kMostElements = 1 << 14;  // of weights that are expanded

void Use(const AnyWeights<float>& weights) {
  weights.Visit([](const auto& format) { test::CheckRows(format); });
  const MatrixShape& shape = weights.shape();
  if (shape.elements() > kMostElements) return;
  const auto dense = weights.ToDense();
  REQUIRE(dense.ok());
  const auto csr = weights.Visit([](const auto& format) { return Convert<CsrWeights<float>>(format); });
  REQUIRE(csr.ok());
  if (shape.groups != 1) return;
  const auto gemm = MakeGemm(weights, GemmShape{3});
  REQUIRE(gemm.ok());
  std::vector<float> x(static_cast<size_t>(shape.columns * 3), 1.0f), y(static_cast<size_t>(shape.rows * 3));
  std::vector<std::byte> workspace(gemm->WorkspaceBytes(1));
  CHECK(gemm->Run(MatrixView<const float>::RowMajor(x.data(), shape.columns, 3),
                  MatrixView<float>::RowMajor(y.data(), shape.rows, 3), {.workspace = workspace})
            .ok());
}

void Run(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  const bool fit = bytes[0] % 2 != 0;
  bytes = bytes.subspan(1);
  test::Blob blob = test::CopyOf(std::as_bytes(bytes));
  if (fit && blob.size() >= sizeof(blob::Header)) {
    blob.Truncate(blob.size() / kAlignment * kAlignment);
    if (blob.size() < sizeof(blob::Header)) return;
    blob::Header header;
    std::memcpy(&header, blob.data(), sizeof(header));
    header.magic = blob::kMagic;
    header.version = blob::kVersion;
    header.byte_order = blob::kByteOrder;
    header.value = BlobValue::kFloat32;
    header.bytes = blob.size();
    header.target = {};
    std::memcpy(blob.data(), &header, sizeof(header));
    test::FixChecksum(blob);
  }
  const auto weights = AnyWeights<float>::View(blob);
  if (!weights.ok()) return;
  const auto again = Serialize(*weights);
  REQUIRE(again.ok());
  CHECK(std::ranges::equal(*again, blob));
  Use(*weights);
}

void AddSeeds(Seeds& seeds) {
  const auto add = [&](const AnyWeights<float>& weights) {
    const auto bytes = Serialize(weights);
    REQUIRE(bytes.ok());
    for (const uint8_t fit : {uint8_t{0}, uint8_t{1}}) {
      seeds.Add({fit}, {reinterpret_cast<const char*>(bytes->data()), bytes->size()});
    }
  };
  std::vector<float> values(6 * 18);
  test::FillIntegers(values, 1);
  test::Thin(values, 2, 0.4);
  for (const int64_t groups : {1, 2}) {
    const auto dense = DenseWeights<float>::View({.rows = 6, .columns = 18, .groups = groups}, values);
    REQUIRE(dense.ok());
    add(*DenseWeights<float>::CopyOf(dense->shape(), dense->values()));
    add(*CsrWeights<float>::FromDense(*dense));
    add(*BlockWeights<float>::FromDense(*dense, BlockShape{2, 3}));
    add(*BcrWeights<float>::FromDense(*dense, BlockShape{4, 8}));
    add(*PatternWeights<float>::FromDense(*dense, 9, 1));
    add(*PatternWeights<float>::FromDense(*dense, 3, 2));
  }
}

const Registration kRegistration({.name = "blob", .run = &Run, .seeds = &AddSeeds});

}  // namespace
}  // namespace lacuna::fuzz::blob_fuzzer
