// PackPattern: any format in the order the pattern kernel reads it.

#ifndef LACUNA_PACK_PATTERN_H_
#define LACUNA_PACK_PATTERN_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/row_source.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/tile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace pack {

// Groups of a layer that the pattern kernel takes as one.
LACUNA_API int64_t MergedGroups(const MatrixShape& shape);

}  // namespace pack

// The cost of `weights` in the pattern kernel, in multiply-adds of one vector per vector of outputs, as
// PredictPanelCost. Up to 64 rows, evenly spaced, stand for all.
template <class T>
Result<double> PredictPatternCost(const RowSource<T>& weights, const KernelAxes& kernel);

// Packs `weights` for the pattern kernels of a layer with those kernel axes. `tile` is that of any of them. Kernels of
// a filter are ordered by their cells (the last part of the filter-kernel reorder of PatDNN, ASPLOS 2020), filters by
// `order`.
template <class T>
Result<PackedWeights<T>> PackPattern(const RowSource<T>& weights, const TileInfo& tile, const KernelAxes& kernel,
                                     Buffer<uint32_t> order);
template <class Weights>
Result<PackedWeights<typename Weights::value_type>> PackPattern(const Weights& weights, const TileInfo& tile,
                                                                const KernelAxes& kernel, Buffer<uint32_t> order) {
  return PackPattern(RowSource<typename Weights::value_type>(weights), tile, kernel, std::move(order));
}

// The same, filters ordered by Reorder.
template <class Reorder, class Weights>
Result<PackedWeights<typename Weights::value_type>> PackPattern(const Weights& weights, const TileInfo& tile,
                                                                const KernelAxes& kernel) {
  LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows<Reorder>(weights));
  return PackPattern(weights, tile, kernel, std::move(order));
}

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/pack/pattern.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_PACK_PATTERN_H_
