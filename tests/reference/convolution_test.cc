#include "lacuna/reference/convolution.h"

#include "lacuna/reference/gemm.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

TEST_CASE("reference convolution: one channel, by hand") {
  // 3 x 3 image, 2 x 2 kernel, padded by one row on top and one column on the right.
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8, 9}, w = {1, 10, 100, 1000};
  const ConvShape<2> shape{
      .in_channels = 1, .out_channels = 1, .input = {3, 3}, .kernel = {2, 2}, .pad_begin = {1, 0}, .pad_end = {0, 1}};
  std::vector<float> y(9);
  REQUIRE(reference::Convolution<2>(shape, w, {}, TensorView<const float, 4>::Planar(x.data(), {1, 1, 3, 3}),
                                    TensorView<float, 4>::Planar(y.data(), {1, 1, 3, 3}))
              .ok());
  CHECK(y == std::vector<float>{2100, 3200, 300, 5421, 6532, 603, 8754, 9865, 906});
}

TEST_CASE("reference convolution: stride and dilation, by hand") {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7}, w = {1, 10};
  const ConvShape<1> shape{
      .in_channels = 1, .out_channels = 1, .input = {7}, .kernel = {2}, .stride = {2}, .dilation = {3}};
  std::vector<float> y(2);
  REQUIRE(reference::Convolution<1>(shape, w, {}, TensorView<const float, 3>::Planar(x.data(), {1, 1, 7}),
                                    TensorView<float, 3>::Planar(y.data(), {1, 1, 2}))
              .ok());
  CHECK(y == std::vector<float>{41, 63});
}

TEST_CASE("reference convolution: groups, bias, residual, magnitude and batch") {
  const ConvShape<1> shape{.batch = 2, .in_channels = 2, .out_channels = 2, .groups = 2, .input = {2}, .kernel = {1}};
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8}, w = {2, -3}, bias = {100, 200},
                           add = {.1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f};
  std::vector<float> y(8);
  std::vector<double> magnitude(8);
  const Extents<3> extent = {2, 2, 2};
  REQUIRE(reference::Convolution<1>(
              shape, w, {.bias = bias, .residual = true}, TensorView<const float, 3>::Planar(x.data(), extent),
              TensorView<float, 3>::Planar(y.data(), extent), TensorView<const float, 3>::Planar(add.data(), extent),
              TensorView<double, 3>::Planar(magnitude.data(), extent))
              .ok());
  CHECK(y == std::vector<float>{102.1f, 104.2f, 191.3f, 188.4f, 110.5f, 112.6f, 179.7f, 176.8f});
  CHECK(magnitude == std::vector<double>{2, 4, 9, 12, 10, 12, 21, 24});
}

TEST_CASE("reference convolution: with a kernel of 1 it is the GEMM; layouts do not matter") {
  const ConvShape<3> shape{.in_channels = 5, .out_channels = 4, .input = {2, 3, 3}, .kernel = {1, 1, 1}};
  std::vector<float> x(5 * 18), w(20), planar(4 * 18), last(4 * 18), product(4 * 18);
  FillGaussian(x, 1);
  FillGaussian(w, 2);
  const auto in = TensorView<const float, 5>::Planar(x.data(), {1, 5, 2, 3, 3});
  REQUIRE(
      reference::Convolution<3>(shape, w, {}, in, TensorView<float, 5>::Planar(planar.data(), {1, 4, 2, 3, 3})).ok());
  REQUIRE(reference::Convolution<3>(shape, w, {}, in, TensorView<float, 5>::ChannelsLast(last.data(), {1, 4, 2, 3, 3}))
              .ok());
  REQUIRE(reference::Gemm({.rows = 4, .columns = 5}, w, {}, MatrixView<const float>::RowMajor(x.data(), 5, 18),
                          MatrixView<float>::RowMajor(product.data(), 4, 18))
              .ok());
  CHECK(planar == product);
  for (size_t c = 0; c < 4; ++c) {
    for (size_t i = 0; i < 18; ++i) CHECK(last[i * 4 + c] == planar[c * 18 + i]);
  }
}

TEST_CASE("reference convolution: sums are kept in double") {
  const ConvShape<1> shape{.in_channels = 3, .out_channels = 1, .input = {1}, .kernel = {1}};
  const std::vector<float> x = {1e8f, 1, -1e8f}, w = {1, 1, 1};
  float y = 0;
  REQUIRE(reference::Convolution<1>(shape, w, {}, TensorView<const float, 3>::Planar(x.data(), {1, 3, 1}),
                                    TensorView<float, 3>::Planar(&y, {1, 1, 1}))
              .ok());
  CHECK(y == 1.0f);
}

TEST_CASE("reference convolution and GEMM: what they refuse") {
  const ConvShape<1> shape{.in_channels = 2, .out_channels = 1, .input = {3}, .kernel = {1}};
  const std::vector<float> w(3), x(6);
  std::vector<float> y(3);
  const auto in = TensorView<const float, 3>::Planar(x.data(), {1, 2, 3});
  const auto out = TensorView<float, 3>::Planar(y.data(), {1, 1, 3});
  CheckInvalid(reference::Convolution<1>(shape, w, {}, in, out), "weights has 3 elements, must have 2");
  ConvShape<1> empty = shape;
  empty.input = {0};
  CheckInvalid(reference::Convolution<1>(empty, w, {}, in, out), "shape.input[0] is 0");
  CheckInvalid(reference::Convolution<1>(shape, w, {.bias = w}, in, out),
               "epilogue.bias has 3 values, must have 1 or none");

  const auto a = MatrixView<const float>::RowMajor(x.data(), 2, 3);
  const auto b = MatrixView<float>::RowMajor(y.data(), 1, 3);
  const std::vector<float> two(2);
  CHECK(reference::Gemm({.rows = 1, .columns = 2}, two, {}, a, b).ok());
  CheckInvalid(reference::Gemm({.rows = 1, .columns = 2}, w, {}, a, b),
               "weights has 3 elements in 1 groups, must have 2 in 1");
  CheckInvalid(reference::Gemm({.rows = 2, .columns = 1, .groups = 2}, two, {}, a, b),
               "weights has 2 elements in 2 groups");
  CheckInvalid(
      reference::Gemm({.rows = 1, .columns = 2}, two, {}, MatrixView<const float>::RowMajor(x.data(), 3, 2), b),
      "x is 3 x 2 and y is 1 x 3, must be 2 x N and 1 x N");
}

TEST_CASE("reference activations: values of each formula") {
  const auto apply = [](Activation activation, double v) {
    return reference::Activate({.activation = activation, .low = -1, .high = 2, .slope = 0.25f}, v);
  };
  CHECK(apply(Activation::kNone, -3.5) == -3.5);
  CHECK(apply(Activation::kRelu, -3.5) == 0);
  CHECK(apply(Activation::kRelu, 3.5) == 3.5);
  CHECK(apply(Activation::kClamp, -3.5) == -1);
  CHECK(apply(Activation::kClamp, 0.5) == 0.5);
  CHECK(apply(Activation::kClamp, 3.5) == 2);
  CHECK(apply(Activation::kLeakyRelu, -4) == -1);
  CHECK(apply(Activation::kLeakyRelu, 4) == 4);
  CHECK(apply(Activation::kSigmoid, 0) == 0.5);
  CHECK(apply(Activation::kSigmoid, 1) == doctest::Approx(0.7310585786300049).epsilon(1e-15));
  CHECK(apply(Activation::kTanh, 1) == doctest::Approx(0.7615941559557649).epsilon(1e-15));
  CHECK(apply(Activation::kSilu, 1) == doctest::Approx(0.7310585786300049).epsilon(1e-15));
  CHECK(apply(Activation::kHardSwish, -3) == 0);
  CHECK(apply(Activation::kHardSwish, -1) == doctest::Approx(-1.0 / 3));
  CHECK(apply(Activation::kHardSwish, 5) == 5);
  for (const Activation activation :
       {Activation::kNone, Activation::kRelu, Activation::kClamp, Activation::kLeakyRelu, Activation::kSigmoid,
        Activation::kTanh, Activation::kSilu, Activation::kHardSwish}) {
    CHECK(std::isnan(apply(activation, std::numeric_limits<double>::quiet_NaN())));
  }
}

}  // namespace
}  // namespace lacuna::test
