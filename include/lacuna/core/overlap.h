// Whether two views share memory: outputs that overlap with inputs are refused by name.

#ifndef LACUNA_CORE_OVERLAP_H_
#define LACUNA_CORE_OVERLAP_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/status.h"
#include "lacuna/core/typed_view.h"
#include "lacuna/core/view.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace lacuna::inline LACUNA_ABI {

// The bytes of a view: runs of `element_bytes` from `begin` + sum of index * stride. Strides count bytes.
struct StridedBytes {
  static constexpr size_t kMaxAxes = 5;
  // Stands for a stride that overflows, and for one below 1, which no view may have.
  static constexpr int64_t kTooFar = std::numeric_limits<int64_t>::max();

  uintptr_t begin = 0;
  int64_t element_bytes = 0;
  size_t axes = 0;
  std::array<int64_t, kMaxAxes> extent{};
  std::array<int64_t, kMaxAxes> stride{};

  template <class T, int kRank>
  static StridedBytes Of(const TensorView<T, kRank>& view, int64_t element_bytes = sizeof(T)) {
    static_assert(size_t{kRank} <= kMaxAxes);
    StridedBytes bytes{reinterpret_cast<uintptr_t>(view.data), element_bytes, 0, {}, {}};
    for (size_t axis = 0; axis < size_t{kRank}; ++axis) bytes.Add(view.extent[axis], view.stride[axis]);
    return bytes;
  }
  template <class T>
  static StridedBytes Of(const MatrixView<T>& view) {
    StridedBytes bytes{reinterpret_cast<uintptr_t>(view.data), sizeof(T), 0, {}, {}};
    bytes.Add(view.rows, view.row_stride);
    bytes.Add(view.columns, view.column_stride);
    return bytes;
  }
  template <class Byte, int kRank>
  static StridedBytes Of(const TypedView<Byte, kRank>& view) {
    return Of(view.untyped(), view.type == ValueType::kF32 ? 4 : 1);
  }

  // From the first byte to behind the last one, or, with a period, of what lies inside it: of axes that step by less.
  // kTooFar if that overflows.
  int64_t Span(int64_t period = kTooFar) const {
    Checked span(element_bytes);
    for (size_t axis = 0; axis < axes; ++axis) {
      if (stride[axis] == kTooFar || stride[axis] % period != 0) span = span + Checked(extent[axis] - 1) * stride[axis];
    }
    return span.ok() ? span.value() : kTooFar;
  }

  friend bool operator==(const StridedBytes&, const StridedBytes&) = default;

 private:
  // An axis of one element does not step.
  void Add(int64_t count, int64_t elements) {
    if (count <= 1) return;
    extent[axes] = count;
    const Checked step = Checked(elements) * element_bytes;
    stride[axes++] = step.ok() && step.value() > 0 ? step.value() : kTooFar;
  }
};

// False if no byte of `a` is one of `b`. True if one is, or if the strides do not tell: views whose ranges of addresses
// interleave are told apart by a stride P of either if both step by multiples of P but for parts that, modulo P, lie
// apart. Such are channels of one channels-last tensor, rows of one plane, every second element.
inline bool MayOverlap(const StridedBytes& a, const StridedBytes& b) {
  const StridedBytes& first = a.begin <= b.begin ? a : b;
  const StridedBytes& second = a.begin <= b.begin ? b : a;
  const uintptr_t distance = second.begin - first.begin;
  if (distance >= static_cast<uintptr_t>(first.Span())) return false;
  const auto apart_in = [&](int64_t period) {
    if (period == StridedBytes::kTooFar) return false;
    const int64_t shift = static_cast<int64_t>(distance % static_cast<uintptr_t>(period));
    const int64_t first_span = first.Span(period), second_span = second.Span(period);
    return first_span <= shift && second_span <= period - shift;
  };
  for (size_t axis = 0; axis < a.axes; ++axis) {
    if (apart_in(a.stride[axis])) return false;
  }
  for (size_t axis = 0; axis < b.axes; ++axis) {
    if (apart_in(b.stride[axis])) return false;
  }
  return true;
}

// Ok unless `view` and `written`, called so, may overlap. Of valid views; one without data overlaps with nothing.
template <class View, class Written>
Status CheckDisjoint(const char* name, const View& view, const char* written_name, const Written& written) {
  if (view.data == nullptr || written.data == nullptr) return Status();
  const StridedBytes bytes = StridedBytes::Of(view), other = StridedBytes::Of(written);
  if (!MayOverlap(bytes, other)) return Status();
  return Status::InvalidArgument("%s overlaps with %s: it begins %lld bytes from it and spans %lld, must lie apart",
                                 name, written_name, static_cast<long long>(bytes.begin - other.begin),
                                 static_cast<long long>(bytes.Span()));
}

// The same for a residual, which may also be what is written, element by element.
template <class View, class Written>
Status CheckResidual(const char* name, const View& view, const char* written_name, const Written& written) {
  if (view.data != nullptr && StridedBytes::Of(view) == StridedBytes::Of(written)) return Status();
  return CheckDisjoint(name, view, written_name, written);
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_OVERLAP_H_
