// Packed weights that several plans share.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

std::vector<float> Weights(int64_t rows, int64_t columns) {
  std::vector<float> weights(static_cast<size_t>(rows * columns));
  FillIntegers(weights, 5);
  Thin(weights, 6, 0.3);
  return weights;
}

TEST_CASE("packed weights: one packing serves images of many sizes, strides and ranks") {
  const std::vector<float> weights = Weights(10, 6 * 9);
  const auto dense = DenseWeights<float>::View({.rows = 10, .columns = 54}, weights);
  REQUIRE(dense.ok());
  const auto bcr = BcrOf(*dense, {8, 16});
  ForEachTarget([&] {
    const auto packed = PackDefault(bcr);
    REQUIRE(packed.ok());
    for (const int64_t size : {3, 8, 30}) {
      for (const int64_t stride : {1, 2}) {
        const ConvLayer<2> layer({.batch = 2,
                                  .in_channels = 6,
                                  .out_channels = 10,
                                  .input = {size, size + 1},
                                  .kernel = {3, 3},
                                  .stride = {stride, stride}},
                                 {.weights = weights});
        layer.Check(PlanConvolution<2>(*packed, layer.shape()));
      }
    }
    const ConvLayer<1> row({.in_channels = 6, .out_channels = 10, .input = {40}, .kernel = {9}}, {.weights = weights});
    row.Check(PlanConvolution<1>(*packed, row.shape()));
    const GemmLayer matrix(10, 54, 17, {.weights = weights});
    matrix.Check(PlanGemm(*packed, {.n = 17}));
  });
}

TEST_CASE("packed weights: a plan hands out its own, with another epilogue for each plan") {
  const ConvShape<2> shape{.in_channels = 6, .out_channels = 10, .input = {7, 12}, .kernel = {3, 3}};
  const ConvLayer<2> plain(shape, {.density = 0.4});
  const ConvLayer<2> rectified(shape, {.density = 0.4, .bias = true, .epilogue = {.activation = Activation::kRelu}});
  ForEachTarget([&] {
    const auto first = PlanConvolution<2>(plain.bcr(), shape);
    REQUIRE(first.ok());
    const auto second = PlanConvolution<2>(first->weights(), shape, rectified.epilogue());
    REQUIRE(second.ok());
    CHECK(&*first->weights() == &*second->weights());
    plain.Check(first);
    rectified.Check(second);
  });
}

TEST_CASE(
    "packed weights: a plan outlives the weights, the bias and the plan that it was made from, and may be moved") {
  const ConvShape<2> shape{.in_channels = 6, .out_channels = 10, .input = {7, 12}, .kernel = {3, 3}};
  const ConvLayer<2> layer(shape, {.density = 0.4, .bias = true});
  std::optional<Convolution<2>> moved;
  {
    std::vector<float> weights = layer.data().weights, bias = layer.data().bias;
    const auto dense = DenseWeights<float>::View(MatrixShapeOf(shape), weights);
    auto first = PlanConvolution<2>(*dense, shape, {.bias = bias});
    REQUIRE(first.ok());
    auto second = PlanConvolution<2>(first->weights(), shape, {.bias = bias});
    REQUIRE(second.ok());
    moved = *std::move(second);
    std::fill(weights.begin(), weights.end(), -99.0f);
    std::fill(bias.begin(), bias.end(), -99.0f);
  }
  layer.Check(Result<Convolution<2>>(*std::move(moved)));
}

TEST_CASE("packed weights: an empty Shared and another shape are refused") {
  const ConvShape<2> shape{.in_channels = 6, .out_channels = 10, .input = {7, 12}, .kernel = {3, 3}};
  CheckInvalid(PlanConvolution<2>(Shared<PackedWeights<float>>(), shape).status(), "weights is an empty Shared");
  const ConvLayer<2> layer(shape);
  const auto packed = PackDefault(layer.dense());
  REQUIRE(packed.ok());
  ConvShape<2> other = shape;
  other.kernel = {3, 2};
  CheckInvalid(PlanConvolution<2>(*packed, other).status(),
               "weights are 10 x 54 in 1 groups, shape needs 10 x 36 in 1");
}

}  // namespace
}  // namespace lacuna::test
