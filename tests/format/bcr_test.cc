#include "lacuna/format/bcr.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

DenseWeights<float> Sparse(const MatrixShape& shape, double density, uint32_t seed = 1) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  FillGaussian(values, seed);
  Thin(values, seed, density);
  auto dense = DenseWeights<float>::CopyOf(shape, values);
  REQUIRE(dense.ok());
  return *std::move(dense);
}

TEST_CASE("BcrWeights: exact round trip from dense and back, over shapes, blocks, groups and densities") {
  const MatrixShape shapes[] = {{1, 1, 1}, {8, 16, 1}, {7, 33, 1}, {20, 45, 2}, {21, 18, 3}, {6, 9, 6}};
  const BlockShape blocks[] = {{1, 1}, {8, 16}, {4, 9}, {3, 5}, {64, 64}, {65535, 65535}};
  for (const MatrixShape& shape : shapes) {
    for (const BlockShape& block : blocks) {
      for (const double density : {0.0, 0.01, 0.05, 0.2, 0.5, 1.0}) {
        const DenseWeights<float> dense = Sparse(shape, density);
        const auto bcr = BcrWeights<float>::FromDense(dense, block);
        REQUIRE(bcr.ok());
        CHECK(bcr->Validate().ok());
        const auto back = bcr->ToDense();
        REQUIRE(back.ok());
        CHECK(back->shape() == shape);
        CHECK(std::ranges::equal(back->values(), dense.values()));
        const auto non_zero = std::ranges::count_if(dense.values(), [](float v) { return v != 0; });
        CHECK(bcr->nnz() >= non_zero);
        CHECK(bcr->nnz() <= dense.nnz());
        if (block == BlockShape{1, 1}) CHECK(bcr->nnz() == non_zero);
      }
    }
  }
}

TEST_CASE("BcrWeights: the arrays of a small matrix, by hand") {
  // Blocks of 2 x 3 over 4 x 5: the right ones are clipped to 2 columns.
  const std::vector<float> values = {
      1, 0, 2, 0, 0,  //
      3, 0, 4, 0, 5,  //
      0, 0, 0, 6, 7,  //
      0, 8, 0, 9, 1,  //
  };
  const auto dense = DenseWeights<float>::View({.rows = 4, .columns = 5}, values);
  const auto bcr = BcrWeights<float>::FromDense(*dense, {2, 3});
  REQUIRE(bcr.ok());
  const auto list = [](const auto& buffer) { return std::vector<int>(buffer.begin(), buffer.end()); };
  const BcrArrays<float>& arrays = bcr->arrays();
  CHECK(list(arrays.row_count) == std::vector{2, 1, 1, 2});
  CHECK(list(arrays.column_count) == std::vector{2, 1, 1, 2});
  CHECK(list(arrays.row_begin) == std::vector{0, 1, 2});
  CHECK(list(arrays.column_begin) == std::vector{0, 3, 4});
  CHECK(list(arrays.value_begin) == std::vector{0, 5, 10});
  CHECK(list(arrays.row) == std::vector{1, 1});
  CHECK(list(arrays.column) == std::vector{0, 2, 1, 1});
  CHECK(list(arrays.value) == std::vector{1, 2, 3, 4, 5, 8, 6, 7, 9, 1});
  CHECK(bcr->nnz() == 10);
  CHECK(bcr->StorageBytes() == 2 * (4 + 4) + 4 * (3 + 3 + 3) + 2 * (2 + 4) + 4 * 10);

  std::vector<std::pair<int64_t, float>> row;
  bcr->VisitRow(3, [&](int64_t column, float value) { row.emplace_back(column, value); });
  CHECK(row == std::vector<std::pair<int64_t, float>>{{1, 8.0f}, {3, 9.0f}, {4, 1.0f}});
}

TEST_CASE("BcrWeights: the cover is the smallest; zeros inside it are stored and counted") {
  const std::vector<float> values = {1, 0, 0, 0,  //
                                     0, 2, 0, 0,  //
                                     0, 0, 0, 0};
  const auto dense = DenseWeights<float>::View({.rows = 3, .columns = 4}, values);
  const auto bcr = BcrWeights<float>::FromDense(*dense, {3, 4});
  REQUIRE(bcr.ok());
  CHECK(bcr->arrays().row_count[0] == 2);
  CHECK(bcr->arrays().column_count[0] == 2);
  CHECK(bcr->nnz() == 4);
}

TEST_CASE("BcrWeights: without dropped rows there are no row counts, even beside blocks that keep nothing") {
  std::vector<float> values(5 * 6);
  for (size_t row = 0; row < 5; ++row) values[row * 6 + 1] = static_cast<float>(row + 1);
  const auto dense = DenseWeights<float>::View({.rows = 5, .columns = 6}, values);
  const auto bcr = BcrWeights<float>::FromDense(*dense, {2, 3});
  REQUIRE(bcr.ok());
  CHECK(bcr->Validate().ok());
  CHECK(bcr->arrays().row_count.size() == 0);
  CHECK(bcr->arrays().row.size() == 0);
  CHECK(bcr->nnz() == 5);
  const auto back = bcr->ToDense();
  REQUIRE(back.ok());
  CHECK(std::ranges::equal(back->values(), dense->values()));
  bcr->VisitBlockRow(2, [](const auto& block) {
    CHECK(block.rows == (block.block_column == 0 ? 1 : 0));
    CHECK(block.columns == (block.block_column == 0 ? 1 : 0));
  });
}

TEST_CASE("BcrWeights: FromMask keeps what it is told, zeros too") {
  const DenseWeights<float> dense = Sparse({.rows = 5, .columns = 7}, 0.0);
  const auto bcr =
      BcrWeights<float>::FromMask(dense, {4, 4}, [](int64_t row, int64_t column) { return row < 2 && column > 5; });
  REQUIRE(bcr.ok());
  CHECK(bcr->Validate().ok());
  CHECK(bcr->nnz() == 2);
}

TEST_CASE("BcrWeights: blocks never straddle groups, clipped ones lie at the end of each") {
  const MatrixShape shape{.rows = 20, .columns = 10, .groups = 2};
  const BlockGrid grid{shape, {4, 8}};
  CHECK(grid.block_rows_per_group() == 3);
  CHECK(grid.block_rows() == 6);
  CHECK(grid.block_columns() == 2);
  const std::vector<int64_t> first = {0, 4, 8, 10, 14, 18}, extent = {4, 4, 2, 4, 4, 2};
  for (int64_t s = 0; s < 6; ++s) {
    CHECK(grid.first_row(s) == first[static_cast<size_t>(s)]);
    CHECK(grid.row_extent(s) == extent[static_cast<size_t>(s)]);
    CHECK(grid.first_row(s) / 10 == (grid.first_row(s) + grid.row_extent(s) - 1) / 10);
    for (int64_t row = grid.first_row(s); row < grid.first_row(s) + grid.row_extent(s); ++row)
      CHECK(grid.block_row_of(row) == s);
  }
  CHECK(grid.column_extent(0) == 8);
  CHECK(grid.column_extent(1) == 2);
}

TEST_CASE("BcrWeights: blocks of no extent, or of more than 16 bits, are refused") {
  const DenseWeights<float> dense = Sparse({.rows = 4, .columns = 4}, 1.0);
  CheckInvalid(BcrWeights<float>::FromDense(dense, {0, 4}).status(),
               "block is 0 x 4, each extent must be in [1, 65535]");
  CheckInvalid(BcrWeights<float>::FromDense(dense, {4, -1}).status(), "block is 4 x -1");
  CheckInvalid(BcrWeights<float>::FromDense(dense, {65536, 4}).status(), "block is 65536 x 4");
}

// 4 x 5 in blocks of 2 x 3, as above, as owned arrays that a test damages.
struct Owned {
  std::vector<uint16_t> row_count{2, 1, 1, 2}, column_count{2, 1, 1, 2};
  std::vector<uint32_t> row_begin{0, 1, 2}, column_begin{0, 3, 4}, value_begin{0, 5, 10};
  std::vector<uint16_t> row{1, 1}, column{0, 2, 1, 1};
  std::vector<float> value{1, 2, 3, 4, 5, 8, 6, 7, 9, 1};
  MatrixShape shape{.rows = 4, .columns = 5};
  BlockShape block{2, 3};

  Result<BcrWeights<float>> Take() const {
    return BcrWeights<float>::FromArrays(
        shape, block,
        {Buffer<uint16_t>::View(row_count), Buffer<uint16_t>::View(column_count), Buffer<uint32_t>::View(row_begin),
         Buffer<uint32_t>::View(column_begin), Buffer<uint32_t>::View(value_begin), Buffer<uint16_t>::View(row),
         Buffer<uint16_t>::View(column), Buffer<float>::View(value)});
  }
};

TEST_CASE("BcrWeights::FromArrays: takes viewed arrays without a copy") {
  const Owned owned;
  const auto bcr = owned.Take();
  REQUIRE(bcr.ok());
  CHECK(bcr->arrays().value.data() == owned.value.data());
  const auto dense = bcr->ToDense();
  REQUIRE(dense.ok());
  CHECK(dense->row(0)[2] == 2);
  CHECK(dense->row(1)[4] == 5);
  CHECK(dense->row(3)[1] == 8);
}

TEST_CASE("BcrWeights::FromArrays: every broken invariant is named") {
  const std::pair<std::function<void(Owned&)>, const char*> cases[] = {
      {[](Owned& o) { o.shape.rows = 0; }, "weights.rows is 0"},
      {[](Owned& o) { o.block.columns = 0; }, "block is 2 x 0"},
      {[](Owned& o) { o.row_count.pop_back(); }, "bcr.row_count has 3 elements, must have 4"},
      {[](Owned& o) { o.column_count.push_back(1); }, "bcr.column_count has 5 elements, must have 4"},
      {[](Owned& o) { o.row_begin.pop_back(); }, "bcr.row_begin has 2 elements, must have 3"},
      {[](Owned& o) { o.column_begin.clear(); }, "bcr.column_begin has 0 elements, must have 3"},
      {[](Owned& o) { o.value_begin.push_back(10); }, "bcr.value_begin has 4 elements, must have 3"},
      {[](Owned& o) { o.shape.rows = 6; }, "bcr.row_count has 4 elements, must have 6"},
      {[](Owned& o) { o.row_count.clear(); }, "bcr.row_begin[1] is 1, must be 0"},
      {[](Owned& o) { o.row_begin[0] = 1; }, "bcr.row_begin[0] is 1, must be 0"},
      {[](Owned& o) { o.row_begin[1] = 2; }, "bcr.row_begin[1] is 2, must be 1"},
      {[](Owned& o) { o.column_begin[2] = ~uint32_t{0}; }, "bcr.column_begin[2] is 4294967295, must be 4"},
      {[](Owned& o) { o.value_begin[1] = 6; }, "bcr.value_begin[1] is 6, must be 5"},
      {[](Owned& o) { o.row_count[0] = 3; }, "bcr block 0 keeps 3 rows and 2 columns, must keep at most 2 and 3"},
      {[](Owned& o) { o.column_count[1] = 3; }, "bcr block 1 keeps 1 rows and 3 columns, must keep at most 2 and 2"},
      {[](Owned& o) { o.row_count[0] = 0; },
       "bcr block 0 keeps 0 rows and 2 columns, must keep at most 2 and 3, or neither"},
      {[](Owned& o) { o.row[0] = 2; }, "bcr.row[0] is 2 in block 1, must be below 2"},
      {[](Owned& o) { o.column[1] = 3; }, "bcr.column[1] is 3 in block 0, must be below 3"},
      {[](Owned& o) { o.column[0] = 2; }, "bcr.column[1] is 2 in block 0, must exceed its predecessor 2"},
      {[](Owned& o) { std::swap(o.column[0], o.column[1]); },
       "bcr.column[1] is 0 in block 0, must exceed its predecessor 2"},
      {[](Owned& o) { o.row.pop_back(); }, "bcr.row has 1 elements, block 2 needs 2"},
      {[](Owned& o) { o.column.clear(); }, "bcr.column has 0 elements, block 0 needs 2"},
      {[](Owned& o) { o.value.pop_back(); }, "have 2, 4 and 9 elements, must have 2, 4 and 10"},
      {[](Owned& o) { o.value.push_back(0); }, "have 2, 4 and 11 elements, must have 2, 4 and 10"},
      {[](Owned& o) { o.column.push_back(0); }, "have 2, 5 and 10 elements, must have 2, 4 and 10"},
  };
  for (const auto& [damage, message] : cases) {
    Owned owned;
    damage(owned);
    CheckInvalid(owned.Take().status(), message);
  }
}

}  // namespace
}  // namespace lacuna::test
