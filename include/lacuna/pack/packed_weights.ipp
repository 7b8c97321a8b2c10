#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/permutation.h"
#include "lacuna/format/row_lists.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/panel_scratch.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

template <class T>
Status PackedWeights<T>::Validate() const {
  LACUNA_RETURN_IF_ERROR(shape.Validate());
  if (merged_groups < 1 || shape.columns % merged_groups != 0 || shape.rows_per_group() % merged_groups != 0) {
    return Status::InvalidArgument("packed.merged_groups is %lld, must divide %lld rows of a group and %lld columns",
                                   static_cast<long long>(merged_groups),
                                   static_cast<long long>(shape.rows_per_group()),
                                   static_cast<long long>(shape.columns));
  }
  LACUNA_RETURN_IF_ERROR(ValidateTile());
  const auto length = [](const char* name, size_t size, uint64_t expected) {
    if (size == expected) return Status();
    return Status::InvalidArgument("packed.%s has %zu elements, must have %llu", name, size,
                                   static_cast<unsigned long long>(expected));
  };
  LACUNA_RETURN_IF_ERROR(length("count", count.size(), uint64_t{panels()} * tile.masks.size()));
  LACUNA_RETURN_IF_ERROR(length("column_begin", column_begin.size(), panels() + 1));
  LACUNA_RETURN_IF_ERROR(length("weight_begin", weight_begin.size(), panels() + 1));
  LACUNA_RETURN_IF_ERROR(length("cells", cells.size(), tile.packing == Packing::kPattern ? column.size() : 0));
  if (column_begin[0] != 0 || weight_begin[0] != 0) {
    return Status::InvalidArgument("packed.column_begin and weight_begin start at %llu and %llu, must start at 0",
                                   static_cast<unsigned long long>(column_begin[0]),
                                   static_cast<unsigned long long>(weight_begin[0]));
  }
  for (size_t panel = 0; panel < panels(); ++panel) LACUNA_RETURN_IF_ERROR(ValidatePanel(panel));
  LACUNA_RETURN_IF_ERROR(length("column", column.size(), column_begin[panels()]));
  LACUNA_RETURN_IF_ERROR(length("weight", weight.size(), weight_begin[panels()]));
  if (nnz < 0 || fill() < 0) {
    return Status::InvalidArgument("packed.nnz is %lld, must be in [0, %zu]", static_cast<long long>(nnz),
                                   weight.size());
  }
  if (row_order.size() == 0) return Status();
  LACUNA_RETURN_IF_ERROR(length("row_order", row_order.size(), static_cast<uint64_t>(shape.rows)));
  const auto per_group = static_cast<size_t>(shape.rows_per_group());
  for (size_t first = 0; first < row_order.size(); first += per_group) {
    if (!IsPermutation({row_order.data() + first, per_group}, first)) {
      return Status::InvalidArgument("packed.row_order[%zu] to [%zu] must be these row numbers, each once", first,
                                     first + per_group - 1);
    }
  }
  return Status();
}

template <class T>
Status PackedWeights<T>::ValidateTile() const {
  if (tile.packing != Packing::kPanel && tile.packing != Packing::kPattern) {
    return Status::InvalidArgument("packed.tile.packing is %d, must be 0 or 1", static_cast<int>(tile.packing));
  }
  if (tile.rows < 1 || tile.rows > kMaxPanelRows || tile.vectors < 1 || tile.height < 1) {
    return Status::InvalidArgument(
        "packed.tile has %d rows, %d vectors and height %d, must have 1 to %d rows and at least 1 of the others",
        tile.rows, tile.vectors, tile.height, kMaxPanelRows);
  }
  if (tile.masks.empty() || tile.masks.back() != FullMask(tile.rows)) {
    return Status::InvalidArgument("packed.tile has %zu masks, must have at least one and end with that of all rows",
                                   tile.masks.size());
  }
  for (size_t i = 0; i < tile.masks.size(); ++i) {
    if (tile.masks[i] == 0 || tile.masks[i] > FullMask(tile.rows)) {
      return Status::InvalidArgument("packed.tile.masks[%zu] is 0x%x, must be in [1, 0x%x]", i, unsigned{tile.masks[i]},
                                     unsigned{FullMask(tile.rows)});
    }
  }
  if (tile.packing == Packing::kPanel) return Status();
  if (tile.rows != 1 || tile.masks.size() != 1) {
    return Status::InvalidArgument("packed.tile has %d rows and %zu masks, the pattern kernel has one of each",
                                   tile.rows, tile.masks.size());
  }
  Checked taps = 1;
  for (const KernelAxis& axis : kernel) {
    if (axis.kernel < 1 || axis.stride < 1 || axis.dilation < 1 || !(Checked(axis.kernel - 1) * axis.dilation).ok()) {
      return Status::InvalidArgument(
          "packed.kernel has an axis of %lld cells, stride %lld, dilation %lld, must be at least 1 and not overflow",
          static_cast<long long>(axis.kernel), static_cast<long long>(axis.stride),
          static_cast<long long>(axis.dilation));
    }
    taps = taps * axis.kernel;
  }
  if (!taps.ok() || shape.columns / merged_groups % taps.value() != 0) {
    return Status::InvalidArgument("packed.kernel is %lld x %lld x %lld, must divide %lld columns",
                                   static_cast<long long>(kernel[0].kernel), static_cast<long long>(kernel[1].kernel),
                                   static_cast<long long>(kernel[2].kernel),
                                   static_cast<long long>(shape.columns / merged_groups));
  }
  return Status();
}

// That the runs of a panel lie inside `column` and `weight` and end where the next panel begins.
template <class T>
Status PackedWeights<T>::ValidatePanel(size_t panel) const {
  uint64_t column_at = column_begin[panel], weight_at = weight_begin[panel];  // in range: the panel before saw to it
  for (size_t m = 0; m < tile.masks.size(); ++m) {
    const uint64_t columns = count[panel * tile.masks.size() + m];
    if (columns > column.size() - column_at) {
      return Status::InvalidArgument("packed.count[%zu] is %llu, more than the columns that are left, %llu",
                                     panel * tile.masks.size() + m, static_cast<unsigned long long>(columns),
                                     static_cast<unsigned long long>(column.size() - column_at));
    }
    uint64_t weights = columns * static_cast<uint64_t>(std::popcount(tile.masks[m]));
    if (tile.packing == Packing::kPattern) weights = 0;
    for (uint64_t i = column_at; i < column_at + columns; ++i) {
      LACUNA_RETURN_IF_ERROR(ValidateColumn(panel, i, i == column_at));
      if (tile.packing == Packing::kPattern) weights += static_cast<uint64_t>(std::popcount(cells[i]));
    }
    if (weights > weight.size() - weight_at) {
      return Status::InvalidArgument("packed.count[%zu] needs %llu weights, there are %llu left",
                                     panel * tile.masks.size() + m, static_cast<unsigned long long>(weights),
                                     static_cast<unsigned long long>(weight.size() - weight_at));
    }
    column_at += columns;
    weight_at += weights;
  }
  if (column_begin[panel + 1] != column_at || weight_begin[panel + 1] != weight_at) {
    return Status::InvalidArgument("packed.column_begin[%zu] and weight_begin are %llu and %llu, must be %llu and %llu",
                                   panel + 1, static_cast<unsigned long long>(column_begin[panel + 1]),
                                   static_cast<unsigned long long>(weight_begin[panel + 1]),
                                   static_cast<unsigned long long>(column_at),
                                   static_cast<unsigned long long>(weight_at));
  }
  return Status();
}

// Column i, the `first` under its mask or not: below the number of columns and, for the panel kernel, ascending. The
// cells of a step must exist: cell j of a column of the convolution kernel has its input j * dilation rows below that
// of cell 0, and the pattern kernel walks rows that are a stride apart.
template <class T>
Status PackedWeights<T>::ValidateColumn(size_t panel, uint64_t i, bool first) const {
  const int64_t at = column[i];
  if (at >= shape.columns || (tile.packing == Packing::kPanel && !first && at <= int64_t{column[i - 1]})) {
    return Status::InvalidArgument(
        "packed.column[%llu] is %lld, must be below %lld and ascend under a mask of panel %zu",
        static_cast<unsigned long long>(i), static_cast<long long>(at), static_cast<long long>(shape.columns), panel);
  }
  if (tile.packing == Packing::kPanel) return Status();
  const uint8_t kept = cells[i];
  const int64_t cell = at / kernel[2].kernel % kernel[1].kernel;
  const Checked below = Checked(std::bit_width(kept) - 1) * kernel[1].stride + cell * kernel[1].dilation;
  const bool inside = below.ok() && below.value() <= (kernel[1].kernel - 1) * kernel[1].dilation;
  if ((kept != 1 && kept != 3 && kept != 5 && kept != 7) || !inside) {
    return Status::InvalidArgument(
        "packed.cells[%llu] is %d, must be 1, 3, 5 or 7 and leave the step inside its kernel",
        static_cast<unsigned long long>(i), int{kept});
  }
  return Status();
}

namespace pack {

template <class T>
Result<Buffer<uint32_t>> OrderRows(const RowSource<T>& weights, const RowOrder& reorder) {
  const auto rows = static_cast<size_t>(weights.shape().rows);
  LACUNA_ASSIGN_OR_RETURN(order, Buffer<uint32_t>::Make(rows));
  std::iota(order.begin(), order.end(), 0u);
  if (reorder.AppliesTo(weights.scattered_rows())) {
    LACUNA_ASSIGN_OR_RETURN(lists, RowLists::Of(weights));
    const auto per_group = static_cast<size_t>(weights.shape().rows_per_group());
    for (size_t first = 0; first < rows; first += per_group) {
      LACUNA_RETURN_IF_ERROR(reorder.order(lists, std::span(order.data() + first, per_group)));
    }
  }
  return std::move(order);
}

}  // namespace pack

template <class T>
Result<double> PredictPanelCost(const RowSource<T>& weights, const TileInfo& tile, std::span<const uint32_t> order) {
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
    scratch.LoadMasks(weights, order.subspan(first, std::min(static_cast<size_t>(tile.rows), end - first)));
    cost += kMaskCost / tile.vectors * static_cast<double>(tile.masks.size() - 1);
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

template <class T>
Result<PackedWeights<T>> Pack(const RowSource<T>& weights, const TileInfo& tile, Buffer<uint32_t> order) {
  const MatrixShape& shape = weights.shape();
  PackedWeights<T> packed;
  packed.shape = shape;
  packed.tile = tile;
  packed.nnz = weights.nnz();
  const size_t masks = tile.masks.size();
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
  if (!pack::IsIdentity(order)) packed.row_order = std::move(order);
  return packed;
}

}  // namespace lacuna::inline LACUNA_ABI
