// BlockWeights: the schemes `block_RxC` and `block_kernel_RxC`, block compressed sparse rows (BSR).

#ifndef LACUNA_FORMAT_BLOCK_H_
#define LACUNA_FORMAT_BLOCK_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/blob_layout.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/block_grid.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/index_array.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// Kept blocks are ordered by block row ("strip"), then block column; each stores its dense little matrix row by row.
// Blocks at the right and bottom edge of a group are clipped and store no padding.
template <class T>
struct BlockArrays {
  Buffer<uint32_t> block_begin;  // [strips + 1] into block_column
  Buffer<uint32_t> value_begin;  // [strips + 1] into value
  IndexArray block_column;       // ascending inside a strip
  Buffer<T> value;
};

template <class T>
class BlockWeights {
 public:
  using value_type = T;
  using Arrays = BlockArrays<T>;

  // Takes arrays as they are (owned or viewed); fails if they break an invariant.
  static Result<BlockWeights> FromArrays(const MatrixShape& shape, const BlockShape& block, Arrays arrays) {
    BlockWeights weights(shape, block, std::move(arrays));
    LACUNA_RETURN_IF_ERROR(weights.Validate());
    return weights;
  }

  // The smallest cover: keeps the blocks that hold a non-zero.
  static Result<BlockWeights> FromDense(const DenseWeights<T>& dense, const BlockShape& block);

  // Keeps the blocks that `kept(strip, block_column)` names; values come from `dense`.
  template <class Kept>
  static Result<BlockWeights> FromBlocks(const DenseWeights<T>& dense, const BlockShape& block, const Kept& kept);

  const MatrixShape& shape() const { return grid_.shape; }
  const BlockShape& block() const { return grid_.block; }
  const BlockGrid& grid() const { return grid_; }
  const Arrays& arrays() const { return arrays_; }

  int64_t nnz() const { return static_cast<int64_t>(arrays_.value.size()); }
  size_t StorageBytes() const {
    return arrays_.block_begin.size_bytes() + arrays_.value_begin.size_bytes() + arrays_.block_column.size_bytes() +
           arrays_.value.size_bytes();
  }
  Status Validate() const;

  Result<DenseWeights<T>> ToDense() const;

  // f(column, value) for the stored weights of a row, columns ascending.
  template <class F>
  void VisitRow(int64_t row, const F& f) const {
    const int64_t strip = grid_.block_row_of(row);
    const auto s = static_cast<size_t>(strip);
    const int64_t rows = grid_.row_extent(strip), inside = row - grid_.first_row(strip);
    const T* value = arrays_.value.data() + arrays_.value_begin[s];
    for (size_t b = arrays_.block_begin[s]; b < arrays_.block_begin[s + 1]; ++b) {
      const int64_t block_column = arrays_.block_column[b];
      const int64_t columns = grid_.column_extent(block_column);
      for (int64_t j = 0; j < columns; ++j) f(block_column * grid_.block.columns + j, value[inside * columns + j]);
      value += rows * columns;
    }
  }

 private:
  friend struct BlobAccess;  // core/blob_layout.h
  static constexpr BlobKind kBlobKind = BlobKind::kBlock;
  BlockWeights() = default;
  template <class Self, class Fields>
  static void ListFields(Self& self, Fields& fields) {
    fields.Scalar("rows", self.grid_.shape.rows);
    fields.Scalar("columns", self.grid_.shape.columns);
    fields.Scalar("groups", self.grid_.shape.groups);
    fields.Scalar("block_rows", self.grid_.block.rows);
    fields.Scalar("block_columns", self.grid_.block.columns);
    fields.Array("block_begin", self.arrays_.block_begin);
    fields.Array("value_begin", self.arrays_.value_begin);
    fields.Array("block_column", self.arrays_.block_column);
    fields.Array("value", self.arrays_.value);
  }

  BlockWeights(const MatrixShape& shape, const BlockShape& block, Arrays arrays)
      : grid_{shape, block}, arrays_(std::move(arrays)) {}

  BlockGrid grid_;
  Arrays arrays_;
};

template <class T>
template <class Kept>
Result<BlockWeights<T>> BlockWeights<T>::FromBlocks(const DenseWeights<T>& dense, const BlockShape& block,
                                                    const Kept& kept) {
  LACUNA_RETURN_IF_ERROR(block.Validate());
  const BlockGrid grid{dense.shape(), block};
  const auto strips = static_cast<size_t>(grid.block_rows());
  LACUNA_ASSIGN_OR_RETURN(block_begin, Buffer<uint32_t>::Make(strips + 1));
  LACUNA_ASSIGN_OR_RETURN(value_begin, Buffer<uint32_t>::Make(strips + 1));
  uint64_t blocks = 0, values = 0;
  for (size_t s = 0; s < strips; ++s) {
    const auto strip = static_cast<int64_t>(s);
    for (int64_t c = 0; c < grid.block_columns(); ++c) {
      if (!kept(strip, c)) continue;
      ++blocks;
      values += static_cast<uint64_t>(grid.row_extent(strip) * grid.column_extent(c));
    }
    if (values > std::numeric_limits<uint32_t>::max()) {
      return Status::InvalidArgument("block.value would have more than %u elements, the limit",
                                     std::numeric_limits<uint32_t>::max());
    }
    block_begin[s + 1] = static_cast<uint32_t>(blocks);
    value_begin[s + 1] = static_cast<uint32_t>(values);
  }
  LACUNA_ASSIGN_OR_RETURN(block_column, IndexArray::Make(blocks, grid.block_columns()));
  LACUNA_ASSIGN_OR_RETURN(value, Buffer<T>::Make(values));
  size_t block_at = 0;
  T* to = value.begin();
  for (int64_t strip = 0; strip < grid.block_rows(); ++strip) {
    for (int64_t c = 0; c < grid.block_columns(); ++c) {
      if (!kept(strip, c)) continue;
      block_column.Set(block_at++, static_cast<uint32_t>(c));
      for (int64_t i = 0; i < grid.row_extent(strip); ++i) {
        const T* from = dense.row(grid.first_row(strip) + i) + c * block.columns;
        for (int64_t j = 0; j < grid.column_extent(c); ++j) *to++ = from[j];
      }
    }
  }
  return BlockWeights(dense.shape(), block,
                      {std::move(block_begin), std::move(value_begin), std::move(block_column), std::move(value)});
}

template <class T>
Result<BlockWeights<T>> BlockWeights<T>::FromDense(const DenseWeights<T>& dense, const BlockShape& block) {
  const BlockGrid grid{dense.shape(), block};
  return FromBlocks(dense, block, [&](int64_t strip, int64_t block_column) {
    for (int64_t i = 0; i < grid.row_extent(strip); ++i) {
      const T* row = dense.row(grid.first_row(strip) + i) + block_column * block.columns;
      for (int64_t j = 0; j < grid.column_extent(block_column); ++j) {
        if (row[j] != T{}) return true;
      }
    }
    return false;
  });
}

template <class T>
Result<DenseWeights<T>> BlockWeights<T>::ToDense() const {
  return ExpandRows(*this);
}

template <class T>
Status BlockWeights<T>::Validate() const {
  LACUNA_RETURN_IF_ERROR(shape().Validate());
  LACUNA_RETURN_IF_ERROR(block().Validate());
  const auto strips = static_cast<size_t>(grid_.block_rows());
  const auto& [block_begin, value_begin, block_column, value] = arrays_;
  if (block_begin.size() != strips + 1 || value_begin.size() != strips + 1) {
    return Status::InvalidArgument("block.block_begin and value_begin have %zu and %zu elements, must have %zu",
                                   block_begin.size(), value_begin.size(), strips + 1);
  }
  if (block_begin[0] != 0 || block_begin[strips] != block_column.size()) {
    return Status::InvalidArgument("block.block_begin runs from %u to %u, must run from 0 to %zu", block_begin[0],
                                   block_begin[strips], block_column.size());
  }
  uint64_t values = 0;
  for (size_t s = 0; s < strips; ++s) {
    if (value_begin[s] != values) {
      return Status::InvalidArgument("block.value_begin[%zu] is %u, must be %llu", s, value_begin[s],
                                     static_cast<unsigned long long>(values));
    }
    if (block_begin[s + 1] < block_begin[s] || block_begin[s + 1] > block_column.size()) {
      return Status::InvalidArgument("block.block_begin[%zu] is %u, must be in [%u, %zu]", s + 1, block_begin[s + 1],
                                     block_begin[s], block_column.size());
    }
    for (size_t b = block_begin[s]; b < block_begin[s + 1]; ++b) {
      if (int64_t{block_column[b]} >= grid_.block_columns() ||
          (b > block_begin[s] && block_column[b] <= block_column[b - 1])) {
        return Status::InvalidArgument("block.block_column[%zu] is %u, must ascend inside strip %zu and be below %lld",
                                       b, block_column[b], s, static_cast<long long>(grid_.block_columns()));
      }
      values += static_cast<uint64_t>(grid_.row_extent(static_cast<int64_t>(s)) * grid_.column_extent(block_column[b]));
    }
  }
  if (value_begin[strips] != values || value.size() != values) {
    return Status::InvalidArgument("block.value has %zu elements and value_begin ends at %u, both must be %llu",
                                   value.size(), value_begin[strips], static_cast<unsigned long long>(values));
  }
  return Status();
}

LACUNA_INSTANCE(class LACUNA_API BlockWeights<float>);

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_BLOCK_H_
