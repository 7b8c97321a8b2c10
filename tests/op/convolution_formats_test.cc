// Convolution and GEMM plans over every sparse format against reference/, on every SIMD target.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/op/volumes_3d.h"
#include "tests/support/check_error.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

constexpr BlockShape kBlocks[] = {{4, 1}, {8, 1}, {4, 4}, {8, 8}, {16, 1}, {1, 9}};

template <int kRank>
void CheckFormats(const ConvLayer<kRank>& layer, const RunOptions& run = {}) {
  const auto dense = layer.dense();
  const auto csr = CsrWeights<float>::FromDense(dense);
  REQUIRE(csr.ok());
  const auto punched = layer.bcr({8, 4 * layer.shape().taps()});
  INFO(std::string(LayoutName(run.x)) << " to " << std::string(LayoutName(run.y)));
  ForEachTarget([&] {
    layer.Check(PlanConvolution<kRank>(dense, layer.shape(), layer.epilogue()), run);
    layer.Check(PlanConvolution<kRank>(punched, layer.shape(), layer.epilogue()), run);
    layer.Check(PlanConvolution<kRank>(*csr, layer.shape(), layer.epilogue()), run);
    const PlanOptions by_pattern_kernel{.tile = PatternTileIndex()};
    layer.Check(PlanConvolution<kRank>(*csr, layer.shape(), layer.epilogue(), by_pattern_kernel), run);
    for (const int64_t group : {1, 4}) {
      const auto pattern = PatternWeights<float>::FromDense(dense, layer.shape().taps(), group);
      REQUIRE(pattern.ok());
      layer.Check(PlanConvolution<kRank>(*pattern, layer.shape(), layer.epilogue()), run);
      layer.Check(PlanConvolution<kRank>(*pattern, layer.shape(), layer.epilogue(), by_pattern_kernel), run);
    }
    for (const BlockShape& block : kBlocks) {
      const auto blocks = BlockWeights<float>::FromDense(dense, block);
      REQUIRE(blocks.ok());
      layer.Check(PlanConvolution<kRank>(*blocks, layer.shape(), layer.epilogue()), run);
    }
  });
}

TEST_CASE("formats: kernels, strides, dilations and groups") {
  for (const Extents<2> kernel : {Extents<2>{1, 1}, {3, 3}, {5, 5}, {1, 7}}) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t dilation : {1, 2}) {
        for (const int64_t groups : {1, 2}) {
          CheckFormats(ConvLayer<2>({.in_channels = 6,
                                     .out_channels = 18,
                                     .groups = groups,
                                     .input = {11, 17},
                                     .kernel = kernel,
                                     .stride = {stride, stride},
                                     .dilation = {dilation, dilation},
                                     .pad_begin = {kernel[0] / 2, kernel[1] / 2},
                                     .pad_end = {kernel[0] / 2, kernel[1] / 2}},
                                    {.density = 0.15, .bias = true, .epilogue = {.activation = Activation::kRelu}}));
        }
      }
    }
  }
}

TEST_CASE("formats: volumes, kernels, strides, dilations, padding, groups and layouts of rank 3") {
  ForEachVolume([](const ConvShape<3>& shape, const RunOptions& run) {
    CheckFormats(ConvLayer<3>(shape, {.density = 0.25, .bias = true, .epilogue = {.activation = Activation::kRelu}}),
                 run);
  });
}

TEST_CASE("formats: densities from nothing to everything") {
  for (const double density : {0.0, 0.01, 0.05, 0.5, 1.0}) {
    CheckFormats(ConvLayer<2>({.in_channels = 13, .out_channels = 21, .input = {7, 9}, .kernel = {3, 3}},
                              {.density = density, .integers = density != 0.5}));
  }
  for (const double density : {0.0, 0.02, 0.1, 0.5, 1.0}) {
    CheckFormats(ConvLayer<3>({.in_channels = 5,
                               .out_channels = 9,
                               .input = {4, 6, 7},
                               .kernel = {3, 3, 3},
                               .pad_begin = {1, 1, 1},
                               .pad_end = {1, 1, 1}},
                              {.density = density, .integers = density != 0.5}));
  }
}

TEST_CASE("formats: GEMM") {
  const GemmLayer layer(37, 71, 29, {.density = 0.12});
  const auto csr = CsrWeights<float>::FromDense(layer.dense());
  REQUIRE(csr.ok());
  ForEachTarget([&] {
    layer.Check(PlanGemm(*csr, {.n = 29}));
    for (const BlockShape& block : kBlocks) {
      const auto blocks = BlockWeights<float>::FromDense(layer.dense(), block);
      REQUIRE(blocks.ok());
      layer.Check(PlanGemm(*blocks, {.n = 29}));
    }
  });
}

// The pattern kernel's tiles are cut to images of 7, 14 and more rows and to whole vectors; here nothing fits.
TEST_CASE("formats: the pattern kernel at the edges of its blocks") {
  for (const Extents<2> input : {Extents<2>{1, 1}, {1, 40}, {40, 1}, {7, 7}, {14, 14}, {15, 17}, {29, 70}}) {
    for (const int64_t pad : {0, 1, 2}) {
      if (input[0] + 2 * pad < 3 || input[1] + 2 * pad < 3) continue;
      const ConvLayer<2> layer({.in_channels = 5,
                                .out_channels = 7,
                                .input = input,
                                .kernel = {3, 3},
                                .pad_begin = {pad, pad},
                                .pad_end = {pad, pad}},
                               {.density = 0.4, .bias = true, .residual = true});
      const auto dense = layer.dense();
      ForEachTarget([&] {
        for (const size_t bytes : {size_t{1}, size_t{8192}, kInputTileBytes}) {
          layer.Check(PlanConvolution<2>(dense, layer.shape(), layer.epilogue(),
                                         {.tile = PatternTileIndex(), .input_tile_bytes = bytes}));
        }
      });
    }
  }
}

TEST_CASE("formats: the pattern kernel at the edges of its blocks, in volumes") {
  for (const Extents<3> input : {Extents<3>{1, 1, 1}, {1, 7, 40}, {6, 40, 1}, {3, 7, 7}, {2, 15, 17}, {7, 14, 35}}) {
    for (const Extents<3> kernel : {Extents<3>{3, 3, 3}, {1, 3, 3}, {3, 1, 1}, {2, 1, 5}}) {
      const ConvLayer<3> layer(PaddedToFit({.in_channels = 3,
                                            .out_channels = 5,
                                            .input = input,
                                            .kernel = kernel,
                                            .pad_begin = {kernel[0] / 2, kernel[1] / 2, kernel[2] / 2},
                                            .pad_end = {kernel[0] / 2, 0, kernel[2] / 2}}),
                               {.density = 0.4, .bias = true, .residual = true});
      const auto dense = layer.dense();
      ForEachTarget([&] {
        for (const size_t bytes : {size_t{1}, size_t{8192}, kInputTileBytes}) {
          layer.Check(PlanConvolution<3>(dense, layer.shape(), layer.epilogue(),
                                         {.tile = PatternTileIndex(), .input_tile_bytes = bytes}));
        }
      });
    }
  }
}

// FKW of 3 x 3 x 3 cells in the order of FilterKernelReorder, and back.
TEST_CASE("formats: pattern weights of 27 cells, reordered by filter and kernel") {
  const ConvShape<3> shape{.in_channels = 12,
                           .out_channels = 22,
                           .groups = 2,
                           .input = {4, 5, 9},
                           .kernel = {3, 3, 3},
                           .pad_begin = {1, 1, 1},
                           .pad_end = {1, 1, 1}};
  const ConvLayer<3> original(shape, {.integers = false});
  for (const std::string name : {"pattern-8x", "pattern_g4-8x", "pattern-2x"}) {
    CAPTURE(name);
    const auto pruned = prune::Project(original.dense(), *prune::ParseScheme(name), 27);
    REQUIRE(pruned.ok());
    const auto* pattern = pruned->As<PatternWeights<float>>();
    REQUIRE(pattern != nullptr);
    const auto dense = pattern->ToDense();
    REQUIRE(dense.ok());
    const auto reordered = ReorderFilters<FilterKernelReorder<>>(*pattern);
    REQUIRE(reordered.ok());
    CHECK(reordered->Validate().ok());
    const auto back = reordered->ToDense();
    REQUIRE(back.ok());
    CHECK(std::ranges::equal(back->values(), dense->values()));
    const ConvLayer<3> layer(shape, {.integers = false, .bias = true, .weights = dense->values()});
    ForEachTarget([&] {
      for (const int tile : {kChooseTile, 0, PatternTileIndex()}) {
        layer.Check(PlanConvolution<3>(*pattern, shape, layer.epilogue(), {.tile = tile}));
        layer.Check(PlanConvolution<3>(*reordered, shape, layer.epilogue(), {.tile = tile}));
      }
    });
  }
}

TEST_CASE("formats: depthwise and other small groups, 3x3 and 5x5, stride 1 and 2") {
  for (const int64_t kernel : {3, 5}) {
    for (const int64_t stride : {1, 2}) {
      for (const auto& [channels, multiplier] : {std::pair<int64_t, int64_t>{1, 1}, {7, 1}, {64, 1}, {33, 2}}) {
        for (const double density : {1.0, 0.4}) {
          const ConvLayer<2> layer({.in_channels = channels,
                                    .out_channels = channels * multiplier,
                                    .groups = channels,
                                    .input = {15, 18},
                                    .kernel = {kernel, kernel},
                                    .stride = {stride, stride},
                                    .pad_begin = {kernel / 2, kernel / 2},
                                    .pad_end = {kernel / 2, kernel / 2}},
                                   {.density = density, .bias = true, .epilogue = {.activation = Activation::kRelu}});
          const auto dense = layer.dense();
          const auto pattern = PatternWeights<float>::FromDense(dense, kernel * kernel);
          REQUIRE(pattern.ok());
          ForEachTarget([&] {
            layer.Check(PlanConvolution<2>(dense, layer.shape(), layer.epilogue()));
            layer.Check(PlanConvolution<2>(*pattern, layer.shape(), layer.epilogue()));
          });
        }
      }
    }
  }
}

TEST_CASE("formats: weights packed for one kernel are refused by a layer with another") {
  const ConvLayer<2> layer({.in_channels = 4, .out_channels = 6, .input = {9, 9}, .kernel = {3, 3}});
  const auto plan = PlanConvolution<2>(layer.dense(), layer.shape(), layer.epilogue(), {.tile = PatternTileIndex()});
  REQUIRE(plan.ok());
  auto other = layer.shape();
  layer.Check(PlanConvolution<2>(plan->weights(), other, layer.epilogue()));
  other.dilation = {2, 2};
  CheckInvalid(
      PlanConvolution<2>(plan->weights(), other).status(),
      "weights are packed for kernel 3, stride 1, dilation 1 on axis 1 of (depth, height, width), the layer has "
      "3, 1, 2");
}

}  // namespace
}  // namespace lacuna::test
