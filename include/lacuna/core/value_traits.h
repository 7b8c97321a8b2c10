// ValueTraits: the types of a product by those of its operands.

#ifndef LACUNA_CORE_VALUE_TRAITS_H_
#define LACUNA_CORE_VALUE_TRAITS_H_

#include "lacuna/core/abi.h"

#include <array>
#include <cstdint>
#include <type_traits>

namespace lacuna::inline LACUNA_ABI {

// Types of activations, weights and outputs as run-time values. f16, bf16 and s4 are types of weights that are stored
// (pack/narrow_gemv.h), not yet of activations.
enum class ValueType : uint8_t { kF32, kU8, kS8, kF16, kBf16, kS4 };

inline const char* ValueTypeName(ValueType type) {
  switch (type) {
    case ValueType::kF32: return "f32";
    case ValueType::kU8: return "u8";
    case ValueType::kS8: return "s8";
    case ValueType::kF16: return "f16";
    case ValueType::kBf16: return "bf16";
    case ValueType::kS4: return "s4";
  }
  return "unknown";
}

// Types of a product: activations, stored weights, sums. One specialisation for each pair that is supported.
template <class ActivationType, class WeightType>
struct ValueTraits;

template <>
struct ValueTraits<float, float> {
  using Weight = float;
  using Accumulator = float;
  static constexpr int kColumnGroup = 1;      // columns that one multiply-add consumes for a row
  static constexpr bool kWeightSums = false;  // whether sums of weights are folded into the bias
};

// Of u8 and s8 activations alike: which of the two an instruction takes depends on the target (kernel/multiply-inl.h),
// and packing the input makes the one from the other.
template <>
struct ValueTraits<uint8_t, int8_t> {
  using Weight = int8_t;
  using Accumulator = int32_t;
  static constexpr int kColumnGroup = 4;
  static constexpr bool kWeightSums = true;
};

using F32Traits = ValueTraits<float, float>;
using Int8Traits = ValueTraits<uint8_t, int8_t>;

// A row's weights of a group of columns, as packed weights hold them.
template <class Traits>
using WeightGroup = std::conditional_t<Traits::kColumnGroup == 1, typename Traits::Weight,
                                       std::array<typename Traits::Weight, Traits::kColumnGroup>>;

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_VALUE_TRAITS_H_
