// float16 and bfloat16 as models store them.

#ifndef LACUNA_EXAMPLES_GRAPH_HALF_H_
#define LACUNA_EXAMPLES_GRAPH_HALF_H_

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace graph {

// IEEE binary16.
inline float HalfToFloat(uint16_t bits) {
  const float sign = (bits & 0x8000u) != 0 ? -1.0f : 1.0f;
  const int exponent = (bits >> 10) & 0x1f;
  const auto mantissa = static_cast<float>(bits & 0x3ffu);
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  if (exponent == 31) return mantissa == 0.0f ? sign * std::numeric_limits<float>::infinity() : NAN;
  return sign * std::ldexp(1024.0f + mantissa, exponent - 25);
}

inline float Bfloat16ToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// The nearest value with a significand of `bits` bits above 2^least_exponent, ties to even.
inline float RoundedToBits(float x, int bits, int least_exponent) {
  if (!std::isfinite(x) || x == 0.0f) return x;
  int exponent = 0;
  (void)std::frexp(x, &exponent);  // |x| in [2^(exponent - 1), 2^exponent)
  const int unit = (exponent - bits < least_exponent ? least_exponent : exponent - bits);
  return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(double{x}, -unit)), unit));
}

inline float RoundedToHalf(float x) {
  const float rounded = RoundedToBits(x, 11, -24);
  return std::abs(rounded) > 65504.0f ? std::copysign(std::numeric_limits<float>::infinity(), x) : rounded;
}

inline float RoundedToBfloat16(float x) { return RoundedToBits(x, 8, -133); }

inline uint16_t FloatToHalf(float x) {
  const float rounded = RoundedToHalf(x);
  const uint32_t sign = std::signbit(x) ? 0x8000u : 0u;
  if (std::isnan(x)) return static_cast<uint16_t>(sign | 0x7e00u);
  if (std::isinf(rounded)) return static_cast<uint16_t>(sign | 0x7c00u);
  const float magnitude = std::abs(rounded);
  if (magnitude < 6.103515625e-05f)
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::ldexp(magnitude, 24)));
  const uint32_t bits = std::bit_cast<uint32_t>(magnitude);
  return static_cast<uint16_t>(sign | (((bits >> 23) - 112) << 10) | ((bits >> 13) & 0x3ffu));
}

inline uint16_t FloatToBfloat16(float x) {
  if (std::isnan(x)) return 0x7fc0u;
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(RoundedToBfloat16(x)) >> 16);
}

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_HALF_H_
