// How far a float layer may be from its reference in double precision.

#ifndef LACUNA_EXAMPLES_GRAPH_ROUNDING_H_
#define LACUNA_EXAMPLES_GRAPH_ROUNDING_H_

#include "lacuna/core/epilogue.h"
#include "lacuna/policy/winograd.h"
#include "lacuna/reference/rounded.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

namespace graph {

using lacuna::reference::Gamma;
using lacuna::reference::kUnitRoundoff;

// The tile of a plan's algorithm, "winograd 4x4" say; null if it is none.
inline const lacuna::WinogradTile* WinogradTileOf(std::string_view algorithm) {
  for (const lacuna::NamedWinogradTile& named : lacuna::kWinogradTiles) {
    const std::string_view name = named.name;  // what follows it, if anything, names the product
    if (algorithm == name || (algorithm.starts_with(name) && algorithm[name.size()] == ' ')) return &named.tile;
  }
  return nullptr;
}

// The bound on |float result - reference| of activation(sum of `depth` products + bias + residual), with A = sum |w|
// |x| + |bias| + |residual|:
//   slope * Gamma(depth + 2) * A + roundings * u * max(1, A) + u * |reference|
// `slope` is the steepest slope of the activation,
// `roundings` covers its own arithmetic; an exponential counts as 4 ulp. In Winograd form the error of the sum comes
// from policy/winograd.h instead:
//   slope * (sum_error + gamma_2 * A) + ...
class RoundingBound {
 public:
  RoundingBound(int64_t depth, const lacuna::Epilogue& epilogue) : gamma_(Gamma(depth + 2)) {
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

  // Of a layer in Winograd form with so many channels in a group; `product` is max |w| * max |x|.
  RoundingBound(const lacuna::WinogradTile& tile, int64_t channels, double product, const lacuna::Epilogue& epilogue)
      : RoundingBound(0, epilogue) {
    sum_error_ = Gamma(channels + 40) * static_cast<double>(channels) * product * lacuna::WinogradAmplification(tile);
  }

  // |actual - expected| over the bound; infinity if only one of them is a number.
  double Ratio(float actual, float expected, double magnitude) const {
    const double difference = std::abs(double{actual} - double{expected});
    if (difference == 0.0 || (std::isnan(actual) && std::isnan(expected))) return 0.0;
    const double bound = slope_ * (sum_error_ + gamma_ * magnitude) +
                         roundings_ * kUnitRoundoff * std::max(1.0, magnitude) +
                         kUnitRoundoff * std::abs(double{expected});
    const double ratio = difference / bound;
    return std::isnan(ratio) ? std::numeric_limits<double>::infinity() : ratio;
  }

 private:
  double gamma_ = 0.0;
  double sum_error_ = 0.0;
  double slope_ = 1.0;
  double roundings_ = 0.0;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_ROUNDING_H_
