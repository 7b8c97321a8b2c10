#include "lacuna/pack/row_blocks.h"

#include "lacuna/pack/input_tile.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lacuna::test {
namespace {

RowBlocks Blocks(size_t lanes, bool one_row) {
  return {.lanes = lanes, .block = {RowBlock{14, 1}, {7, 1}, {4, 1}, {3, 2}}, .blocks = 4, .one_row = one_row};
}

TileAxis Axis(int64_t output, int64_t kernel = 1) {
  return {.input = output + kernel - 1, .output = output, .kernel = kernel, .tile = output};
}

// Every output is in exactly one span, where its block stands, and no span leaves its block.
void CheckCut(const RowBlocks& cutting, const InputTile& tile, const std::array<int64_t, 3>& outputs, bool rows_touch) {
  std::vector<SubTile> sub_tiles(cutting.MaxSubTiles(tile));
  std::vector<OutputSpan> spans(cutting.MaxSpans(tile));
  const size_t count = cutting.Cut(tile, outputs, rows_touch, sub_tiles.data(), spans.data());
  REQUIRE(count <= sub_tiles.size());
  std::vector<int> seen(static_cast<size_t>(outputs[0] * outputs[1] * outputs[2]));
  for (size_t s = 0; s < count; ++s) {
    const SubTile& sub = sub_tiles[s];
    REQUIRE(static_cast<size_t>(sub.width) < cutting.blocks);
    REQUIRE(static_cast<size_t>(sub.span_end) <= spans.size());
    const RowBlock& block = cutting.block[static_cast<size_t>(sub.width)];
    const int64_t row = block.vectors * static_cast<int64_t>(cutting.lanes);
    for (int32_t i = sub.span_begin; i < sub.span_end; ++i) {
      const OutputSpan& span = spans[static_cast<size_t>(i)];
      CHECK(span.length >= 1);
      CHECK(span.position + span.length <= block.height * row);
      // Position p of the block is input position begin + p / row * pitch + p % row of the tile.
      for (int64_t j = 0; j < span.length; ++j) {
        const int64_t p = span.position + j;
        const int64_t first = (span.d * outputs[1] + span.h) * outputs[2] + span.w;
        const int64_t output = first + j;
        const int64_t d = output / outputs[2] / outputs[1], h = output / outputs[2] % outputs[1],
                      w = output % outputs[2];
        CHECK(sub.begin + p / row * sub.pitch + p % row == tile.Position(d, h, w));
        ++seen[static_cast<size_t>(output)];
      }
    }
  }
  CHECK(seen == std::vector<int>(seen.size(), 1));
}

TEST_CASE(
    "RowBlocks: spans hold every output of a tile exactly once, at its position, within the limits of workspace") {
  for (const size_t lanes : {1, 4, 16}) {
    for (const int64_t d : {1, 2}) {
      for (const int64_t h : {1, 3, 7, 14, 31}) {
        for (const int64_t w : {1, 5, 16, 50}) {
          for (const int64_t kernel : {1, 3}) {
            const RowBlocks cutting = Blocks(lanes, kernel == 1);
            const InputTile tile{{Axis(d, 2), Axis(h, kernel), Axis(w, kernel)}, 1, 0};
            for (const bool rows_touch : {false, true}) {
              CheckCut(cutting, tile, {d, h, w}, rows_touch);
              CheckCut(cutting, tile, {1, (h + 1) / 2, (w + 1) / 2}, rows_touch);
              CheckCut(cutting, tile, {d, (h + 1) / 2, w}, rows_touch);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("RowBlocks: rows that fill blocks cost least") {
  const RowBlocks cutting = Blocks(16, /*one_row=*/false);
  const auto cost = [&](int64_t h, int64_t w) {
    const InputTile tile{{Axis(1), Axis(h, 3), Axis(w, 3)}, 1, 0};
    return cutting.Vectors(tile, {1, h, w}) / static_cast<double>(h * w);
  };
  CHECK(cost(14, 16) < cost(13, 16));
  CHECK(cost(14, 16) < cost(14, 17));
  CHECK(cost(28, 32) == cost(14, 16));
  CHECK(cutting.RoundExtent(1, 15, 100) == 14);
  CHECK(cutting.RoundExtent(1, 25, 100) == 28);
  CHECK(cutting.RoundExtent(1, 25, 26) == 26);
  CHECK(cutting.RoundExtent(1, 5, 100) == 5);
  CHECK(cutting.RoundExtent(2, 25, 100) == 25);
}

}  // namespace
}  // namespace lacuna::test
