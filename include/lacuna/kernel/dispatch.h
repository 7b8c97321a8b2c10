// The kernels, compiled in the including translation unit for every SIMD target, with run-time dispatch.
//
// See lacuna/kernels.h. The first lines have no include guard because a unit that compiles code of its own per SIMD
// target must see them once per target.

#include "lacuna/core/abi.h"

// Every SIMD target adds one to three seconds to a header-only unit, so there CPUs without AVX2 take the fallback, unless
// flags of the unit allow more. Define HWY_DISABLED_TARGETS as 0 to compile all targets, as lacuna::compiled does, or
// as Highway's bits of those to be left out.
#if !defined(LACUNA_COMPILED) && !defined(HWY_DISABLED_TARGETS)
#define HWY_DISABLED_TARGETS ((HWY_SSSE3 | HWY_SSE4) & ~(HWY_BASELINE_TARGETS))
#endif
#include "hwy/detect_targets.h"
#if HWY_TARGETS != HWY_STATIC_TARGET && !defined(HIGHWAY_HWY_FOREACH_TARGET_H_)
#ifdef HWY_HIGHWAY_INCLUDED
#error "Include lacuna/kernels.h and the headers that include it before hwy/highway.h (or after hwy/foreach_target.h)."
#endif
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lacuna/kernel/kernels-inl.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#endif
#include "lacuna/kernel/kernels-inl.h"

#if HWY_ONCE && !defined(LACUNA_KERNEL_DISPATCH_H_)
#define LACUNA_KERNEL_DISPATCH_H_

#ifdef LACUNA_BASELINE
#error "Include lacuna/kernels.h before the other headers of lacuna."
#endif
// The inline namespace of what depends on the compiled targets: translation units that compile others do not share it.
#define LACUNA_BASELINE LACUNA_TARGET_LIST

#include "lacuna/core/dispatch.h"
#include "lacuna/core/target_list.h"
#include "lacuna/kernel/int8_table.h"
#include "lacuna/kernel/table.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/policy/machine.h"
#include "lacuna/policy/policy.h"

#include <cstdint>

namespace lacuna::inline LACUNA_ABI {
inline namespace LACUNA_BASELINE {

// Of this unit, on the SIMD target that is active now.
namespace here {

#ifdef LACUNA_TARGET_TABLE
template <class P>
inline constexpr const KernelTable& (*kKernelTables[HWY_MAX_DYNAMIC_TARGETS + 2])() = LACUNA_TARGET_TABLE(Kernels<P>);
template <class P>
inline constexpr const VectorKernels& (*kVectorTables[HWY_MAX_DYNAMIC_TARGETS + 2])() =
    LACUNA_TARGET_TABLE(KernelsOfVectors<P>);
template <class P>
inline constexpr const NarrowKernels& (*kNarrowTables[HWY_MAX_DYNAMIC_TARGETS + 2])() =
    LACUNA_TARGET_TABLE(KernelsOfNarrow<P>);
template <class P>
inline constexpr const Int8Kernels& (*kInt8Tables[HWY_MAX_DYNAMIC_TARGETS + 2])() =
    LACUNA_TARGET_TABLE(KernelsOfInt8<P>);
inline constexpr int64_t (*kCompiledTargets[HWY_MAX_DYNAMIC_TARGETS + 2])() = LACUNA_TARGET_TABLE(CompiledTarget);
inline constexpr MachineProbe (*kProbes[HWY_MAX_DYNAMIC_TARGETS + 2])() = LACUNA_TARGET_TABLE(Probe);
#define LACUNA_HERE(TABLE, FN) TABLE[TargetIndex()]()
#else
#define LACUNA_HERE(TABLE, FN) LACUNA_DISPATCH(FN)()
#endif

template <class P>
const KernelTable& KernelsOf() {
  return LACUNA_HERE(kKernelTables<P>, Kernels<P>);
}
// Those of matrix-vector products and recurrent cells.
template <class P>
const VectorKernels& VectorKernelsOf() {
  return LACUNA_HERE(kVectorTables<P>, KernelsOfVectors<P>);
}
// Those of matrix-vector products with narrow weights.
template <class P>
const NarrowKernels& NarrowKernelsOf() {
  return LACUNA_HERE(kNarrowTables<P>, KernelsOfNarrow<P>);
}
// Those of 8-bit products.
template <class P>
const Int8Kernels& Int8KernelsOf() {
  return LACUNA_HERE(kInt8Tables<P>, KernelsOfInt8<P>);
}
inline int64_t ActiveTarget() { return LACUNA_HERE(kCompiledTargets, CompiledTarget); }
inline MachineProbe ActiveProbe() { return LACUNA_HERE(kProbes, Probe); }

#undef LACUNA_HERE

}  // namespace here

}  // namespace LACUNA_BASELINE
}  // namespace lacuna::inline LACUNA_ABI

#endif  // HWY_ONCE
