// The depthwise kernel for planar activations: the outputs of a row across lanes, some rows at a time. The input is
// read where it lies. Compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/depthwise-inl.h"
#include "lacuna/kernel/store-inl.h"
#include "lacuna/kernel/table.h"
#include "lacuna/kernel/target-inl.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_DEPTHWISE_PLANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_DEPTHWISE_PLANES_INL_H_
#undef LACUNA_KERNEL_DEPTHWISE_PLANES_INL_H_
#else
#define LACUNA_KERNEL_DEPTHWISE_PLANES_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr int kPlaneRows = kDepthwisePlaneRows<Target::kRegisters>;

// The inputs of a vector of outputs from column `first` of a row of `width` on: tap t of output i is column first + i *
// kStride + t, zero beside the row. kEdge: some are.
template <int kKernel, int kStride, bool kEdge, class D, class V = hn::Vec<D>>
class PlaneTaps {
  static constexpr auto kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
  // Vectors that are read: one a tap, or two for every two taps, evens and odds of which are a tap each.
  static constexpr int kLoads = kStride == 1 ? kKernel : (kKernel + 1) / 2 * 2;
  static constexpr int64_t ColumnOf(int load) { return kStride == 1 ? load : load / 2 * 2 + load % 2 * kLanes; }
  // Without SIMD a masked load reads what the mask excludes.
  static constexpr bool kMasks = kEdge && HWY_MEM_OPS_MIGHT_FAULT == 0 && HWY_TARGET != HWY_SCALAR;

 public:
  // Columns that Load reads from the first on.
  static constexpr int64_t kReach = ColumnOf(kLoads - 1) + kLanes;

  PlaneTaps(D d, int64_t first, int64_t width) : d_(d), first_(first), width_(width) {
    if constexpr (kMasks) {
      HWY_UNROLL(8)
      for (int i = 0; i < kLoads; ++i) {
        const int64_t column = first + ColumnOf(i);
        const auto before = static_cast<size_t>(std::clamp<int64_t>(-column, 0, kLanes));
        const auto inside = static_cast<size_t>(std::clamp<int64_t>(width - column, 0, kLanes));
        mask_[i] = hn::AndNot(hn::FirstN(d, before), hn::FirstN(d, inside));
      }
    }
  }

  // `from`: where column `first` of the row is, or would be.
  HWY_INLINE void Load(const float* from, V (&in)[kKernel]) const {
    if constexpr (kEdge && !kMasks) {
      HWY_ALIGN float piece[kReach];
      for (int64_t i = 0; i < kReach; ++i) piece[i] = first_ + i >= 0 && first_ + i < width_ ? from[i] : 0.0f;
      Read(piece, in);
    } else {
      Read(from, in);
    }
  }

 private:
  HWY_INLINE V At(const float* from, int load) const {
    if constexpr (kMasks) {
      return hn::MaskedLoad(mask_[load], d_, from + ColumnOf(load));
    } else {
      return hn::LoadU(d_, from + ColumnOf(load));
    }
  }

  HWY_INLINE void Read(const float* from, V (&in)[kKernel]) const {
    if constexpr (kStride == 1) {
      HWY_UNROLL(8)
      for (int t = 0; t < kKernel; ++t) in[t] = At(from, t);
    } else {
      HWY_UNROLL(8)
      for (int t = 0; t < kKernel; t += 2) {
        const V low = At(from, t), high = At(from, t + 1);
#if HWY_TARGET == HWY_SCALAR
        in[t] = low;
        if (t + 1 < kKernel) in[t + 1] = high;
#else
        in[t] = hn::ConcatEven(d_, high, low);
        if (t + 1 < kKernel) in[t + 1] = hn::ConcatOdd(d_, high, low);
#endif
      }
    }
  }

  D d_;
  int64_t first_, width_;
  hn::Mask<D> mask_[kMasks ? kLoads : 1];
};

// A vector of outputs from `column` on in at most kPlaneRows rows from `row` on.
template <int kKernel, int kStride, bool kEdge, class D, class V = hn::Vec<D>>
HWY_INLINE void RunPlaneBlock(D d, const DepthwisePlaneArgs& args, int64_t row, int64_t column) {
  const TileAxis& height = *args.height;
  const TileAxis& width = *args.width;
  const PlaneTaps<kKernel, kStride, kEdge, D> taps(d, column * kStride - width.pad, width.input);
  // Again for each block: weights that live across the store, which may be a call, would be spilled, and every
  // multiply-add would read one from memory.
  V weights[kKernel * kKernel];
  HWY_UNROLL(25)
  for (int t = 0; t < kKernel * kKernel; ++t) weights[t] = hn::Set(d, args.weight[t * args.weight_tap]);
  V acc[kPlaneRows];
  HWY_UNROLL(8)
  for (int r = 0; r < kPlaneRows; ++r) acc[r] = hn::Set(d, args.bias);
  const int64_t top = row * kStride - height.pad;
  const int64_t begin = -top, end = height.input - top;
  const float* from = args.x + top * args.x_row + column * kStride - width.pad;
  HWY_UNROLL(16)
  for (int i = 0; i < (kPlaneRows - 1) * kStride + kKernel; ++i, from += args.x_row) {
    if (i < begin || i >= end) continue;
    V in[kKernel];
    taps.Load(from, in);
    HWY_UNROLL(8)
    for (int r = 0; r < kPlaneRows; ++r) {
      const int h = i - r * kStride;
      if (h < 0 || h >= kKernel) continue;
      HWY_UNROLL(8)
      for (int t = 0; t < kKernel; ++t) acc[r] = hn::MulAdd(weights[h * kKernel + t], in[t], acc[r]);
    }
  }
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t rows = std::min<int64_t>(kPlaneRows, args.end_row - row);
  const auto count = static_cast<size_t>(std::min(lanes, width.output - column));
  float* y = args.y + row * args.y_row + column;
  const float* residual = args.residual == nullptr ? nullptr : args.residual + row * args.residual_row + column;
  const bool whole = count == hn::Lanes(d);
  if (residual == nullptr && args.clamp.is_clamp && (whole || HWY_MEM_OPS_MIGHT_FAULT == 0)) {
    const V low = hn::Set(d, args.clamp.low), high = hn::Set(d, args.clamp.high);
    const auto valid = hn::FirstN(d, count);
    HWY_UNROLL(8)
    for (int r = 0; r < kPlaneRows; ++r) {
      if (r >= rows) break;
      const V v = ClampKeepNaN(acc[r], low, high);
      if (whole) {
        hn::StoreU(v, d, y + r * args.y_row);
      } else {
        hn::BlendedStore(v, valid, d, y + r * args.y_row);
      }
    }
    return;
  }
  alignas(kAlignment) float sums[kPlaneRows][HWY_LANES(float)];
  HWY_UNROLL(8)
  for (int r = 0; r < kPlaneRows; ++r) hn::Store(acc[r], d, sums[r]);
  int64_t y_offset[kPlaneRows], residual_offset[kPlaneRows];
  for (int r = 0; r < kPlaneRows; ++r) {
    y_offset[r] = r * args.y_row;
    residual_offset[r] = r * args.residual_row;
  }
  const DirectOutput out{static_cast<int>(rows), y_offset,       residual_offset, y, residual,
                         args.clamp.low,         args.clamp.high};
  StoreSums(*args.epilogue, out, sums[0], HWY_LANES(float), count);
}

// See DepthwisePlaneFn.
template <int kKernel, int kStride>
HWY_NOINLINE void RunDepthwisePlane(const DepthwisePlaneArgs& args) {
  const hn::ScalableTag<float> d;
  using D = decltype(d);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const TileAxis& width = *args.width;
  constexpr int64_t kReach = PlaneTaps<kKernel, kStride, false, D>::kReach;
  for (int64_t row = args.first_row; row < args.end_row; row += kPlaneRows) {
    for (int64_t column = 0; column < width.output; column += lanes) {
      const int64_t first = column * kStride - width.pad;
      if (first >= 0 && first + kReach <= width.input) {
        RunPlaneBlock<kKernel, kStride, false>(d, args, row, column);
      } else {
        RunPlaneBlock<kKernel, kStride, true>(d, args, row, column);
      }
    }
  }
}

// By kernel (3, 5) and stride (1, 2), null where there is none: those of real networks, the larger ones only where it
// costs few targets compile time, and none without SIMD, where the pattern kernel is no slower. A template, so that
// those who make no such plan compile none of them.
template <class P>
constexpr DepthwisePlaneKernels DepthwisePlanes() {
  DepthwisePlaneKernels kernels{};
  if constexpr (Target::kMaxLanes > 1) {
    kernels.run[0][0] = &RunDepthwisePlane<3, 1>;
    kernels.run[0][1] = &RunDepthwisePlane<3, 2>;
  }
  if constexpr (kOwnKernels) {
    kernels.run[1][0] = &RunDepthwisePlane<5, 1>;
    kernels.run[1][1] = &RunDepthwisePlane<5, 2>;
  }
  return kernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
