// The tuned numbers of calibrated pruning (prune/obs.h, prune/reconstruct.h). None is fitted.

#ifndef LACUNA_PRUNE_DEFAULTS_H_
#define LACUNA_PRUNE_DEFAULTS_H_

#include "lacuna/core/abi.h"

#include <cstdint>

namespace lacuna::inline LACUNA_ABI::prune {

// Multiply-adds of a layer's choice of supports, which bound how many columns compete with each other; and the least
// number of those. A layer of 512 x 4608 then takes half a minute of one core.
inline constexpr double kSupportWork = 1e10;
inline constexpr int64_t kSupportColumns = 64;

// Columns of a block of the inverse, and of a tile of the Hessian: products of matrices that stay in a cache.
inline constexpr int64_t kInverseBlock = 256;
inline constexpr int64_t kHessianTile = 512;

// Elements of a block of samples, some MiB, and the samples of one at least and at most.
inline constexpr int64_t kSampleBlockElements = int64_t{1} << 21;
inline constexpr int64_t kMinSampleBlock = 16;
inline constexpr int64_t kMaxSampleBlock = 4096;

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_DEFAULTS_H_
