// Copies blocks of a layer's input into the tile of pack/input_tile.h, compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/table.h"
#include "lacuna/kernel/transpose-inl.h"
#include "lacuna/pack/input_tile.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(LACUNA_KERNEL_INPUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_INPUT_INL_H_
#undef LACUNA_KERNEL_INPUT_INL_H_
#else
#define LACUNA_KERNEL_INPUT_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// to[i] = from[i], i < count; neither is read or written beyond.
HWY_INLINE void CopyRow(const float* HWY_RESTRICT from, size_t count, float* HWY_RESTRICT to) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  if (i == count) return;
  if (count >= lanes) {
    hn::StoreU(hn::LoadU(d, from + count - lanes), d, to + count - lanes);
  } else if constexpr (HWY_MEM_OPS_MIGHT_FAULT == 0) {
    const auto rest = hn::FirstN(d, count);
    hn::BlendedStore(hn::MaskedLoad(rest, d, from), rest, d, to);
  } else {
    for (; i < count; ++i) to[i] = from[i];
  }
}

// to[i] = from[i] inside [window.begin, window.end), zeros elsewhere, i < extent.
HWY_INLINE void PadRow(const float* HWY_RESTRICT from, const AxisWindow& window, int64_t extent,
                       float* HWY_RESTRICT to) {
  for (int64_t k = 0; k < window.begin; ++k) to[k] = 0.0f;
  const int64_t count = window.end - window.begin;
  if (count > 0) CopyRow(from + window.begin, static_cast<size_t>(count), to + window.begin);
  for (int64_t k = window.end; k < extent; ++k) to[k] = 0.0f;
}

// to[i] = from[2 * i], i < count.
HWY_INLINE void CopyEverySecond(const float* HWY_RESTRICT from, size_t count, float* HWY_RESTRICT to) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> even, odd;
  size_t i = 0;
  // The last pair would be read past the last element that is needed, hence the strict bound; and the last vector takes
  // the odd elements of pairs that begin one element earlier.
  for (; i + lanes < count; i += lanes) {
    hn::LoadInterleaved2(d, from + 2 * i, even, odd);
    hn::StoreU(even, d, to + i);
  }
  if (count > lanes) {
    hn::LoadInterleaved2(d, from + 2 * (count - lanes) - 1, even, odd);
    hn::StoreU(odd, d, to + count - lanes);
  } else {
    for (; i < count; ++i) to[i] = from[2 * i];
  }
}

// One row of a plane: zeros outside [window.begin, window.end), every `step`-th element of `from` inside.
HWY_INLINE void PackRow(const float* from, const AxisWindow& window, int64_t step, int64_t extent,
                        float* HWY_RESTRICT to) {
  if (step == 1) return PadRow(from, window, extent, to);
  for (int64_t k = 0; k < window.begin; ++k) to[k] = 0.0f;
  const auto count = static_cast<size_t>(window.end - window.begin);
  if (step == 2) {
    CopyEverySecond(from + 2 * window.begin, count, to + window.begin);
  } else {
    for (int64_t k = window.begin; k < window.end; ++k) to[k] = from[k * step];
  }
  for (int64_t k = window.end; k < extent; ++k) to[k] = 0.0f;
}

// One plane of one channel; `from` is the input at position (0, 0, 0) of the plane. Where the rows of a plane are whole
// rows of the input, they are copied at one go.
HWY_INLINE void PackPlane(const std::array<AxisWindow, 3>& window, const std::array<int64_t, 3>& extent,
                          const std::array<int64_t, 3>& step, const float* from, float* HWY_RESTRICT to) {
  const auto& [depth, height, width] = window;
  const bool whole_rows = width.begin == 0 && width.end == extent[2] && step[2] == 1 && step[1] == extent[2];
  const auto clear = [&](int64_t rows) {
    std::memset(to, 0, static_cast<size_t>(rows * extent[2]) * sizeof(float));
    to += rows * extent[2];
  };
  for (int64_t i = 0; i < extent[0]; ++i) {
    if (i < depth.begin || i >= depth.end || height.begin >= height.end || width.begin >= width.end) {
      clear(extent[1]);
      continue;
    }
    clear(height.begin);
    const float* row = from + i * step[0] + height.begin * step[1];
    if (whole_rows) {
      CopyRow(row, static_cast<size_t>((height.end - height.begin) * extent[2]), to);
      to += (height.end - height.begin) * extent[2];
    } else {
      for (int64_t j = height.begin; j < height.end; ++j, row += step[1], to += extent[2]) {
        PackRow(row, width, step[2], extent[2], to);
      }
    }
    clear(extent[1] - height.end);
  }
}

// One plane of all channels where channels are innermost in memory; `from` as for PackPlane, of channel 0. Channels are
// taken in blocks, so that the lines written stay in L1 along a row.
HWY_INLINE void PackPlaneChannelsLast(const std::array<AxisWindow, 3>& window, const std::array<int64_t, 3>& extent,
                                      const std::array<int64_t, 3>& step, const float* from, int64_t channels,
                                      float* HWY_RESTRICT to, int64_t channel_stride) {
  constexpr int64_t kChannels = 64;
  const auto& [depth, height, width] = window;
  for (int64_t first = 0; first < channels; first += kChannels) {
    const int64_t count = std::min(kChannels, channels - first);
    float* row = to + first * channel_stride;
    for (int64_t i = 0; i < extent[0]; ++i) {
      for (int64_t j = 0; j < extent[1]; ++j, row += extent[2]) {
        const bool inside = i >= depth.begin && i < depth.end && j >= height.begin && j < height.end;
        const int64_t begin = inside ? std::min(width.begin, width.end) : extent[2];
        const int64_t end = inside ? width.end : extent[2];
        for (int64_t c = 0; c < count; ++c) {
          float* line = row + c * channel_stride;
          std::fill(line, line + begin, 0.0f);
          std::fill(line + end, line + extent[2], 0.0f);
        }
        if (begin >= end) continue;
        Transpose(from + first + i * step[0] + j * step[1] + begin * step[2], step[2], end - begin, count, row + begin,
                  channel_stride);
      }
    }
  }
}

// See PackInputFn. x is read only inside the layer's input; `to` is tile.floats() floats.
inline void PackInput(const InputTile& tile, const std::array<int64_t, 3>& origin, const InputPlanes& x, float* to) {
  const auto& axis = tile.axis;
  const std::array<int64_t, 3> extent = {axis[0].extent(), axis[1].extent(), axis[2].extent()};
  std::array<int64_t, 3> step, phases;
  for (size_t a = 0; a < 3; ++a) {
    step[a] = axis[a].stride * x.axis_stride[a];
    phases[a] = axis[a].phases();
  }
  const bool channels_last = x.channel_stride == 1 && step[2] != 1;
  const int64_t plane = tile.plane();
  int64_t plane_offset = 0;
  for (int64_t d = 0; d < phases[0]; ++d) {
    for (int64_t h = 0; h < phases[1]; ++h) {
      for (int64_t w = 0; w < phases[2]; ++w, plane_offset += plane) {
        const std::array<AxisWindow, 3> window = {WindowOf(axis[0], d, origin[0]), WindowOf(axis[1], h, origin[1]),
                                                  WindowOf(axis[2], w, origin[2])};
        const int64_t corner = window[0].first * x.axis_stride[0] + window[1].first * x.axis_stride[1] +
                               window[2].first * x.axis_stride[2];
        if (channels_last) {
          PackPlaneChannelsLast(window, extent, step, x.data + corner, tile.channels, to + plane_offset,
                                tile.channel_stride);
          continue;
        }
        for (int64_t channel = 0; channel < tile.channels; ++channel) {
          PackPlane(window, extent, step, x.data + channel * x.channel_stride + corner,
                    to + channel * tile.channel_stride + plane_offset);
        }
      }
    }
  }
  const auto gap = static_cast<size_t>(tile.channel_stride - plane_offset) * sizeof(float);
  for (int64_t channel = 0; channel < tile.channels && gap != 0; ++channel) {
    std::memset(to + channel * tile.channel_stride + plane_offset, 0, gap);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
