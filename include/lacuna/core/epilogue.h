// Epilogue: what happens to an accumulator on its way to the output.

#ifndef LACUNA_CORE_EPILOGUE_H_
#define LACUNA_CORE_EPILOGUE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace lacuna::inline LACUNA_ABI {

enum class Activation : uint8_t {
  kNone,       // v
  kRelu,       // max(v, 0)
  kClamp,      // min(max(v, low), high); relu6 is low = 0, high = 6
  kLeakyRelu,  // v < 0 ? slope * v : v
  kSigmoid,    // 1 / (1 + exp(-v))
  kTanh,       // tanh(v)
  kSilu,       // v * sigmoid(v)
  kHardSwish,  // v * min(max(v + 3, 0), 6) / 6
};

inline const char* ActivationName(Activation activation) {
  switch (activation) {
    case Activation::kNone: return "none";
    case Activation::kRelu: return "relu";
    case Activation::kClamp: return "clamp";
    case Activation::kLeakyRelu: return "leaky_relu";
    case Activation::kSigmoid: return "sigmoid";
    case Activation::kTanh: return "tanh";
    case Activation::kSilu: return "silu";
    case Activation::kHardSwish: return "hard_swish";
  }
  return "unknown";
}

// y = activation(accumulator + bias[row] + residual). A row is an output channel, or a row of Y in a GEMM.
struct Epilogue {
  std::span<const float> bias{};  // one value per row, or empty; copied when a plan is made
  Activation activation = Activation::kNone;
  float low = 0.0f;       // kClamp
  float high = 6.0f;      // kClamp, at least low
  float slope = 0.01f;    // kLeakyRelu
  bool residual = false;  // RunArgs::residual is added; it has the extents of the output

  Status Validate(int64_t rows) const {
    if (!bias.empty() && static_cast<int64_t>(bias.size()) != rows) {
      return Status::InvalidArgument("epilogue.bias has %zu values, must have %lld or none", bias.size(),
                                     static_cast<long long>(rows));
    }
    if (activation == Activation::kClamp && !(low <= high)) {
      return Status::InvalidArgument("epilogue.low is %g, must not exceed epilogue.high, %g", static_cast<double>(low),
                                     static_cast<double>(high));
    }
    if (activation == Activation::kLeakyRelu && std::isnan(slope)) {
      return Status::InvalidArgument("epilogue.slope is NaN, must be a number");
    }
    if (static_cast<uint8_t>(activation) > static_cast<uint8_t>(Activation::kHardSwish)) {
      return Status::InvalidArgument("epilogue.activation is %d, must be an Activation", static_cast<int>(activation));
    }
    return Status();
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_EPILOGUE_H_
