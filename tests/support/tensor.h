// GuardedTensor: a tensor of any layout in guarded memory, whose gaps are poisoned and watched.

#ifndef LACUNA_TESTS_SUPPORT_TENSOR_H_
#define LACUNA_TESTS_SUPPORT_TENSOR_H_

#include "lacuna/core/view.h"

#include <doctest/doctest.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "tests/support/guarded_buffer.h"

namespace lacuna::test {

enum class Layout {
  kPlanar,
  kPlanarGaps,    // 3 unused elements behind every row, image and channel
  kChannelsLast,  // of a matrix: column-major
  kChannelsLastGaps,
  kScattered,  // planar with gaps, every second element of a row
};
inline constexpr Layout kLayouts[] = {Layout::kPlanar, Layout::kPlanarGaps, Layout::kChannelsLast,
                                      Layout::kChannelsLastGaps, Layout::kScattered};

inline const char* LayoutName(Layout layout) {
  constexpr const char* kNames[] = {"planar", "planar with gaps", "channels last", "channels last with gaps",
                                    "scattered"};
  return kNames[static_cast<size_t>(layout)];
}

// f(index) for every index of `extent`, the last axis fastest.
template <int kAxes, class F>
void ForEachIndex(const Extents<kAxes>& extent, const F& f) {
  Extents<kAxes> index{};
  for (int axis = kAxes - 1; axis >= 0;) {
    f(index);
    for (axis = kAxes - 1; axis >= 0 && ++index[axis] == extent[axis]; --axis) index[axis] = 0;
  }
}

template <int kAxes>
Extents<kAxes> StridesOf(Layout layout, const Extents<kAxes>& extent) {
  Extents<kAxes> order{};  // of the axes, from the outermost
  const bool channels_last = layout == Layout::kChannelsLast || layout == Layout::kChannelsLastGaps;
  for (int i = 0; i < kAxes; ++i) order[i] = i;
  if (channels_last) {
    const int channel = kAxes == 2 ? 0 : 1;
    for (int i = channel; i + 1 < kAxes; ++i) order[i] = i + 1;
    order[kAxes - 1] = channel;
  }
  const int64_t gap = layout == Layout::kPlanar || layout == Layout::kChannelsLast ? 0 : 3;
  Extents<kAxes> strides{};
  int64_t stride = layout == Layout::kScattered ? 2 : 1;
  for (int i = kAxes - 1; i >= 0; --i) {
    strides[order[i]] = stride;
    stride = stride * extent[order[i]] + gap;
  }
  return strides;
}

// The memory ends with the last element (or begins with the first), at a protected page. Everything is NaN, or of
// integers 0xa5, until loaded.
template <int kAxes, class T = float>
class GuardedTensor {
 public:
  GuardedTensor(const Extents<kAxes>& extent, Layout layout, Guard guard = Guard::kAfter)
      : extent_(extent), stride_(StridesOf<kAxes>(layout, extent)), buffer_(Elements(), guard), used_(Elements()) {
    for (T& value : buffer_) value = kPoison;
    ForEachIndex<kAxes>(extent_, [&](const Extents<kAxes>& index) { used_[At(index)] = true; });
  }

  TensorView<T, kAxes> view() { return {buffer_.data(), extent_, stride_}; }
  TensorView<const T, kAxes> view() const { return {buffer_.data(), extent_, stride_}; }

  // `values` in planar order.
  void Load(std::span<const T> values) {
    size_t next = 0;
    ForEachIndex<kAxes>(extent_, [&](const Extents<kAxes>& index) { buffer_[At(index)] = values[next++]; });
    REQUIRE(next == values.size());
  }
  std::vector<T> Values() const {
    std::vector<T> values;
    ForEachIndex<kAxes>(extent_, [&](const Extents<kAxes>& index) { values.push_back(buffer_[At(index)]); });
    return values;
  }
  bool GapsUntouched() const {
    for (size_t i = 0; i < buffer_.size(); ++i) {
      if (!used_[i] && std::memcmp(&buffer_[i], &kPoison, sizeof(T)) != 0) return false;
    }
    return true;
  }

 private:
  static constexpr T kPoison = [] {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(0xa5);
    } else {
      return std::bit_cast<float>(uint32_t{0x7fdead01});  // a quiet NaN
    }
  }();

  size_t Elements() const {
    int64_t last = 0;
    for (int axis = 0; axis < kAxes; ++axis) last += (extent_[axis] - 1) * stride_[axis];
    return static_cast<size_t>(last) + 1;
  }
  size_t At(const Extents<kAxes>& index) const {
    int64_t offset = 0;
    for (int axis = 0; axis < kAxes; ++axis) offset += index[axis] * stride_[axis];
    return static_cast<size_t>(offset);
  }

  Extents<kAxes> extent_;
  Extents<kAxes> stride_;
  GuardedBuffer<T> buffer_;
  std::vector<bool> used_;
};

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_TENSOR_H_
