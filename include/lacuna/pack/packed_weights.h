// PackedWeights: any "rows share columns" format in the order the panel kernel reads it.

#ifndef LACUNA_PACK_PACKED_WEIGHTS_H_
#define LACUNA_PACK_PACKED_WEIGHTS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/blob_layout.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/permutation.h"
#include "lacuna/core/status.h"
#include "lacuna/format/index_array.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/row_source.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/reorder.h"
#include "lacuna/policy/tile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// The kernel of a convolution on one axis, as far as packed weights depend on it.
struct KernelAxis {
  int64_t kernel = 1, stride = 1, dilation = 1;

  friend bool operator==(const KernelAxis&, const KernelAxis&) = default;
};
using KernelAxes = std::array<KernelAxis, 3>;  // (depth, height, width)

// For the panel kernel: a panel is tile.rows rows of one group (fewer at its end, then padded with zero rows). Its
// columns are sorted by the mask they are packed under, then ascending; a column under mask m stores popcount(m)
// weights, rows ascending.
//
// For the pattern kernel (pack/pattern.h): a panel is one row, its "columns" are steps. A step is up to three cells of
// one column of a convolution kernel and is named by the first of them; `cells` has bit i set if it has the cell whose
// input is i rows below the first one's.
//
// Immutable; independent of image size and of N, so several plans may share one.
template <class T>
struct PackedWeights {
  using value_type = T;

  MatrixShape shape;  // where groups are merged, of the merged matrix: fewer groups, more columns
  TileInfo tile;      // `masks` points to static storage, or into the blob that is viewed
  int64_t nnz = 0;    // stored by the format

  Buffer<uint32_t> count;         // [panels][masks] columns under each mask
  Buffer<uint64_t> column_begin;  // [panels + 1] into column
  Buffer<uint64_t> weight_begin;  // [panels + 1] into weight
  IndexArray column;
  Buffer<T> weight;
  Buffer<uint32_t> row_order;  // [rows] packed row -> row; empty if they are the same

  // For the pattern kernel only.
  Buffer<uint8_t> cells;      // [column.size()]
  KernelAxes kernel{};        // the steps were made for
  int64_t merged_groups = 1;  // groups of the layer that are one group here: depthwise layers have too many small ones

  // The layer's weights as they came.
  MatrixShape LayerShape() const { return {shape.rows, shape.columns / merged_groups, shape.groups * merged_groups}; }

  size_t panels_per_group() const {
    return DivideUp(static_cast<size_t>(shape.rows_per_group()), static_cast<size_t>(tile.rows));
  }
  size_t panels() const { return static_cast<size_t>(shape.groups) * panels_per_group(); }
  // Packed weights that the format does not store: columns under a mask wider than theirs.
  int64_t fill() const { return static_cast<int64_t>(weight.size()) - nnz; }
  size_t StorageBytes() const {
    return count.size_bytes() + column_begin.size_bytes() + weight_begin.size_bytes() + column.size_bytes() +
           weight.size_bytes() + row_order.size_bytes() + cells.size_bytes();
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

  // Ok if no kernel with this tile can read or write out of bounds, whatever the arrays hold. What Pack makes passes;
  // this is for weights from elsewhere. That a column occurs once in a panel is not checked beyond what order it has.
  Status Validate() const;

  // core/blob_layout.h
  static constexpr BlobKind kBlobKind = BlobKind::kPacked;
  template <class Self, class Fields>
  static void ListFields(Self& self, Fields& fields);

 private:
  Status ValidateTile() const;
  Status ValidatePanel(size_t panel) const;
  Status ValidateColumn(size_t panel, uint64_t i, bool first) const;
};

template <class T>
template <class Self, class Fields>
void PackedWeights<T>::ListFields(Self& self, Fields& fields) {
  fields.Scalar("rows", self.shape.rows);
  fields.Scalar("columns", self.shape.columns);
  fields.Scalar("groups", self.shape.groups);
  fields.Scalar("merged_groups", self.merged_groups);
  fields.Scalar("nnz", self.nnz);
  fields.Scalar("packing", self.tile.packing);
  fields.Scalar("tile_rows", self.tile.rows);
  fields.Scalar("tile_height", self.tile.height);
  fields.Scalar("tile_vectors", self.tile.vectors);
  for (auto& axis : self.kernel) {
    fields.Scalar("kernel", axis.kernel);
    fields.Scalar("stride", axis.stride);
    fields.Scalar("dilation", axis.dilation);
  }
  fields.Array("masks", self.tile.masks);
  fields.Array("count", self.count);
  fields.Array("column_begin", self.column_begin);
  fields.Array("weight_begin", self.weight_begin);
  fields.Array("column", self.column);
  fields.Array("weight", self.weight);
  fields.Array("row_order", self.row_order);
  fields.Array("cells", self.cells);
}

namespace pack {

// The rows of every group in the order that the policy wants.
template <class T>
Result<Buffer<uint32_t>> OrderRows(const RowSource<T>& weights, const RowOrder& reorder);
template <class Reorder, class Weights>
Result<Buffer<uint32_t>> OrderRows(const Weights& weights) {
  return OrderRows(RowSource<typename Weights::value_type>(weights), RowOrder::Of<Reorder>());
}

inline bool IsIdentity(std::span<const uint32_t> order) {
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] != i) return false;
  }
  return true;
}

}  // namespace pack

// The cost of `weights` on `tile`, in multiply-adds of one vector per vector of outputs, with rows in `order`
// (pack::OrderRows). Up to 16 panels, evenly spaced, stand for all.
template <class T>
Result<double> PredictPanelCost(const RowSource<T>& weights, const TileInfo& tile, std::span<const uint32_t> order);

// Packs `weights` for kernels with `tile`, rows in `order`.
template <class T>
Result<PackedWeights<T>> Pack(const RowSource<T>& weights, const TileInfo& tile, Buffer<uint32_t> order);
template <class Weights>
Result<PackedWeights<typename Weights::value_type>> Pack(const Weights& weights, const TileInfo& tile,
                                                         Buffer<uint32_t> order) {
  return Pack(RowSource<typename Weights::value_type>(weights), tile, std::move(order));
}

// The same, rows ordered by Reorder.
template <class Reorder, class Weights>
Result<PackedWeights<typename Weights::value_type>> Pack(const Weights& weights, const TileInfo& tile) {
  LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows<Reorder>(weights));
  return Pack(weights, tile, std::move(order));
}

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/pack/packed_weights.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_PACK_PACKED_WEIGHTS_H_
