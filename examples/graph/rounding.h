// How far a float layer may be from its reference in double precision.

#ifndef LACUNA_EXAMPLES_GRAPH_ROUNDING_H_
#define LACUNA_EXAMPLES_GRAPH_ROUNDING_H_

#include "lacuna/core/epilogue.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace graph {

// The bound on |float result - reference| of activation(sum of `depth` products + bias + residual), with A = sum |w|
// |x| + |bias| + |residual| and u = 2^-24:
//   slope * gamma_{depth + 2} * A + roundings * u * max(1, A) + u * |reference|,    gamma_k = k u / (1 - k u)
// (Higham, Accuracy and Stability of Numerical Algorithms, 3.1). `slope` is the steepest slope of the activation,
// `roundings` covers its own arithmetic; an exponential counts as 4 ulp.
class RoundingBound {
 public:
  RoundingBound(int64_t depth, const lacuna::Epilogue& epilogue) {
    const double ku = static_cast<double>(depth + 2) * kUnit;
    gamma_ = ku / (1.0 - ku);
    switch (epilogue.activation) {
      case lacuna::Activation::kNone:
      case lacuna::Activation::kRelu:
      case lacuna::Activation::kClamp: break;
      case lacuna::Activation::kLeakyRelu: slope_ = roundings_ = std::max(1.0, std::abs(double{epilogue.slope})); break;
      case lacuna::Activation::kHardSwish:
        slope_ = 1.5;
        roundings_ = 6.0;
        break;
      case lacuna::Activation::kSigmoid:
      case lacuna::Activation::kTanh:
      case lacuna::Activation::kSilu:
        slope_ = 1.1;
        roundings_ = 16.0;
        break;
    }
  }

  // |actual - expected| over the bound; infinity if only one of them is a number.
  double Ratio(float actual, float expected, double magnitude) const {
    const double difference = std::abs(double{actual} - double{expected});
    if (difference == 0.0 || (std::isnan(actual) && std::isnan(expected))) return 0.0;
    const double bound = slope_ * gamma_ * magnitude + roundings_ * kUnit * std::max(1.0, magnitude) +
                         kUnit * std::abs(double{expected});
    const double ratio = difference / bound;
    return std::isnan(ratio) ? std::numeric_limits<double>::infinity() : ratio;
  }

 private:
  static constexpr double kUnit = 0x1p-24;

  double gamma_ = 0.0;
  double slope_ = 1.0;
  double roundings_ = 0.0;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_ROUNDING_H_
