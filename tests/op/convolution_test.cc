// Convolution plans against reference/: every register tile, on every SIMD target, over shapes at the edges of each.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/op/volumes_3d.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

// Every tile on every target, over dense weights and over BCR weights in blocks of `block`.
template <int kRank>
void CheckEverywhere(const ConvLayer<kRank>& layer, const BlockShape& block = {1, 1}, const RunOptions& run = {}) {
  const auto dense = layer.dense();
  const auto bcr = layer.bcr(block);
  INFO(std::string(LayoutName(run.x)) << " to " << std::string(LayoutName(run.y)));
  ForEachTarget([&] {
    for (int tile = 0; tile < TileCount(); ++tile) {
      layer.Check(PlanConvolution<kRank>(dense, layer.shape(), layer.epilogue(), {.tile = tile}), run);
      layer.Check(PlanConvolution<kRank>(bcr, layer.shape(), layer.epilogue(), {.tile = tile}), run);
    }
  });
}

template <int kRank>
ConvShape<kRank> Padded(ConvShape<kRank> shape) {
  for (size_t axis = 0; axis < kRank; ++axis) {
    const int64_t reach = (shape.kernel[axis] - 1) * shape.dilation[axis];
    shape.pad_begin[axis] = reach / 2;
    shape.pad_end[axis] = reach - reach / 2;
  }
  return shape;
}

TEST_CASE("convolution: image widths around lanes and register tiles") {
  for (const int64_t width :
       {1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 33, 47, 48, 49, 95, 96, 97, 145}) {
    CheckEverywhere(
        ConvLayer<2>({.in_channels = 3, .out_channels = 9, .input = {1, width}, .kernel = {1, 1}}, {.density = 0.6}));
    CheckEverywhere(ConvLayer<2>(
        Padded<2>({.in_channels = 2, .out_channels = 5, .input = {3, width}, .kernel = {3, 3}}), {.density = 0.4}));
  }
}

TEST_CASE("convolution: output channels around the rows of a panel") {
  for (int64_t channels = 1; channels <= 17; ++channels) {
    CheckEverywhere(
        ConvLayer<2>({.in_channels = 5, .out_channels = channels, .input = {4, 6}, .kernel = {3, 3}}, {.density = 0.5}),
        {8, 16});
  }
}

TEST_CASE("convolution: channel counts that are multiples of nothing") {
  for (const int64_t channels : {1, 2, 3, 5, 7, 11, 13, 17, 31, 67}) {
    CheckEverywhere(ConvLayer<2>(
        Padded<2>({.in_channels = channels, .out_channels = 7, .input = {5, 9}, .kernel = {3, 3}}), {.density = 0.25}));
    CheckEverywhere(ConvLayer<2>({.in_channels = channels, .out_channels = 13, .input = {5, 7}, .kernel = {1, 1}},
                                 {.density = 0.25}),
                    {4, 4});
  }
}

TEST_CASE("convolution: kernels, strides and dilations") {
  const Extents<2> kernels[] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {1, 7}, {7, 1}, {1, 3}, {2, 2}, {4, 3}};
  for (const Extents<2>& kernel : kernels) {
    for (int64_t stride = 1; stride <= 3; ++stride) {
      for (int64_t dilation = 1; dilation <= 2; ++dilation) {
        CheckEverywhere(ConvLayer<2>(Padded<2>({.in_channels = 3,
                                                .out_channels = 5,
                                                .input = {11, 14},
                                                .kernel = kernel,
                                                .stride = {stride, stride},
                                                .dilation = {dilation, dilation}}),
                                     {.density = 0.5}));
      }
    }
  }
}

TEST_CASE("convolution: strides and dilations that differ between axes") {
  for (int64_t stride_h = 1; stride_h <= 4; ++stride_h) {
    for (int64_t stride_w = 1; stride_w <= 4; ++stride_w) {
      for (const Extents<2>& dilation : {Extents<2>{1, 1}, {2, 3}, {4, 2}}) {
        CheckEverywhere(ConvLayer<2>({.in_channels = 2,
                                      .out_channels = 3,
                                      .input = {13, 21},
                                      .kernel = {3, 4},
                                      .stride = {stride_h, stride_w},
                                      .dilation = dilation,
                                      .pad_begin = {1, 0},
                                      .pad_end = {0, 2}}));
      }
    }
  }
}

TEST_CASE("convolution: asymmetric padding, padding wider than the kernel, images of one pixel") {
  for (const int64_t begin : {0, 1, 2, 5}) {
    for (const int64_t end : {0, 1, 3, 6}) {
      for (const int64_t stride : {1, 2}) {
        CheckEverywhere(ConvLayer<2>({.in_channels = 2,
                                      .out_channels = 4,
                                      .input = {3, 5},
                                      .kernel = {3, 3},
                                      .stride = {stride, stride},
                                      .pad_begin = {end, begin},
                                      .pad_end = {begin, end}}));
        if (begin + end < 2) continue;
        for (const Extents<2>& input : {Extents<2>{1, 1}, {6, 1}, {1, 6}}) {
          CheckEverywhere(ConvLayer<2>({.in_channels = 3,
                                        .out_channels = 2,
                                        .input = input,
                                        .kernel = {3, 3},
                                        .stride = {stride, 1},
                                        .pad_begin = {begin, begin},
                                        .pad_end = {end, end}}));
        }
      }
    }
  }
}

TEST_CASE("convolution: groups, depthwise and batches") {
  for (const int64_t batch : {1, 2}) {
    for (const int64_t groups : {1, 2, 3, 6}) {
      CheckEverywhere(ConvLayer<2>(Padded<2>({.batch = batch,
                                              .in_channels = 6,
                                              .out_channels = 18,
                                              .groups = groups,
                                              .input = {5, 9},
                                              .kernel = {3, 3}}),
                                   {.density = 0.5}),
                      {8, 16});
    }
    CheckEverywhere(ConvLayer<2>(Padded<2>(
        {.batch = batch, .in_channels = 7, .out_channels = 7, .groups = 7, .input = {6, 11}, .kernel = {5, 3}})));
  }
}

TEST_CASE("convolution: densities from nothing to everything, in blocks of several shapes") {
  const ConvShape<2> shape = Padded<2>({.in_channels = 11, .out_channels = 19, .input = {6, 13}, .kernel = {3, 3}});
  for (const double density : {0.0, 0.05, 0.1, 0.2, 0.5, 1.0}) {
    CAPTURE(density);
    for (const BlockShape& block : {BlockShape{1, 1}, {8, 16}, {4, 9}, {3, 5}, {64, 128}}) {
      CheckEverywhere(ConvLayer<2>(shape, {.density = density}), block);
    }
  }
}

TEST_CASE("convolution: one weight, empty rows, one full row, one full column") {
  const ConvShape<2> shape = Padded<2>({.in_channels = 5, .out_channels = 11, .input = {4, 9}, .kernel = {3, 3}});
  const auto depth = static_cast<size_t>(shape.depth());
  const auto elements = static_cast<size_t>(shape.weight_elements());
  for (const size_t at : {size_t{0}, depth - 1, 5 * depth + 17, elements - 1}) {
    std::vector<float> one(elements);
    one[at] = 3.0f;
    CheckEverywhere(ConvLayer<2>(shape, {.weights = one}));
  }
  std::vector<float> rows(elements), columns(elements);
  for (size_t i = 0; i < elements; ++i) {
    if (i / depth == 1 || i / depth == 9) rows[i] = static_cast<float>(i % 5) - 2.0f;
    if (i % depth == 7) columns[i] = static_cast<float>(i % 7) - 3.0f;
  }
  CheckEverywhere(ConvLayer<2>(shape, {.bias = true, .weights = rows}));
  CheckEverywhere(ConvLayer<2>(shape, {.weights = columns}), {8, 16});
}

// Every tile on every target, over the weights of a Gaussian layer that are left by each scheme, in its own format.
template <int kRank>
void CheckSchemes(const ConvShape<kRank>& shape, const std::vector<std::string>& names) {
  const ConvLayer<kRank> original(shape, {.integers = false});
  for (const std::string& name : names) {
    CAPTURE(name);
    const auto scheme = prune::ParseScheme(name);
    REQUIRE(scheme.ok());
    const auto pruned = prune::Project(original.dense(), *scheme, shape.taps());
    REQUIRE(pruned.ok());
    const auto dense = pruned->ToDense();
    REQUIRE(dense.ok());
    const ConvLayer<kRank> layer(shape, {.integers = false, .bias = true, .weights = dense->values()});
    ForEachTarget([&] {
      for (int tile = kChooseTile; tile < TileCount(); ++tile) {
        layer.Check(PlanConvolution<kRank>(*pruned, shape, layer.epilogue(), {.tile = tile}));
      }
    });
  }
}

TEST_CASE("convolution: pruned by the schemes, Gaussian data within the bound of rounding errors") {
  CheckSchemes<2>(Padded<2>({.in_channels = 37, .out_channels = 29, .input = {9, 17}, .kernel = {3, 3}}),
                  {"bcr_col-8x", "bcr-8x", "bcr-4x", "bcr_kernel-4x", "bcr_col-3x"});
  // C3D's kernel, and the two into which R(2+1)D cuts it.
  for (const Extents<3>& kernel : {Extents<3>{3, 3, 3}, {1, 3, 3}, {3, 1, 1}}) {
    CheckSchemes<3>({.in_channels = 13,
                     .out_channels = 21,
                     .input = {3, 5, 9},
                     .kernel = kernel,
                     .stride = {2, 1, 1},
                     .pad_begin = {kernel[0] / 2, kernel[1] / 2, kernel[2] / 2},
                     .pad_end = {kernel[0] / 2, kernel[1] / 2, kernel[2] / 2}},
                    {"dense", "unstructured-3x", "pattern-8x", "pattern_g4-8x", "bcr-8x", "bcr_col-8x", "bcr_kernel-4x",
                     "punched-3.6x", "punched_balanced-3.6x", "block_8x1-4x", "block_4x4-4x", "block_kernel_4x2-4x",
                     "connectivity-8x", "filter-2x"});
  }
}

TEST_CASE("convolution: rank 1") {
  for (const int64_t width : {1, 7, 16, 50, 301}) {
    for (const int64_t stride : {1, 2, 3}) {
      CheckEverywhere(ConvLayer<1>({.batch = 2,
                                    .in_channels = 6,
                                    .out_channels = 10,
                                    .groups = 2,
                                    .input = {width},
                                    .kernel = {5},
                                    .stride = {stride},
                                    .dilation = {2},
                                    .pad_begin = {6},
                                    .pad_end = {3}},
                                   {.density = 0.5}));
    }
  }
}

TEST_CASE("convolution: volumes, kernels, strides, dilations, padding, groups and layouts of rank 3") {
  ForEachVolume([](const ConvShape<3>& shape, const RunOptions& run) {
    CheckEverywhere(ConvLayer<3>(shape, {.density = 0.5, .bias = true}), {8, 4 * shape.taps()}, run);
  });
}

TEST_CASE("convolution: widths of volumes around lanes and register tiles, output channels around panels") {
  for (const int64_t width : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 48, 49, 97}) {
    CheckEverywhere(ConvLayer<3>({.in_channels = 3, .out_channels = 9, .input = {2, 1, width}, .kernel = {1, 1, 1}}));
    CheckEverywhere(
        ConvLayer<3>(Padded<3>({.in_channels = 2, .out_channels = 5, .input = {2, 3, width}, .kernel = {3, 3, 3}}),
                     {.density = 0.4}));
  }
  for (int64_t channels = 1; channels <= 17; channels += 2) {
    CheckEverywhere(
        ConvLayer<3>({.in_channels = channels, .out_channels = 18 - channels, .input = {3, 3, 6}, .kernel = {2, 3, 3}},
                     {.density = 0.5}),
        {8, 16});
  }
}

TEST_CASE("convolution: strides and dilations that differ between the axes of volumes") {
  for (const Extents<3>& stride : {Extents<3>{1, 1, 1}, {2, 1, 2}, {1, 3, 1}, {1, 2, 2}, {2, 1, 3}, {4, 4, 4}}) {
    for (const Extents<3>& dilation : {Extents<3>{1, 1, 1}, {1, 2, 1}, {2, 1, 2}, {2, 3, 4}}) {
      CheckEverywhere(ConvLayer<3>(PaddedToFit({.batch = 2,
                                                .in_channels = 4,
                                                .out_channels = 10,
                                                .groups = 2,
                                                .input = {5, 6, 7},
                                                .kernel = {3, 2, 3},
                                                .stride = stride,
                                                .dilation = dilation,
                                                .pad_begin = {1, 0, 2},
                                                .pad_end = {2, 1, 1}}),
                                   {.density = 0.5}));
    }
  }
}

TEST_CASE("convolution: one weight, empty rows, one full column of a volume's kernels") {
  const ConvShape<3> shape = Padded<3>({.in_channels = 3, .out_channels = 10, .input = {3, 4, 9}, .kernel = {3, 3, 3}});
  const auto depth = static_cast<size_t>(shape.depth()), elements = static_cast<size_t>(shape.weight_elements());
  for (const size_t at : {size_t{0}, size_t{26}, depth - 1, 5 * depth + 40, elements - 1}) {
    std::vector<float> one(elements);
    one[at] = 3.0f;
    CheckEverywhere(ConvLayer<3>(shape, {.weights = one}));
  }
  std::vector<float> rows(elements), columns(elements);
  for (size_t i = 0; i < elements; ++i) {
    if (i / depth == 1 || i / depth == 9) rows[i] = static_cast<float>(i % 5) - 2.0f;
    if (i % depth == 35) columns[i] = static_cast<float>(i % 7) - 3.0f;
  }
  CheckEverywhere(ConvLayer<3>(shape, {.bias = true, .weights = rows}));
  CheckEverywhere(ConvLayer<3>(shape, {.weights = columns}), {8, 16});
}

// A volume of depth 1 under a kernel of depth 1 is an image, one of height 1 a sequence.
TEST_CASE("convolution: ranks agree") {
  const ConvShape<2> image = Padded<2>({.batch = 2,
                                        .in_channels = 6,
                                        .out_channels = 10,
                                        .groups = 2,
                                        .input = {7, 19},
                                        .kernel = {3, 5},
                                        .stride = {2, 1},
                                        .dilation = {1, 2}});
  const LayerOptions options{.density = 0.5, .integers = false, .bias = true};
  const ConvLayer<2> flat(image, options);
  const auto volume = [&](size_t axis) {
    ConvShape<3> shape{.batch = 2, .in_channels = 6, .out_channels = 10, .groups = 2};
    const auto spread = [&](Extents<3>& to, const Extents<2>& from, int64_t value) {
      to[axis] = value;
      for (size_t a = 0; a < 2; ++a) to[a < axis ? a : a + 1] = from[a];
    };
    spread(shape.input, image.input, 1);
    spread(shape.kernel, image.kernel, 1);
    spread(shape.stride, image.stride, 1);
    spread(shape.dilation, image.dilation, 1);
    spread(shape.pad_begin, image.pad_begin, 0);
    spread(shape.pad_end, image.pad_end, 0);
    return shape;
  };
  const auto bcr = flat.bcr();
  ForEachTarget([&] {
    for (size_t axis = 0; axis < 3; ++axis) {
      const ConvLayer<3> deep(volume(axis), options);
      CHECK(deep.data().weights == flat.data().weights);
      deep.Check(PlanConvolution<3>(bcr, deep.shape(), deep.epilogue()));
    }
    const auto plan_2d = PlanConvolution<2>(bcr, image, flat.epilogue());
    const ConvLayer<3> deep(volume(0), options);
    const auto plan_3d = PlanConvolution<3>(bcr, deep.shape(), deep.epilogue());
    REQUIRE((plan_2d.ok() && plan_3d.ok()));
    CHECK(flat.Run(*plan_2d) == deep.Run(*plan_3d));
  });
}

TEST_CASE("convolution: every epilogue of volumes, by panels and by patterns") {
  for (const Activation activation :
       {Activation::kNone, Activation::kRelu, Activation::kClamp, Activation::kLeakyRelu, Activation::kSigmoid,
        Activation::kTanh, Activation::kSilu, Activation::kHardSwish}) {
    CAPTURE(ActivationName(activation));
    const bool exact = ClampRange::Of({.activation = activation}).is_clamp;
    for (const bool bias : {false, true}) {
      for (const bool residual : {false, true}) {
        const ConvLayer<3> layer(
            Padded<3>({.batch = 2, .in_channels = 5, .out_channels = 11, .input = {3, 4, 9}, .kernel = {3, 1, 3}}),
            {.density = 0.5,
             .integers = exact,
             .bias = bias,
             .residual = residual,
             .epilogue = {.activation = activation, .low = -3, .high = 7, .slope = 0.25f}});
        const auto dense = layer.dense();
        ForEachTarget([&] {
          for (const int tile : {0, PatternTileIndex()}) {
            const auto plan = PlanConvolution<3>(dense, layer.shape(), layer.epilogue(), {.tile = tile});
            layer.Check(plan);
            layer.Check(plan,
                        {.x = Layout::kChannelsLast, .y = Layout::kChannelsLast, .residual = Layout::kChannelsLast});
            layer.Check(plan, {.y = Layout::kChannelsLastGaps, .residual_is_y = true});
          }
        });
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::test
