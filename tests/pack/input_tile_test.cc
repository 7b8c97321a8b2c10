#include "lacuna/pack/input_tile.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/support/check_error.h"

namespace lacuna::test {
namespace {

TEST_CASE("TileAxis: every tap of every output finds its input, inside the plane") {
  for (int64_t kernel = 1; kernel <= 7; ++kernel) {
    for (int64_t stride = 1; stride <= 5; ++stride) {
      for (int64_t dilation = 1; dilation <= 5; ++dilation) {
        for (const bool shifted : {false, true}) {
          TileAxis axis{.input = 50, .output = 9, .kernel = kernel, .stride = stride, .dilation = dilation, .tile = 4};
          axis.shifted = shifted;
          CHECK(axis.phases() <= kernel);
          for (int64_t tap = 0; tap < kernel; ++tap) {
            const int64_t phase = axis.Phase(tap);
            CHECK(phase < axis.phases());
            CHECK(axis.Shift(tap) >= 0);
            CHECK(axis.Shift(tap) <= axis.halo());
            // Output j and this tap meet at input j * stride + tap * dilation.
            for (int64_t j = 0; j < axis.tile; ++j) {
              CHECK((j + axis.Shift(tap)) * stride + axis.PhaseStart(phase) == j * stride + tap * dilation);
              CHECK(j + axis.Shift(tap) < axis.extent());
            }
          }
        }
      }
    }
  }
}

TileAxis Axis(int64_t output, int64_t tile, int64_t kernel = 1) {
  return {.input = output + kernel - 1, .output = output, .kernel = kernel, .tile = tile};
}

// Cuts the first `outputs` of `tile` and checks that the spans hold each of them exactly once, where it stands.
void CheckCut(const SubTiling& cutting, const InputTile& tile, const std::array<int64_t, 3>& outputs, bool rows_touch) {
  std::vector<SubTile> sub_tiles(cutting.MaxSubTiles(tile));
  std::vector<OutputSpan> spans(cutting.MaxSpans(tile));
  const size_t count = cutting.Cut(tile, outputs, rows_touch, sub_tiles.data(), spans.data());
  REQUIRE(count <= sub_tiles.size());
  const bool runs_on = rows_touch && tile.axis[2].extent() == outputs[2];
  std::vector<int> seen(static_cast<size_t>(outputs[0] * outputs[1] * outputs[2]));
  for (size_t s = 0; s < count; ++s) {
    const SubTile& sub = sub_tiles[s];
    REQUIRE(sub.span_end <= static_cast<int32_t>(spans.size()));
    for (int32_t i = sub.span_begin; i < sub.span_end; ++i) {
      const OutputSpan& span = spans[static_cast<size_t>(i)];
      CHECK(sub.begin + span.position == tile.Position(span.d, span.h, span.w));
      CHECK(span.position + span.length <= sub.width * static_cast<int32_t>(cutting.lanes));
      if (!runs_on) CHECK(span.w + span.length <= outputs[2]);
      const int64_t first = (span.d * outputs[1] + span.h) * outputs[2] + span.w;
      for (int64_t j = first; j < first + span.length; ++j) ++seen[static_cast<size_t>(j)];
    }
  }
  CHECK(seen == std::vector<int>(seen.size(), 1));
}

TEST_CASE(
    "SubTiling: spans hold every output of a tile exactly once, at its position, within the limits of workspace") {
  const int kAllWidths[] = {3, 2, 1}, kSomeWidths[] = {6, 3, 1}, kOneWidth[] = {2};
  for (const size_t lanes : {1, 4, 16}) {
    for (const auto widths :
         {std::span<const int>(kAllWidths), std::span<const int>(kSomeWidths), std::span<const int>(kOneWidth)}) {
      const SubTiling cutting{lanes, widths};
      for (const int64_t d : {1, 2}) {
        for (const int64_t h : {1, 3, 7}) {
          for (const int64_t w : {1, 5, 16, 50}) {
            for (const int64_t kernel : {1, 5}) {
              const InputTile tile{{Axis(d, d, 2), Axis(h, h, kernel), Axis(w, w, kernel)}, 1, 0};
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
}

TEST_CASE("ChooseInputTile: keeps to the budget where a tile fits it, and covers the output") {
  const int kWidths[] = {3, 2, 1};
  const std::array<TileAxis, 3> axis = {Axis(1, 0), Axis(60, 0, 3), Axis(70, 0, 3)};
  for (const size_t bytes : {4096, 65536, 1 << 20}) {
    const auto tile = ChooseInputTile(
        axis, 2, {.cutting = {16, kWidths}, .bytes = bytes, .weights_per_group = 1000, .rows_per_group = 8});
    REQUIRE(tile.ok());
    CHECK(tile->floats() * sizeof(float) <= bytes);
    for (const TileAxis& one : tile->axis) {
      CHECK(one.tile >= 1);
      CHECK(one.tile <= one.output);
      CHECK(one.tiles() * one.tile >= one.output);
    }
  }
  const auto least =
      ChooseInputTile(axis, 2, {.cutting = {16, kWidths}, .bytes = 0, .weights_per_group = 1, .rows_per_group = 1});
  REQUIRE(least.ok());
  CHECK(least->axis[1].tile == 1);
  CHECK(least->axis[2].tile == 48);
}

TEST_CASE("ChooseInputTile: a tile beyond 32 bits of floats is a Status, also where 64 bits would not count it") {
  const int kWidths[] = {3, 2, 1};
  const TileBudget<> budget{.cutting = {16, kWidths}, .weights_per_group = 1, .rows_per_group = 1};
  const auto far = [](int64_t dilation) {
    return TileAxis{.input = 1, .output = 1, .kernel = 2, .dilation = dilation};
  };
  for (const int64_t dilation : {(int64_t{1} << 32) - 1, int64_t{1} << 32, int64_t{1} << 39}) {
    CheckError(ChooseInputTile({Axis(1, 0), far(dilation), far(dilation)}, 1, budget).status(),
               StatusCode::kUnsupported, "the smallest input tile has ");
    CheckError(ChooseInputTile({far(dilation), far(dilation), far(dilation)}, 1, budget).status(),
               StatusCode::kUnsupported, "the smallest input tile has ");
  }
  CheckError(ChooseInputTile({Axis(1, 0), Axis(1, 0), Axis(100, 0)}, int64_t{1} << 31, budget).status(),
             StatusCode::kUnsupported, "more than the limit of 2147483647");
}

}  // namespace
}  // namespace lacuna::test
