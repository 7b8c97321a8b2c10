// Products of sparse weights and a vector, or a few: MakeGemv, for the SIMD target that is active.

#ifndef LACUNA_COMPILED
#include "lacuna/kernels.h"  // no include guard: code per SIMD target must see it once per target
#endif

#if (defined(LACUNA_COMPILED) || HWY_ONCE) && !defined(LACUNA_GEMV_H_)
#define LACUNA_GEMV_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/op/active.h"
#include "lacuna/op/gemv.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/policy/policy.h"

namespace lacuna::inline LACUNA_ABI {
inline namespace LACUNA_BASELINE {

// A plan for y = W x and for Y = W X of few columns, bound to the active SIMD target. `weights` are of any format, or
// those of another Gemv, and may be discarded afterwards. Fails if weights, epilogue or policy do not fit each other,
// or memory runs out.
template <Policy P = DefaultPolicy>
Result<Gemv> MakeGemv(const GemvWeights& weights, const Epilogue& epilogue = {}, const P& policy = {}) {
  return Gemv::Make(ActiveVectorKernels(), weights, epilogue, policy);
}

}  // namespace LACUNA_BASELINE

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_GEMV_H_
