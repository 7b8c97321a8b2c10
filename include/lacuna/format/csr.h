// CsrWeights: the scheme `unstructured`, compressed sparse rows.

#ifndef LACUNA_FORMAT_CSR_H_
#define LACUNA_FORMAT_CSR_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/blob_layout.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/index_array.h"
#include "lacuna/format/matrix_shape.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

template <class T>
struct CsrArrays {
  Buffer<uint32_t> row_begin;  // [rows + 1] into column and value
  IndexArray column;           // ascending inside a row
  Buffer<T> value;
};

template <class T>
class CsrWeights {
 public:
  using value_type = T;
  using Arrays = CsrArrays<T>;
  static constexpr bool kScatteredRows = true;  // format/row_source.h

  // Takes arrays as they are (owned or viewed); fails if they break an invariant.
  static Result<CsrWeights> FromArrays(const MatrixShape& shape, Arrays arrays) {
    CsrWeights weights(shape, std::move(arrays));
    LACUNA_RETURN_IF_ERROR(weights.Validate());
    return weights;
  }

  // Stores the weights that are not zero.
  static Result<CsrWeights> FromDense(const DenseWeights<T>& dense);

  // Stores the weights that `kept(row, column)` names; values come from `dense`.
  template <class Kept>
  static Result<CsrWeights> FromMask(const DenseWeights<T>& dense, const Kept& kept);

  const MatrixShape& shape() const { return shape_; }
  const Arrays& arrays() const { return arrays_; }
  int64_t nnz() const { return static_cast<int64_t>(arrays_.value.size()); }
  size_t StorageBytes() const {
    return arrays_.row_begin.size_bytes() + arrays_.column.size_bytes() + arrays_.value.size_bytes();
  }
  Status Validate() const;

  Result<DenseWeights<T>> ToDense() const;

  // f(column, value) for the stored weights of a row, columns ascending.
  template <class F>
  void VisitRow(int64_t row, const F& f) const {
    const auto r = static_cast<size_t>(row);
    for (size_t i = arrays_.row_begin[r]; i < arrays_.row_begin[r + 1]; ++i) {
      f(static_cast<int64_t>(arrays_.column[i]), arrays_.value[i]);
    }
  }

 private:
  friend struct BlobAccess;  // core/blob_layout.h
  static constexpr BlobKind kBlobKind = BlobKind::kCsr;
  CsrWeights() = default;
  template <class Self, class Fields>
  static void ListFields(Self& self, Fields& fields) {
    fields.Scalar("rows", self.shape_.rows);
    fields.Scalar("columns", self.shape_.columns);
    fields.Scalar("groups", self.shape_.groups);
    fields.Array("row_begin", self.arrays_.row_begin);
    fields.Array("column", self.arrays_.column);
    fields.Array("value", self.arrays_.value);
  }

  CsrWeights(const MatrixShape& shape, Arrays arrays) : shape_(shape), arrays_(std::move(arrays)) {}

  MatrixShape shape_;
  Arrays arrays_;
};

template <class T>
template <class Kept>
Result<CsrWeights<T>> CsrWeights<T>::FromMask(const DenseWeights<T>& dense, const Kept& kept) {
  const MatrixShape& shape = dense.shape();
  LACUNA_ASSIGN_OR_RETURN(row_begin, Buffer<uint32_t>::Make(static_cast<size_t>(shape.rows) + 1));
  size_t count = 0;
  for (int64_t row = 0; row < shape.rows; ++row) {
    for (int64_t column = 0; column < shape.columns; ++column) count += kept(row, column);
    if (count > std::numeric_limits<uint32_t>::max()) {
      return Status::InvalidArgument("csr.value would have more than %u elements, the limit",
                                     std::numeric_limits<uint32_t>::max());
    }
    row_begin[static_cast<size_t>(row) + 1] = static_cast<uint32_t>(count);
  }
  LACUNA_ASSIGN_OR_RETURN(index, IndexArray::Make(count, shape.columns));
  LACUNA_ASSIGN_OR_RETURN(value, Buffer<T>::Make(count));
  size_t used = 0;
  for (int64_t row = 0; row < shape.rows; ++row) {
    for (int64_t column = 0; column < shape.columns; ++column) {
      if (!kept(row, column)) continue;
      index.Set(used, static_cast<uint32_t>(column));
      value[used++] = dense.row(row)[column];
    }
  }
  return CsrWeights(shape, {std::move(row_begin), std::move(index), std::move(value)});
}

template <class T>
Result<CsrWeights<T>> CsrWeights<T>::FromDense(const DenseWeights<T>& dense) {
  return FromMask(dense, [&](int64_t row, int64_t column) { return dense.row(row)[column] != T{}; });
}

template <class T>
Result<DenseWeights<T>> CsrWeights<T>::ToDense() const {
  return ExpandRows(*this);
}

template <class T>
Status CsrWeights<T>::Validate() const {
  LACUNA_RETURN_IF_ERROR(shape_.Validate());
  const auto rows = static_cast<size_t>(shape_.rows);
  const auto& [row_begin, column, value] = arrays_;
  if (row_begin.size() != rows + 1 || column.size() != value.size()) {
    return Status::InvalidArgument(
        "csr.row_begin, column and value have %zu, %zu and %zu elements, must have %zu and two "
        "equal counts",
        row_begin.size(), column.size(), value.size(), rows + 1);
  }
  if (row_begin[0] != 0 || row_begin[rows] != value.size()) {
    return Status::InvalidArgument("csr.row_begin runs from %u to %u, must run from 0 to %zu", row_begin[0],
                                   row_begin[rows], value.size());
  }
  for (size_t r = 0; r < rows; ++r) {
    if (row_begin[r + 1] < row_begin[r] || row_begin[r + 1] > value.size()) {
      return Status::InvalidArgument("csr.row_begin[%zu] is %u, must be in [%u, %zu]", r + 1, row_begin[r + 1],
                                     row_begin[r], value.size());
    }
    for (size_t i = row_begin[r]; i < row_begin[r + 1]; ++i) {
      if (int64_t{column[i]} >= shape_.columns || (i > row_begin[r] && column[i] <= column[i - 1])) {
        return Status::InvalidArgument("csr.column[%zu] is %u, must ascend inside row %zu and be below %lld", i,
                                       column[i], r, static_cast<long long>(shape_.columns));
      }
    }
  }
  return Status();
}

LACUNA_INSTANCE(class LACUNA_API CsrWeights<float>);

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_CSR_H_
