// The rest of the epilogue at the store: residual and activation, on the way from accumulators to the output. Compiled
// once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/kernel/activation-inl.h"
#include "lacuna/kernel/table.h"
#include "lacuna/kernel/transpose-inl.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#if defined(LACUNA_KERNEL_STORE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_STORE_INL_H_
#undef LACUNA_KERNEL_STORE_INL_H_
#else
#define LACUNA_KERNEL_STORE_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Bounds of the clamp that StoreRun applies: none and relu are clamps, and for other activations it does nothing.
struct StoreClamp {
  float low, high;
};
inline constexpr StoreClamp kNoClamp = {-std::numeric_limits<float>::infinity(),
                                        std::numeric_limits<float>::infinity()};

// Whole vectors of a contiguous run from element `i` on; returns the first element that is left.
template <class D>
HWY_INLINE size_t StoreVectors(D d, const float* acc, const float* residual, size_t i, size_t count, StoreClamp clamp,
                               float* y) {
  const size_t lanes = hn::Lanes(d);
  const auto low = hn::Set(d, clamp.low), high = hn::Set(d, clamp.high);
  for (; i + lanes <= count; i += lanes) {
    auto v = hn::LoadU(d, acc + i);
    if (residual != nullptr) v = hn::Add(v, hn::LoadU(d, residual + i));
    hn::StoreU(ClampKeepNaN(v, low, high), d, y + i);
  }
  return i;
}

// y = min(max(acc + residual, low), high) of one row of one span, contiguous in y and residual. y may be acc.
HWY_INLINE void StoreRunInline(const float* acc, const float* residual, size_t count, StoreClamp clamp, float* y) {
  const hn::ScalableTag<float> d;
  size_t i = StoreVectors(d, acc, residual, 0, count, clamp, y);
  if constexpr (HWY_MEM_OPS_MIGHT_FAULT == 0) {
    if (i == count) return;
    const auto rest = hn::FirstN(d, count - i);
    auto v = hn::LoadU(d, acc + i);  // acc is ours: whole vectors may be read
    if (residual != nullptr) v = hn::Add(v, hn::MaskedLoad(rest, d, residual + i));
    hn::BlendedStore(ClampKeepNaN(v, hn::Set(d, clamp.low), hn::Set(d, clamp.high)), rest, d, y + i);
  } else {
    const hn::CappedTag<float, 4> d4;
    const hn::CappedTag<float, 1> d1;
    if (hn::Lanes(d) > hn::Lanes(d4)) i = StoreVectors(d4, acc, residual, i, count, clamp, y);
    StoreVectors(d1, acc, residual, i, count, clamp, y);
  }
}
inline HWY_NOINLINE void StoreRun(const float* acc, const float* residual, size_t count, StoreClamp clamp, float* y) {
  StoreRunInline(acc, residual, count, clamp, y);
}

HWY_INLINE int64_t CornerOf(const std::array<int64_t, 3>& stride, const OutputSpan& span) {
  return span.d * stride[0] + span.h * stride[1] + span.w * stride[2];
}

// StoreRun of all rows of all spans. A loop of its own: a call for each short run of a Winograd tile's row took twice
// as long.
inline HWY_NOINLINE void StoreRuns(const StoreArgs& args, StoreClamp clamp) {
  for (const OutputSpan& span : args.spans) {
    const auto count = static_cast<size_t>(span.length);
    const float* acc = args.acc + span.position;
    float* y = args.y + CornerOf(args.y_stride, span);
    const float* residual = args.residual == nullptr ? nullptr : args.residual + CornerOf(args.residual_stride, span);
    for (int r = 0; r < args.rows; ++r, acc += args.acc_stride) {
      StoreRunInline(acc, residual == nullptr ? nullptr : residual + args.residual_offset[r], count, clamp,
                     y + args.y_offset[r]);
    }
  }
}

// row = activation(row), in place in memory that is ours: whole vectors may be read, and are written as they were
// beyond `count`.
template <Activation kActivation>
HWY_NOINLINE void ActivateRun(const Epilogue& epilogue, float* row, size_t count) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < count; i += lanes) {
    const auto v = Activate<kActivation>(d, hn::LoadU(d, row + i), epilogue);
    if (i + lanes <= count) {
      hn::StoreU(v, d, row + i);
    } else {
      hn::StoreU(hn::IfThenElse(hn::FirstN(d, count - i), v, hn::LoadU(d, row + i)), d, row + i);
    }
  }
}
using ActivateRunFn = void (*)(const Epilogue& epilogue, float* row, size_t count);

// Null for those that are clamps, see ClampRange.
inline ActivateRunFn ActivateRunOf(Activation activation) {
  switch (activation) {
    case Activation::kLeakyRelu: return &ActivateRun<Activation::kLeakyRelu>;
    case Activation::kSigmoid: return &ActivateRun<Activation::kSigmoid>;
    case Activation::kTanh: return &ActivateRun<Activation::kTanh>;
    case Activation::kSilu: return &ActivateRun<Activation::kSilu>;
    case Activation::kHardSwish: return &ActivateRun<Activation::kHardSwish>;
    default: return nullptr;
  }
}

// One span of rows that are ours, contiguous: to `y` with stride `column` from position to position. Rows that are
// neighbours there are transposed in blocks.
inline void StoreColumns(const StoreArgs& args, const float* acc, const OutputSpan& span, float* y) {
  const int64_t column = args.y_stride[2];
  bool neighbours = true;
  for (int r = 1; r < args.rows; ++r) neighbours = neighbours && args.y_offset[r] == args.y_offset[0] + r;
  if (neighbours) {
    Transpose(acc, static_cast<int64_t>(args.acc_stride), args.rows, span.length, y + args.y_offset[0], column);
    return;
  }
  for (int64_t i = 0; i < span.length; ++i) {
    for (int r = 0; r < args.rows; ++r) {
      y[i * column + args.y_offset[r]] = acc[static_cast<size_t>(r) * args.acc_stride + static_cast<size_t>(i)];
    }
  }
}

// See StoreFn. Exactly the spans' outputs are written, exactly the same elements of the residual read; y may be the
// residual. Outputs that are contiguous under a clamp are one pass. All others are first computed in place, in acc,
// which is in L1: one loop an activation, and one that moves, instead of their product (a quarter of the compile time
// and of the code, tests/compile_time.sh).
inline void StoreOutput(const StoreArgs& args) {
  const ClampRange range = ClampRange::Of(*args.epilogue);
  const StoreClamp clamp = range.is_clamp ? StoreClamp{range.low, range.high} : kNoClamp;
  const ActivateRunFn activate = ActivateRunOf(args.epilogue->activation);
  const bool y_contiguous = args.y_stride[2] == 1;
  const bool residual_contiguous = args.residual == nullptr || args.residual_stride[2] == 1;
  if (activate == nullptr && y_contiguous && residual_contiguous) return StoreRuns(args, clamp);
  for (const OutputSpan& span : args.spans) {
    float* acc = args.acc + span.position;
    float* y = args.y + CornerOf(args.y_stride, span);
    const auto count = static_cast<size_t>(span.length);
    for (int r = 0; r < args.rows; ++r) {
      float* row = acc + static_cast<size_t>(r) * args.acc_stride;
      const float* residual = args.residual == nullptr
                                  ? nullptr
                                  : args.residual + args.residual_offset[r] + CornerOf(args.residual_stride, span);
      if (!residual_contiguous) {
        for (size_t i = 0; i < count; ++i) row[i] += residual[static_cast<int64_t>(i) * args.residual_stride[2]];
        residual = nullptr;
      }
      if (activate == nullptr || residual != nullptr) StoreRun(row, residual, count, clamp, row);
      if (activate != nullptr) activate(*args.epilogue, row, count);
      if (y_contiguous) StoreRun(row, nullptr, count, kNoClamp, y + args.y_offset[r]);
    }
    if (!y_contiguous) StoreColumns(args, acc, span, y);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
