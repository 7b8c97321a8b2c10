// Views of caller-owned memory: a pointer, extents and element strides.

#ifndef LACUNA_CORE_VIEW_H_
#define LACUNA_CORE_VIEW_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace lacuna::inline LACUNA_ABI {

// A tensor of kRank axes. Element (i0, i1, ...) is data[i0 * stride[0] + i1 * stride[1] + ...]; strides count elements.
// For activations the axes are (batch, channel, spatial axes...) whatever the layout in memory is: planar (NCHW) and
// channels-last (NHWC) differ in their strides only.
template <class T, int kRank>
struct TensorView {
  T* data = nullptr;
  Extents<kRank> extent{};
  Extents<kRank> stride{};

  static TensorView Planar(T* data, const Extents<kRank>& extent) {
    TensorView view{data, extent, {}};
    int64_t stride = 1;
    for (int axis = kRank - 1; axis >= 0; --axis) {
      view.stride[axis] = stride;
      stride *= extent[axis];
    }
    return view;
  }

  // `extent` still is (batch, channel, spatial...); channels are innermost in memory.
  static TensorView ChannelsLast(T* data, const Extents<kRank>& extent) {
    static_assert(kRank >= 2);
    TensorView view{data, extent, {}};
    view.stride[1] = 1;
    int64_t stride = extent[1];
    for (int axis = kRank - 1; axis >= 2; --axis) {
      view.stride[axis] = stride;
      stride *= extent[axis];
    }
    view.stride[0] = stride;
    return view;
  }

  operator TensorView<const T, kRank>() const requires(!std::is_const_v<T>) { return {data, extent, stride}; }
};

// Ok if `view`, called `name`, points somewhere and has exactly those extents and positive strides.
template <class T, int kRank>
Status CheckView(const char* name, const TensorView<T, kRank>& view,
                 const std::type_identity_t<Extents<kRank>>& extent) {
  if (view.data == nullptr) return Status::InvalidArgument("%s.data is null, must point to the tensor", name);
  for (size_t axis = 0; axis < kRank; ++axis) {
    if (view.extent[axis] != extent[axis]) {
      return Status::InvalidArgument("%s.extent[%zu] is %lld, must be %lld", name, axis,
                                     static_cast<long long>(view.extent[axis]), static_cast<long long>(extent[axis]));
    }
    if (extent[axis] > 1 && view.stride[axis] < 1) {
      return Status::InvalidArgument("%s.stride[%zu] is %lld, must be at least 1", name, axis,
                                     static_cast<long long>(view.stride[axis]));
    }
  }
  return Status();
}

// A matrix; element (i, j) is data[i * row_stride + j * column_stride].
template <class T>
struct MatrixView {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t row_stride = 0;
  int64_t column_stride = 1;

  // `ld` is the distance between rows, at least `columns`.
  static MatrixView RowMajor(T* data, int64_t rows, int64_t columns, int64_t ld) {
    return {data, rows, columns, ld, 1};
  }
  static MatrixView RowMajor(T* data, int64_t rows, int64_t columns) { return {data, rows, columns, columns, 1}; }
  // `ld` is the distance between columns, at least `rows`. A row-major [N, K] array is a column-major K x N matrix.
  static MatrixView ColumnMajor(T* data, int64_t rows, int64_t columns, int64_t ld) {
    return {data, rows, columns, 1, ld};
  }
  static MatrixView ColumnMajor(T* data, int64_t rows, int64_t columns) { return {data, rows, columns, 1, rows}; }

  operator MatrixView<const T>() const requires(!std::is_const_v<T>) {
    return {data, rows, columns, row_stride, column_stride};
  }
};

// Ok if `view`, called `name`, points somewhere and has exactly those extents. Strides are the caller's to check.
template <class T>
Status CheckExtents(const char* name, const MatrixView<T>& view, int64_t rows, int64_t columns) {
  if (view.data == nullptr) return Status::InvalidArgument("%s.data is null, must point to the matrix", name);
  if (view.rows == rows && view.columns == columns) return Status();
  return Status::InvalidArgument("%s is %lld x %lld, must be %lld x %lld", name, static_cast<long long>(view.rows),
                                 static_cast<long long>(view.columns), static_cast<long long>(rows),
                                 static_cast<long long>(columns));
}

// Activations of a layer as plans walk them, their spatial axes as (depth, height, width). Strides count elements.
template <class T>
struct ActivationView {
  T* data = nullptr;
  int64_t batch_stride = 0, channel_stride = 0;
  std::array<int64_t, 3> axis_stride{};
};

namespace op {

// The spatial axes of a view as (depth, height, width).
template <class T, size_t kAxes>
ActivationView<T> ToActivations(const TensorView<T, static_cast<int>(kAxes)>& view) {
  ActivationView<T> activations{view.data, view.stride[0], view.stride[1], {}};
  for (size_t a = 2; a < kAxes; ++a) activations.axis_stride[3 - kAxes + a] = view.stride[a];
  return activations;
}

}  // namespace op

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_VIEW_H_
