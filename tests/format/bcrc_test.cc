#include "lacuna/format/bcrc.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

BcrWeights<float> Pruned(const MatrixShape& shape, const BlockShape& block, double density) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  FillGaussian(values, 3);
  Thin(values, 4, density);
  const auto dense = DenseWeights<float>::View(shape, values);
  REQUIRE(dense.ok());
  auto bcr = BcrWeights<float>::FromDense(*dense, block);
  REQUIRE(bcr.ok());
  return *std::move(bcr);
}

template <class T>
std::vector<int> List(const Buffer<T>& buffer) {
  return {buffer.begin(), buffer.end()};
}

TEST_CASE("BCRC: the arrays of a small matrix, by hand") {
  const std::vector<float> values = {
      0, 5, 0, 6,  //
      1, 0, 2, 0,  //
      0, 0, 0, 0,  //
      3, 0, 4, 0,  //
  };
  const auto dense = DenseWeights<float>::View({.rows = 4, .columns = 4}, values);
  const auto bcr = BcrWeights<float>::FromDense(*dense, {1, 1});
  REQUIRE(bcr.ok());
  const auto bcrc = ToBcrc(*bcr);
  REQUIRE(bcrc.ok());
  CHECK(List(bcrc->reorder) == std::vector{2, 1, 3, 0});
  CHECK(List(bcrc->row_offset) == std::vector{0, 0, 2, 4, 6});
  CHECK(List(bcrc->occurrence) == std::vector{0, 1, 3, 4});
  CHECK(List(bcrc->column_stride) == std::vector{0, 0, 2, 4});
  CHECK(List(bcrc->compact_column) == std::vector{0, 2, 1, 3});
  CHECK(List(bcrc->weights) == std::vector{1, 2, 3, 4, 5, 6});
  CHECK(bcrc->StorageBytes() == 4 * (4 + 4 + 4 + 6) + 8 * (5 + 4));
}

TEST_CASE("BCRC: exact round trip, stored zeros included") {
  const MatrixShape shapes[] = {{1, 1, 1}, {7, 33, 1}, {20, 45, 2}, {16, 64, 1}};
  for (const MatrixShape& shape : shapes) {
    for (const BlockShape& block : {BlockShape{1, 1}, {8, 16}, {3, 5}}) {
      for (const double density : {0.0, 0.05, 0.3, 1.0}) {
        const BcrWeights<float> bcr = Pruned(shape, block, density);
        const auto bcrc = ToBcrc(bcr);
        REQUIRE(bcrc.ok());
        CHECK(ValidateBcrc(*bcrc, shape).ok());
        const auto back = FromBcrc(*bcrc, shape, block);
        REQUIRE(back.ok());
        CHECK(back->Validate().ok());
        CHECK(List(back->arrays().row_count) == List(bcr.arrays().row_count));
        CHECK(List(back->arrays().row) == List(bcr.arrays().row));
        CHECK(List(back->arrays().column) == List(bcr.arrays().column));
        CHECK(std::ranges::equal(back->arrays().value, bcr.arrays().value));
      }
    }
  }
}

struct Owned {
  std::vector<uint32_t> reorder{2, 1, 3, 0}, occurrence{0, 1, 3, 4}, compact_column{0, 2, 1, 3};
  std::vector<uint64_t> row_offset{0, 0, 2, 4, 6}, column_stride{0, 0, 2, 4};
  std::vector<float> weights{1, 2, 3, 4, 5, 6};
  MatrixShape shape{.rows = 4, .columns = 4};

  Result<BcrWeights<float>> Take() const {
    const BcrcArrays<float> arrays{Buffer<uint32_t>::View(reorder),        Buffer<uint64_t>::View(row_offset),
                                   Buffer<uint32_t>::View(occurrence),     Buffer<uint64_t>::View(column_stride),
                                   Buffer<uint32_t>::View(compact_column), Buffer<float>::View(weights)};
    return FromBcrc(arrays, shape, {2, 2});
  }
};

TEST_CASE("FromBcrc: every broken invariant is refused") {
  CHECK(Owned().Take().ok());
  constexpr const char* kOccurrence = "bcrc.occurrence and column_stride must start at 0";
  constexpr const char* kRun = "leaves its array or runs backwards";
  const std::pair<std::function<void(Owned&)>, const char*> cases[] = {
      {[](Owned& o) { o.shape.columns = 0; }, "weights.columns is 0"},
      {[](Owned& o) { o.reorder.pop_back(); }, "bcrc.reorder and row_offset have 3 and 5 elements, must have 4 and 5"},
      {[](Owned& o) { o.row_offset.pop_back(); },
       "bcrc.reorder and row_offset have 4 and 4 elements, must have 4 and 5"},
      {[](Owned& o) { o.occurrence.clear(); }, kOccurrence},
      {[](Owned& o) { o.occurrence[0] = 1; }, kOccurrence},
      {[](Owned& o) { o.occurrence[3] = 3; }, kOccurrence},
      {[](Owned& o) { o.column_stride.pop_back(); }, kOccurrence},
      {[](Owned& o) { o.column_stride[0] = 1; }, kOccurrence},
      {[](Owned& o) { o.row_offset[0] = 1; }, kOccurrence},
      {[](Owned& o) { o.reorder[1] = 4; }, "bcrc.reorder[1] is 4, must be a row below 4 that occurs once"},
      {[](Owned& o) { o.reorder[3] = 2; }, "bcrc.reorder[3] is 2, must be a row below 4 that occurs once"},
      {[](Owned& o) { o.occurrence[2] = 1; }, kRun},
      {[](Owned& o) { o.occurrence[1] = 100; }, kRun},
      {[](Owned& o) { o.column_stride[2] = 5; }, kRun},
      {[](Owned& o) { o.column_stride[2] = ~uint64_t{0}; }, kRun},
      {[](Owned& o) { o.column_stride[3] = 1; }, kRun},
      {[](Owned& o) { o.compact_column[1] = 4; }, "bcrc.compact_column[1] is 4, must ascend and be below 4"},
      {[](Owned& o) { o.compact_column[1] = 0; }, "bcrc.compact_column[1] is 0, must ascend and be below 4"},
      {[](Owned& o) { o.row_offset[1] = 1; }, "bcrc.row_offset[1] must add the 0 columns of run 0"},
      {[](Owned& o) { o.row_offset[3] = 1; }, "bcrc.row_offset[3] must add the 2 columns of run 1"},
      {[](Owned& o) { o.weights.pop_back(); },
       "bcrc.compact_column and weights have 4 and 5 elements, must have 4 and 6"},
      {[](Owned& o) { o.compact_column.push_back(3); },
       "bcrc.compact_column and weights have 5 and 6 elements, must have 4 and 6"},
  };
  for (const auto& [damage, message] : cases) {
    Owned owned;
    damage(owned);
    CheckInvalid(owned.Take().status(), message);
  }
}

TEST_CASE("RowLists: the columns of every row") {
  const BcrWeights<float> bcr = Pruned({.rows = 9, .columns = 20, .groups = 3}, {2, 6}, 0.3);
  const auto lists = RowLists::Of(bcr);
  REQUIRE(lists.ok());
  for (int64_t row = 0; row < 9; ++row) {
    std::vector<uint32_t> expected;
    bcr.VisitRow(row, [&](int64_t column, float) { expected.push_back(static_cast<uint32_t>(column)); });
    CHECK(std::ranges::equal(lists->row(static_cast<size_t>(row)), expected));
  }
}

}  // namespace
}  // namespace lacuna::test
