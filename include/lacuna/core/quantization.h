// Quantization: how integers stand for real numbers, and what happens to an integer sum on its way to the output.

#ifndef LACUNA_CORE_QUANTIZATION_H_
#define LACUNA_CORE_QUANTIZATION_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/status.h"
#include "lacuna/core/value_traits.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// The integer q stands for scale * (q - zero_point). Of f32 tensors scale and zero_point are not looked at.
struct Quantization {
  ValueType type = ValueType::kU8;
  float scale = 1.0f;
  int32_t zero_point = 0;

  int32_t lowest() const { return type == ValueType::kS8 ? -128 : 0; }
  int32_t highest() const { return type == ValueType::kS8 ? 127 : 255; }

  Status Validate(const char* name) const {
    if (type == ValueType::kF32) return Status();
    if (type != ValueType::kU8 && type != ValueType::kS8) {
      return Status::InvalidArgument("%s.type is %d, must be a ValueType", name, static_cast<int>(type));
    }
    // Not a denormal: quotients of scales must be finite.
    if (!(scale >= std::numeric_limits<float>::min() && scale <= std::numeric_limits<float>::max())) {
      return Status::InvalidArgument("%s.scale is %g, must be positive and normal", name, static_cast<double>(scale));
    }
    if (zero_point < lowest() || zero_point > highest()) {
      return Status::InvalidArgument("%s.zero_point is %d, must be in [%d, %d] for %s", name, zero_point, lowest(),
                                     highest(), ValueTypeName(type));
    }
    return Status();
  }
};

// What a quantised layer is besides its geometry and its weights. All but the sum is f32, each operation
// rounded to nearest even by itself (no fused multiply-add):
//
//   sum  = bias[row] + sum over k of (x[k] - x.zero_point) * w[row, k]          integers modulo 2^32
//   m    = x.scale * weight_scale[row] / y.scale                                one rounding
//   v    = f32(sum) * m + f32(r - residual.zero_point) * (residual.scale / y.scale)
//   y    = saturate(round(clamp(v, low / y.scale, high / y.scale)) + y.zero_point)
//
// with the bounds of the activation, and without the term of r if there is no residual. If y is f32, y.scale is 1, r is
// added as it is, and y is what the clamp gives. Terms are held to [-2^30, 2^30], or of f32 outputs to finite numbers,
// before they are added or rounded. The output is the same bits on every SIMD target, and what ONNX's QLinearConv
// yields; reference/quantized.h is the definition.
struct QuantizedEpilogue {
  Quantization x{};
  std::span<const float> weight_scale{};  // one a row, or one for all; weights have no zero point
  std::span<const int32_t> bias{};        // one a row or none, in units of x.scale * weight_scale; copied
  Quantization y{};
  Activation activation = Activation::kNone;  // kNone, kRelu or kClamp
  float low = 0.0f, high = 6.0f;              // kClamp, real numbers
  bool has_residual = false;
  Quantization residual{};  // of integers if y is of integers, else f32

  Status Validate(int64_t rows) const;
};

inline Status QuantizedEpilogue::Validate(int64_t rows) const {
  LACUNA_RETURN_IF_ERROR(x.Validate("epilogue.x"));
  if (x.type == ValueType::kF32) return Status::InvalidArgument("epilogue.x.type is f32, must be u8 or s8");
  LACUNA_RETURN_IF_ERROR(y.Validate("epilogue.y"));
  if (weight_scale.size() != 1 && static_cast<int64_t>(weight_scale.size()) != rows) {
    return Status::InvalidArgument("epilogue.weight_scale has %zu values, must have 1 or %lld", weight_scale.size(),
                                   static_cast<long long>(rows));
  }
  for (size_t i = 0; i < weight_scale.size(); ++i) {
    const double multiplier =
        double{x.scale} * double{weight_scale[i]} / (y.type == ValueType::kF32 ? 1.0 : double{y.scale});
    if (!(weight_scale[i] > 0.0f) || !(multiplier < double{std::numeric_limits<float>::max()})) {
      return Status::InvalidArgument(
          "epilogue.weight_scale[%zu] is %g, must be positive and x.scale times it over "
          "y.scale be finite",
          i, static_cast<double>(weight_scale[i]));
    }
  }
  if (!bias.empty() && static_cast<int64_t>(bias.size()) != rows) {
    return Status::InvalidArgument("epilogue.bias has %zu values, must have %lld or none", bias.size(),
                                   static_cast<long long>(rows));
  }
  if (activation != Activation::kNone && activation != Activation::kRelu && activation != Activation::kClamp) {
    return Status::Make(StatusCode::kUnsupported, "epilogue.activation is %s, must be none, relu or clamp",
                        ActivationName(activation));
  }
  if (activation == Activation::kClamp && !(low <= high)) {
    return Status::InvalidArgument("epilogue.low is %g, must not exceed epilogue.high, %g", static_cast<double>(low),
                                   static_cast<double>(high));
  }
  if (!has_residual) return Status();
  LACUNA_RETURN_IF_ERROR(residual.Validate("epilogue.residual"));
  if ((residual.type == ValueType::kF32) != (y.type == ValueType::kF32)) {
    return Status::InvalidArgument("epilogue.residual.type is %s, must be f32 exactly if y.type is, which is %s",
                                   ValueTypeName(residual.type), ValueTypeName(y.type));
  }
  if (residual.type == ValueType::kF32) return Status();
  if (!(double{residual.scale} / double{y.scale} < double{std::numeric_limits<float>::max()})) {
    return Status::InvalidArgument("epilogue.residual.scale is %g, over y.scale it must be finite",
                                   static_cast<double>(residual.scale));
  }
  return Status();
}

// A QuantizedEpilogue as numbers that the store works with.
struct Requantization {
  // In units of the output: clamps before the zero point is added.
  float low = 0.0f, high = 0.0f;
  float residual_scale = 1.0f;
  float most_term = 0.0f;

  static float Multiplier(const QuantizedEpilogue& epilogue, int64_t row) {
    const float weight = epilogue.weight_scale[epilogue.weight_scale.size() == 1 ? 0 : static_cast<size_t>(row)];
    const double unit = epilogue.y.type == ValueType::kF32 ? 1.0 : double{epilogue.y.scale};
    return static_cast<float>(double{epilogue.x.scale} * double{weight} / unit);
  }

  static Requantization Of(const QuantizedEpilogue& epilogue) {
    Requantization values;
    const bool real = epilogue.y.type == ValueType::kF32;
    const double unit = real ? 1.0 : double{epilogue.y.scale};
    double low = -double{std::numeric_limits<float>::infinity()}, high = -low;
    if (epilogue.activation == Activation::kRelu) low = 0.0;
    if (epilogue.activation == Activation::kClamp) {
      low = double{epilogue.low} / unit;
      high = double{epilogue.high} / unit;
    }
    if (!real) {
      const double lowest = epilogue.y.lowest() - epilogue.y.zero_point;
      const double highest = epilogue.y.highest() - epilogue.y.zero_point;
      low = low > highest ? highest : low < lowest ? lowest : low;
      high = high > highest ? highest : high < lowest ? lowest : high;
    }
    // Larger terms cannot change an integer output, and sums of two are in the range of int32.
    values.most_term = real ? std::numeric_limits<float>::max() : 1073741824.0f;
    values.low = static_cast<float>(low);
    values.high = static_cast<float>(high);
    if (epilogue.has_residual && !real) {
      values.residual_scale = static_cast<float>(double{epilogue.residual.scale} / unit);
    }
    return values;
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_QUANTIZATION_H_
