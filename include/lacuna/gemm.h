// Matrix products with sparse weights: MakeGemm, for the SIMD target that is active.

#ifndef LACUNA_COMPILED
#include "lacuna/kernels.h"  // no include guard: code per SIMD target must see it once per target
#endif

#if (defined(LACUNA_COMPILED) || HWY_ONCE) && !defined(LACUNA_GEMM_H_)
#define LACUNA_GEMM_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/op/active.h"
#include "lacuna/op/gemm.h"
#include "lacuna/op/packed_weights.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/policy/policy.h"

namespace lacuna::inline LACUNA_ABI {
inline namespace LACUNA_BASELINE {

// A plan for Y = W X of `weights` (of any format, or packed), bound to the active SIMD target. `weights` may be
// discarded afterwards. Fails if shape, weights, epilogue or policy do not fit each other, or memory runs out.
template <Policy P = DefaultPolicy>
Result<Gemm> MakeGemm(const LayerWeights& weights, const GemmShape& shape, const Epilogue& epilogue = {},
                      const P& policy = {}) {
  return Gemm::Make(ActiveKernels<P>(), weights, shape, epilogue, policy);
}

}  // namespace LACUNA_BASELINE

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_GEMM_H_
