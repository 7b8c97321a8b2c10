// The kernels of the SIMD target that is active: this unit's, or the compiled library's.

#ifndef LACUNA_OP_ACTIVE_H_
#define LACUNA_OP_ACTIVE_H_

#ifndef LACUNA_COMPILED
#include "lacuna/kernel/dispatch.h"
#endif

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/core/target.h"
#include "lacuna/kernel/int8_table.h"
#include "lacuna/kernel/table.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/policy/machine.h"
#include "lacuna/policy/policy.h"

#include <cstdint>
#include <type_traits>

// Where lacuna/kernels.h has not been included, units need not be told apart.
#ifndef LACUNA_BASELINE
#define LACUNA_BASELINE of_library
#endif

namespace lacuna::inline LACUNA_ABI {

#ifdef LACUNA_COMPILED
// What lacuna::compiled holds.
namespace compiled {
LACUNA_API const KernelTable& Kernels();  // of all policies with the default tiles
LACUNA_API const VectorKernels& KernelsOfVectors();
LACUNA_API const NarrowKernels& KernelsOfNarrow();
LACUNA_API const Int8Kernels& KernelsOfInt8();
LACUNA_API int64_t ActiveTarget();
LACUNA_API MachineProbe ActiveProbe();
}  // namespace compiled
#endif

namespace op {

// A kind of SIMD target, as far as a policy's tiles can depend on it.
template <int kRegisterCount, size_t kLaneCount>
struct TargetKind {
  static constexpr int kRegisters = kRegisterCount;
  static constexpr size_t kMaxLanes = kLaneCount;
};
template <class P, class Target>
inline constexpr bool kHasDefaultTilesOn =
    std::is_same_v<typename P::template Tile<Target>, typename DefaultPolicy::template Tile<Target>>&&
        std::is_same_v<typename P::template Patterns<Target>, typename DefaultPolicy::template Patterns<Target>>;
// Whether the kernels of DefaultPolicy serve P: what a policy changes besides its tiles needs no other kernels.
template <class P>
inline constexpr bool kHasDefaultTiles =
    kHasDefaultTilesOn<P, TargetKind<16, 1>>&& kHasDefaultTilesOn<P, TargetKind<16, 4>>&& kHasDefaultTilesOn<
        P, TargetKind<16, 8>>&& kHasDefaultTilesOn<P, TargetKind<32, 4>>&& kHasDefaultTilesOn<P, TargetKind<32, 16>>;

// The policy whose kernels serve P.
template <class P>
using KernelPolicy =
    std::conditional_t<!kHasDefaultTiles<P>, P, std::conditional_t<P::kWinograd, WinogradPolicy, DefaultPolicy>>;

}  // namespace op

inline namespace LACUNA_BASELINE {

// The kernels of policy P on the SIMD target that is active now.
template <Policy P = DefaultPolicy>
const KernelTable& ActiveKernels() {
#if !defined(LACUNA_COMPILED)
  return here::KernelsOf<op::KernelPolicy<P>>();
#elif defined(LACUNA_KERNEL_DISPATCH_H_)
  if constexpr (!op::kHasDefaultTiles<P>) {
    return here::KernelsOf<P>();
  } else {
    return compiled::Kernels();
  }
#else
  static_assert(op::kHasDefaultTiles<P>,
                "lacuna::compiled has no kernels with the register tiles of this policy: include lacuna/kernels.h, "
                "before the other headers of lacuna, to instantiate them in this translation unit");
  return compiled::Kernels();
#endif
}

// Those of matrix-vector products and recurrent cells, which are the same for all policies. Templates, lest every unit
// instantiate kernels that it does not use.
template <Policy P = DefaultPolicy>
const VectorKernels& ActiveVectorKernels() {
#ifdef LACUNA_COMPILED
  return compiled::KernelsOfVectors();
#else
  return here::VectorKernelsOf<P>();
#endif
}

// Those of matrix-vector products with narrow weights, likewise.
template <Policy P = DefaultPolicy>
const NarrowKernels& ActiveNarrowKernels() {
#ifdef LACUNA_COMPILED
  return compiled::KernelsOfNarrow();
#else
  return here::NarrowKernelsOf<P>();
#endif
}

// Those of 8-bit products, likewise.
template <Policy P = DefaultPolicy>
const Int8Kernels& ActiveInt8Kernels() {
#ifdef LACUNA_COMPILED
  return compiled::KernelsOfInt8();
#else
  return here::Int8KernelsOf<P>();
#endif
}

// Highway's bit of the SIMD target that plans made now are bound to.
inline int64_t ActiveTarget() {
#ifdef LACUNA_COMPILED
  return compiled::ActiveTarget();
#else
  return here::ActiveTarget();
#endif
}
inline const char* ActiveTargetName() { return TargetName(ActiveTarget()); }

// The loops of MeasureMachine on the active SIMD target.
inline MachineProbe ActiveProbe() {
#ifdef LACUNA_COMPILED
  return compiled::ActiveProbe();
#else
  return here::ActiveProbe();
#endif
}

// The facts of this machine, for CostFactors::Of, measured in about 40 ms by the first call, on the SIMD target that
// is active then. No other work should run meanwhile.
inline const Result<MachineFacts>& MeasuredMachine() {
  static const Result<MachineFacts> facts = MeasureMachine(ActiveProbe(), ReadCacheSizes());
  return facts;
}

}  // namespace LACUNA_BASELINE
}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_OP_ACTIVE_H_
