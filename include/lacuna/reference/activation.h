// Activations in double precision: the definition of correct.

#ifndef LACUNA_REFERENCE_ACTIVATION_H_
#define LACUNA_REFERENCE_ACTIVATION_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"

#include <algorithm>
#include <cmath>

namespace lacuna::inline LACUNA_ABI::reference {

// activation(v) of an Epilogue, in double.
inline double Activate(const Epilogue& epilogue, double v) {
  switch (epilogue.activation) {
    case Activation::kNone: return v;
    case Activation::kRelu: return v > 0.0 || std::isnan(v) ? v : 0.0;
    case Activation::kClamp: return std::isnan(v) ? v : std::clamp(v, double{epilogue.low}, double{epilogue.high});
    case Activation::kLeakyRelu: return v < 0.0 ? double{epilogue.slope} * v : v;
    case Activation::kSigmoid: return 1.0 / (1.0 + std::exp(-v));
    case Activation::kTanh: return std::tanh(v);
    case Activation::kSilu: return v / (1.0 + std::exp(-v));
    case Activation::kHardSwish: return v * std::clamp(v + 3.0, 0.0, 6.0) / 6.0;
  }
  return v;
}

}  // namespace lacuna::inline LACUNA_ABI::reference

#endif  // LACUNA_REFERENCE_ACTIVATION_H_
