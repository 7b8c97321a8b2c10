// ViewPackedFor: packed weights of a blob, for the kernels of one SIMD target.

#ifndef LACUNA_OP_PACKED_BLOB_H_
#define LACUNA_OP_PACKED_BLOB_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/kernel/table.h"
#include "lacuna/pack/packed_weights.h"

#include <cstddef>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// View of core/blob.h, refused too if none of `kernels` has the register tile that the weights are packed for.
LACUNA_API Result<Shared<PackedWeights<float>>> ViewPackedFor(const KernelTable& kernels,
                                                              std::span<const std::byte> bytes);

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/packed_blob.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_PACKED_BLOB_H_
