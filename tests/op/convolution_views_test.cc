// What a convolution makes of its caller's memory: layouts, page boundaries, workspace, residuals, input tiles of any
// size.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
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
            INFO(std::string(LayoutName(x))
                 << " to " << std::string(LayoutName(y)) << ", residual " << std::string(LayoutName(residual)));
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
        INFO(std::string(LayoutName(layout)));
        for (const Guard guard : {Guard::kAfter, Guard::kBefore}) {
          layer.Check(plan, {.x = layout, .y = layout, .guard = guard});
        }
      }
    });
  }
}

TEST_CASE("convolution: rank 3 in every layout, up to the last element before a protected page") {
  for (const int64_t groups : {1, 2}) {
    const ConvLayer<3> layer({.batch = 2,
                              .in_channels = 6,
                              .out_channels = 10,
                              .groups = groups,
                              .input = {4, 5, 9},
                              .kernel = {3, 2, 3},
                              .pad_begin = {1, 0, 2},
                              .pad_end = {0, 1, 1}},
                             {.density = 0.5, .residual = true});
    const auto bcr = layer.bcr({4, 27});
    const auto pattern = PatternWeights<float>::FromDense(layer.dense(), layer.shape().taps());
    REQUIRE(pattern.ok());
    ForEachTarget([&] {
      const auto by_panels = PlanConvolution<3>(bcr, layer.shape(), layer.epilogue());
      const auto by_patterns =
          PlanConvolution<3>(*pattern, layer.shape(), layer.epilogue(), {.tile = PatternTileIndex()});
      for (const Layout x : kLayouts) {
        for (const Layout y : kLayouts) {
          for (const Guard guard : {Guard::kAfter, Guard::kBefore}) {
            INFO(std::string(LayoutName(x)) << " to " << std::string(LayoutName(y)));
            layer.Check(by_panels, {.x = x, .y = y, .residual = x, .guard = guard});
            layer.Check(by_patterns, {.x = x, .y = y, .residual = y, .guard = guard});
          }
        }
      }
    });
  }
}

TEST_CASE("convolution: volumes in every layout under strides, without padding, in one channel and in one voxel") {
  const ConvShape<3> shapes[] = {
      {.in_channels = 3, .out_channels = 5, .input = {5, 7, 11}, .kernel = {3, 3, 3}, .stride = {2, 2, 2}},
      {.in_channels = 9, .out_channels = 17, .input = {2, 3, 17}, .kernel = {1, 1, 1}},
      {.in_channels = 9, .out_channels = 3, .input = {3, 5, 16}, .kernel = {1, 1, 1}, .stride = {2, 1, 3}},
      {.in_channels = 5, .out_channels = 7, .input = {5, 4, 9}, .kernel = {3, 1, 1}, .stride = {2, 1, 1}},
      {.in_channels = 1, .out_channels = 1, .input = {2, 8, 20}, .kernel = {1, 7, 7}},
      {.batch = 3, .in_channels = 20, .out_channels = 12, .input = {1, 1, 1}, .kernel = {1, 1, 1}},
      {.batch = 2,
       .in_channels = 3,
       .out_channels = 5,
       .input = {1, 1, 1},
       .kernel = {3, 3, 3},
       .pad_begin = {2, 0, 1},
       .pad_end = {0, 2, 1}},
  };
  for (const ConvShape<3>& shape : shapes) {
    const ConvLayer<3> layer(shape, {.density = 0.5});
    const auto bcr = layer.bcr({4, 4});
    ForEachTarget([&] {
      for (const int tile : {kChooseTile, PatternTileIndex()}) {
        const auto plan = PlanConvolution<3>(bcr, shape, layer.epilogue(), {.tile = tile});
        for (const Layout layout : kLayouts) {
          INFO(std::string(LayoutName(layout)));
          for (const Guard guard : {Guard::kAfter, Guard::kBefore}) {
            layer.Check(plan, {.x = layout, .y = layout, .guard = guard});
          }
        }
      }
    });
  }
}

template <class T, int kAxes>
int64_t Offset(const TensorView<T, kAxes>& view, const std::type_identity_t<Extents<kAxes>>& index) {
  int64_t offset = 0;
  for (size_t axis = 0; axis < kAxes; ++axis) offset += index[axis] * view.stride[axis];
  return offset;
}

// The values of `view` in planar order, and the reverse.
template <class T, int kAxes>
std::vector<float> Read(const TensorView<T, kAxes>& view) {
  std::vector<float> values;
  ForEachIndex<kAxes>(view.extent,
                      [&](const Extents<kAxes>& index) { values.push_back(view.data[Offset(view, index)]); });
  return values;
}
template <int kAxes>
void Write(std::span<const float> values, const TensorView<float, kAxes>& view) {
  size_t next = 0;
  ForEachIndex<kAxes>(view.extent,
                      [&](const Extents<kAxes>& index) { view.data[Offset(view, index)] = values[next++]; });
  REQUIRE(next == values.size());
}

// Of a tensor that is longer by one at both ends of `axis` and full of NaN, the middle: rows, slices, channels or
// images have a gap between them, but what lies inside them has none.
template <int kAxes>
class Cropped {
 public:
  Cropped(Extents<kAxes> extent, size_t axis, Layout layout) : tensor_(Longer(extent, axis), layout) {
    view_ = tensor_.view();
    view_.data += view_.stride[axis];
    view_.extent = extent;
  }
  const TensorView<float, kAxes>& view() const { return view_; }
  // The elements outside the view are what they were.
  bool OutsideUntouched() {
    Write<kAxes>(std::vector<float>(Read(view_).size(), std::numeric_limits<float>::quiet_NaN()), view_);
    return std::ranges::all_of(Read(tensor_.view()), [](float value) { return std::isnan(value); });
  }

 private:
  static Extents<kAxes> Longer(Extents<kAxes> extent, size_t axis) {
    extent[axis] += 2;
    return extent;
  }

  GuardedTensor<kAxes> tensor_;
  TensorView<float, kAxes> view_;
};

TEST_CASE("convolution: volumes that are crops of larger ones along any axis") {
  const ConvShape<3> shapes[] = {
      {.batch = 2, .in_channels = 5, .out_channels = 7, .input = {3, 4, 9}, .kernel = {1, 1, 1}},
      {.batch = 2, .in_channels = 5, .out_channels = 7, .input = {3, 1, 9}, .kernel = {1, 1, 1}},
      {.batch = 2,
       .in_channels = 3,
       .out_channels = 9,
       .input = {3, 4, 9},
       .kernel = {3, 3, 3},
       .pad_begin = {1, 1, 1},
       .pad_end = {1, 1, 1}},
      {.batch = 2,
       .in_channels = 4,
       .out_channels = 6,
       .groups = 2,
       .input = {5, 4, 9},
       .kernel = {3, 1, 1},
       .stride = {2, 1, 1}},
      {.in_channels = 6, .out_channels = 6, .groups = 6, .input = {3, 4, 9}, .kernel = {3, 3, 3}},
  };
  for (const ConvShape<3>& shape : shapes) {
    const ConvLayer<3> layer(shape, {.density = 0.5, .residual = true});
    const auto dense = layer.dense();
    ForEachTarget([&] {
      for (const int tile : {kChooseTile, 0, PatternTileIndex()}) {
        const auto plan = PlanConvolution<3>(dense, shape, layer.epilogue(), {.tile = tile});
        layer.Check(plan);
        const std::vector<float> expected = layer.Run(*plan);
        std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
        for (const Layout layout : {Layout::kPlanar, Layout::kChannelsLast}) {
          for (size_t axis = 0; axis < 5; ++axis) {
            INFO(Describe(shape) << ", " << std::string(LayoutName(layout)) << ", axis " << axis);
            // x along `axis`, y and the residual, all of them; the others along the batch.
            for (const int cropped : {1, 2, 3}) {
              const auto axis_of = [&](int bit) { return (cropped & bit) != 0 ? axis : size_t{0}; };
              Cropped<5> x(shape.input_tensor(), axis_of(1), layout), y(shape.output_tensor(), axis_of(2), layout),
                  residual(shape.output_tensor(), axis_of(2), layout);
              Write<5>(layer.data().x, x.view());
              Write<5>(layer.data().residual, residual.view());
              REQUIRE(plan->Run(x.view(), y.view(), {.workspace = workspace, .residual = residual.view()}).ok());
              CHECK(Read(y.view()) == expected);
              CHECK(y.OutsideUntouched());
            }
          }
        }
      }
    });
  }
}

TEST_CASE("convolution: the residual may be the output") {
  for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
    const ConvLayer<2> layer(SmallShape(), {.density = 0.5, .residual = true, .epilogue = {.activation = activation}});
    const auto bcr = layer.bcr();
    ForEachTarget([&] {
      const auto plan = PlanConvolution<2>(bcr, layer.shape(), layer.epilogue());
      for (const Layout layout : kLayouts) {
        INFO(std::string(LayoutName(layout)));
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
  const ConvShape<3> shapes[] = {
      {.in_channels = 3,
       .out_channels = 5,
       .input = {9, 10, 23},
       .kernel = {3, 3, 3},
       .stride = {1, 2, 1},
       .pad_begin = {2, 1, 0},
       .pad_end = {1, 1, 3}},
      {.in_channels = 5, .out_channels = 3, .input = {13, 6, 7}, .kernel = {3, 1, 1}, .stride = {2, 1, 1}},
      {.in_channels = 4,
       .out_channels = 6,
       .groups = 2,
       .input = {3, 14, 37},
       .kernel = {1, 3, 3},
       .dilation = {1, 2, 3}},
      {.in_channels = 2, .out_channels = 3, .input = {60, 2, 2}, .kernel = {5, 2, 1}, .pad_begin = {2, 0, 0}},
      {.in_channels = 3, .out_channels = 4, .input = {4, 9, 11}, .kernel = {1, 1, 1}, .stride = {1, 2, 2}},
  };
  for (const ConvShape<3>& shape : shapes) {
    const ConvLayer<3> layer(shape, {.density = 0.5, .bias = true});
    const auto bcr = layer.bcr({8, 4 * shape.taps()});
    ForEachTarget([&] {
      for (const size_t bytes : {0, 1, 1500, 4096, 16384, 65536}) {
        CAPTURE(bytes);
        for (const int tile : {kChooseTile, 0, PatternTileIndex()}) {
          layer.Check(PlanConvolution<3>(bcr, shape, layer.epilogue(), {.tile = tile, .input_tile_bytes = bytes}));
        }
      }
    });
  }
}

TEST_CASE("convolution: workspace of volumes of any alignment and content") {
  const ConvLayer<3> layer(
      {.in_channels = 5, .out_channels = 7, .input = {3, 5, 9}, .kernel = {3, 3, 3}, .pad_begin = {1, 1, 1}},
      {.density = 0.5});
  const auto dense = layer.dense();
  ForEachTarget([&] {
    for (const int tile : {0, PatternTileIndex()}) {
      const auto plan = PlanConvolution<3>(dense, layer.shape(), layer.epilogue(), {.tile = tile});
      for (const size_t bytes : {1, 3, 4, 63}) {
        for (const Guard guard : {Guard::kAfter, Guard::kBefore}) {
          layer.Check(plan, {.guard = guard, .workspace_misalignment = bytes});
        }
      }
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
