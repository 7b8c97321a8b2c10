#include "lacuna/reference/recurrent.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/support/check_error.h"

namespace lacuna::test {
namespace {

double Sigmoid(double v) { return 1.0 / (1.0 + std::exp(-v)); }

// One unit, one input: y of every step.
template <RecurrentOptions Options>
std::vector<double> Run(const std::vector<float>& w, const std::vector<float>& r, const Options& options,
                        const std::vector<float>& x, double& h, double& c, Direction direction = Direction::kForward,
                        std::span<const int32_t> lengths = {}) {
  const auto steps = static_cast<int64_t>(x.size());
  std::vector<double> y(x.size());
  REQUIRE(reference::Recurrent<double>(reference::RecurrentWeights{1, 1, w, r}, options, direction, lengths,
                                       TensorView<const float, 3>::Planar(x.data(), {steps, 1, 1}),
                                       TensorView<double, 3>::Planar(y.data(), {steps, 1, 1}),
                                       MatrixView<double>::ColumnMajor(&h, 1, 1),
                                       MatrixView<double>::ColumnMajor(&c, 1, 1))
              .ok());
  return y;
}

TEST_CASE("reference rnn: by hand, forward, reverse, and with a length") {
  const std::vector<float> bias = {10.0f, 5.0f}, x = {1, 2, 3};
  const RnnOptions options{.bias = bias, .f = GateFunction::Of(GateActivation::kAffine)};
  double h = 7.0, c = 0.0;
  CHECK(Run({2}, {3}, options, x, h, c) == std::vector<double>{38, 133, 420});
  CHECK(h == 420.0);
  h = 7.0;
  CHECK(Run({2}, {3}, options, x, h, c, Direction::kReverse) == std::vector<double>{452, 145, 42});
  CHECK(h == 452.0);
  const std::vector<int32_t> two = {2}, none = {0};
  h = 7.0;
  CHECK(Run({2}, {3}, options, x, h, c, Direction::kReverse, two) == std::vector<double>{137, 40, 0});
  CHECK(h == 137.0);
  h = 7.0;
  CHECK(Run({2}, {3}, options, x, h, c, Direction::kForward, two) == std::vector<double>{38, 133, 0});
  CHECK(h == 133.0);
  CHECK(Run({2}, {3}, options, x, h, c, Direction::kForward, none) == std::vector<double>{0, 0, 0});
  CHECK(h == 133.0);
}

TEST_CASE("reference gru: by hand, with both resets") {
  // Gates z, r, h.
  const std::vector<float> w = {0.5f, -0.25f, 1.5f}, r = {0.75f, 0.5f, -2.0f};
  const std::vector<float> bias = {0.125f, 0.25f, 0.5f, -0.5f, 1.0f, 0.0625f}, x = {2};
  for (const bool linear : {false, true}) {
    double h = 0.75, c = 0.0;
    const double z = Sigmoid(0.5 * 2 + 0.125 + 0.75 * 0.75 - 0.5);
    const double reset = Sigmoid(-0.25 * 2 + 0.25 + 0.5 * 0.75 + 1.0);
    const double n = linear ? std::tanh(1.5 * 2 + 0.5 + reset * (-2.0 * 0.75 + 0.0625))
                            : std::tanh(1.5 * 2 + 0.5 + -2.0 * (reset * 0.75) + 0.0625);
    const double expected = (1 - z) * n + z * 0.75;
    Run(w, r, GruOptions{.bias = bias, .linear_before_reset = linear}, x, h, c);
    CHECK(h == doctest::Approx(expected).epsilon(1e-14));
  }
  // ONNX's backend test gru_defaults: all weights 0.1, no bias, no state.
  double h = 0.0, c = 0.0;
  Run({0.1f, 0.1f, 0.1f}, {0.1f, 0.1f, 0.1f}, GruOptions{}, {3}, h, c);
  const double sum = 3 * double{0.1f};
  CHECK(h == doctest::Approx((1 - Sigmoid(sum)) * std::tanh(sum)).epsilon(1e-14));
}

TEST_CASE("reference lstm: by hand, with peepholes, coupled gates and clip") {
  // Gates i, o, f, c.
  const std::vector<float> w = {0.5f, -0.25f, 1.5f, 0.75f}, r = {0.75f, 0.5f, -2.0f, 1.25f};
  const std::vector<float> bias = {0.125f, 0.25f, 0.5f, -0.5f, 1.0f, 0.0625f, -1.0f, 0.375f};
  const std::vector<float> peephole = {0.5f, -1.5f, 0.25f};  // i, o, f
  const double x = 2, h0 = 0.75, c0 = -0.5;
  for (const bool coupled : {false, true}) {
    for (const double clip : {0.4, 1e9}) {
      const auto clipped = [&](double v) { return std::fmin(std::fmax(v, -clip), clip); };
      const double i = Sigmoid(clipped(0.5 * x + 0.125 + 0.75 * h0 + 1.0 + 0.5 * c0));
      const double f = coupled ? 1 - i : Sigmoid(clipped(1.5 * x + 0.5 - 2.0 * h0 - 1.0 + 0.25 * c0));
      const double expected_c = f * c0 + i * std::tanh(clipped(0.75 * x - 0.5 + 1.25 * h0 + 0.375));
      const double o = Sigmoid(clipped(-0.25 * x + 0.25 + 0.5 * h0 + 0.0625 - 1.5 * expected_c));
      double h = h0, c = c0;
      Run(w, r,
          LstmOptions{.bias = bias, .peephole = peephole, .clip = static_cast<float>(clip), .input_forget = coupled},
          {2}, h, c);
      CHECK(c == doctest::Approx(expected_c).epsilon(1e-7));  // clip is a float
      CHECK(h == doctest::Approx(o * std::tanh(clipped(expected_c))).epsilon(1e-7));
    }
  }
}

TEST_CASE("reference: every gate function by its formula") {
  const auto at = [](GateActivation activation, double v) {
    return reference::Activate(GateFunction{activation, 0.5f, 2.0f}, v);
  };
  CHECK(at(GateActivation::kRelu, -1.0) == 0.0);
  CHECK(at(GateActivation::kRelu, 3.0) == 3.0);
  CHECK(at(GateActivation::kTanh, 0.5) == doctest::Approx(0.46211715726));
  CHECK(at(GateActivation::kSigmoid, -2.0) == doctest::Approx(0.11920292202));
  CHECK(at(GateActivation::kAffine, 3.0) == 3.5);
  CHECK(at(GateActivation::kLeakyRelu, -3.0) == -1.5);
  CHECK(at(GateActivation::kLeakyRelu, 3.0) == 3.0);
  CHECK(at(GateActivation::kThresholdedRelu, 0.5) == 0.5);
  CHECK(at(GateActivation::kThresholdedRelu, 0.49) == 0.0);
  CHECK(at(GateActivation::kScaledTanh, 0.25) == doctest::Approx(0.5 * 0.46211715726));
  CHECK(at(GateActivation::kHardSigmoid, -2.0) == 1.0);
  CHECK(at(GateActivation::kHardSigmoid, -3.0) == 0.5);
  CHECK(at(GateActivation::kHardSigmoid, -5.0) == 0.0);
  CHECK(at(GateActivation::kElu, -1.0) == doctest::Approx(0.5 * (std::exp(-1.0) - 1.0)));
  CHECK(at(GateActivation::kElu, 2.0) == 2.0);
  CHECK(at(GateActivation::kSoftsign, -3.0) == -0.75);
  CHECK(at(GateActivation::kSoftplus, 1.0) == doctest::Approx(std::log(1.0 + std::exp(1.0))));
  CHECK(at(GateActivation::kSoftplus, 1000.0) == 1000.0);
}

TEST_CASE("reference recurrent: what it refuses") {
  const std::vector<float> w(12), r(12), x(8);
  std::vector<double> h(4), y(8);
  const auto run = [&](const reference::RecurrentWeights& weights, const TensorView<const float, 3>& in,
                       const MatrixView<double>& state, std::span<const int32_t> lengths) {
    return reference::Recurrent<double>(weights, GruOptions{}, Direction::kForward, lengths, in,
                                        TensorView<double, 3>(), state);
  };
  const reference::RecurrentWeights good{2, 2, w, r};
  const auto in = TensorView<const float, 3>::Planar(x.data(), {2, 2, 2});
  const auto state = MatrixView<double>::ColumnMajor(h.data(), 2, 2);
  CheckInvalid(run({2, 3, w, r}, in, state, {}), "weights.w has 12 values and weights.r 12, must have 18 and 27");
  CheckInvalid(run({0, 2, w, r}, in, state, {}), "weights have 0 inputs and 2 hidden units");
  CheckInvalid(run(good, TensorView<const float, 3>::Planar(x.data(), {2, 2, 1}), state, {}),
               "x.extent[2] is 1, must be 2");
  CheckInvalid(run(good, in, {}, {}), "h and c must be 2 x 2");
  const std::vector<int32_t> one = {1}, long_one = {1, 3};
  CheckInvalid(run(good, in, state, one), "lengths has 1 values, must have 2 or none");
  CheckInvalid(run(good, in, state, long_one), "lengths[1] is 3, must be in [0, 2]");
  CHECK(run(good, in, state, {}).ok());
}

}  // namespace
}  // namespace lacuna::test
