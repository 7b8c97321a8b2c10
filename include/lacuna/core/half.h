// f16 (IEEE binary16) and bf16 (the upper half of an f32) as bits.

#ifndef LACUNA_CORE_HALF_H_
#define LACUNA_CORE_HALF_H_

#include "lacuna/core/abi.h"

#include <bit>
#include <cstdint>

namespace lacuna::inline LACUNA_ABI {

// To nearest, ties to even; what is too large becomes infinite. NaN stays one.
inline uint16_t F16BitsOf(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u;
  } else if (magnitude >= 0x47800000u) {  // 2^16
    half = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // 2^-14: subnormal, and the sum below rounds to a multiple of 2^-24
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - std::bit_cast<uint32_t>(0.5f);
  } else {
    const uint32_t rebiased = magnitude - (uint32_t{127 - 15} << 23);
    half = (rebiased + 0xfffu + (rebiased >> 13 & 1u)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}

inline float F32OfF16Bits(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16, exponent = half >> 10 & 0x1fu, mantissa = half & 0x3ffu;
  if (exponent == 0) {
    const float subnormal = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(subnormal));
  }
  const uint32_t wide = exponent == 31 ? 255u : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

// Likewise.
inline uint16_t Bf16BitsOf(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

inline float F32OfBf16Bits(uint16_t half) { return std::bit_cast<float>(uint32_t{half} << 16); }

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_HALF_H_
