// BcrWeights: block-based column-row pruned weights (GRIM, TPAMI 2021).

#ifndef LACUNA_FORMAT_BCR_H_
#define LACUNA_FORMAT_BCR_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/blob_layout.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/block_grid.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/matrix_shape.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// The arrays of BcrWeights. Blocks are ordered by block row, then block column; b counts blocks, s block rows
// ("strips"). Block b keeps row_count[b] of its rows and column_count[b] of its columns (both 0 if it keeps nothing)
// and stores the dense little matrix of their crossings. The kept rows and columns are listed, ascending and counted
// from the block's corner, unless all are kept: a full list is not stored, and row_count is empty if every block that
// keeps something keeps all its rows. Starts are kept per strip, so a block costs 2 or 4 bytes plus its lists.
template <class T>
struct BcrArrays {
  Buffer<uint16_t> row_count;     // [blocks] or empty
  Buffer<uint16_t> column_count;  // [blocks]
  Buffer<uint32_t> row_begin;     // [strips + 1] into row
  Buffer<uint32_t> column_begin;  // [strips + 1] into column
  Buffer<uint32_t> value_begin;   // [strips + 1] into value
  Buffer<uint16_t> row;           // row lists of blocks that drop rows
  Buffer<uint16_t> column;        // column lists of blocks that drop columns
  Buffer<T> value;                // [row_count][column_count] of every block
};

template <class T>
class BcrWeights {
 public:
  using value_type = T;
  using Arrays = BcrArrays<T>;

  // One block as stored. A null list means that everything is kept.
  struct Block {
    int64_t block_column;
    int64_t rows, columns;  // kept
    const uint16_t* row;
    const uint16_t* column;
    const T* value;  // [rows][columns]

    int64_t RowAt(int64_t i) const { return row == nullptr ? i : row[i]; }
    int64_t ColumnAt(int64_t i) const { return column == nullptr ? i : column[i]; }
  };

  // Takes arrays as they are (owned or viewed); fails if they break an invariant.
  static Result<BcrWeights> FromArrays(const MatrixShape& shape, const BlockShape& block, Arrays arrays) {
    BcrWeights weights(shape, block, std::move(arrays));
    LACUNA_RETURN_IF_ERROR(weights.Validate());
    return weights;
  }

  // The smallest cover: a block keeps the rows and the columns that hold a non-zero.
  static Result<BcrWeights> FromDense(const DenseWeights<T>& dense, const BlockShape& block);

  // As FromDense, for weights that `kept(row, column)` names instead of the non-zero ones; values come from `dense`.
  template <class Kept>
  static Result<BcrWeights> FromMask(const DenseWeights<T>& dense, const BlockShape& block, const Kept& kept);

  const MatrixShape& shape() const { return grid_.shape; }
  const BlockShape& block() const { return grid_.block; }
  const BlockGrid& grid() const { return grid_; }
  const Arrays& arrays() const { return arrays_; }

  int64_t nnz() const { return static_cast<int64_t>(arrays_.value.size()); }
  size_t StorageBytes() const {
    return arrays_.row_count.size_bytes() + arrays_.column_count.size_bytes() + arrays_.row_begin.size_bytes() +
           arrays_.column_begin.size_bytes() + arrays_.value_begin.size_bytes() + arrays_.row.size_bytes() +
           arrays_.column.size_bytes() + arrays_.value.size_bytes();
  }
  Status Validate() const;

  Result<DenseWeights<T>> ToDense() const;

  // f(block) for the blocks of a block row, left to right.
  template <class F>
  void VisitBlockRow(int64_t block_row, const F& f) const {
    const auto strip = static_cast<size_t>(block_row);
    const uint16_t* row = arrays_.row.data() + arrays_.row_begin[strip];
    const uint16_t* column = arrays_.column.data() + arrays_.column_begin[strip];
    const T* value = arrays_.value.data() + arrays_.value_begin[strip];
    for (int64_t c = 0; c < grid_.block_columns(); ++c) {
      const auto b = static_cast<size_t>(block_row * grid_.block_columns() + c);
      const int64_t columns = arrays_.column_count[b];
      const int64_t rows = RowCount(b, grid_.row_extent(block_row));
      const bool lists_rows = rows != grid_.row_extent(block_row) && rows != 0;
      const bool lists_columns = columns != grid_.column_extent(c);
      f(Block{c, rows, columns, lists_rows ? row : nullptr, lists_columns ? column : nullptr, value});
      if (lists_rows) row += rows;
      if (lists_columns) column += columns;
      value += rows * columns;
    }
  }

  // f(column, value) for the stored weights of a row, columns ascending.
  template <class F>
  void VisitRow(int64_t r, const F& f) const {
    const int64_t block_row = grid_.block_row_of(r);
    const int64_t inside = r - grid_.first_row(block_row);
    VisitBlockRow(block_row, [&](const Block& b) {
      int64_t i = inside;
      if (b.row != nullptr) {
        const uint16_t* end = b.row + b.rows;
        const uint16_t* at = std::lower_bound(b.row, end, static_cast<uint16_t>(inside));
        if (at == end || *at != inside) return;
        i = at - b.row;
      }
      const T* value = b.value + i * b.columns;
      for (int64_t j = 0; j < b.columns; ++j) f(b.block_column * grid_.block.columns + b.ColumnAt(j), value[j]);
    });
  }

 private:
  friend struct BlobAccess;  // core/blob_layout.h
  static constexpr BlobKind kBlobKind = BlobKind::kBcr;
  BcrWeights() = default;
  template <class Self, class Fields>
  static void ListFields(Self& self, Fields& fields) {
    fields.Scalar("rows", self.grid_.shape.rows);
    fields.Scalar("columns", self.grid_.shape.columns);
    fields.Scalar("groups", self.grid_.shape.groups);
    fields.Scalar("block_rows", self.grid_.block.rows);
    fields.Scalar("block_columns", self.grid_.block.columns);
    fields.Array("row_count", self.arrays_.row_count);
    fields.Array("column_count", self.arrays_.column_count);
    fields.Array("row_begin", self.arrays_.row_begin);
    fields.Array("column_begin", self.arrays_.column_begin);
    fields.Array("value_begin", self.arrays_.value_begin);
    fields.Array("row", self.arrays_.row);
    fields.Array("column", self.arrays_.column);
    fields.Array("value", self.arrays_.value);
  }

  BcrWeights(const MatrixShape& shape, const BlockShape& block, Arrays arrays)
      : grid_{shape, block}, arrays_(std::move(arrays)) {}

  Status ValidateLists() const;

  int64_t RowCount(size_t b, int64_t extent) const {
    if (arrays_.row_count.size() != 0) return arrays_.row_count[b];
    return arrays_.column_count[b] == 0 ? 0 : extent;
  }

  BlockGrid grid_;
  Arrays arrays_;
};

template <class T>
template <class Kept>
Result<BcrWeights<T>> BcrWeights<T>::FromMask(const DenseWeights<T>& dense, const BlockShape& block, const Kept& kept) {
  LACUNA_RETURN_IF_ERROR(block.Validate());
  const BlockGrid grid{dense.shape(), block};
  const auto strips = static_cast<size_t>(grid.block_rows());
  const auto blocks = static_cast<size_t>(grid.blocks());
  LACUNA_ASSIGN_OR_RETURN(row_count, Buffer<uint16_t>::Make(blocks));
  LACUNA_ASSIGN_OR_RETURN(column_count, Buffer<uint16_t>::Make(blocks));
  LACUNA_ASSIGN_OR_RETURN(row_begin, Buffer<uint32_t>::Make(strips + 1));
  LACUNA_ASSIGN_OR_RETURN(column_begin, Buffer<uint32_t>::Make(strips + 1));
  LACUNA_ASSIGN_OR_RETURN(value_begin, Buffer<uint32_t>::Make(strips + 1));
  LACUNA_ASSIGN_OR_RETURN(block_rows, Buffer<uint16_t>::Make(static_cast<size_t>(block.rows)));
  LACUNA_ASSIGN_OR_RETURN(block_columns, Buffer<uint16_t>::Make(static_cast<size_t>(block.columns)));
  LACUNA_ASSIGN_OR_RETURN(column_kept, Buffer<uint8_t>::Make(static_cast<size_t>(block.columns)));
  Buffer<uint16_t> row, column;
  Buffer<T> value;

  // Twice over all blocks: first to count, then, with the arrays allocated, to fill them.
  size_t rows_used = 0, columns_used = 0, values_used = 0;
  bool all_rows = true;
  for (const bool fill : {false, true}) {
    rows_used = columns_used = values_used = 0;
    for (int64_t s = 0; s < grid.block_rows(); ++s) {
      row_begin[static_cast<size_t>(s)] = static_cast<uint32_t>(rows_used);
      column_begin[static_cast<size_t>(s)] = static_cast<uint32_t>(columns_used);
      value_begin[static_cast<size_t>(s)] = static_cast<uint32_t>(values_used);
      const int64_t first_row = grid.first_row(s), row_extent = grid.row_extent(s);
      for (int64_t c = 0; c < grid.block_columns(); ++c) {
        const int64_t first_column = c * block.columns, column_extent = grid.column_extent(c);
        size_t rows = 0, columns = 0;
        std::fill(column_kept.begin(), column_kept.end(), uint8_t{0});
        for (int64_t i = 0; i < row_extent; ++i) {
          bool any = false;
          for (int64_t j = 0; j < column_extent; ++j) {
            if (!kept(first_row + i, first_column + j)) continue;
            any = true;
            column_kept[static_cast<size_t>(j)] = 1;
          }
          if (any) block_rows[rows++] = static_cast<uint16_t>(i);
        }
        for (int64_t j = 0; j < column_extent; ++j) {
          if (column_kept[static_cast<size_t>(j)]) block_columns[columns++] = static_cast<uint16_t>(j);
        }
        const auto b = static_cast<size_t>(s * grid.block_columns() + c);
        row_count[b] = static_cast<uint16_t>(rows);
        column_count[b] = static_cast<uint16_t>(columns);
        const bool lists_rows = rows != static_cast<size_t>(row_extent) && rows != 0;
        all_rows = all_rows && !lists_rows;
        const bool lists_columns = columns != static_cast<size_t>(column_extent);
        if (fill) {
          if (lists_rows) std::copy_n(block_rows.begin(), rows, row.begin() + rows_used);
          if (lists_columns) std::copy_n(block_columns.begin(), columns, column.begin() + columns_used);
          T* values = value.begin() + values_used;
          for (size_t i = 0; i < rows; ++i) {
            const T* source = dense.row(first_row + block_rows[i]) + first_column;
            for (size_t j = 0; j < columns; ++j) *values++ = source[block_columns[j]];
          }
        }
        if (lists_rows) rows_used += rows;
        if (lists_columns) columns_used += columns;
        values_used += rows * columns;
      }
    }
    row_begin[strips] = static_cast<uint32_t>(rows_used);
    column_begin[strips] = static_cast<uint32_t>(columns_used);
    value_begin[strips] = static_cast<uint32_t>(values_used);
    if (values_used > std::numeric_limits<uint32_t>::max()) {
      return Status::InvalidArgument("bcr.value would have %zu elements, must have at most %u", values_used,
                                     std::numeric_limits<uint32_t>::max());
    }
    if (!fill) {
      LACUNA_ASSIGN_OR_RETURN(rows_made, Buffer<uint16_t>::Make(rows_used));
      LACUNA_ASSIGN_OR_RETURN(columns_made, Buffer<uint16_t>::Make(columns_used));
      LACUNA_ASSIGN_OR_RETURN(values_made, Buffer<T>::Make(values_used));
      row = std::move(rows_made);
      column = std::move(columns_made);
      value = std::move(values_made);
    }
  }
  if (all_rows) row_count = Buffer<uint16_t>();
  return BcrWeights(dense.shape(), block,
                    {std::move(row_count), std::move(column_count), std::move(row_begin), std::move(column_begin),
                     std::move(value_begin), std::move(row), std::move(column), std::move(value)});
}

template <class T>
Result<BcrWeights<T>> BcrWeights<T>::FromDense(const DenseWeights<T>& dense, const BlockShape& block) {
  return FromMask(dense, block, [&](int64_t row, int64_t column) { return dense.row(row)[column] != T{}; });
}

template <class T>
Result<DenseWeights<T>> BcrWeights<T>::ToDense() const {
  return ExpandRows(*this);
}

template <class T>
Status BcrWeights<T>::Validate() const {
  LACUNA_RETURN_IF_ERROR(shape().Validate());
  LACUNA_RETURN_IF_ERROR(block().Validate());
  const auto strips = static_cast<size_t>(grid_.block_rows());
  const auto blocks = static_cast<size_t>(grid_.blocks());
  const auto length = [](const char* name, size_t size, size_t expected) {
    if (size == expected) return Status();
    return Status::InvalidArgument("bcr.%s has %zu elements, must have %zu", name, size, expected);
  };
  if (arrays_.row_count.size() != 0) LACUNA_RETURN_IF_ERROR(length("row_count", arrays_.row_count.size(), blocks));
  LACUNA_RETURN_IF_ERROR(length("column_count", arrays_.column_count.size(), blocks));
  LACUNA_RETURN_IF_ERROR(length("row_begin", arrays_.row_begin.size(), strips + 1));
  LACUNA_RETURN_IF_ERROR(length("column_begin", arrays_.column_begin.size(), strips + 1));
  LACUNA_RETURN_IF_ERROR(length("value_begin", arrays_.value_begin.size(), strips + 1));
  return ValidateLists();
}

template <class T>
Status BcrWeights<T>::ValidateLists() const {
  size_t rows_used = 0, columns_used = 0, values_used = 0;
  const auto list = [](const char* name, size_t b, const Buffer<uint16_t>& all, size_t begin, size_t count,
                       int64_t extent) {
    if (begin + count > all.size()) {
      return Status::InvalidArgument("bcr.%s has %zu elements, block %zu needs %zu", name, all.size(), b,
                                     begin + count);
    }
    for (size_t i = begin; i < begin + count; ++i) {
      if (all[i] >= extent) {
        return Status::InvalidArgument("bcr.%s[%zu] is %d in block %zu, must be below %lld", name, i, int{all[i]}, b,
                                       static_cast<long long>(extent));
      }
      if (i > begin && all[i] <= all[i - 1]) {
        return Status::InvalidArgument("bcr.%s[%zu] is %d in block %zu, must exceed its predecessor %d", name, i,
                                       int{all[i]}, b, int{all[i - 1]});
      }
    }
    return Status();
  };
  const auto start = [](const char* name, size_t s, uint32_t value, size_t expected) {
    if (value == expected) return Status();
    return Status::InvalidArgument("bcr.%s[%zu] is %u, must be %zu", name, s, value, expected);
  };
  for (int64_t s = 0; s <= grid_.block_rows(); ++s) {
    const auto strip = static_cast<size_t>(s);
    LACUNA_RETURN_IF_ERROR(start("row_begin", strip, arrays_.row_begin[strip], rows_used));
    LACUNA_RETURN_IF_ERROR(start("column_begin", strip, arrays_.column_begin[strip], columns_used));
    LACUNA_RETURN_IF_ERROR(start("value_begin", strip, arrays_.value_begin[strip], values_used));
    if (s == grid_.block_rows()) break;
    for (int64_t c = 0; c < grid_.block_columns(); ++c) {
      const auto b = static_cast<size_t>(s * grid_.block_columns() + c);
      const int64_t row_extent = grid_.row_extent(s), column_extent = grid_.column_extent(c);
      const auto rows = static_cast<size_t>(RowCount(b, row_extent));
      const size_t columns = arrays_.column_count[b];
      if (static_cast<int64_t>(rows) > row_extent || static_cast<int64_t>(columns) > column_extent ||
          (rows == 0) != (columns == 0)) {
        return Status::InvalidArgument(
            "bcr block %zu keeps %zu rows and %zu columns, must keep at most %lld and %lld, or "
            "neither",
            b, rows, columns, static_cast<long long>(row_extent), static_cast<long long>(column_extent));
      }
      if (static_cast<int64_t>(rows) != row_extent && rows != 0) {
        LACUNA_RETURN_IF_ERROR(list("row", b, arrays_.row, rows_used, rows, row_extent));
        rows_used += rows;
      }
      if (static_cast<int64_t>(columns) != column_extent) {
        LACUNA_RETURN_IF_ERROR(list("column", b, arrays_.column, columns_used, columns, column_extent));
        columns_used += columns;
      }
      values_used += rows * columns;
    }
  }
  if (rows_used != arrays_.row.size() || columns_used != arrays_.column.size() || values_used != arrays_.value.size()) {
    return Status::InvalidArgument(
        "bcr.row, column and value have %zu, %zu and %zu elements, must have %zu, %zu and %zu", arrays_.row.size(),
        arrays_.column.size(), arrays_.value.size(), rows_used, columns_used, values_used);
  }
  return Status();
}

LACUNA_INSTANCE(class LACUNA_API BcrWeights<float>);

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_BCR_H_
