#include "lacuna/pack/packed_weights.h"

#include "lacuna/format/bcr.h"
#include "lacuna/format/dense.h"
#include "lacuna/pack/panel_scratch.h"
#include "lacuna/policy/reorder.h"
#include "lacuna/policy/tile.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tests/support/random.h"

namespace lacuna::test {
namespace {

DenseWeights<float> Sparse(const MatrixShape& shape, double density) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  FillGaussian(values, 1);
  Thin(values, 2, density);
  auto dense = DenseWeights<float>::CopyOf(shape, values);
  REQUIRE(dense.ok());
  return *std::move(dense);
}

// Reads packed weights as the kernel does. Columns of each panel must be sorted by mask, then ascending.
std::vector<float> Unpack(const PackedWeights<float>& packed) {
  std::vector<float> dense(static_cast<size_t>(packed.shape.elements()));
  for (size_t panel = 0; panel < packed.panels(); ++panel) {
    const auto [first, count] = packed.PanelRows(panel);
    size_t column = packed.column_begin[panel];
    const float* weight = packed.weight.data() + packed.weight_begin[panel];
    for (size_t m = 0; m < packed.tile.masks.size(); ++m) {
      const uint32_t columns = packed.count[panel * packed.tile.masks.size() + m];
      for (uint32_t i = 0; i < columns; ++i, ++column) {
        if (i > 0) CHECK(packed.column[column] > packed.column[column - 1]);
        for (int r = 0; r < packed.tile.rows; ++r) {
          if ((packed.tile.masks[m] >> r & 1) == 0) continue;
          const float value = *weight++;
          if (r >= count) {
            CHECK(value == 0.0f);  // a row that pads the last panel
            continue;
          }
          const auto row = static_cast<size_t>(first + r);
          const size_t original = packed.row_order.size() == 0 ? row : packed.row_order[row];
          dense[original * static_cast<size_t>(packed.shape.columns) + packed.column[column]] = value;
        }
      }
    }
    CHECK(column == packed.column_begin[panel + 1]);
    CHECK(weight == packed.weight.data() + packed.weight_begin[panel + 1]);
  }
  return dense;
}

template <class Tile, class Reorder>
void CheckPacking(const DenseWeights<float>& dense, const BlockShape& block) {
  const auto bcr = BcrWeights<float>::FromDense(dense, block);
  REQUIRE(bcr.ok());
  const auto packed = Pack<Reorder>(*bcr, kTileInfo<Tile>);
  REQUIRE(packed.ok());
  CHECK(packed->nnz == bcr->nnz());
  CHECK(packed->fill() >= 0);
  CHECK(packed->shape == dense.shape());
  CHECK(std::ranges::equal(Unpack(*packed), dense.values()));
  const size_t ordered = packed->row_order.size();
  CHECK((ordered == 0 || (!Reorder::kIdentity && ordered == static_cast<size_t>(dense.shape().rows))));
  const auto from_dense = Pack<Reorder>(dense, kTileInfo<Tile>);
  REQUIRE(from_dense.ok());
  CHECK(std::ranges::equal(Unpack(*from_dense), dense.values()));
}

TEST_CASE("Pack: the weights can be read back, for every kind of tile, reorder, group and density") {
  const MatrixShape shapes[] = {{1, 1, 1}, {8, 16, 1}, {13, 37, 1}, {20, 45, 2}, {9, 10, 9}};
  for (const MatrixShape& shape : shapes) {
    for (const double density : {0.0, 0.1, 0.5, 1.0}) {
      const DenseWeights<float> dense = Sparse(shape, density);
      for (const BlockShape& block : {BlockShape{1, 1}, {8, 16}, {3, 5}}) {
        CheckPacking<RegisterTile<8, 3>, KeepOrder>(dense, block);
        CheckPacking<RegisterTile<8, 3>, GroupEqualRows>(dense, block);
        CheckPacking<RegisterTile<4, 3, AllMasks<4>>, KeepOrder>(dense, block);
        CheckPacking<RegisterTile<4, 3, AllMasks<4>>, GroupEqualRows>(dense, block);
        CheckPacking<RegisterTile<8, 3, MasksOfSize<8, 4>>, KeepOrder>(dense, block);
        CheckPacking<RegisterTile<1, 1>, KeepOrder>(dense, block);
        CheckPacking<RegisterTile<16, 1>, GroupEqualRows>(dense, block);
      }
    }
  }
}

TEST_CASE("Pack: masks that are listed need no fill") {
  const DenseWeights<float> dense = Sparse({.rows = 12, .columns = 40}, 0.3);
  const auto bcr = BcrWeights<float>::FromDense(dense, {1, 1});
  REQUIRE(bcr.ok());
  const auto exact = Pack<KeepOrder>(*bcr, kTileInfo<RegisterTile<4, 3, AllMasks<4>>>);
  REQUIRE(exact.ok());
  CHECK(exact->fill() == 0);
  const auto full = Pack<KeepOrder>(*bcr, kTileInfo<RegisterTile<4, 3>>);
  REQUIRE(full.ok());
  CHECK(full->fill() > 0);
  CHECK(full->fill() == static_cast<int64_t>(full->weight.size()) - bcr->nnz());
}

TEST_CASE("Pack: every mask goes under the smallest listed superset") {
  constexpr TileInfo kTile = kTileInfo<RegisterTile<4, 1, MasksOfSize<4, 2>>>;
  const auto cover = pack::MaskCover::Make(kTile);
  REQUIRE(cover.ok());
  for (unsigned mask = 1; mask < 16; ++mask) {
    const unsigned listed = kTile.masks[(*cover)[mask]];
    CHECK((mask & ~listed) == 0);
    CHECK(std::popcount(listed) == (std::popcount(mask) <= 2 ? 2 : 4));
  }
}

TEST_CASE("Pack: 16-bit columns as long as they fit, 32 bits beyond") {
  for (const int64_t columns : {65536, 65537}) {
    std::vector<float> values(static_cast<size_t>(columns));
    values.front() = 1.0f;
    values.back() = 2.0f;
    const auto dense = DenseWeights<float>::View({.rows = 1, .columns = columns}, values);
    const auto bcr = BcrWeights<float>::FromDense(*dense, {1, 1});
    REQUIRE(bcr.ok());
    const auto packed = Pack<KeepOrder>(*bcr, kTileInfo<RegisterTile<1, 1>>);
    REQUIRE(packed.ok());
    CHECK((packed->column.size_bytes() == packed->column.size() * 2) == (columns == 65536));
    CHECK(packed->column.size() == 2);
    CHECK(packed->column[1] == static_cast<uint32_t>(columns - 1));
  }
}

TEST_CASE("Pack: panels do not straddle groups") {
  const auto packed =
      Pack<KeepOrder>(Sparse({.rows = 10, .columns = 3, .groups = 2}, 1.0), kTileInfo<RegisterTile<4, 1>>);
  REQUIRE(packed.ok());
  CHECK(packed->panels() == 4);
  const int64_t first[] = {0, 4, 5, 9}, count[] = {4, 1, 4, 1};
  for (size_t panel = 0; panel < 4; ++panel) {
    CHECK(packed->PanelRows(panel).first == first[panel]);
    CHECK(packed->PanelRows(panel).count == count[panel]);
  }
}

TEST_CASE("GroupEqualRows: permutes inside groups and makes equal rows neighbours") {
  // Rows alternate between two column lists; a panel of two rows then has columns of one list only.
  std::vector<float> values(8 * 6);
  for (size_t row = 0; row < 8; ++row) {
    for (size_t column = 0; column < 6; ++column) {
      if ((row + column) % 2 == 0) values[row * 6 + column] = 1.0f;
    }
  }
  const auto dense = DenseWeights<float>::View({.rows = 8, .columns = 6, .groups = 2}, values);
  const auto bcr = BcrWeights<float>::FromDense(*dense, {1, 1});
  REQUIRE(bcr.ok());
  const auto kept = Pack<KeepOrder>(*bcr, kTileInfo<RegisterTile<2, 1>>);
  const auto grouped = Pack<GroupEqualRows>(*bcr, kTileInfo<RegisterTile<2, 1>>);
  REQUIRE(kept.ok());
  REQUIRE(grouped.ok());
  CHECK(kept->fill() == 24);
  CHECK(grouped->fill() == 0);
  for (size_t group = 0; group < 2; ++group) {
    const std::set<uint32_t> rows(grouped->row_order.begin() + 4 * group, grouped->row_order.begin() + 4 * group + 4);
    CHECK(rows.size() == 4);
    CHECK(*rows.begin() == 4 * group);
    CHECK(*rows.rbegin() == 4 * group + 3);
  }
}

template <class Weights>
Result<double> CostOf(const Weights& weights, const TileInfo& tile) {
  const auto order = pack::OrderRows<KeepOrder>(weights);
  REQUIRE(order.ok());
  return PredictPanelCost(RowSource<float>(weights), tile, *order);
}

TEST_CASE("PredictPanelCost: a listed mask is cheaper than its fill, nothing costs nothing") {
  const auto bcr = BcrWeights<float>::FromDense(Sparse({.rows = 64, .columns = 200}, 0.1), {1, 1});
  REQUIRE(bcr.ok());
  const auto masked = CostOf(*bcr, kTileInfo<RegisterTile<4, 3, AllMasks<4>>>);
  const auto filled = CostOf(*bcr, kTileInfo<RegisterTile<4, 3>>);
  REQUIRE(masked.ok());
  REQUIRE(filled.ok());
  CHECK(*masked < *filled);
  CHECK(*masked > 0);
  const auto empty = BcrWeights<float>::FromDense(Sparse({.rows = 64, .columns = 200}, 0.0), {1, 1});
  CHECK(*CostOf(*empty, kTileInfo<RegisterTile<8, 3>>) == 0);
}

TEST_CASE("register tiles: masks and names") {
  CHECK(AllMasks<3>::kMasks.size() == 7);
  CHECK(AllMasks<3>::kMasks.back() == FullMask(3));
  CHECK(MasksOfSize<8, 4>::kMasks.size() == 71);
  CHECK(MasksOfSize<8, 4>::kMasks.back() == FullMask(8));
  CHECK(std::string(kTileName<RegisterTile<8, 3>>.data()) == "8x3");
  CHECK(std::string(kTileName<RegisterTile<8, 3, MasksOfSize<8, 4>>>.data()) == "8x3/71");
  CHECK(std::string(kTileName<RegisterTile<8, 2, AllMasks<8>>>.data()) == "8x2/255");
  CHECK(std::string(kTileName<RegisterTile<16, 1>>.data()) == "16x1");
  CHECK(kTileInfo<RegisterTile<4, 3>>.SamePacking(kTileInfo<RegisterTile<4, 6>>));
  CHECK_FALSE(kTileInfo<RegisterTile<4, 3>>.SamePacking(kTileInfo<RegisterTile<4, 3, AllMasks<4>>>));
  CHECK_FALSE(kTileInfo<RegisterTile<4, 3>>.SamePacking(kTileInfo<RegisterTile<8, 3>>));
}

}  // namespace
}  // namespace lacuna::test
