// Products of sparse weights that are stored in 16, 8 or 4 bits and a vector, or a few: MakeNarrowGemv, for the SIMD
// target that is active.

#ifndef LACUNA_COMPILED
#include "lacuna/kernels.h"  // no include guard: code per SIMD target must see it once per target
#endif

#if (defined(LACUNA_COMPILED) || HWY_ONCE) && !defined(LACUNA_NARROW_H_)
#define LACUNA_NARROW_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/status.h"
#include "lacuna/core/value_traits.h"
#include "lacuna/core/view.h"
#include "lacuna/op/active.h"
#include "lacuna/op/gemv.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/policy/policy.h"

namespace lacuna::inline LACUNA_ABI {
inline namespace LACUNA_BASELINE {

// As MakeGemv, but that weights are kept as `storage`: kF16, kBf16, kS8 with a scale a row, or kS4 with a scale for
// every 32 weights that a row stores (pack/narrow_gemv.h says how they are rounded). Vectors, sums and results are f32:
// a product of vectors is bound by the bytes of its weights, which is what is saved. Packed weights of another Gemv
// must be of that type. Fails as MakeGemv does, and if a weight is not finite, or is not as f16.
template <Policy P = DefaultPolicy>
Result<Gemv> MakeNarrowGemv(const GemvWeights& weights, ValueType storage, const Epilogue& epilogue = {},
                            const P& policy = {}) {
  const VectorKernels* kernels = ActiveNarrowKernels().Of(storage);
  if (kernels == nullptr) {
    return Status::InvalidArgument("storage is %s, must be f16, bf16, s8 or s4", ValueTypeName(storage));
  }
  return Gemv::Make(*kernels, weights, epilogue, policy);
}

}  // namespace LACUNA_BASELINE

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_NARROW_H_
