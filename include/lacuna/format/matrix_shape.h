// MatrixShape: the extents of a weight matrix, shared by every format.

#ifndef LACUNA_FORMAT_MATRIX_SHAPE_H_
#define LACUNA_FORMAT_MATRIX_SHAPE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"

#include <cstdint>
#include <limits>

namespace lacuna::inline LACUNA_ABI {

// W[rows, columns]: M x K. For a convolution rows = out_channels and columns = in_channels / groups * taps, input
// channel outermost; rows [g * rows / groups, (g + 1) * rows / groups) belong to group g, and no block of a format
// straddles groups.
struct MatrixShape {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t groups = 1;

  int64_t rows_per_group() const { return rows / groups; }
  int64_t elements() const { return rows * columns; }

  friend bool operator==(const MatrixShape&, const MatrixShape&) = default;

  Status Validate() const {
    // Column indices of packed weights take 32 bits.
    constexpr int64_t kMaxExtent = std::numeric_limits<int32_t>::max();
    if (rows < 1 || rows > kMaxExtent) {
      return Status::InvalidArgument("weights.rows is %lld, must be in [1, %lld]", static_cast<long long>(rows),
                                     static_cast<long long>(kMaxExtent));
    }
    if (columns < 1 || columns > kMaxExtent) {
      return Status::InvalidArgument("weights.columns is %lld, must be in [1, %lld]", static_cast<long long>(columns),
                                     static_cast<long long>(kMaxExtent));
    }
    if (groups < 1 || rows % groups != 0) {
      return Status::InvalidArgument("weights.groups is %lld, must be at least 1 and divide rows, %lld",
                                     static_cast<long long>(groups), static_cast<long long>(rows));
    }
    const Checked elements = Checked(rows) * columns;
    if (!elements.ok() || elements.value() > kMaxElements) {
      return Status::InvalidArgument("weights have %lld x %lld elements, more than the limit of %lld",
                                     static_cast<long long>(rows), static_cast<long long>(columns),
                                     static_cast<long long>(kMaxElements));
    }
    return Status();
  }
};

template <int kRank>
MatrixShape MatrixShapeOf(const ConvShape<kRank>& shape) {
  return {.rows = shape.out_channels, .columns = shape.depth(), .groups = shape.groups};
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_MATRIX_SHAPE_H_
