// The kernels of a policy on the SIMD target being compiled.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/depthwise-inl.h"
#include "lacuna/kernel/depthwise_planes-inl.h"
#include "lacuna/kernel/gemv-inl.h"
#include "lacuna/kernel/gemv_s4-inl.h"
#include "lacuna/kernel/input-inl.h"
#include "lacuna/kernel/int8-inl.h"
#include "lacuna/kernel/panel-inl.h"
#include "lacuna/kernel/pattern-inl.h"
#include "lacuna/kernel/probe-inl.h"
#include "lacuna/kernel/recurrent-inl.h"
#include "lacuna/kernel/store-inl.h"
#include "lacuna/kernel/table.h"
#include "lacuna/kernel/target-inl.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/kernel/winograd-inl.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/pack/narrow_gemv.h"

#include <span>

#if defined(LACUNA_KERNEL_KERNELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_KERNELS_INL_H_
#undef LACUNA_KERNEL_KERNELS_INL_H_
#else
#define LACUNA_KERNEL_KERNELS_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Kernels that a policy does without are not compiled.
template <class P>
constexpr WinogradKernels WinogradOf() {
  if constexpr (P::kWinograd) {
    return {&TransformInput, &TransformOutput};
  } else {
    return {};
  }
}

// The table that plans made for this target bind to.
template <class P>
const KernelTable& Kernels() {
  static const KernelTable table = {HWY_TARGET,
                                    hn::Lanes(hn::ScalableTag<float>()),
                                    PanelKernels<typename P::template Tile<Target>>::kKernels,
                                    PatternKernels<typename P::template Patterns<Target>>::kKernels,
                                    &PackInput,
                                    &StoreOutput,
                                    &RunDepthwise,
                                    DepthwisePlanes<P>(),
                                    WinogradOf<P>()};
  return table;
}

// Those of matrix-vector products and recurrent cells.
inline VectorKernels VectorKernelsWith(std::span<const GemvKernel> gemv, PackGemvFn pack) {
  return {HWY_TARGET,
          hn::Lanes(hn::ScalableTag<float>()),
          gemv,
          pack,
          &StoreOutput,
          kGateKernels<StandardGates>,
          kGateKernels<AnyGates>};
}
template <class P>
const VectorKernels& KernelsOfVectors() {
  static const VectorKernels table = VectorKernelsWith(GemvKernels<P, WeightsF32>::kKernels, &PackGemv<float>);
  return table;
}

// The same of narrow weights.
template <class P>
const NarrowKernels& KernelsOfNarrow() {
  static const NarrowKernels table = {VectorKernelsWith(GemvKernels<P, WeightsF16>::kKernels, &PackNarrowGemv),
                                      VectorKernelsWith(GemvKernels<P, WeightsBf16>::kKernels, &PackNarrowGemv),
                                      VectorKernelsWith(GemvKernels<P, WeightsS8>::kKernels, &PackNarrowGemv),
                                      VectorKernelsWith(GemvS4Kernels<P>::kKernels, &PackNarrowGemv)};
  return table;
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
