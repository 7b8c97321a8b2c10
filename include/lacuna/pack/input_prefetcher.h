// InputPrefetcher: brings the input of the next tile into L2 while the current one is computed.

#ifndef LACUNA_PACK_INPUT_PREFETCHER_H_
#define LACUNA_PACK_INPUT_PREFETCHER_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/prefetch.h"
#include "lacuna/pack/input_tile.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace lacuna::inline LACUNA_ABI {

// Activations as tiles see them: batch and group are already resolved. Strides count elements.
struct InputPlanes {
  const float* data;  // channel 0 of the group
  int64_t channel_stride;
  std::array<int64_t, 3> axis_stride;
};

// Walks the cache lines of a tile's input, channel by channel, row by row. Rows that follow each other in memory are
// one run. Only for inputs whose innermost axis is contiguous; others are left to the hardware.
class InputPrefetcher {
 public:
  InputPrefetcher() = default;
  InputPrefetcher(const InputTile& tile, const std::array<int64_t, 3>& origin, const InputPlanes& x) {
    if (x.axis_stride[2] != 1) return;
    std::array<int64_t, 3> first{}, count{};
    for (size_t a = 0; a < 3; ++a) {
      const TileAxis& axis = tile.axis[a];
      const int64_t begin = origin[a] * axis.stride - axis.pad;
      const int64_t end = begin + (axis.tile - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
      first[a] = std::clamp<int64_t>(begin, 0, axis.input);
      count[a] = std::clamp<int64_t>(end, 0, axis.input) - first[a];
    }
    run_ = count[2];
    rows_ = count[1];
    if (x.axis_stride[1] == run_) {
      run_ *= rows_;
      rows_ = 1;
    }
    slices_ = count[0];
    channels_ = run_ > 0 && rows_ > 0 && slices_ > 0 ? tile.channels : 0;
    stride_ = {x.channel_stride, x.axis_stride[0], x.axis_stride[1]};
    data_ = x.data + first[0] * x.axis_stride[0] + first[1] * x.axis_stride[1] + first[2];
  }

  int64_t lines() const { return channels_ * slices_ * rows_ * (run_ / kLineFloats + 1); }

  // The next `lines` lines.
  void Step(int64_t lines) {
    while (lines > 0 && channel_ < channels_) {
      const float* run = data_ + channel_ * stride_[0] + slice_ * stride_[1] + row_ * stride_[2];
      for (; at_ < run_ && lines > 0; at_ += kLineFloats, --lines) PrefetchToL2(run + at_);
      if (at_ < run_) return;
      at_ = 0;
      if (++row_ < rows_) continue;
      row_ = 0;
      if (++slice_ < slices_) continue;
      slice_ = 0;
      ++channel_;
    }
  }

 private:
  const float* data_ = nullptr;
  std::array<int64_t, 3> stride_{};  // channel, slice, row
  int64_t channels_ = 0, slices_ = 0, rows_ = 0, run_ = 0;
  int64_t channel_ = 0, slice_ = 0, row_ = 0, at_ = 0;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_PACK_INPUT_PREFETCHER_H_
