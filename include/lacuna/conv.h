// Convolutions with sparse weights: MakeConvolution, for the SIMD target that is active.

#ifndef LACUNA_COMPILED
#include "lacuna/kernels.h"  // no include guard: code per SIMD target must see it once per target
#endif

#if (defined(LACUNA_COMPILED) || HWY_ONCE) && !defined(LACUNA_CONV_H_)
#define LACUNA_CONV_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/op/active.h"
#include "lacuna/op/convolution.h"
#include "lacuna/op/packed_weights.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/policy/policy.h"

namespace lacuna::inline LACUNA_ABI {
inline namespace LACUNA_BASELINE {

// A plan for a convolution of `weights` (of any format, or packed), bound to the active SIMD target.
// `weights` may be discarded afterwards. Fails if shape, weights, epilogue or policy do not fit each other, or memory
// runs out.
template <int kRank, Policy P = DefaultPolicy>
Result<Convolution<kRank>> MakeConvolution(const LayerWeights& weights, const ConvShape<kRank>& shape,
                                           const Epilogue& epilogue = {}, const P& policy = {}) {
  return Convolution<kRank>::Make(ActiveKernels<P>(), weights, shape, epilogue, policy);
}

}  // namespace LACUNA_BASELINE

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CONV_H_
