// Policies of a user's own: each axis overridden, shown by Explain() to be in effect, results still right.

#include <lacuna/kernels.h>
#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"

namespace lacuna::test {
namespace {

// The last row of a group first.
struct ReverseRows {
  static constexpr bool kIdentity = false;
  static Status Order(const RowLists&, std::span<uint32_t> rows) {
    std::ranges::reverse(rows);
    return Status();
  }
};

// The panel kernel alone, so that what is chosen depends on the axis under test.
struct PanelsOnly : DefaultPolicy {
  template <class>
  using Patterns = PatternTiles<>;
};
struct OwnTile : PanelsOnly {
  template <class Target>
  using Tile = RegisterTile<3, 2>;
};
// A tile of the pattern kernel of one's own, and nothing but it.
struct OwnPattern : DefaultPolicy {
  template <class>
  using Tile = RegisterTile<1, 1>;
  template <class>
  using Patterns = PatternTiles<PatternTile<5, 2>, PatternTile<2, 1>>;
  using Select = SelectFixed<1>;
};
struct OwnReorder : OwnTile {
  using Reorder = ReverseRows;
};
struct EqualRows : OwnTile {
  using Reorder = GroupEqualRows;
};
// As many rows as the target has registers for.
struct TilePerTarget : PanelsOnly {
  template <class Target>
  using Tile = RegisterTile<(Target::kRegisters == 32 ? 7 : 5), 2>;
};
struct SomeMasks {
  static constexpr std::array<RowMask, 3> kMasks = {0b01, 0b10, 0b11};
};
template <size_t kIndex>
struct Fixed : PanelsOnly {
  template <class Target>
  using Tile = AnyOf<RegisterTile<5, 1>, RegisterTile<2, 3, SomeMasks>, RegisterTile<1, 4>>;
  using Select = SelectFixed<kIndex>;
};
struct WideAndNarrow : PanelsOnly {
  template <class Target>
  using Tile = AnyOf<RegisterTile<2, 3>, RegisterTile<2, 5>>;
  using Select = SelectFixed<1>;
};
struct SelectNone {
  static size_t Choose(std::span<const Candidate> candidates) { return candidates.size(); }
};
struct Unselective : OwnTile {
  using Select = SelectNone;
};

static_assert(Policy<OwnTile> && Policy<OwnReorder> && Policy<TilePerTarget> && Policy<Fixed<2>>);
struct NoPolicy {};
static_assert(!Policy<NoPolicy>);
struct NoReorder : DefaultPolicy {
  using Reorder = int;
};
static_assert(!Policy<NoReorder>);

ConvShape<2> Shape() {
  return {.in_channels = 7,
          .out_channels = 26,
          .groups = 1,
          .input = {9, 37},
          .kernel = {3, 3},
          .pad_begin = {1, 1},
          .pad_end = {1, 1}};
}

// A plan of `policy` that was checked against reference/, as it explains itself.
template <class P>
Explanation Checked(const ConvLayer<2>& layer, const P& policy = {}) {
  const auto plan = MakeConvolution<2>(layer.bcr({1, 1}), layer.shape(), layer.epilogue(), policy);
  layer.Check(plan);
  layer.Check(plan, {.x = Layout::kChannelsLast, .y = Layout::kPlanarGaps});
  return plan->Explain();
}

TEST_CASE("policy: a register tile of one's own") {
  const ConvLayer<2> layer(Shape(), {.density = 0.3, .bias = true});
  ForEachTarget([&] {
    const Explanation explanation = Checked<OwnTile>(layer);
    CHECK(std::string(explanation.tile) == "3x2");
    REQUIRE(explanation.option_count == 1);
    CHECK(std::string(explanation.options[0].name) == "3x2");
    CHECK(std::string(explanation.reason.data()) == "the only candidate");
    CHECK(explanation.ToString().find("register tile 3x2;") != std::string::npos);
    const int rows = ActiveKernels<TilePerTarget>().panels[0].tile.rows;
    CHECK((rows == 5 || rows == 7));
    CHECK(std::string(Checked<TilePerTarget>(layer).tile) == std::to_string(rows) + "x2");
  });
}

TEST_CASE("policy: pattern tiles of one's own") {
  const ConvLayer<2> layer(Shape(), {.density = 0.3, .bias = true});
  ForEachTarget([&] {
    const Explanation explanation = Checked<OwnPattern>(layer);
    CHECK(std::string(explanation.algorithm) == "pattern");
    CHECK(std::string(explanation.tile).starts_with("pattern "));
    REQUIRE(explanation.option_count == 2);
    CHECK(std::string(explanation.options[1].name) == "pattern");
  });
}

TEST_CASE("policy: a reorder of one's own, bias and residual following the rows") {
  ConvShape<2> shape = Shape();
  shape.groups = 1;
  for (const int64_t groups : {1, 2}) {
    shape.in_channels = 6;
    shape.groups = groups;
    const ConvLayer<2> layer(shape, {.density = 0.3, .bias = true, .residual = true});
    ForEachTarget([&] {
      CHECK(std::string(Checked<OwnReorder>(layer).tile) == "3x2");
      Checked<EqualRows>(layer);
    });
    const auto plan = MakeConvolution<2>(layer.dense(), shape, layer.epilogue(), OwnReorder{});
    REQUIRE(plan.ok());
    const Buffer<uint32_t>& order = plan->weights()->row_order;
    REQUIRE(order.size() == 26);
    CHECK(order[0] == static_cast<uint32_t>(26 / groups - 1));
    CHECK(order[25] == static_cast<uint32_t>(26 - 26 / groups));
  }
}

TEST_CASE("policy: equal rows that stand apart need no fill once they are neighbours") {
  const ConvShape<2> shape{.in_channels = 12, .out_channels = 12, .input = {4, 9}, .kernel = {1, 1}};
  std::vector<float> weights(144);
  for (size_t row = 0; row < 12; ++row) {
    for (size_t column = 0; column < 12; ++column) {
      if (row % 4 == column % 4) weights[row * 12 + column] = static_cast<float>(row + 1);
    }
  }
  const ConvLayer<2> layer(shape, {.weights = weights});
  const Explanation kept = Checked<OwnTile>(layer), grouped = Checked<EqualRows>(layer);
  CHECK(kept.nnz == 36);
  CHECK(kept.fill > 0);
  CHECK(grouped.fill == 0);
  CHECK(grouped.packed_bytes < kept.packed_bytes);
}

TEST_CASE("policy: a fixed selection among several tiles, whose options are explained") {
  const ConvLayer<2> layer(Shape(), {.density = 0.2});
  ForEachTarget([&] {
    const Explanation explanation = Checked<Fixed<0>>(layer);
    CHECK(std::string(explanation.tile) == "5x1");
    REQUIRE(explanation.option_count == 3);
    CHECK(std::string(explanation.options[1].name) == "2x3/3");
    CHECK(explanation.options[0].predicted > 0);
    CHECK(explanation.ToString().find("predicted 5x1 ") != std::string::npos);
    CHECK(std::string(Checked<Fixed<1>>(layer).tile) == "2x3/3");
    CHECK(Checked<Fixed<1>>(layer).fill == 0);
    CHECK(std::string(Checked<Fixed<2>>(layer).tile) == "1x4");
    CHECK(std::string(Checked<Fixed<9>>(layer).tile) == "1x4");
  });
}

TEST_CASE("policy: a selection between tiles that differ in their vectors alone") {
  const ConvLayer<2> layer(Shape(), {.density = 0.2});
  CHECK(std::string(Checked<WideAndNarrow>(layer).tile) == "2x5");
}

TEST_CASE("policy: the cost model takes the cheapest, the first of equals") {
  const Candidate candidates[] = {{"a", 3}, {"b", 1}, {"c", 1}};
  CHECK(SelectByCostModel::Choose(candidates) == 1);
  CHECK(SelectFixed<2>::Choose(candidates) == 2);
  CHECK(SelectFixed<3>::Choose(candidates) == 2);
}

TEST_CASE("policy: a selection that chooses nothing is refused") {
  const ConvLayer<2> layer(Shape());
  CheckInvalid(MakeConvolution<2>(layer.dense(), layer.shape(), {}, Unselective{}).status(),
               "policy: Select::Choose returned 1, must be below 1");
}

TEST_CASE("policy: bytes of the input tile as a value") {
  const ConvLayer<2> layer(Shape(), {.density = 0.3});
  OwnTile policy;
  policy.input_tile_bytes = 8192;
  const Explanation small = Checked(layer, policy), large = Checked<OwnTile>(layer);
  CHECK(small.input_tile_bytes <= 8192);
  CHECK(small.tiles[1] * small.tiles[2] > large.tiles[1] * large.tiles[2]);
}

TEST_CASE("policy: weights packed under one policy are refused by another that has no such panels") {
  const ConvLayer<2> layer(Shape());
  const auto packed = PackWeights(layer.dense(), OwnTile{});
  REQUIRE(packed.ok());
  CHECK(MakeConvolution<2>(*packed, layer.shape(), {}, OwnReorder{}).ok());
  CheckInvalid(MakeConvolution<2>(*packed, layer.shape(), {}, TilePerTarget{}).status(),
               "weights are packed for panels of 3 rows with 1 masks, the policy has no such tile on ");
}

TEST_CASE("policy: GEMM under policies of one's own") {
  const GemmLayer layer(26, 40, 77, {.density = 0.3, .bias = true});
  const auto bcr = layer.bcr({1, 1});
  ForEachTarget([&] {
    layer.Check(MakeGemm(bcr, GemmShape{77}, layer.epilogue(), EqualRows{}));
    layer.Check(MakeGemm(bcr, GemmShape{77}, layer.epilogue(), Fixed<1>{}), {.x = Layout::kChannelsLast});
  });
}

}  // namespace
}  // namespace lacuna::test
