// Rounded: numbers that carry a bound of their rounding errors through a whole recurrence, in place of a tolerance.

#ifndef LACUNA_TESTS_SUPPORT_ROUNDED_H_
#define LACUNA_TESTS_SUPPORT_ROUNDED_H_

#include "lacuna/core/recurrent.h"
#include "lacuna/reference/recurrent.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tests/support/error_bound.h"

namespace lacuna::test {

// The exact value of an expression, and by how much at most its value in float differs, whatever the order of sums and
// whether multiply-adds are fused: the Number of reference::RecurrentCell.
struct Rounded {
  double value = 0.0;
  double error = 0.0;

  Rounded() = default;
  explicit Rounded(double v, double e = 0.0) : value(v), error(e) {}

  double largest() const { return std::abs(value) + error; }
};

// A result of `roundings` roundings, each relative to a value of at most `largest`.
inline Rounded RoundedTo(double value, double error, double roundings, double largest) {
  const double smallest = double{std::numeric_limits<float>::min()};
  return Rounded(value, error + roundings * kUnitRoundoff * largest + smallest);
}
inline Rounded operator+(const Rounded& a, const Rounded& b) {
  return RoundedTo(a.value + b.value, a.error + b.error, 1, std::abs(a.value + b.value) + a.error + b.error);
}
inline Rounded operator-(const Rounded& a, const Rounded& b) { return a + Rounded(-b.value, b.error); }
inline Rounded operator*(const Rounded& a, const Rounded& b) {
  return RoundedTo(a.value * b.value, a.largest() * b.error + std::abs(b.value) * a.error, 1,
                   a.largest() * b.largest());
}

inline Rounded Clip(const Rounded& v, double clip) { return Rounded(reference::Clip(v.value, clip), v.error); }

// gamma_{n + 2} (|bias| + sum |w| |x|), and what the errors of x add.
inline Rounded Affine(float bias, const float* w, const Rounded* x, int64_t n) {
  double sum = 0.0, error = 0.0, magnitude = std::abs(double{bias});
  for (int64_t i = 0; i < n; ++i) {
    sum += double{w[i]} * x[i].value;
    error += std::abs(double{w[i]}) * x[i].error;
    magnitude += std::abs(double{w[i]}) * x[i].largest();
  }
  return Rounded(sum + double{bias}, error + Gamma(n + 2) * magnitude);
}

// Errors of the arguments, times the largest slope of the function, and of its own arithmetic: an ulp is up to two
// units of roundoff, see kernel/recurrent-inl.h.
inline Rounded Activate(const GateFunction& function, const Rounded& v) {
  const double alpha = std::abs(double{function.alpha}), beta = std::abs(double{function.beta});
  const double y = reference::Activate(function, v.value);
  const auto result = [&](double slope, double roundings) {
    return RoundedTo(y, slope * v.error, roundings, std::abs(y) + slope * v.error);
  };
  const auto line = [&] { return RoundedTo(y, alpha * v.error, 2, alpha * v.largest() + beta); };
  switch (function.activation) {
    case GateActivation::kRelu: return result(1, 0);
    case GateActivation::kTanh: return result(1, 8);
    case GateActivation::kSigmoid: return result(0.25, 6);
    case GateActivation::kAffine: return line();
    case GateActivation::kLeakyRelu: return result(std::max(1.0, alpha), 1);
    case GateActivation::kThresholdedRelu:
      // Not continuous: an argument that may lie on either side of the threshold yields anything.
      return std::abs(v.value - double{function.alpha}) > v.error ? result(1, 0) : Rounded(y, v.largest() + alpha);
    case GateActivation::kScaledTanh: return RoundedTo(y, alpha * beta * v.error, 10, alpha * (beta * v.largest() + 1));
    case GateActivation::kHardSigmoid: return line();
    case GateActivation::kElu: return result(std::max(1.0, alpha), 10);
    case GateActivation::kSoftsign: return result(1, 4);
    case GateActivation::kSoftplus: return result(1, 8);
  }
  return v;
}

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_ROUNDED_H_
