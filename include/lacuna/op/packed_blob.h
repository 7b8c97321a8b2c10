// ViewPackedFor: packed weights of a blob, for the kernels of one SIMD target.

#ifndef LACUNA_OP_PACKED_BLOB_H_
#define LACUNA_OP_PACKED_BLOB_H_

#include "lacuna/core/blob.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/kernel/table.h"
#include "lacuna/pack/packed_weights.h"

#include <cstddef>
#include <span>
#include <utility>

#include "hwy/targets.h"

namespace lacuna {

// View of core/blob.h, refused too if none of `kernels` has the register tile that the weights are packed for.
inline Result<Shared<PackedWeights<float>>> ViewPackedFor(const KernelTable& kernels,
                                                          std::span<const std::byte> bytes) {
  LACUNA_ASSIGN_OR_RETURN(packed, View<PackedWeights<float>>(bytes, hwy::TargetName(kernels.target)));
  for (const std::span<const PanelKernel> list : {kernels.panels, kernels.patterns}) {
    for (const PanelKernel& kernel : list) {
      if (!kernel.tile.SamePacking(packed.tile)) continue;
      packed.tile.masks = kernel.tile.masks;
      return Shared<PackedWeights<float>>::Make(std::move(packed));
    }
  }
  return Status::Make(
      StatusCode::kUnsupported,
      "blob: weights are packed for panels of %d rows with %zu masks, the policy has no such tile on %s",
      packed.tile.rows, packed.tile.masks.size(), hwy::TargetName(kernels.target));
}

}  // namespace lacuna

#endif  // LACUNA_OP_PACKED_BLOB_H_
