// RowRange: some rows of weights of any format, as weights of their own.

#ifndef LACUNA_FORMAT_ROW_RANGE_H_
#define LACUNA_FORMAT_ROW_RANGE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"

#include <cstdint>

namespace lacuna::inline LACUNA_ABI {

// Rows [first, first + rows) of `weights`, which must outlive it: as much of a format as packing asks for.
template <class Weights>
class RowRange {
 public:
  using value_type = typename Weights::value_type;

  static Result<RowRange> Make(const Weights& weights, int64_t first, int64_t rows) {
    LACUNA_RETURN_IF_ERROR(weights.Validate());
    const MatrixShape& whole = weights.shape();
    if (whole.groups != 1) {
      return Status::InvalidArgument("weights have %lld groups, must have 1 for a range of rows",
                                     static_cast<long long>(whole.groups));
    }
    if (first < 0 || rows < 1 || first > whole.rows || rows > whole.rows - first) {
      return Status::InvalidArgument("%lld rows from row %lld on, must be at least one, within the %lld of the weights",
                                     static_cast<long long>(rows), static_cast<long long>(first),
                                     static_cast<long long>(whole.rows));
    }
    return RowRange(weights, first, rows);
  }

  const MatrixShape& shape() const { return shape_; }
  int64_t nnz() const { return nnz_; }
  Status Validate() const { return shape_.Validate(); }

  // f(column, value) for the stored weights of row r, columns ascending.
  template <class F>
  void VisitRow(int64_t r, const F& f) const {
    weights_->VisitRow(first_ + r, f);
  }

 private:
  RowRange(const Weights& weights, int64_t first, int64_t rows)
      : weights_(&weights), first_(first), shape_{.rows = rows, .columns = weights.shape().columns} {
    for (int64_t r = 0; r < rows; ++r) VisitRow(r, [&](int64_t, const value_type&) { ++nnz_; });
  }

  const Weights* weights_;
  int64_t first_;
  MatrixShape shape_;
  int64_t nnz_ = 0;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_ROW_RANGE_H_
