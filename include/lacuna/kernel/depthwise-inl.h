// The depthwise kernel: channels across lanes, for activations with channels innermost. The input is read where it
// lies. Compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/core/prefetch.h"
#include "lacuna/kernel/panel-inl.h"
#include "lacuna/kernel/store-inl.h"
#include "lacuna/kernel/table.h"
#include "lacuna/kernel/target-inl.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

#if defined(LACUNA_KERNEL_DEPTHWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_DEPTHWISE_INL_H_
#undef LACUNA_KERNEL_DEPTHWISE_INL_H_
#else
#define LACUNA_KERNEL_DEPTHWISE_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr int kFewColumns = kDepthwiseColumns<16>;
inline constexpr int kManyColumns = kDepthwiseColumns<Target::kRegisters>;

// Which targets have code of their own for the kernels of real networks: it is slow to compile, and those with few
// short vectors serve as fallbacks only.
inline constexpr bool kOwnKernels = Target::kRegisters >= 32 || Target::kMaxLanes >= 8;

// One row of kKernel taps, not dilated. Every input is loaded once and feeds all the outputs that need it; those whose
// bit of `inside` is not set (counted from the first output's first) are left out. Code without that test is no faster.
template <int kKernel, int kStride, int kColumns, class D, class V = hn::Vec<D>>
HWY_INLINE void AccumulateTaps(D d, const float* HWY_RESTRICT x, int64_t column_stride,
                               const float* HWY_RESTRICT weight, uint32_t inside, V (&acc)[kColumns][1]) {
  constexpr int kReach = (kColumns - 1) * kStride + kKernel;
  static_assert(kReach <= 32, "a bit of `inside` each");
  const size_t lanes = hn::Lanes(d);
  V w[kKernel];
  HWY_UNROLL(8)
  for (int t = 0; t < kKernel; ++t) w[t] = hn::LoadU(d, weight + static_cast<size_t>(t) * lanes);
  HWY_UNROLL(33)
  for (int i = 0; i < kReach; ++i, x += column_stride) {
    if (HWY_UNLIKELY((inside >> i & 1) == 0)) continue;
    const V in = hn::LoadU(d, x);
    // Else g++ 12 loads it for every multiply-add anew: a fifth slower.
    std::atomic_signal_fence(std::memory_order_acq_rel);
    HWY_UNROLL(8)
    for (int t = 0; t < kKernel; ++t) {
      const int o = (i - t) / kStride;
      if (i >= t && (i - t) % kStride == 0 && o < kColumns) acc[o][0] = hn::MulAdd(w[t], in, acc[o][0]);
    }
  }
}

// `count` channels, which all of a vector are unless kMasked.
template <bool kMasked, class D>
HWY_INLINE hn::Vec<D> LoadChannels(D d, const float* p, size_t count) {
  if constexpr (kMasked) {
    return hn::MaskedLoad(hn::FirstN(d, count), d, p);
  } else {
    static_cast<void>(count);
    return hn::LoadU(d, p);
  }
}

// One row of taps of any number, stride and dilation; the first output's first input is column `first` of x.
template <bool kMasked, int kColumns, class D, class V = hn::Vec<D>>
HWY_INLINE void AccumulateAnyTaps(D d, const DepthwiseArgs& args, const float* HWY_RESTRICT x, int64_t first,
                                  size_t count, const float* HWY_RESTRICT weight, V (&acc)[kColumns][1]) {
  const size_t lanes = hn::Lanes(hn::ScalableTag<float>());
  const TileAxis& width = *args.width;
  for (int64_t t = 0; t < width.kernel; ++t, first += width.dilation, weight += lanes) {
    const V w = hn::LoadU(d, weight);
    int64_t column = first;
    HWY_UNROLL(16)
    for (int o = 0; o < kColumns; ++o, column += width.stride) {
      if (HWY_UNLIKELY(column < 0 || column >= width.input)) continue;
      acc[o][0] = hn::MulAdd(w, LoadChannels<kMasked>(d, x + column * args.x_column, count), acc[o][0]);
    }
  }
}

// Where kColumns outputs find their inputs: the first one's first tap at column `first`; see AccumulateTaps.
struct DepthwiseColumns {
  int64_t first;
  uint32_t inside;
};

// Adds all taps to kColumns outputs. x is at the first channel of the vector; kKernel 0 stands for any kernel.
template <int kKernel, int kStride, bool kMasked, int kColumns, class D, class V = hn::Vec<D>>
HWY_INLINE void AccumulateRows(D d, const DepthwiseArgs& args, const DepthwiseColumns& columns, const float* x,
                               size_t count, const float* weight, V (&acc)[kColumns][1]) {
  const auto block = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  if (kKernel != 0) x += columns.first * args.x_column;
  for (int64_t i = args.rows[0]; i > 0; --i, x += args.x_row[0], weight += args.tap_row[0] * block) {
    const float* row = x;
    const float* row_weight = weight;
    for (int64_t j = args.rows[1]; j > 0; --j, row += args.x_row[1], row_weight += args.tap_row[1] * block) {
      if constexpr (kKernel == 0) {
        AccumulateAnyTaps<kMasked>(d, args, row, columns.first, count, row_weight, acc);
      } else {
        AccumulateTaps<kKernel, kStride>(d, row, args.x_column, row_weight, columns.inside, acc);
      }
    }
  }
}

// Fetches inputs of the rows ahead: of the kColumns outputs whose first input is column `first`. One line of two: the
// hardware brings pairs.
template <int kColumns>
HWY_INLINE void FetchAhead(const DepthwiseArgs& args, int64_t first, int64_t channel) {
  const int64_t begin = std::clamp<int64_t>(first, 0, args.width->input);
  const int64_t end = std::clamp<int64_t>(first + kColumns * args.width->stride, begin, args.width->input);
  for (int64_t row = 0; row < args.rows_ahead; ++row) {
    const float* x = args.ahead + row * args.row_ahead + channel;
    for (int64_t column = begin; column < end; ++column) PrefetchToL2(x + column * args.x_column);
  }
}

// The rest of the epilogue for out.rows rows of `count` neighbouring outputs, sums being [out.rows][lanes].
inline HWY_NOINLINE void StoreSums(const Epilogue& epilogue, const DirectOutput& out, float* sums, size_t lanes,
                                   size_t count) {
  const OutputSpan span{0, static_cast<int32_t>(count), 0, 0, 0};
  StoreOutput({sums,
               lanes,
               out.rows,
               out.y_offset,
               out.residual_offset,
               out.y,
               out.residual,
               {0, 0, 1},
               {0, 0, 1},
               {&span, 1},
               &epilogue});
}

// At most kColumns outputs from `o` on of vectors of channels from `channel` on: as many as are whole or, if kMasked,
// the one that is not. `out` has the offsets of outputs from each other.
template <int kKernel, int kStride, bool kMasked, int kColumns, class D>
HWY_INLINE void RunColumns(D d, const DepthwiseArgs& args, DirectOutput& out, int64_t o, int64_t channel) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto block = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  const TileAxis& width = *args.width;
  out.rows = static_cast<int>(std::min<int64_t>(kColumns, width.output - o));
  DepthwiseColumns columns{o * width.stride - width.pad, 0};
  if constexpr (kKernel != 0) {
    const int64_t needed = (out.rows - 1) * kStride + kKernel;
    const int64_t begin = std::clamp<int64_t>(-columns.first, 0, needed);
    const int64_t end = std::clamp<int64_t>(width.input - columns.first, begin, needed);
    columns.inside = static_cast<uint32_t>((uint64_t{1} << end) - (uint64_t{1} << begin));
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const bool plain =
      args.residual == nullptr && args.clamp.is_clamp && args.clamp.low == -kInfinity && args.clamp.high == kInfinity;
  for (; kMasked ? channel < args.channels : channel + lanes <= args.channels; channel += lanes) {
    const auto count = static_cast<size_t>(std::min(lanes, args.channels - channel));
    const float* weight = args.weight + channel / block * block * args.taps + channel % block;
    const float* x = args.x + channel;
    const V bias = LoadChannels<kMasked>(d, args.bias + channel, count);
    V acc[kColumns][1];
    HWY_UNROLL(16)
    for (int i = 0; i < kColumns; ++i) acc[i][0] = bias;
    AccumulateRows<kKernel, kStride, kMasked>(d, args, columns, x, count, weight, acc);
    if (args.ahead != nullptr && channel % (2 * lanes) == 0) FetchAhead<kColumns>(args, columns.first, channel);
    out.y = args.y + channel + o * args.y_column;
    out.residual = args.residual == nullptr ? nullptr : args.residual + channel + o * args.residual_column;
    if (kMasked || !args.clamp.is_clamp) {
      alignas(kAlignment) float sums[static_cast<size_t>(kColumns) * HWY_LANES(float)];
      HWY_UNROLL(16)
      for (int i = 0; i < kColumns; ++i) hn::StoreU(acc[i][0], d, sums + i * lanes);
      StoreSums(*args.epilogue, out, sums, static_cast<size_t>(lanes), count);
    } else if (plain) {  // what StoreDirect does, without its comparisons: worth 5 %
      HWY_UNROLL(16)
      for (int i = 0; i < kColumns; ++i) {
        if (HWY_LIKELY(i < out.rows)) hn::StoreU(acc[i][0], d, out.y + i * args.y_column);
      }
    } else {
      StoreDirect(Indices<kColumns>(), d, out, acc);
    }
  }
}

// The row's vectors of channels from `channel` on, see RunColumns. Returns the first channel that is left.
template <int kKernel, int kStride, bool kMasked, class D>
HWY_NOINLINE int64_t RunChannels(D d, const DepthwiseArgs& args, int64_t channel) {
  constexpr int kMost = kKernel == 3 ? kManyColumns : kFewColumns;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  if (!kMasked && args.channels - channel < lanes) return channel;
  int64_t y_offset[kMost], residual_offset[kMost];
  for (int o = 0; o < kMost; ++o) {
    y_offset[o] = o * args.y_column;
    residual_offset[o] = o * args.residual_column;
  }
  DirectOutput out{0, y_offset, residual_offset, nullptr, nullptr, args.clamp.low, args.clamp.high};
  int64_t o = 0;
  if constexpr (kMost > kFewColumns) {
    for (; args.width->output - o > kFewColumns; o += kMost) {
      RunColumns<kKernel, kStride, kMasked, kMost>(d, args, out, o, channel);
    }
  }
  for (; o < args.width->output; o += kFewColumns) {
    RunColumns<kKernel, kStride, kMasked, kFewColumns>(d, args, out, o, channel);
  }
  return kMasked ? args.channels : channel + (args.channels - channel) / lanes * lanes;
}

// The channels that are not a whole vector, `channel` being the first.
inline void RunLastChannels(const DepthwiseArgs& args, int64_t channel) {
  if (Target::kMaxLanes == 1 || channel == args.channels) return;
  if constexpr (HWY_MEM_OPS_MIGHT_FAULT == 0 && Target::kMaxLanes > 1) {
    RunChannels<0, 0, true>(hn::ScalableTag<float>(), args, channel);
  } else {
    const hn::CappedTag<float, 4> d4;
    const hn::CappedTag<float, 1> d1;
    if (hn::Lanes(hn::ScalableTag<float>()) > hn::Lanes(d4)) channel = RunChannels<0, 0, false>(d4, args, channel);
    RunChannels<0, 0, false>(d1, args, channel);
  }
}

// See DepthwiseArgs. The kernels of real networks have code of their own, 5 wide only where it costs few targets
// compile time.
inline void RunDepthwise(const DepthwiseArgs& args) {
  const hn::ScalableTag<float> d;
  const auto is = [&](int64_t kernel, int64_t stride) {
    return args.width->kernel == kernel && args.width->stride == stride && args.width->dilation == 1;
  };
  int64_t channel = 0;
  if constexpr (kOwnKernels) {
    if (is(3, 1)) channel = RunChannels<3, 1, false>(d, args, channel);
    if (is(3, 2)) channel = RunChannels<3, 2, false>(d, args, channel);
    if constexpr (Target::kRegisters >= 32) {
      if (is(5, 1)) channel = RunChannels<5, 1, false>(d, args, channel);
    }
  }
  // All, or fewer than a vector.
  channel = RunChannels<0, 0, false>(d, args, channel);
  RunLastChannels(args, channel);
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
