// What a convolution makes of its caller's memory: layouts, page boundaries, workspace, residuals, input tiles of any
// size.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

ConvShape<2> SmallShape() {
  return {.batch = 2,
          .in_channels = 6,
          .out_channels = 10,
          .groups = 2,
          .input = {7, 19},
          .kernel = {3, 3},
          .pad_begin = {1, 2},
          .pad_end = {0, 1}};
}

TEST_CASE("convolution: every layout of input, output and residual, up to the last element before a protected page") {
  const ConvLayer<2> layer(SmallShape(), {.density = 0.5, .bias = true, .residual = true});
  const auto bcr = layer.bcr();
  ForEachTarget([&] {
    const auto plan = PlanConvolution<2>(bcr, layer.shape(), layer.epilogue());
    for (const Layout x : kLayouts) {
      for (const Layout y : kLayouts) {
        for (const Layout residual : {Layout::kPlanar, Layout::kChannelsLastGaps, Layout::kScattered}) {
          for (const Guard guard : {Guard::kAfter, Guard::kBefore}) {
            INFO(LayoutName(x) << " to " << LayoutName(y) << ", residual " << LayoutName(residual));
            layer.Check(plan, {.x = x, .y = y, .residual = residual, .guard = guard});
          }
        }
      }
    }
  });
}

TEST_CASE("convolution: layouts under strides, without padding, in one channel and in one pixel") {
  const ConvShape<2> shapes[] = {
      {.in_channels = 3, .out_channels = 5, .input = {9, 21}, .kernel = {3, 3}, .stride = {2, 2}},
      {.in_channels = 9, .out_channels = 17, .input = {5, 33}, .kernel = {1, 1}},
      {.in_channels = 9, .out_channels = 3, .input = {5, 34}, .kernel = {1, 1}, .stride = {2, 3}},
      {.in_channels = 1, .out_channels = 1, .input = {8, 40}, .kernel = {5, 5}},
      {.batch = 3, .in_channels = 20, .out_channels = 12, .input = {1, 1}, .kernel = {1, 1}},
  };
  for (const ConvShape<2>& shape : shapes) {
    const ConvLayer<2> layer(shape, {.density = 0.5});
    const auto bcr = layer.bcr({4, 4});
    ForEachTarget([&] {
      const auto plan = PlanConvolution<2>(bcr, shape, layer.epilogue());
      for (const Layout layout : kLayouts) {
        INFO(LayoutName(layout));
        for (const Guard guard : {Guard::kAfter, Guard::kBefore}) {
          layer.Check(plan, {.x = layout, .y = layout, .guard = guard});
        }
      }
    });
  }
}

TEST_CASE("convolution: rank 3 in every layout") {
  const ConvLayer<3> layer({.batch = 2,
                            .in_channels = 3,
                            .out_channels = 5,
                            .input = {4, 5, 9},
                            .kernel = {3, 3, 3},
                            .pad_begin = {1, 1, 1},
                            .pad_end = {1, 1, 1}},
                           {.density = 0.5, .residual = true});
  const auto bcr = layer.bcr({4, 27});
  ForEachTarget([&] {
    const auto plan = PlanConvolution<3>(bcr, layer.shape(), layer.epilogue());
    for (const Layout x : kLayouts) {
      for (const Layout y : kLayouts) layer.Check(plan, {.x = x, .y = y, .residual = x});
    }
  });
}

TEST_CASE("convolution: the residual may be the output") {
  for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
    const ConvLayer<2> layer(SmallShape(), {.density = 0.5, .residual = true, .epilogue = {.activation = activation}});
    const auto bcr = layer.bcr();
    ForEachTarget([&] {
      const auto plan = PlanConvolution<2>(bcr, layer.shape(), layer.epilogue());
      for (const Layout layout : kLayouts) {
        INFO(LayoutName(layout));
        layer.Check(plan, {.y = layout, .residual_is_y = true});
      }
    });
  }
}

TEST_CASE("convolution: workspace of any alignment and content") {
  const ConvLayer<2> layer(SmallShape(), {.density = 0.5});
  const auto bcr = layer.bcr();
  ForEachTarget([&] {
    const auto plan = PlanConvolution<2>(bcr, layer.shape(), layer.epilogue());
    for (const size_t bytes : {1, 3, 4, 63}) {
      for (const Guard guard : {Guard::kAfter, Guard::kBefore}) {
        layer.Check(plan, {.guard = guard, .workspace_misalignment = bytes});
      }
    }
  });
}

TEST_CASE("convolution: any cut of the image into input tiles") {
  const ConvShape<2> shapes[] = {
      {.in_channels = 5,
       .out_channels = 9,
       .input = {23, 61},
       .kernel = {3, 3},
       .pad_begin = {1, 1},
       .pad_end = {1, 1}},
      {.in_channels = 3,
       .out_channels = 4,
       .input = {17, 130},
       .kernel = {5, 7},
       .stride = {2, 2},
       .pad_begin = {4, 1}},
      {.in_channels = 4, .out_channels = 6, .groups = 2, .input = {40, 37}, .kernel = {3, 3}, .dilation = {2, 3}},
      {.in_channels = 7, .out_channels = 5, .input = {31, 29}, .kernel = {1, 1}},
      {.in_channels = 2, .out_channels = 3, .input = {1, 1500}, .kernel = {1, 9}, .pad_end = {0, 8}},
      {.in_channels = 2, .out_channels = 3, .input = {600, 2}, .kernel = {3, 2}, .pad_begin = {2, 0}},
  };
  for (const ConvShape<2>& shape : shapes) {
    const ConvLayer<2> layer(shape, {.density = 0.5, .bias = true});
    const auto bcr = layer.bcr({8, 16});
    ForEachTarget([&] {
      for (const size_t bytes : {0, 1, 1500, 4096, 16384, 65536}) {
        CAPTURE(bytes);
        for (int tile = kChooseTile; tile < TileCount(); ++tile) {
          layer.Check(PlanConvolution<2>(bcr, shape, layer.epilogue(), {.tile = tile, .input_tile_bytes = bytes}));
        }
      }
    });
  }
}

TEST_CASE("convolution: any cut of a volume into input tiles") {
  const ConvLayer<3> layer({.in_channels = 3,
                            .out_channels = 5,
                            .input = {9, 10, 23},
                            .kernel = {3, 3, 3},
                            .stride = {1, 2, 1},
                            .pad_begin = {2, 1, 0},
                            .pad_end = {1, 1, 3}},
                           {.density = 0.5});
  const auto dense = layer.dense();
  ForEachTarget([&] {
    for (const size_t bytes : {1, 4096, 16384, 65536}) {
      CAPTURE(bytes);
      layer.Check(PlanConvolution<3>(dense, layer.shape(), layer.epilogue(), {.input_tile_bytes = bytes}));
    }
  });
}

TEST_CASE("convolution: a small input tile is kept to, and makes many tiles") {
  const ConvLayer<2> layer({.in_channels = 8,
                            .out_channels = 8,
                            .input = {64, 64},
                            .kernel = {3, 3},
                            .pad_begin = {1, 1},
                            .pad_end = {1, 1}});
  const auto plan = PlanConvolution<2>(layer.dense(), layer.shape(), {}, {.input_tile_bytes = 16384});
  REQUIRE(plan.ok());
  const Explanation explanation = plan->Explain();
  CHECK(explanation.input_tile_bytes <= 16384);
  CHECK(explanation.tiles[1] * explanation.tiles[2] > 1);
  CHECK(explanation.tiles[1] == (64 + explanation.tile_extent[1] - 1) / explanation.tile_extent[1]);
}

}  // namespace
}  // namespace lacuna::test
