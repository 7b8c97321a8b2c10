// Gate functions of the kernels against reference/, over the whole range of float.

#include "lacuna/reference/recurrent.h"
#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// function(x) as an RNN of no recurrence computes it: `standard` by the kernels of standard cells.
std::vector<float> Gated(const GateFunction& function, const std::vector<float>& x, bool standard = false) {
  const VectorKernels& table = DefaultVectorKernels();
  std::vector<float> zeros(x.size()), h(x.size());
  GateArgs args{};
  args.units = args.hidden = static_cast<int64_t>(x.size());
  args.input = x.data();
  args.recurrent = zeros.data();
  args.h = h.data();
  args.g = function;
  args.clip = kNoClip;
  (standard ? table.standard_gates : table.gates).rnn(args);
  return h;
}

// The sigmoid of standard cells: reset of a GRU whose state is 1.
std::vector<float> StandardSigmoid(const std::vector<float>& x) {
  std::vector<float> input(2 * x.size()), zeros(2 * x.size()), ones(x.size(), 1.0f), reset(x.size());
  std::copy(x.begin(), x.end(), input.begin() + static_cast<int64_t>(x.size()));
  GateArgs args{};
  args.units = args.hidden = static_cast<int64_t>(x.size());
  args.input = input.data();
  args.recurrent = zeros.data();
  args.h = ones.data();
  args.reset = reset.data();
  args.clip = kNoClip;
  DefaultVectorKernels().standard_gates.gru_reset(args);
  return reset;
}

// Every 4099th float, and many where the functions bend.
std::vector<float> Sweep() {
  std::vector<float> values;
  for (uint64_t bits = 0; bits <= 0xffffffffu; bits += 4099) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isfinite(value)) values.push_back(value);
  }
  for (int i = -110000; i <= 110000; ++i) values.push_back(static_cast<float>(i) * 0.001f);
  return values;
}

// |y - exact| in ulp of exact, of the smallest normal float below that.
double Ulps(float y, double exact) {
  if (std::abs(exact) > double{std::numeric_limits<float>::max()} && std::isinf(y)) return 0.0;
  const double smallest = double{std::numeric_limits<float>::min()};
  const double ulp = std::ldexp(1.0, std::ilogb(std::max(std::abs(exact), smallest)) - 23);
  return std::abs(double{y} - exact) / ulp;
}

void CheckUlps(const std::string& name, const GateFunction& function, const std::vector<float>& x,
               const std::vector<float>& y, double most) {
  CAPTURE(name);
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double ulps = Ulps(y[i], reference::Activate(function, double{x[i]}));
    if (!(ulps <= worst)) {
      worst = ulps;
      at = i;
    }
    if (std::isnan(ulps)) break;
  }
  CHECK_MESSAGE(worst <= most, "of ", x[at], " is ", y[at], ", must be ", reference::Activate(function, double{x[at]}),
                ": off by ", worst, " ulp, must be at most ", most);
}

// What kernel/recurrent-inl.h states.
struct Bound {
  GateFunction function;
  double ulps;
};
const Bound kBounds[] = {
    {GateFunction::Of(GateActivation::kRelu), 0},
    {kTanhGate, 4},
    {kSigmoidGate, 3},
    {GateFunction{GateActivation::kAffine, -2.0f, 0.0f}, 0},
    {GateFunction::Of(GateActivation::kLeakyRelu), 0.5},
    {GateFunction::Of(GateActivation::kThresholdedRelu), 0},
    {GateFunction{GateActivation::kScaledTanh, 2.0f, 0.5f}, 4},
    {GateFunction{GateActivation::kHardSigmoid, 0.25f, 0.0f}, 0.5},
    {GateFunction::Of(GateActivation::kElu), 4},
    {GateFunction::Of(GateActivation::kSoftsign), 2},
    {GateFunction::Of(GateActivation::kSoftplus), 3},
};

TEST_CASE("gates: errors in ulp over the range of float") {
  const std::vector<float> x = Sweep();
  ForEachTarget([&] {
    for (const Bound& bound : kBounds) {
      CheckUlps(GateActivationName(bound.function.activation), bound.function, x, Gated(bound.function, x), bound.ulps);
    }
    CheckUlps("standard tanh", kTanhGate, x, Gated(kTanhGate, x, /*standard=*/true), 4);
    CheckUlps("standard sigmoid", kSigmoidGate, x, StandardSigmoid(x), 3);
  });
}

TEST_CASE("gates: sums of two roundings near zero") {
  std::vector<float> x;
  for (int i = -3000; i <= 3000; ++i) x.push_back(static_cast<float>(i) * 0.01f);
  const GateFunction functions[] = {{GateActivation::kAffine, 0.3f, 0.7f}, {GateActivation::kHardSigmoid, 0.3f, 0.7f}};
  ForEachTarget([&] {
    for (const GateFunction& function : functions) {
      const std::vector<float> y = Gated(function, x);
      int wrong = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double difference = std::abs(double{y[i]} - reference::Activate(function, double{x[i]}));
        wrong += !(difference <= 0x1p-23 * (0.3 * std::abs(double{x[i]}) + 0.7));
      }
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("gates: NaN comes through every function, in every lane; infinities have the formula's limits") {
  ForEachTarget([] {
    for (int i = 0; i < kGateActivations; ++i) {
      const GateFunction function = GateFunction::Of(static_cast<GateActivation>(i));
      const std::string name = GateActivationName(function.activation);
      CAPTURE(name);
      int wrong = 0;
      for (size_t length = 1; length <= 35; ++length) {
        for (size_t at = 0; at < length; ++at) {
          std::vector<float> x(length, 1.5f);
          x[at] = kNan;
          const std::vector<float> y = Gated(function, x);
          for (size_t lane = 0; lane < length; ++lane) wrong += std::isnan(y[lane]) != (lane == at);
        }
      }
      CHECK(wrong == 0);
      for (const float infinite : {kInfinity, -kInfinity}) {
        const auto expected = static_cast<float>(reference::Activate(function, double{infinite}));
        const float y = Gated(function, {infinite})[0];
        CHECK((std::isnan(expected) ? std::isnan(y) : y == expected));
      }
    }
    CHECK(Gated(kTanhGate, {kInfinity, -kInfinity}, /*standard=*/true) == std::vector<float>{1.0f, -1.0f});
    CHECK(StandardSigmoid({kInfinity, -kInfinity}) == std::vector<float>{1.0f, 0.0f});
    CHECK(std::isnan(Gated(kTanhGate, {kNan}, /*standard=*/true)[0]));
    CHECK(std::isnan(StandardSigmoid({kNan})[0]));
  });
}

}  // namespace
}  // namespace lacuna::test
