// BlockGrid: how blocks tile a weight matrix, shared by the blocked formats.

#ifndef LACUNA_FORMAT_BLOCK_GRID_H_
#define LACUNA_FORMAT_BLOCK_GRID_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace lacuna::inline LACUNA_ABI {

// Extents of a block. Blocks at the right and bottom edge of a group are clipped.
struct BlockShape {
  int64_t rows = 0;
  int64_t columns = 0;

  friend bool operator==(const BlockShape&, const BlockShape&) = default;

  Status Validate() const {
    constexpr int64_t kMax = std::numeric_limits<uint16_t>::max();  // indices inside a block take 16 bits
    if (rows < 1 || rows > kMax || columns < 1 || columns > kMax) {
      return Status::InvalidArgument("block is %lld x %lld, each extent must be in [1, %lld]",
                                     static_cast<long long>(rows), static_cast<long long>(columns),
                                     static_cast<long long>(kMax));
    }
    return Status();
  }
};

// How blocks tile a matrix: block rows restart at each group. A block row is a horizontal strip of blocks.
struct BlockGrid {
  MatrixShape shape;
  BlockShape block;

  int64_t block_rows_per_group() const {
    return static_cast<int64_t>(DivideUp(static_cast<size_t>(shape.rows_per_group()), static_cast<size_t>(block.rows)));
  }
  int64_t block_rows() const { return shape.groups * block_rows_per_group(); }
  int64_t block_columns() const {
    return static_cast<int64_t>(DivideUp(static_cast<size_t>(shape.columns), static_cast<size_t>(block.columns)));
  }
  int64_t blocks() const { return block_rows() * block_columns(); }

  int64_t first_row(int64_t block_row) const {
    const int64_t group = block_row / block_rows_per_group();
    return group * shape.rows_per_group() + block_row % block_rows_per_group() * block.rows;
  }
  int64_t row_extent(int64_t block_row) const {
    const int64_t first = block_row % block_rows_per_group() * block.rows;
    return std::min(block.rows, shape.rows_per_group() - first);
  }
  int64_t column_extent(int64_t block_column) const {
    return std::min(block.columns, shape.columns - block_column * block.columns);
  }
  int64_t block_row_of(int64_t row) const {
    const int64_t group = row / shape.rows_per_group();
    return group * block_rows_per_group() + row % shape.rows_per_group() / block.rows;
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_BLOCK_GRID_H_
