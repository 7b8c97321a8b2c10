// RowLists: which columns every row keeps, whatever the format: what reorder policies and BCRC look at.

#ifndef LACUNA_FORMAT_ROW_LISTS_H_
#define LACUNA_FORMAT_ROW_LISTS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// The column list of every row.
struct RowLists {
  Buffer<uint64_t> begin;   // [rows + 1] into column
  Buffer<uint32_t> column;  // ascending inside a row

  std::span<const uint32_t> row(size_t r) const { return {column.data() + begin[r], column.data() + begin[r + 1]}; }

  template <class Weights>
  static Result<RowLists> Of(const Weights& weights) {
    const auto rows = static_cast<size_t>(weights.shape().rows);
    RowLists lists;
    LACUNA_ASSIGN_OR_RETURN(begin, Buffer<uint64_t>::Make(rows + 1));
    LACUNA_ASSIGN_OR_RETURN(column, Buffer<uint32_t>::Make(static_cast<size_t>(weights.nnz())));
    size_t used = 0;
    for (size_t r = 0; r < rows; ++r) {
      weights.VisitRow(static_cast<int64_t>(r),
                       [&](int64_t c, const auto&) { column[used++] = static_cast<uint32_t>(c); });
      begin[r + 1] = used;
    }
    lists.begin = std::move(begin);
    lists.column = std::move(column);
    return lists;
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_ROW_LISTS_H_
