#include "lacuna/format/any.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

constexpr MatrixShape kShape{.rows = 12, .columns = 27};

// The same matrix in every format.
std::vector<AnyWeights<float>> AllFormats() {
  std::vector<float> values(static_cast<size_t>(kShape.elements()));
  FillGaussian(values, /*seed=*/1);
  Thin(values, /*seed=*/2, 0.3);
  const auto dense = DenseWeights<float>::CopyOf(kShape, values);
  REQUIRE(dense.ok());
  std::vector<AnyWeights<float>> all;
  const auto add = [&](auto weights) {
    REQUIRE(weights.ok());
    all.emplace_back(*std::move(weights));
  };
  add(DenseWeights<float>::CopyOf(kShape, values));
  add(BcrWeights<float>::FromDense(*dense, {4, 9}));
  add(BlockWeights<float>::FromDense(*dense, {2, 3}));
  add(CsrWeights<float>::FromDense(*dense));
  add(PatternWeights<float>::FromDense(*dense, 9));
  return all;
}

TEST_CASE("AnyWeights: every format answers as itself") {
  const auto all = AllFormats();
  const auto expected = all[0].ToDense();
  REQUIRE(expected.ok());
  for (const AnyWeights<float>& weights : all) {
    CHECK(weights.shape() == kShape);
    CHECK(weights.Validate().ok());
    const auto dense = weights.ToDense();
    REQUIRE(dense.ok());
    CHECK(std::ranges::equal(dense->values(), expected->values()));
    weights.Visit([&](const auto& format) {
      CHECK(weights.nnz() == format.nnz());
      CHECK(weights.StorageBytes() == format.StorageBytes());
    });
  }
  CHECK(all[3].As<CsrWeights<float>>() != nullptr);
  CHECK(all[3].As<BcrWeights<float>>() == nullptr);
}

TEST_CASE("AnyWeights: blobs of every format are recognised and used in place") {
  for (const AnyWeights<float>& weights : AllFormats()) {
    const auto blob = Serialize(weights);
    REQUIRE(blob.ok());
    const auto viewed = AnyWeights<float>::View(*blob);
    REQUIRE(viewed.ok());
    CHECK(viewed->nnz() == weights.nnz());
    CHECK(viewed->StorageBytes() == weights.StorageBytes());
    const auto again = Serialize(*viewed);
    REQUIRE(again.ok());
    CHECK(std::ranges::equal(*again, *blob));
    // Cut short, it is refused.
    CHECK(!AnyWeights<float>::View(std::span(blob->data(), blob->size() - 64)).ok());
  }
  CheckError(AnyWeights<float>::View({}).status(), StatusCode::kDataLoss, "blob");
}

}  // namespace
}  // namespace lacuna::test
