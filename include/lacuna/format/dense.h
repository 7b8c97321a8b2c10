// DenseWeights: the scheme `dense`, and what every other format is made from and expands to.

#ifndef LACUNA_FORMAT_DENSE_H_
#define LACUNA_FORMAT_DENSE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/blob_layout.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// A row-major rows x columns matrix without gaps.
template <class T>
class DenseWeights {
 public:
  using value_type = T;

  // Views `values`, which must outlive the result. Fails if there are not rows * columns of them.
  static Result<DenseWeights> View(const MatrixShape& shape, std::span<const T> values) {
    LACUNA_RETURN_IF_ERROR(Check(shape, values.size()));
    return DenseWeights(shape, Buffer<T>::View(values));
  }

  static Result<DenseWeights> CopyOf(const MatrixShape& shape, std::span<const T> values) {
    LACUNA_RETURN_IF_ERROR(Check(shape, values.size()));
    LACUNA_ASSIGN_OR_RETURN(copy, Buffer<T>::CopyOf(values));
    return DenseWeights(shape, std::move(copy));
  }

  // All zeros.
  static Result<DenseWeights> Zeros(const MatrixShape& shape) {
    LACUNA_RETURN_IF_ERROR(shape.Validate());
    LACUNA_ASSIGN_OR_RETURN(values, Buffer<T>::Make(static_cast<size_t>(shape.elements())));
    return DenseWeights(shape, std::move(values));
  }

  const MatrixShape& shape() const { return shape_; }
  std::span<const T> values() const { return values_; }
  // Only for weights that own their memory.
  std::span<T> mutable_values() { return {values_.data(), values_.size()}; }
  const T* row(int64_t r) const { return values_.data() + r * shape_.columns; }
  T* mutable_row(int64_t r) { return values_.data() + r * shape_.columns; }

  // Stored weights; a dense matrix stores its zeros.
  int64_t nnz() const { return shape_.elements(); }
  size_t StorageBytes() const { return values_.size_bytes(); }
  Status Validate() const { return Check(shape_, values_.size()); }

  // f(column, value) for the stored weights of row r, columns ascending.
  template <class F>
  void VisitRow(int64_t r, const F& f) const {
    const T* values = row(r);
    for (int64_t column = 0; column < shape_.columns; ++column) f(column, values[column]);
  }

 private:
  friend struct BlobAccess;  // core/blob_layout.h
  static constexpr BlobKind kBlobKind = BlobKind::kDense;
  DenseWeights() = default;
  template <class Self, class Fields>
  static void ListFields(Self& self, Fields& fields) {
    fields.Scalar("rows", self.shape_.rows);
    fields.Scalar("columns", self.shape_.columns);
    fields.Scalar("groups", self.shape_.groups);
    fields.Array("value", self.values_);
  }

  DenseWeights(const MatrixShape& shape, Buffer<T> values) : shape_(shape), values_(std::move(values)) {}

  static Status Check(const MatrixShape& shape, size_t size);

  MatrixShape shape_;
  Buffer<T> values_;
};

template <class T>
Status DenseWeights<T>::Check(const MatrixShape& shape, size_t size) {
  LACUNA_RETURN_IF_ERROR(shape.Validate());
  if (size != static_cast<size_t>(shape.elements())) {
    return Status::InvalidArgument("values has %zu elements, must have rows * columns = %lld", size,
                                   static_cast<long long>(shape.elements()));
  }
  return Status();
}

// ToDense of every other format: the weights that VisitRow names, zeros elsewhere.
template <class Weights>
Result<DenseWeights<typename Weights::value_type>> ExpandRows(const Weights& weights) {
  using T = typename Weights::value_type;
  LACUNA_ASSIGN_OR_RETURN(dense, DenseWeights<T>::Zeros(weights.shape()));
  for (int64_t row = 0; row < weights.shape().rows; ++row) {
    T* values = dense.mutable_row(row);
    weights.VisitRow(row, [&](int64_t column, T value) { values[column] = value; });
  }
  return std::move(dense);
}

LACUNA_INSTANCE(class LACUNA_API DenseWeights<float>);

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_DENSE_H_
