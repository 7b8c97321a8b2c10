// ProjectBcr: the nearest block-based column-row pruned weights.

#ifndef LACUNA_PRUNE_BCR_H_
#define LACUNA_PRUNE_BCR_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/dense.h"
#include "lacuna/prune/ranking.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>

namespace lacuna::inline LACUNA_ABI::prune {

// Who competes for the kept rows and columns.
enum class Budget : uint8_t {
  kPerBlock,  // every block keeps the same fraction
  kPerLayer,  // the whole layer keeps that fraction; a block may keep all or nothing
};

struct BcrSpec {
  int64_t rows = 0;          // of a block
  int64_t columns = 0;       // of a block, a multiple of column_group
  int64_t column_group = 1;  // neighbouring columns that live or die together; KH * KW keeps whole kernels
  double row_keep = 1.0;     // fractions in (0, 1]; a block keeps ceil(fraction * extent)
  double column_keep = 1.0;
  Budget budget = Budget::kPerBlock;

  Status Validate() const {
    LACUNA_RETURN_IF_ERROR((BlockShape{rows, columns}.Validate()));
    if (column_group < 1 || columns % column_group != 0) {
      return Status::InvalidArgument("spec.column_group is %lld, must be at least 1 and divide spec.columns, %lld",
                                     static_cast<long long>(column_group), static_cast<long long>(columns));
    }
    LACUNA_RETURN_IF_ERROR(CheckFraction("spec.row_keep", row_keep));
    return CheckFraction("spec.column_keep", column_keep);
  }
};

// Keeps, in every block, the rows of largest L2 norm, then the columns (groups of columns) of largest norm over the
// kept rows. Blocks are clipped at the edges and never straddle groups; norms are root mean squares, so that clipped
// rows and columns compete fairly under Budget::kPerLayer. Weights must be finite. Source: GRIM, TPAMI 2021, section 3.
template <class T>
Result<BcrWeights<T>> ProjectBcr(const DenseWeights<T>& weights, const BcrSpec& spec) {
  LACUNA_RETURN_IF_ERROR(spec.Validate());
  LACUNA_RETURN_IF_ERROR(CheckFinite(weights));
  const BlockShape block{spec.rows, spec.columns};
  const BlockGrid grid{weights.shape(), block};
  const int64_t groups_per_block = spec.columns / spec.column_group;
  const auto blocks = static_cast<size_t>(grid.blocks());
  LACUNA_ASSIGN_OR_RETURN(row_kept, Buffer<uint8_t>::Make(blocks * static_cast<size_t>(spec.rows)));
  LACUNA_ASSIGN_OR_RETURN(column_kept, Buffer<uint8_t>::Make(blocks * static_cast<size_t>(groups_per_block)));
  const bool per_layer = spec.budget == Budget::kPerLayer;
  const size_t competing = static_cast<size_t>(std::max(spec.rows, groups_per_block)) * (per_layer ? blocks : 1);
  LACUNA_ASSIGN_OR_RETURN(units, Buffer<Unit>::Make(competing));

  // Rows first, then columns over the rows that were kept.
  for (const bool by_row : {true, false}) {
    size_t used = 0;
    auto& flag = by_row ? row_kept : column_kept;
    const double keep = by_row ? spec.row_keep : spec.column_keep;
    for (int64_t b = 0; b < grid.blocks(); ++b) {
      const int64_t s = b / grid.block_columns(), c = b % grid.block_columns();
      const int64_t row_extent = grid.row_extent(s), column_extent = grid.column_extent(c);
      const auto group_extent =
          static_cast<int64_t>(DivideUp(static_cast<size_t>(column_extent), static_cast<size_t>(spec.column_group)));
      const int64_t extent = by_row ? row_extent : group_extent;
      for (int64_t u = 0; u < extent; ++u) {
        const int64_t row_begin = by_row ? u : 0, row_end = by_row ? u + 1 : row_extent;
        const int64_t column_begin = by_row ? 0 : u * spec.column_group;
        const int64_t column_end = by_row ? column_extent : std::min(column_begin + spec.column_group, column_extent);
        double sum = 0;
        int64_t count = 0;
        for (int64_t i = row_begin; i < row_end; ++i) {
          if (!by_row && !row_kept[static_cast<size_t>(b * spec.rows + i)]) continue;
          const T* row = weights.row(grid.first_row(s) + i) + c * spec.columns;
          for (int64_t j = column_begin; j < column_end; ++j)
            sum += static_cast<double>(row[j]) * static_cast<double>(row[j]);
          count += column_end - column_begin;
        }
        const int64_t place = b * (by_row ? spec.rows : groups_per_block) + u;
        units[used++] = {count == 0 ? 0.0 : sum / static_cast<double>(count), static_cast<uint64_t>(place)};
      }
      if (!per_layer) {
        KeepLargest(std::span<Unit>(units.data(), used), KeptOf(keep, extent), flag);
        used = 0;
      }
    }
    if (per_layer) {
      const std::span<Unit> all(units.data(), used);
      KeepLargest(all, KeptOf(keep, static_cast<int64_t>(used)), flag);
    }
  }
  return BcrWeights<T>::FromMask(weights, block, [&](int64_t row, int64_t column) {
    const int64_t s = grid.block_row_of(row), c = column / spec.columns;
    const int64_t b = s * grid.block_columns() + c;
    const int64_t group = (column - c * spec.columns) / spec.column_group;
    return row_kept[static_cast<size_t>(b * spec.rows + row - grid.first_row(s))] != 0 &&
           column_kept[static_cast<size_t>(b * groups_per_block + group)] != 0;
  });
}

LACUNA_INSTANCE(LACUNA_API Result<BcrWeights<float>> ProjectBcr(const DenseWeights<float>&, const BcrSpec&));

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_BCR_H_
