// Copies blocks of a layer's 8-bit input into the tile of pack/input_tile.h, four channels a lane, compiled once per
// SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/int8_table.h"
#include "lacuna/kernel/transpose-inl.h"
#include "lacuna/pack/input_tile.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(LACUNA_KERNEL_INT8_INPUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_INT8_INPUT_INL_H_
#undef LACUNA_KERNEL_INT8_INPUT_INL_H_
#else
#define LACUNA_KERNEL_INT8_INPUT_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Rows of four channels.
using QuadRows = std::array<const uint8_t*, 4>;

#if HWY_TARGET != HWY_SCALAR
// to[i] = bytes i of the rows for as many positions as D has lanes, 4, 8 or a vector of at least 16.
template <class D>
HWY_INLINE void JoinVector(D d, const QuadRows& from, size_t at, int32_t* HWY_RESTRICT to) {
  const auto row0 = hn::LoadU(d, from[0] + at), row1 = hn::LoadU(d, from[1] + at);
  const auto row2 = hn::LoadU(d, from[2] + at), row3 = hn::LoadU(d, from[3] + at);
  auto* bytes = reinterpret_cast<uint8_t*>(to + at);
  if constexpr (hn::MaxLanes(D()) >= 16) {
    hn::StoreInterleaved4(row0, row1, row2, row3, d, bytes);
  } else {
    const hn::RepartitionToWide<D> d16;
    const size_t size = hn::Lanes(d);
    const auto low01 = hn::BitCast(d16, hn::InterleaveLower(d, row0, row1));
    const auto low23 = hn::BitCast(d16, hn::InterleaveLower(d, row2, row3));
    const auto high01 = hn::BitCast(d16, hn::InterleaveUpper(d, row0, row1));
    const auto high23 = hn::BitCast(d16, hn::InterleaveUpper(d, row2, row3));
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d16, low01, low23)), d, bytes);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d16, low01, low23)), d, bytes + size);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d16, high01, high23)), d, bytes + 2 * size);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d16, high01, high23)), d, bytes + 3 * size);
  }
}

// The same for `count` positions, at least a vector of D: the last one may begin before the end of the last but one.
template <class D>
HWY_INLINE void JoinVectors(D d, const QuadRows& from, size_t count, int32_t* HWY_RESTRICT to) {
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) JoinVector(d, from, i, to);
  if (i != count) JoinVector(d, from, count - lanes, to);
}
#endif

// to[i] = bytes [i * step] of the four rows, i < count; nothing is read or written beyond.
HWY_INLINE void JoinRows(const QuadRows& from, int64_t step, int64_t count, int32_t* HWY_RESTRICT to) {
#if HWY_TARGET != HWY_SCALAR
  const auto positions = static_cast<size_t>(count);
  const hn::ScalableTag<uint8_t> d;
  if (step == 1 && count >= 4) {
    if (positions >= hn::Lanes(d)) return JoinVectors(d, from, positions, to);
    if (positions >= 16) return JoinVectors(hn::Full128<uint8_t>(), from, positions, to);
    if (positions >= 8) return JoinVectors(hn::Simd<uint8_t, 8, 0>(), from, positions, to);
    return JoinVectors(hn::Simd<uint8_t, 4, 0>(), from, positions, to);
  }
#endif
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t bytes[] = {from[0][i * step], from[1][i * step], from[2][i * step], from[3][i * step]};
    std::memcpy(to + i, bytes, sizeof(bytes));
  }
}

// One row of a plane, of the channels [first, first + 4) that there are: `from` is the first input of channel `first`.
HWY_INLINE void PackQuadRow(const uint8_t* from, const Int8Planes& x, int64_t first, int64_t step, int64_t count,
                            int32_t* HWY_RESTRICT to) {
  QuadRows rows;
  for (int64_t c = 0; c < 4; ++c) {
    rows[static_cast<size_t>(c)] = from + (first + c < x.channels ? c * x.channel_stride : 0);
  }
  if (x.channel_stride != 1 || first + 4 > x.channels) return JoinRows(rows, step, count, to);
  for (int64_t i = 0; i < count; ++i) std::memcpy(to + i, from + i * step, 4);
}

// One plane of all channels. Rows outermost: with channels innermost in memory a row of pixels is read once for all
// channels, and elsewhere a row of four channels is one run anyway.
inline void PackInt8Plane(const std::array<AxisWindow, 3>& window, const std::array<int64_t, 3>& extent,
                          const std::array<int64_t, 3>& step, const uint8_t* from, const Int8Planes& x, int64_t groups,
                          int32_t* HWY_RESTRICT to, int64_t group_stride) {
  const auto& [depth, height, width] = window;
  const int32_t padding = static_cast<int32_t>(x.padding * 0x01010101u);
  const bool inside = depth.begin < depth.end && height.begin < height.end && width.begin < width.end;
  // Whole groups of pixels that lie as 32-bit elements: what f32 with channels innermost does, for a quarter of them.
  const bool quads = x.channel_stride == 1 && step[0] % 4 == 0 && step[1] % 4 == 0 && step[2] % 4 == 0 &&
                     reinterpret_cast<uintptr_t>(from) % 4 == 0;
  const int64_t whole_groups = quads ? x.channels / 4 : 0;
  // Rows that lie next to each other on both sides are copied at one go.
  const bool one_run = step[2] == 1 && step[1] == extent[2] && inside && width.begin == 0 && width.end == extent[2] &&
                       height.begin == 0 && height.end == extent[1];
  const int64_t rows = one_run ? 1 : extent[1], row_extent = one_run ? extent[1] * extent[2] : extent[2];
  for (int64_t i = 0; i < extent[0]; ++i) {
    for (int64_t j = 0; j < rows; ++j, to += row_extent) {
      const bool has_input =
          inside && i >= depth.begin && i < depth.end && (one_run || (j >= height.begin && j < height.end));
      const int64_t begin = has_input ? width.begin : row_extent;
      const int64_t end = has_input ? (one_run ? row_extent : width.end) : row_extent;
      const uint8_t* row = from + i * step[0] + j * step[1] + begin * step[2];
      for (int64_t g = 0; g < groups; ++g) {
        int32_t* line = to + g * group_stride;
        std::fill(line, line + begin, padding);
        std::fill(line + end, line + row_extent, padding);
        if (begin < end && g >= whole_groups) {
          PackQuadRow(row + 4 * g * x.channel_stride, x, 4 * g, step[2], end - begin, line + begin);
        }
      }
      if (begin < end && whole_groups != 0) {
        Transpose(reinterpret_cast<const int32_t*>(row), step[2] / 4, end - begin, whole_groups, to + begin,
                  group_stride);
      }
    }
  }
}

// See PackInt8InputFn. x is read only inside the layer's input; `to` is tile.floats() lanes.
inline void PackInt8Input(const InputTile& tile, const std::array<int64_t, 3>& origin, const Int8Planes& x,
                          int32_t* to) {
  const auto& axis = tile.axis;
  const std::array<int64_t, 3> extent = {axis[0].extent(), axis[1].extent(), axis[2].extent()};
  std::array<int64_t, 3> step, phases;
  for (size_t a = 0; a < 3; ++a) {
    step[a] = axis[a].stride * x.axis_stride[a];
    phases[a] = axis[a].phases();
  }
  int64_t plane_offset = 0;
  for (int64_t d = 0; d < phases[0]; ++d) {
    for (int64_t h = 0; h < phases[1]; ++h) {
      for (int64_t w = 0; w < phases[2]; ++w, plane_offset += tile.plane()) {
        const std::array<AxisWindow, 3> window = {WindowOf(axis[0], d, origin[0]), WindowOf(axis[1], h, origin[1]),
                                                  WindowOf(axis[2], w, origin[2])};
        const int64_t corner = window[0].first * x.axis_stride[0] + window[1].first * x.axis_stride[1] +
                               window[2].first * x.axis_stride[2];
        PackInt8Plane(window, extent, step, x.data + corner, x, tile.channels, to + plane_offset, tile.channel_stride);
      }
    }
  }
  // Padding, too: a row's last positions may be shared with what follows it (TileAxis::shared).
  const auto gap = static_cast<size_t>(tile.channel_stride - plane_offset) * sizeof(int32_t);
  for (int64_t channel = 0; channel < tile.channels && gap != 0; ++channel) {
    std::memset(to + channel * tile.channel_stride + plane_offset, x.padding, gap);
  }
  if (x.flip == 0) return;
  const hn::ScalableTag<uint8_t> d;
  auto* bytes = reinterpret_cast<uint8_t*>(to);
  const auto flip = hn::Set(d, x.flip);
  const size_t size = tile.floats() * sizeof(int32_t);
  for (size_t i = 0; i < size; i += hn::Lanes(d)) hn::Store(hn::Xor(hn::Load(d, bytes + i), flip), d, bytes + i);
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
