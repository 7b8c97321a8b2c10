// CheckClose: compares results with reference/ under the rounding-error bound of the computation, not a tuned epsilon.

#ifndef LACUNA_TESTS_SUPPORT_ERROR_BOUND_H_
#define LACUNA_TESTS_SUPPORT_ERROR_BOUND_H_

#include "lacuna/core/epilogue.h"
#include "lacuna/core/view.h"
#include "lacuna/reference/rounded.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <type_traits>

namespace lacuna::test {

using reference::Gamma;
using reference::kUnitRoundoff;

// What |actual - expected| may be for an output whose sum |w| |x| is `magnitude`. With A = magnitude +
// epilogue_magnitude:
//   slope * gamma_{depth + 2} * A        `depth` products summed in any order, then bias and residual
//   + activation_roundings * u * max(1, A)   the activation's own arithmetic
//   + u * |expected|                     reference/ rounds its result to float
//   + slope * algorithm                  what a Winograd convolution may add
struct ErrorBound {
  int64_t depth = 0;                // K: products in a sum, at most
  double epilogue_magnitude = 0.0;  // |bias| + |residual|, at most
  double slope = 1.0;               // of the activation, at most
  double activation_roundings = 0.0;
  double algorithm = 0.0;

  double operator()(double expected, double magnitude) const {
    const double total = magnitude + epilogue_magnitude;
    return slope * Gamma(depth + 2) * total + activation_roundings * kUnitRoundoff * std::max(1.0, total) +
           kUnitRoundoff * std::abs(expected) + slope * algorithm;
  }
};

// The bound for sums of `depth` products followed by `epilogue`; `residual_magnitude` bounds |residual|.
inline ErrorBound BoundOf(int64_t depth, const Epilogue& epilogue = {}, double residual_magnitude = 0.0) {
  ErrorBound bound{.depth = depth, .epilogue_magnitude = epilogue.residual ? residual_magnitude : 0.0};
  double bias = 0.0;
  for (const float value : epilogue.bias) bias = std::max(bias, std::abs(double{value}));
  bound.epilogue_magnitude += bias;
  switch (epilogue.activation) {
    case Activation::kNone:
    case Activation::kRelu:
    case Activation::kClamp: break;
    case Activation::kLeakyRelu:
      bound.slope = std::max(1.0, std::abs(double{epilogue.slope}));
      bound.activation_roundings = bound.slope;
      break;
    case Activation::kHardSwish:
      bound.slope = 1.5;               // at v = 3, from below
      bound.activation_roundings = 6;  // add, product and quotient or product with 1/6f, each of up to 2 |v|
      break;
    case Activation::kSigmoid:
    case Activation::kTanh:
    case Activation::kSilu:
      bound.slope = 1.1;                // silu; the others stay at 1
      bound.activation_roundings = 16;  // an exponential of 4 ulp (8 u), doubled for the quotient around it
      break;
  }
  return bound;
}

// Collects comparisons and reports them as one doctest check, with the first offender's index and values.
class Comparison {
 public:
  explicit Comparison(const ErrorBound& bound) : bound_(bound) {}

  template <class IndexToString>
  void Add(float actual, float expected, double magnitude, const IndexToString& index) {
    const double difference = std::abs(double{actual} - double{expected});
    const double allowed = bound_(expected, magnitude);
    ++count_;
    // Negated so that a NaN in either value counts as wrong.
    if (!(difference <= allowed) && wrong_++ == 0) {
      message_ = "at " + index() + ": is " + std::to_string(actual) + ", must be " + std::to_string(expected) +
                 "; difference " + Scientific(difference) + ", allowed " + Scientific(allowed);
    }
  }

  void Report() const {
    CHECK_MESSAGE(wrong_ == 0, wrong_, " of ", count_, " outputs are wrong; the first ", message_);
  }

 private:
  static std::string Scientific(double value) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.3e", value);
    return text;
  }

  ErrorBound bound_;
  int64_t count_ = 0;
  int64_t wrong_ = 0;
  std::string message_;
};

// Every element of `actual` against `expected`; `magnitude` is what reference/ returned.
template <int kRank>
void CheckClose(const TensorView<const float, kRank>& actual, const TensorView<const float, kRank>& expected,
                const TensorView<const double, kRank>& magnitude, const ErrorBound& bound) {
  REQUIRE(actual.extent == expected.extent);
  REQUIRE(actual.extent == magnitude.extent);
  Comparison comparison(bound);
  for (const int64_t extent : actual.extent) {
    if (extent == 0) return;
  }
  const auto offset = [](const Extents<kRank>& stride, const Extents<kRank>& index) {
    int64_t sum = 0;
    for (int axis = 0; axis < kRank; ++axis) sum += stride[axis] * index[axis];
    return sum;
  };
  Extents<kRank> index{};
  for (int axis = kRank - 1; axis >= 0;) {
    comparison.Add(actual.data[offset(actual.stride, index)], expected.data[offset(expected.stride, index)],
                   magnitude.data[offset(magnitude.stride, index)], [&] {
                     std::string text = "[";
                     for (const int64_t i : index) text += (text.size() > 1 ? ", " : "") + std::to_string(i);
                     return text + "]";
                   });
    for (axis = kRank - 1; axis >= 0 && ++index[axis] == actual.extent[axis]; --axis) index[axis] = 0;
  }
  comparison.Report();
}

inline void CheckClose(const MatrixView<const float>& actual, const MatrixView<const float>& expected,
                       const MatrixView<const double>& magnitude, const ErrorBound& bound) {
  const auto tensor = [](const auto& matrix) {
    return TensorView<std::remove_pointer_t<decltype(matrix.data)>, 2>{
        matrix.data, {matrix.rows, matrix.columns}, {matrix.row_stride, matrix.column_stride}};
  };
  CheckClose<2>(tensor(actual), tensor(expected), tensor(magnitude), bound);
}

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_ERROR_BOUND_H_
