// Convert: weights of one format as another.

#ifndef LACUNA_FORMAT_CONVERT_H_
#define LACUNA_FORMAT_CONVERT_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/block.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/index_array.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {
namespace convert {

// The stored weights of `from`, stored zeros included.
template <class From>
Result<CsrWeights<typename From::value_type>> RowsToCsr(const From& from) {
  using T = typename From::value_type;
  const MatrixShape& shape = from.shape();
  const auto count = static_cast<size_t>(from.nnz());
  if (count > std::numeric_limits<uint32_t>::max()) {
    return Status::InvalidArgument("csr.value would have %zu elements, must have at most %u", count,
                                   std::numeric_limits<uint32_t>::max());
  }
  LACUNA_ASSIGN_OR_RETURN(row_begin, Buffer<uint32_t>::Make(static_cast<size_t>(shape.rows) + 1));
  LACUNA_ASSIGN_OR_RETURN(index, IndexArray::Make(count, shape.columns));
  LACUNA_ASSIGN_OR_RETURN(value, Buffer<T>::Make(count));
  size_t used = 0;
  for (int64_t row = 0; row < shape.rows; ++row) {
    from.VisitRow(row, [&](int64_t column, T v) {
      index.Set(used, static_cast<uint32_t>(column));
      value[used++] = v;
    });
    row_begin[static_cast<size_t>(row) + 1] = static_cast<uint32_t>(used);
  }
  return CsrWeights<T>::FromArrays(shape, {std::move(row_begin), std::move(index), std::move(value)});
}

// The same blocks: one that is stored keeps all its rows and columns.
template <class T>
Result<BcrWeights<T>> BlockToBcr(const BlockWeights<T>& from) {
  const BlockGrid& grid = from.grid();
  const auto& arrays = from.arrays();
  const auto strips = static_cast<size_t>(grid.block_rows());
  LACUNA_ASSIGN_OR_RETURN(column_count, Buffer<uint16_t>::Make(static_cast<size_t>(grid.blocks())));
  LACUNA_ASSIGN_OR_RETURN(row_begin, Buffer<uint32_t>::Make(strips + 1));
  LACUNA_ASSIGN_OR_RETURN(column_begin, Buffer<uint32_t>::Make(strips + 1));
  LACUNA_ASSIGN_OR_RETURN(value_begin, Buffer<uint32_t>::CopyOf(arrays.value_begin));
  LACUNA_ASSIGN_OR_RETURN(value, Buffer<T>::CopyOf(arrays.value));
  for (size_t s = 0; s < strips; ++s) {
    for (size_t b = arrays.block_begin[s]; b < arrays.block_begin[s + 1]; ++b) {
      const int64_t c = arrays.block_column[b];
      column_count[static_cast<size_t>(static_cast<int64_t>(s) * grid.block_columns() + c)] =
          static_cast<uint16_t>(grid.column_extent(c));
    }
  }
  return BcrWeights<T>::FromArrays(from.shape(), from.block(),
                                   {{},
                                    std::move(column_count),
                                    std::move(row_begin),
                                    std::move(column_begin),
                                    std::move(value_begin),
                                    {},
                                    {},
                                    std::move(value)});
}

}  // namespace convert

// `from` as a To, whose FromDense takes `arguments` (block, taps, ...) after the dense weights. Sparse weights as CSR,
// and BlockWeights as BcrWeights without arguments or with the same block, keep their stored zeros; all else goes
// through dense weights and is To's smallest cover of what is not zero. Fails where To::FromDense does.
template <class To, class From, class... Arguments>
Result<To> Convert(const From& from, const Arguments&... arguments) {
  using T = typename From::value_type;
  static_assert(std::same_as<T, typename To::value_type>, "Convert changes the format, not the value type");
  if constexpr (std::same_as<To, DenseWeights<T>>) {
    static_assert(sizeof...(Arguments) == 0, "dense weights take no arguments");
    return ExpandRows(from);
  } else if constexpr (std::same_as<From, DenseWeights<T>>) {
    return To::FromDense(from, arguments...);
  } else if constexpr (std::same_as<To, CsrWeights<T>>) {
    static_assert(sizeof...(Arguments) == 0, "CSR takes no arguments");
    return convert::RowsToCsr(from);
  } else if constexpr (std::same_as<From, BlockWeights<T>> && std::same_as<To, BcrWeights<T>>) {
    if (((arguments == from.block()) && ...)) return convert::BlockToBcr(from);
    if constexpr (sizeof...(Arguments) != 0) {
      LACUNA_ASSIGN_OR_RETURN(dense, ExpandRows(from));
      return To::FromDense(dense, arguments...);
    }
  } else {
    LACUNA_ASSIGN_OR_RETURN(dense, ExpandRows(from));
    return To::FromDense(dense, arguments...);
  }
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_CONVERT_H_
