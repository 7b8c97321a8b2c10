// Packed weights of matrix-vector products, by the type that they are stored as, made f32 in registers. Compiled once
// per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/core/value_traits.h"

#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_GEMV_WEIGHTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_GEMV_WEIGHTS_INL_H_
#undef LACUNA_KERNEL_GEMV_WEIGHTS_INL_H_
#else
#define LACUNA_KERNEL_GEMV_WEIGHTS_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Stored: an element in memory. Load(d, w): as many as `d` has lanes.
struct WeightsF32 {
  using Stored = float;
  static constexpr ValueType kStorage = ValueType::kF32;

  template <class D>
  static HWY_INLINE hn::Vec<D> Load(D d, const Stored* w) {
    return hn::LoadU(d, w);
  }
};

struct WeightsF16 {
  using Stored = hwy::float16_t;
  static constexpr ValueType kStorage = ValueType::kF16;

  template <class D>
  static HWY_INLINE hn::Vec<D> Load(D d, const Stored* w) {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<Stored, D>(), w));
  }
};

struct WeightsBf16 {
  using Stored = uint16_t;
  static constexpr ValueType kStorage = ValueType::kBf16;

  template <class D>
  static HWY_INLINE hn::Vec<D> Load(D d, const Stored* w) {
    const hn::RebindToUnsigned<D> du;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(hn::Rebind<Stored, D>(), w))));
  }
};

struct WeightsS8 {
  using Stored = int8_t;
  static constexpr ValueType kStorage = ValueType::kS8;

  template <class D>
  static HWY_INLINE hn::Vec<D> Load(D d, const Stored* w) {
    const hn::RebindToSigned<D> di;
    return hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(hn::Rebind<Stored, D>(), w)));
  }
};

// The same one by one: `count` floats, a multiple of four, in `room` unless they are floats as stored.
template <class W>
HWY_INLINE const float* AsFloats(const typename W::Stored* HWY_RESTRICT w, size_t count, float* HWY_RESTRICT room) {
  const hn::CappedTag<float, 4> d;
  for (size_t i = 0; i < count; i += hn::MaxLanes(d)) hn::StoreU(W::Load(d, w + i), d, room + i);
  return room;
}
template <>
HWY_INLINE const float* AsFloats<WeightsF32>(const float* HWY_RESTRICT w, size_t, float* HWY_RESTRICT) {
  return w;
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
