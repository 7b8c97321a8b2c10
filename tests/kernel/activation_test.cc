// Activations of the kernels against reference/, over the whole range of float.

#include "lacuna/reference/activation.h"

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

constexpr Activation kActivations[] = {Activation::kNone,      Activation::kRelu,     Activation::kClamp,
                                       Activation::kLeakyRelu, Activation::kSigmoid,  Activation::kTanh,
                                       Activation::kSilu,      Activation::kHardSwish};

// activation(x) of every x as a plan of one weight, 1, computes it.
std::vector<float> Activated(const Epilogue& epilogue, const std::vector<float>& x) {
  const float one = 1.0f;
  const auto weights = DenseWeights<float>::View({.rows = 1, .columns = 1}, {&one, 1});
  const auto n = static_cast<int64_t>(x.size());
  const auto plan = PlanGemm(*weights, {.n = n}, epilogue);
  REQUIRE(plan.ok());
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
  std::vector<float> y(x.size());
  REQUIRE(plan->Run(MatrixView<const float>::RowMajor(x.data(), 1, n), MatrixView<float>::RowMajor(y.data(), 1, n),
                    {.workspace = workspace})
              .ok());
  return y;
}

std::vector<float> Sweep() {
  std::vector<float> values = {0.0f,
                               -0.0f,
                               3.0f,
                               -3.0f,
                               6.0f,
                               std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::lowest(),
                               std::numeric_limits<float>::min()};
  for (const float scale : {1e-30f, 1e-8f, 1e-3f, 0.1f, 1.0f, 10.0f, 30.0f}) {
    for (int i = -100; i <= 100; ++i) values.push_back(scale * 0.137f * static_cast<float>(i));
  }
  for (float v = 80.0f; v < 1e30f; v *= 1.01f) {
    values.push_back(v);
    values.push_back(-v);
  }
  return values;
}

// Relative error, in units of 2^-24, that an activation may add to a rounded result. Highway's Exp is within 1 ulp (2
// u) and its Tanh within 4 ulp (8 u); the sum and quotient around Exp and the product of silu add 1 u each.
double Roundings(Activation activation) {
  switch (activation) {
    case Activation::kNone:
    case Activation::kRelu:
    case Activation::kClamp: return 0;
    case Activation::kLeakyRelu: return 1;
    case Activation::kHardSwish: return 5;  // sum, two products, 1/6 in float, reference/ rounded
    case Activation::kSigmoid: return 6;
    case Activation::kSilu: return 7;
    case Activation::kTanh: return 9;
  }
  return 0;
}

TEST_CASE("activations: the relative error over the range of float") {
  const std::vector<float> x = Sweep();
  ForEachTarget([&] {
    for (const Activation activation : kActivations) {
      const std::string name = ActivationName(activation);
      CAPTURE(name);
      const Epilogue epilogue{.activation = activation, .low = -1.5f, .high = 4.0f, .slope = 0.3f};
      const std::vector<float> y = Activated(epilogue, x);
      size_t wrong = 0, first = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double expected = reference::Activate(epilogue, double{x[i]});
        // Results below the normal range lose digits or become zero; v + 3 of hard-swish cancels near -3.
        const double absolute = activation == Activation::kHardSwish ? 3 * kUnitRoundoff * std::abs(x[i]) : 0.0;
        const double smallest = double{std::numeric_limits<float>::min()};
        const double allowed = Roundings(activation) * kUnitRoundoff * std::abs(expected) + absolute + smallest * 100;
        const bool overflows = std::abs(expected) > double{std::numeric_limits<float>::max()};
        const bool right = overflows ? std::isinf(y[i]) : std::abs(double{y[i]} - expected) <= allowed;
        if (!right && wrong++ == 0) first = i;
      }
      CHECK_MESSAGE(wrong == 0, wrong, " of ", x.size(), " values are wrong; the first, of ", x[first], ", is ",
                    y[first], ", must be ", reference::Activate(epilogue, double{x[first]}));
    }
  });
}

TEST_CASE("activations: exact where only selection is involved") {
  const std::vector<float> x = Sweep();
  ForEachTarget([&] {
    for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kClamp}) {
      const Epilogue epilogue{.activation = activation, .low = -1.5f, .high = 4.0f};
      const std::vector<float> y = Activated(epilogue, x);
      for (size_t i = 0; i < x.size(); ++i) {
        if (y[i] != static_cast<float>(reference::Activate(epilogue, double{x[i]}))) FAIL_CHECK("wrong for ", x[i]);
      }
    }
  });
}

TEST_CASE("activations: NaN comes through every one of them, in every lane") {
  ForEachTarget([] {
    for (const Activation activation : kActivations) {
      const std::string name = ActivationName(activation);
      CAPTURE(name);
      size_t wrong = 0;
      for (size_t length = 1; length <= 35; ++length) {
        std::vector<float> x(length, 1.0f);
        x[length / 2] = kNan;
        const std::vector<float> y = Activated({.activation = activation}, x);
        for (size_t i = 0; i < length; ++i) {
          if (std::isnan(y[i]) != (i == length / 2)) ++wrong;
        }
      }
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("activations: infinities have the limits of the formula") {
  ForEachTarget([] {
    for (const Activation activation : kActivations) {
      const std::string name = ActivationName(activation);
      CAPTURE(name);
      const Epilogue epilogue{.activation = activation, .low = -1.0f, .high = 2.0f, .slope = 0.5f};
      const std::vector<float> y = Activated(epilogue, {kInfinity, -kInfinity});
      CHECK(y[0] == static_cast<float>(reference::Activate(epilogue, double{kInfinity})));
      // silu and hard-swish: -inf * 0 has no value; reference/ and kernels may differ in NaN and 0.
      if (activation == Activation::kSilu || activation == Activation::kHardSwish) continue;
      CHECK(y[1] == static_cast<float>(reference::Activate(epilogue, -double{kInfinity})));
    }
  });
}

TEST_CASE("activations: with bias and residual, on whole layers, each layout of the output") {
  for (const Activation activation : kActivations) {
    const ConvLayer<2> layer({.in_channels = 5, .out_channels = 11, .input = {5, 37}, .kernel = {1, 3}},
                             {.integers = false,
                              .bias = true,
                              .residual = true,
                              .epilogue = {.activation = activation, .low = -0.5f, .high = 1.0f, .slope = 0.2f}});
    const auto dense = layer.dense();
    ForEachTarget([&] {
      const std::string name = ActivationName(activation);
      CAPTURE(name);
      const auto plan = PlanConvolution<2>(dense, layer.shape(), layer.epilogue());
      for (const Layout layout : kLayouts) layer.Check(plan, {.y = layout, .residual = layout});
      layer.Check(plan, {.residual_is_y = true});
    });
  }
}

TEST_CASE("activations: leaky relu with slopes of either sign and above 1; clamp to one value and to a half-line") {
  const std::vector<float> x = {-8.0f, -1.0f, -0.0f, 0.0f, 0.5f, 8.0f};
  const Epilogue epilogues[] = {
      {.activation = Activation::kLeakyRelu, .slope = 0.0f},
      {.activation = Activation::kLeakyRelu, .slope = -0.5f},
      {.activation = Activation::kLeakyRelu, .slope = 2.0f},
      {.activation = Activation::kClamp, .low = 1.0f, .high = 1.0f},
      {.activation = Activation::kClamp, .high = kInfinity},
      {.activation = Activation::kClamp, .low = -kInfinity, .high = 0.0f},
  };
  ForEachTarget([&] {
    for (const Epilogue& epilogue : epilogues) {
      const std::vector<float> y = Activated(epilogue, x);
      for (size_t i = 0; i < x.size(); ++i) {
        CHECK(y[i] == static_cast<float>(reference::Activate(epilogue, double{x[i]})));
      }
    }
  });
}

}  // namespace
}  // namespace lacuna::test
