#include "lacuna/core/abi.h"
#include "lacuna/core/blob.h"
#include "lacuna/core/target.h"
#include "lacuna/op/packed_blob.h"

#include <cstddef>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

LACUNA_COLD_FUNC Result<Shared<PackedWeights<float>>> ViewPackedFor(const KernelTable& kernels,
                                                                    std::span<const std::byte> bytes) {
  LACUNA_ASSIGN_OR_RETURN(packed, View<PackedWeights<float>>(bytes, TargetName(kernels.target)));
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
      packed.tile.rows, packed.tile.masks.size(), TargetName(kernels.target));
}

}  // namespace lacuna::inline LACUNA_ABI
