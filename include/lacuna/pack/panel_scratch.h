// What packing rows into panels works on: masks of columns, and their cheapest listed supersets.

#ifndef LACUNA_PACK_PANEL_SCRATCH_H_
#define LACUNA_PACK_PANEL_SCRATCH_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/policy/tile.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace pack {

// For every row mask the index of the cheapest listed superset.
class MaskCover {
 public:
  static Result<MaskCover> Make(const TileInfo& tile) {
    LACUNA_ASSIGN_OR_RETURN(index, Buffer<uint8_t>::Make(size_t{1} << tile.rows));
    for (size_t mask = 1; mask < index.size(); ++mask) {
      size_t best = tile.masks.size() - 1;  // the full mask
      for (size_t i = 0; i < tile.masks.size(); ++i) {
        const bool covers = (mask & ~size_t{tile.masks[i]}) == 0;
        if (covers && std::popcount(tile.masks[i]) < std::popcount(tile.masks[best])) best = i;
      }
      index[mask] = static_cast<uint8_t>(best);
    }
    MaskCover cover;
    cover.index_ = std::move(index);
    return cover;
  }
  size_t operator[](size_t mask) const { return index_[mask]; }

 private:
  Buffer<uint8_t> index_;
};

// The row mask of every column of one panel, and the panel's values as a dense tile.rows x columns matrix.
template <class T>
struct PanelScratch {
  Buffer<RowMask> mask;
  Buffer<T> value;

  static Result<PanelScratch> Make(const TileInfo& tile, int64_t columns) {
    PanelScratch scratch;
    LACUNA_ASSIGN_OR_RETURN(mask, Buffer<RowMask>::Make(static_cast<size_t>(columns)));
    LACUNA_ASSIGN_OR_RETURN(value, Buffer<T>::Make(static_cast<size_t>(columns * tile.rows)));
    scratch.mask = std::move(mask);
    scratch.value = std::move(value);
    return scratch;
  }

  template <class Weights>
  void LoadMasks(const Weights& weights, std::span<const uint32_t> rows) {
    std::fill(mask.begin(), mask.end(), RowMask{0});
    for (size_t r = 0; r < rows.size(); ++r) {
      const auto bit = static_cast<RowMask>(1u << r);
      weights.VisitRow(rows[r], [&](int64_t column, const T&) { mask[static_cast<size_t>(column)] |= bit; });
    }
  }
  // Only values of stored weights are written: the others are stale and must not be read.
  template <class Weights>
  void LoadValues(const Weights& weights, std::span<const uint32_t> rows) {
    const auto columns = static_cast<size_t>(weights.shape().columns);
    for (size_t r = 0; r < rows.size(); ++r) {
      T* row = value.data() + r * columns;
      weights.VisitRow(rows[r], [&](int64_t column, const T& v) { row[column] = v; });
    }
  }
};

}  // namespace pack

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_PACK_PANEL_SCRATCH_H_
