// Convolution and GEMM plans over every sparse format against reference/, on every SIMD target.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

constexpr BlockShape kBlocks[] = {{4, 1}, {8, 1}, {4, 4}, {8, 8}, {16, 1}, {1, 9}};

template <int kRank>
void CheckFormats(const ConvLayer<kRank>& layer) {
  const auto dense = layer.dense();
  const auto csr = CsrWeights<float>::FromDense(dense);
  REQUIRE(csr.ok());
  ForEachTarget([&] {
    layer.Check(PlanConvolution<kRank>(*csr, layer.shape(), layer.epilogue()));
    for (const BlockShape& block : kBlocks) {
      const auto blocks = BlockWeights<float>::FromDense(dense, block);
      REQUIRE(blocks.ok());
      layer.Check(PlanConvolution<kRank>(*blocks, layer.shape(), layer.epilogue()));
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

TEST_CASE("formats: densities from nothing to everything, and rank 3") {
  for (const double density : {0.0, 0.01, 0.05, 0.5, 1.0}) {
    CheckFormats(ConvLayer<2>({.in_channels = 13, .out_channels = 21, .input = {7, 9}, .kernel = {3, 3}},
                              {.density = density, .integers = density != 0.5}));
  }
  CheckFormats(ConvLayer<3>({.in_channels = 5,
                             .out_channels = 9,
                             .input = {4, 6, 7},
                             .kernel = {3, 3, 3},
                             .pad_begin = {1, 1, 1},
                             .pad_end = {1, 1, 1}},
                            {.density = 0.1}));
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

}  // namespace
}  // namespace lacuna::test
