// BcrcArrays: the BCRC storage of the GRIM paper, made from BcrWeights and read back.

#ifndef LACUNA_FORMAT_BCRC_H_
#define LACUNA_FORMAT_BCRC_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/row_lists.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// Blocked Column-Row Compact storage (GRIM, TPAMI 2021, section 4). Rows are reordered so that rows with the same
// column list are neighbours; such a run of rows stores its list once. Row i (stored) is row reorder[i] of the matrix.
template <class T>
struct BcrcArrays {
  Buffer<uint32_t> reorder;         // [M] stored row -> row
  Buffer<uint64_t> row_offset;      // [M + 1] into weights
  Buffer<uint32_t> occurrence;      // [G + 1] stored row at which each run of rows begins
  Buffer<uint64_t> column_stride;   // [G + 1] into compact_column
  Buffer<uint32_t> compact_column;  // the column list of each run, ascending
  Buffer<T> weights;                // row by row, in the order of its column list

  size_t StorageBytes() const {
    return reorder.size_bytes() + row_offset.size_bytes() + occurrence.size_bytes() + column_stride.size_bytes() +
           compact_column.size_bytes() + weights.size_bytes();
  }
};

template <class T>
Result<BcrcArrays<T>> ToBcrc(const BcrWeights<T>& weights) {
  const auto rows = static_cast<size_t>(weights.shape().rows);
  LACUNA_ASSIGN_OR_RETURN(lists, RowLists::Of(weights));
  LACUNA_ASSIGN_OR_RETURN(reorder, Buffer<uint32_t>::Make(rows));
  LACUNA_ASSIGN_OR_RETURN(row_offset, Buffer<uint64_t>::Make(rows + 1));
  LACUNA_ASSIGN_OR_RETURN(values, Buffer<T>::Make(static_cast<size_t>(weights.nnz())));
  std::iota(reorder.begin(), reorder.end(), 0u);
  // By list, ties by row number, so that the result does not depend on the sorting algorithm.
  std::sort(reorder.begin(), reorder.end(), [&](uint32_t a, uint32_t b) {
    const auto left = lists.row(a), right = lists.row(b);
    if (!std::ranges::equal(left, right)) return std::ranges::lexicographical_compare(left, right);
    return a < b;
  });
  size_t runs = 0, columns = 0, used = 0;
  const auto starts_run = [&](size_t i) {
    return i == 0 || !std::ranges::equal(lists.row(reorder[i]), lists.row(reorder[i - 1]));
  };
  for (size_t i = 0; i < rows; ++i) {
    if (starts_run(i)) {
      ++runs;
      columns += lists.row(reorder[i]).size();
    }
    weights.VisitRow(reorder[i], [&](int64_t, T value) { values[used++] = value; });
    row_offset[i + 1] = used;
  }
  LACUNA_ASSIGN_OR_RETURN(occurrence, Buffer<uint32_t>::Make(runs + 1));
  LACUNA_ASSIGN_OR_RETURN(column_stride, Buffer<uint64_t>::Make(runs + 1));
  LACUNA_ASSIGN_OR_RETURN(compact_column, Buffer<uint32_t>::Make(columns));
  size_t run = 0;
  for (size_t i = 0; i < rows; ++i) {
    if (!starts_run(i)) continue;
    const auto list = lists.row(reorder[i]);
    occurrence[run] = static_cast<uint32_t>(i);
    std::ranges::copy(list, compact_column.begin() + column_stride[run]);
    column_stride[run + 1] = column_stride[run] + list.size();
    ++run;
  }
  occurrence[runs] = static_cast<uint32_t>(rows);
  return BcrcArrays<T>{std::move(reorder),       std::move(row_offset),     std::move(occurrence),
                       std::move(column_stride), std::move(compact_column), std::move(values)};
}

// Status of the invariants of BCRC arrays for a matrix of `shape`.
template <class T>
Status ValidateBcrc(const BcrcArrays<T>& arrays, const MatrixShape& shape) {
  LACUNA_RETURN_IF_ERROR(shape.Validate());
  const auto rows = static_cast<size_t>(shape.rows);
  const size_t runs = arrays.occurrence.size() == 0 ? 0 : arrays.occurrence.size() - 1;
  if (arrays.reorder.size() != rows || arrays.row_offset.size() != rows + 1) {
    return Status::InvalidArgument("bcrc.reorder and row_offset have %zu and %zu elements, must have %zu and %zu",
                                   arrays.reorder.size(), arrays.row_offset.size(), rows, rows + 1);
  }
  if (runs == 0 || arrays.column_stride.size() != runs + 1 || arrays.occurrence[0] != 0 ||
      arrays.occurrence[runs] != rows || arrays.column_stride[0] != 0 || arrays.row_offset[0] != 0) {
    return Status::InvalidArgument(
        "bcrc.occurrence and column_stride must start at 0, have equal lengths and cover %zu rows", rows);
  }
  LACUNA_ASSIGN_OR_RETURN(seen, Buffer<uint8_t>::Make(rows));
  for (size_t i = 0; i < rows; ++i) {
    if (arrays.reorder[i] >= rows || seen[arrays.reorder[i]]++ != 0) {
      return Status::InvalidArgument("bcrc.reorder[%zu] is %u, must be a row below %zu that occurs once", i,
                                     arrays.reorder[i], rows);
    }
  }
  for (size_t g = 0; g < runs; ++g) {
    const uint64_t begin = arrays.column_stride[g], end = arrays.column_stride[g + 1];
    if (end < begin || end > arrays.compact_column.size() || arrays.occurrence[g + 1] <= arrays.occurrence[g] ||
        arrays.occurrence[g + 1] > rows) {
      return Status::InvalidArgument("bcrc.column_stride or occurrence of run %zu leaves its array or runs backwards",
                                     g);
    }
    for (uint64_t i = begin; i < end; ++i) {
      if (arrays.compact_column[i] >= shape.columns ||
          (i > begin && arrays.compact_column[i] <= arrays.compact_column[i - 1])) {
        return Status::InvalidArgument("bcrc.compact_column[%llu] is %u, must ascend and be below %lld",
                                       static_cast<unsigned long long>(i), arrays.compact_column[i],
                                       static_cast<long long>(shape.columns));
      }
    }
    for (size_t i = arrays.occurrence[g]; i < arrays.occurrence[g + 1]; ++i) {
      if (arrays.row_offset[i + 1] < arrays.row_offset[i] ||
          arrays.row_offset[i + 1] - arrays.row_offset[i] != end - begin) {
        return Status::InvalidArgument("bcrc.row_offset[%zu] must add the %llu columns of run %zu", i + 1,
                                       static_cast<unsigned long long>(end - begin), g);
      }
    }
  }
  if (arrays.column_stride[runs] != arrays.compact_column.size() || arrays.row_offset[rows] != arrays.weights.size()) {
    return Status::InvalidArgument("bcrc.compact_column and weights have %zu and %zu elements, must have %llu and %llu",
                                   arrays.compact_column.size(), arrays.weights.size(),
                                   static_cast<unsigned long long>(arrays.column_stride[runs]),
                                   static_cast<unsigned long long>(arrays.row_offset[rows]));
  }
  return Status();
}

// Reads BCRC arrays back: the smallest BCR cover, in blocks of `block`, of what they store.
template <class T>
Result<BcrWeights<T>> FromBcrc(const BcrcArrays<T>& arrays, const MatrixShape& shape, const BlockShape& block) {
  LACUNA_RETURN_IF_ERROR(ValidateBcrc(arrays, shape));
  LACUNA_ASSIGN_OR_RETURN(dense, DenseWeights<T>::Zeros(shape));
  LACUNA_ASSIGN_OR_RETURN(stored, Buffer<uint8_t>::Make(static_cast<size_t>(shape.elements())));
  for (size_t g = 0; g + 1 < arrays.occurrence.size(); ++g) {
    for (size_t i = arrays.occurrence[g]; i < arrays.occurrence[g + 1]; ++i) {
      const auto row = static_cast<int64_t>(arrays.reorder[i]);
      const T* value = arrays.weights.data() + arrays.row_offset[i];
      for (uint64_t c = arrays.column_stride[g]; c < arrays.column_stride[g + 1]; ++c) {
        const int64_t column = arrays.compact_column[c];
        dense.mutable_row(row)[column] = *value++;
        stored[static_cast<size_t>(row * shape.columns + column)] = 1;
      }
    }
  }
  return BcrWeights<T>::FromMask(dense, block, [&](int64_t row, int64_t column) {
    return stored[static_cast<size_t>(row * shape.columns + column)] != 0;
  });
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_BCRC_H_
