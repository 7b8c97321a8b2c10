// Lookups in registers that Highway 1.0.3 has no names for. Compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/target-inl.h"

#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_LOOKUP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_LOOKUP_INL_H_
#undef LACUNA_KERNEL_LOOKUP_INL_H_
#else
#define LACUNA_KERNEL_LOOKUP_INL_H_
#endif

#include "hwy/highway.h"

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3  // AVX-512 and what came after
HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats16 = hn::Vec512<float>;
using Words16 = hn::Vec512<uint32_t>;

// Lane i is lane index[i] % 32 of `low` and `high`, one behind the other.
HWY_INLINE Floats16 LookUp32(Floats16 low, Floats16 high, Words16 index) {
  return Floats16{_mm512_permutex2var_ps(low.raw, index.raw, high.raw)};
}

// Lane i is lane index[i] % 4 of the 128 bits it is in, or zero.
HWY_INLINE Floats16 LookUp4Or0(hn::Mask512<float> keep, Floats16 v, Words16 index) {
  return Floats16{_mm512_maskz_permutevar_ps(keep.raw, v.raw, index.raw)};
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();
#endif

#endif  // per-target include guard
