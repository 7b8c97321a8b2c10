// PackedWeights: any "rows share columns" format in the order the panel kernel reads it.

#ifndef LACUNA_PACK_PACKED_WEIGHTS_H_
#define LACUNA_PACK_PACKED_WEIGHTS_H_

#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/index_array.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/row_lists.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/reorder.h"
#include "lacuna/policy/tile.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>

namespace lacuna {

// What packing needs to know of a value type: the columns that one multiply-add instruction consumes together, and the
// type that sums are kept in.
template <class T>
struct PackTraits;
template <>
struct PackTraits<float> {
  static constexpr int kColumnGroup = 1;
  using Accumulator = float;
};

// A panel is tile.rows rows of one group (fewer at its end, then padded with zero rows). Its columns are sorted by the
// mask they are packed under, then ascending; a column under mask m stores popcount(m) weights, rows ascending.
// Immutable; independent of image size and of N, so several plans may share one.
template <class T>
struct PackedWeights {
  using value_type = T;

  MatrixShape shape;
  TileInfo tile;    // `masks` points to static storage
  int64_t nnz = 0;  // stored by the format

  Buffer<uint32_t> count;         // [panels][masks] columns under each mask
  Buffer<uint64_t> column_begin;  // [panels + 1] into column
  Buffer<uint64_t> weight_begin;  // [panels + 1] into weight
  IndexArray column;
  Buffer<T> weight;
  Buffer<uint32_t> row_order;  // [rows] packed row -> row; empty if they are the same

  size_t panels_per_group() const {
    return DivideUp(static_cast<size_t>(shape.rows_per_group()), static_cast<size_t>(tile.rows));
  }
  size_t panels() const { return static_cast<size_t>(shape.groups) * panels_per_group(); }
  // Packed weights that the format does not store: columns under a mask wider than theirs.
  int64_t fill() const { return static_cast<int64_t>(weight.size()) - nnz; }
  size_t StorageBytes() const {
    return count.size_bytes() + column_begin.size_bytes() + weight_begin.size_bytes() + column.size_bytes() +
           weight.size_bytes() + row_order.size_bytes();
  }

  // Packed rows [first, first + count) of a panel; `count` < tile.rows at the end of a group.
  struct Rows {
    int64_t first, count;
  };
  Rows PanelRows(size_t panel) const {
    const auto group = static_cast<int64_t>(panel / panels_per_group());
    const int64_t inside = static_cast<int64_t>(panel % panels_per_group()) * tile.rows;
    return {group * shape.rows_per_group() + inside, std::min<int64_t>(tile.rows, shape.rows_per_group() - inside)};
  }
};

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

// The cost of `weights` on `tile`, in multiply-adds of one vector per vector of outputs. Up to 16 panels, evenly
// spaced, stand for all.
template <class Weights>
Result<double> PredictPanelCost(const Weights& weights, const TileInfo& tile) {
  using T = typename Weights::value_type;
  constexpr size_t kSample = 16;
  const MatrixShape& shape = weights.shape();
  LACUNA_ASSIGN_OR_RETURN(cover, pack::MaskCover::Make(tile));
  LACUNA_ASSIGN_OR_RETURN(scratch, pack::PanelScratch<T>::Make({.rows = 0}, shape.columns));
  LACUNA_ASSIGN_OR_RETURN(mask, Buffer<RowMask>::Make(static_cast<size_t>(shape.columns)));
  scratch.mask = std::move(mask);
  const auto rows_per_group = static_cast<size_t>(shape.rows_per_group());
  const size_t per_group = DivideUp(rows_per_group, static_cast<size_t>(tile.rows));
  const size_t panels = per_group * static_cast<size_t>(shape.groups);
  const size_t step = std::max<size_t>(1, panels / kSample);
  double cost = 0;
  size_t sampled = 0;
  for (size_t panel = 0; panel < panels; panel += step, ++sampled) {
    const size_t first = panel / per_group * rows_per_group + panel % per_group * static_cast<size_t>(tile.rows);
    const size_t end = (panel / per_group + 1) * rows_per_group;
    uint32_t rows[kMaxPanelRows];
    const size_t count = std::min(static_cast<size_t>(tile.rows), end - first);
    std::iota(rows, rows + count, static_cast<uint32_t>(first));
    scratch.LoadMasks(weights, {rows, count});
    uint64_t used[size_t{1} << 4] = {};  // one bit a listed mask; there are at most 255 (MaskCover)
    for (const RowMask column : scratch.mask) {
      if (column == 0) continue;
      const size_t index = cover[column];
      cost += std::popcount(tile.masks[index]) + kColumnCost;
      used[index / 64] |= uint64_t{1} << index % 64;
    }
    for (const uint64_t word : used) cost += kSegmentCost / tile.vectors * std::popcount(word);
  }
  return cost * static_cast<double>(panels) / static_cast<double>(sampled);
}

// Packs `weights` for kernels with `tile`, rows ordered by Reorder.
template <class Reorder, class Weights>
Result<PackedWeights<typename Weights::value_type>> Pack(const Weights& weights, const TileInfo& tile) {
  using T = typename Weights::value_type;
  const MatrixShape& shape = weights.shape();
  PackedWeights<T> packed;
  packed.shape = shape;
  packed.tile = tile;
  packed.nnz = weights.nnz();
  const auto rows = static_cast<size_t>(shape.rows), masks = tile.masks.size();
  LACUNA_ASSIGN_OR_RETURN(order, Buffer<uint32_t>::Make(rows));
  std::iota(order.begin(), order.end(), 0u);
  if constexpr (!Reorder::kIdentity) {
    LACUNA_ASSIGN_OR_RETURN(lists, RowLists::Of(weights));
    const auto per_group = static_cast<size_t>(shape.rows_per_group());
    for (size_t first = 0; first < rows; first += per_group)
      Reorder::Order(lists, std::span(order.data() + first, per_group));
  }
  LACUNA_ASSIGN_OR_RETURN(cover, pack::MaskCover::Make(tile));
  LACUNA_ASSIGN_OR_RETURN(scratch, pack::PanelScratch<T>::Make(tile, shape.columns));
  LACUNA_ASSIGN_OR_RETURN(count, Buffer<uint32_t>::Make(packed.panels() * masks));
  LACUNA_ASSIGN_OR_RETURN(column_begin, Buffer<uint64_t>::Make(packed.panels() + 1));
  LACUNA_ASSIGN_OR_RETURN(weight_begin, Buffer<uint64_t>::Make(packed.panels() + 1));
  const auto panel_rows = [&](size_t panel) {
    const auto [first, used] = packed.PanelRows(panel);
    return std::span<const uint32_t>(order.data() + first, static_cast<size_t>(used));
  };

  for (size_t panel = 0; panel < packed.panels(); ++panel) {
    scratch.LoadMasks(weights, panel_rows(panel));
    uint32_t* counts = count.data() + panel * masks;
    for (const RowMask mask : scratch.mask) {
      if (mask != 0) ++counts[cover[mask]];
    }
    uint64_t columns = 0, values = 0;
    for (size_t i = 0; i < masks; ++i) {
      columns += counts[i];
      values += uint64_t{counts[i]} * static_cast<uint64_t>(std::popcount(tile.masks[i]));
    }
    column_begin[panel + 1] = column_begin[panel] + columns;
    weight_begin[panel + 1] = weight_begin[panel] + values;
  }

  LACUNA_ASSIGN_OR_RETURN(column, IndexArray::Make(column_begin[packed.panels()], shape.columns));
  LACUNA_ASSIGN_OR_RETURN(weight, Buffer<T>::Make(weight_begin[packed.panels()]));
  LACUNA_ASSIGN_OR_RETURN(next, Buffer<uint64_t>::Make(2 * masks));  // where the next column of each mask goes
  for (size_t panel = 0; panel < packed.panels(); ++panel) {
    const std::span<const uint32_t> panel_order = panel_rows(panel);
    scratch.LoadMasks(weights, panel_order);
    scratch.LoadValues(weights, panel_order);
    uint64_t column_at = column_begin[panel], weight_at = weight_begin[panel];
    for (size_t i = 0; i < masks; ++i) {
      next[2 * i] = column_at;
      next[2 * i + 1] = weight_at;
      column_at += count[panel * masks + i];
      weight_at += uint64_t{count[panel * masks + i]} * static_cast<uint64_t>(std::popcount(tile.masks[i]));
    }
    for (size_t c = 0; c < scratch.mask.size(); ++c) {
      const RowMask mask = scratch.mask[c];
      if (mask == 0) continue;
      const size_t i = cover[mask];
      column.Set(next[2 * i]++, static_cast<uint32_t>(c));
      for (unsigned listed = tile.masks[i]; listed != 0; listed &= listed - 1) {
        const auto r = static_cast<size_t>(std::countr_zero(listed));
        weight[next[2 * i + 1]++] = mask >> r & 1 ? scratch.value[r * scratch.mask.size() + c] : T{};
      }
    }
  }
  packed.count = std::move(count);
  packed.column_begin = std::move(column_begin);
  packed.weight_begin = std::move(weight_begin);
  packed.column = std::move(column);
  packed.weight = std::move(weight);
  if constexpr (!Reorder::kIdentity) packed.row_order = std::move(order);
  return packed;
}

}  // namespace lacuna

#endif  // LACUNA_PACK_PACKED_WEIGHTS_H_
