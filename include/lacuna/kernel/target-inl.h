// What a policy may know of the SIMD target being compiled.

#include "lacuna/core/abi.h"

#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_TARGET_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_TARGET_INL_H_
#undef LACUNA_KERNEL_TARGET_INL_H_
#else
#define LACUNA_KERNEL_TARGET_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {

struct Target {
  // Vector registers: 32 on AVX-512 and 64-bit Arm, 16 elsewhere.
  static constexpr int kRegisters = HWY_ARCH_ARM_A64 || (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3) ? 32 : 16;
  static constexpr size_t kMaxLanes = HWY_LANES(float);
};

inline int64_t CompiledTarget() { return HWY_TARGET; }

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
