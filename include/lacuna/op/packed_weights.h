// PackWeights: weights packed apart from any plan, to be shared or saved.

#ifndef LACUNA_OP_PACKED_WEIGHTS_H_
#define LACUNA_OP_PACKED_WEIGHTS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/op/active.h"
#include "lacuna/op/packed_blob.h"
#include "lacuna/op/plan_policy.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/policy/policy.h"

#include <cstddef>
#include <span>

namespace lacuna::inline LACUNA_ABI {

namespace op {

LACUNA_API Result<Shared<PackedWeights<float>>> PackWeights(const KernelTable& kernels, const LayerWeights& weights,
                                                            const ConvShape<3>* shape, const PlanPolicy& policy);

}  // namespace op

inline namespace LACUNA_BASELINE {

// Packs `weights` for the active SIMD target, to be shared by several plans of the same policy, whatever their
// shapes: for the panel kernel, which alone packs without knowing the layer.
template <Policy P = DefaultPolicy>
Result<Shared<PackedWeights<float>>> PackWeights(const LayerWeights& weights, const P& policy = {}) {
  return op::PackWeights(ActiveKernels<P>(), weights, nullptr, PlanPolicy::Of(policy));
}
// The same for layers of that kernel, stride and dilation: for the panel or the pattern kernel, whichever a plan would
// choose. Fails with kUnsupported if that is a Winograd form, whose weights are not of this kind.
template <int kRank, Policy P = DefaultPolicy>
Result<Shared<PackedWeights<float>>> PackWeights(const LayerWeights& weights, const ConvShape<kRank>& shape,
                                                 const P& policy = {}) {
  LACUNA_RETURN_IF_ERROR(shape.Validate());
  const ConvShape<3> volume = AsVolume(shape);
  return op::PackWeights(ActiveKernels<P>(), weights, &volume, PlanPolicy::Of(policy));
}

// Packed weights in place in a blob, which must outlive them and their plans: View (core/blob.h) for the active SIMD
// target and the tiles of policy P. Such a blob is made with Serialize(*plan.weights(), ActiveTargetName()).
template <Policy P = DefaultPolicy>
Result<Shared<PackedWeights<float>>> ViewPackedWeights(std::span<const std::byte> bytes) {
  return ViewPackedFor(ActiveKernels<P>(), bytes);
}

}  // namespace LACUNA_BASELINE
}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/packed_weights.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_PACKED_WEIGHTS_H_
