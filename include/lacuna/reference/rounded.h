// Rounded: numbers that carry a bound of their rounding errors through a computation, in place of a tolerance.

#ifndef LACUNA_REFERENCE_ROUNDED_H_
#define LACUNA_REFERENCE_ROUNDED_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/reference/recurrent.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace lacuna::inline LACUNA_ABI::reference {

// u, half the distance from 1 to the next float.
inline constexpr double kUnitRoundoff = 0x1p-24;

// gamma_k = k u / (1 - k u): the relative error of k roundings (Higham, Accuracy and Stability of Numerical
// Algorithms, 3.1).
inline double Gamma(int64_t k) {
  const double ku = static_cast<double>(k) * kUnitRoundoff;
  return ku / (1.0 - ku);
}

// The exact value of an expression, and by how much at most its value in float differs, whatever the order of sums and
// whether multiply-adds are fused: the Number of RecurrentCell.
struct Rounded {
  double value = 0.0;
  double error = 0.0;

  Rounded() = default;
  explicit Rounded(double v, double e = 0.0) : value(v), error(e) {}

  double largest() const { return std::abs(value) + error; }

  // |actual - value| over the bound; infinity if only one of them is a number.
  double Ratio(float actual) const {
    const double difference = std::abs(double{actual} - value);
    if (difference == 0.0 || double{actual} == value || (std::isnan(actual) && std::isnan(value))) return 0.0;
    const double ratio = difference / error;
    return std::isnan(ratio) ? std::numeric_limits<double>::infinity() : ratio;
  }
};

// A result of `roundings` roundings, each relative to a value of at most `largest`.
inline Rounded RoundedTo(double value, double error, double roundings, double largest) {
  const double smallest = double{std::numeric_limits<float>::min()};  // below it floats are less exact
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

inline Rounded Clip(const Rounded& v, double clip) { return Rounded(Clip(v.value, clip), v.error); }

// Gamma(n + 2) (|bias| + sum |w| |x|), and what the errors of x add.
inline Rounded Affine(float bias, const float* w, const Rounded* x, int64_t n) {
  double sum = 0.0, error = 0.0, magnitude = std::abs(double{bias});
  for (int64_t i = 0; i < n; ++i) {
    const double weight = double{w[i]};
    if (weight == 0.0) continue;
    sum += weight * x[i].value;
    error += std::abs(weight) * x[i].error;
    magnitude += std::abs(weight) * x[i].largest();
  }
  return Rounded(sum + double{bias}, error + Gamma(n + 2) * magnitude);
}

// Errors of the argument times the largest slope of the function, and of its own arithmetic: an ulp is up to two units
// of roundoff, see kernel/recurrent-inl.h.
inline Rounded Activate(const GateFunction& function, const Rounded& v) {
  const double alpha = std::abs(double{function.alpha}), beta = std::abs(double{function.beta});
  const double y = Activate(function, v.value);
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

LACUNA_INSTANCE(class LACUNA_API RecurrentCell<Rounded, RnnOptions>);
LACUNA_INSTANCE(class LACUNA_API RecurrentCell<Rounded, GruOptions>);
LACUNA_INSTANCE(class LACUNA_API RecurrentCell<Rounded, LstmOptions>);
LACUNA_INSTANCE(LACUNA_API Status Recurrent(const RecurrentWeights&, const RnnOptions&, Direction,
                                            std::span<const int32_t>, const TensorView<const float, 3>&,
                                            const TensorView<Rounded, 3>&, const MatrixView<Rounded>&,
                                            const MatrixView<Rounded>&));
LACUNA_INSTANCE(LACUNA_API Status Recurrent(const RecurrentWeights&, const GruOptions&, Direction,
                                            std::span<const int32_t>, const TensorView<const float, 3>&,
                                            const TensorView<Rounded, 3>&, const MatrixView<Rounded>&,
                                            const MatrixView<Rounded>&));
LACUNA_INSTANCE(LACUNA_API Status Recurrent(const RecurrentWeights&, const LstmOptions&, Direction,
                                            std::span<const int32_t>, const TensorView<const float, 3>&,
                                            const TensorView<Rounded, 3>&, const MatrixView<Rounded>&,
                                            const MatrixView<Rounded>&));

}  // namespace lacuna::inline LACUNA_ABI::reference

#endif  // LACUNA_REFERENCE_ROUNDED_H_
