// The rest of the epilogue at the store: residual and activation, on the way from accumulators to the output. Compiled
// once per SIMD target.

#include "lacuna/core/epilogue.h"
#include "lacuna/kernel/activation-inl.h"
#include "lacuna/kernel/table.h"
#include "lacuna/kernel/transpose-inl.h"

#include <array>
#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_STORE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_STORE_INL_H_
#undef LACUNA_KERNEL_STORE_INL_H_
#else
#define LACUNA_KERNEL_STORE_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Whole vectors of a contiguous run from element `i` on; returns the first element that is left.
template <Activation kActivation, class D>
HWY_INLINE size_t StoreVectors(D d, const float* acc, const float* residual, size_t i, size_t count,
                               const Epilogue& epilogue, float* y) {
  const size_t lanes = hn::Lanes(d);
  for (; i + lanes <= count; i += lanes) {
    auto v = hn::LoadU(d, acc + i);
    if (residual != nullptr) v = hn::Add(v, hn::LoadU(d, residual + i));
    hn::StoreU(Activate<kActivation>(d, v, epilogue), d, y + i);
  }
  return i;
}

// One row of one span, contiguous in y and residual.
template <Activation kActivation>
HWY_INLINE void StoreRun(const float* acc, const float* residual, size_t count, const Epilogue& epilogue, float* y) {
  const hn::ScalableTag<float> d;
  size_t i = StoreVectors<kActivation>(d, acc, residual, 0, count, epilogue, y);
  if constexpr (HWY_MEM_OPS_MIGHT_FAULT == 0) {
    if (i == count) return;
    const auto rest = hn::FirstN(d, count - i);
    auto v = hn::LoadU(d, acc + i);  // acc is ours: whole vectors may be read
    if (residual != nullptr) v = hn::Add(v, hn::MaskedLoad(rest, d, residual + i));
    hn::BlendedStore(Activate<kActivation>(d, v, epilogue), rest, d, y + i);
  } else {
    const hn::CappedTag<float, 8> d8;
    const hn::CappedTag<float, 4> d4;
    const hn::CappedTag<float, 1> d1;
    if (hn::Lanes(d) > hn::Lanes(d8)) i = StoreVectors<kActivation>(d8, acc, residual, i, count, epilogue, y);
    if (hn::Lanes(d) > hn::Lanes(d4)) i = StoreVectors<kActivation>(d4, acc, residual, i, count, epilogue, y);
    StoreVectors<kActivation>(d1, acc, residual, i, count, epilogue, y);
  }
}

HWY_INLINE int64_t CornerOf(const std::array<int64_t, 3>& stride, const OutputSpan& span) {
  return span.d * stride[0] + span.h * stride[1] + span.w * stride[2];
}

// Channels-last and other strided outputs: rows are the inner loop, since a panel's rows are neighbours there. The
// residual is added and the activation applied to whole rows of acc first.
template <Activation kActivation>
void StoreStrided(const StoreArgs& args) {
  for (const OutputSpan& span : args.spans) {
    float* acc = args.acc + span.position;
    float* y = args.y + CornerOf(args.y_stride, span);
    const auto count = static_cast<size_t>(span.length);
    for (int r = 0; r < args.rows; ++r) {
      float* row = acc + static_cast<size_t>(r) * args.acc_stride;
      if (args.residual != nullptr) {
        const float* residual = args.residual + args.residual_offset[r] + CornerOf(args.residual_stride, span);
        for (size_t i = 0; i < count; ++i) row[i] += residual[static_cast<int64_t>(i) * args.residual_stride[2]];
      }
      StoreRun<kActivation>(row, nullptr, count, *args.epilogue, row);
    }
    bool neighbours = true;
    for (int r = 1; r < args.rows; ++r) neighbours = neighbours && args.y_offset[r] == args.y_offset[0] + r;
    if (neighbours) {
      Transpose(acc, static_cast<int64_t>(args.acc_stride), args.rows, span.length, y + args.y_offset[0],
                args.y_stride[2]);
      continue;
    }
    for (size_t i = 0; i < count; ++i) {
      float* position = y + static_cast<int64_t>(i) * args.y_stride[2];
      for (int r = 0; r < args.rows; ++r)
        position[args.y_offset[r]] = acc[static_cast<size_t>(r) * args.acc_stride + i];
    }
  }
}

template <Activation kActivation>
void StoreWith(const StoreArgs& args) {
  const bool contiguous = args.y_stride[2] == 1 && (args.residual == nullptr || args.residual_stride[2] == 1);
  if (!contiguous) return StoreStrided<kActivation>(args);
  for (int r = 0; r < args.rows; ++r) {
    const float* acc = args.acc + static_cast<size_t>(r) * args.acc_stride;
    for (const OutputSpan& span : args.spans) {
      const float* residual = args.residual == nullptr
                                  ? nullptr
                                  : args.residual + args.residual_offset[r] + CornerOf(args.residual_stride, span);
      StoreRun<kActivation>(acc + span.position, residual, static_cast<size_t>(span.length), *args.epilogue,
                            args.y + args.y_offset[r] + CornerOf(args.y_stride, span));
    }
  }
}

// See StoreFn. Exactly the spans' outputs are written, exactly the same elements of the residual read; y may be the
// residual.
inline void StoreOutput(const StoreArgs& args) {
  switch (args.epilogue->activation) {
    case Activation::kNone: return StoreWith<Activation::kNone>(args);
    case Activation::kRelu: return StoreWith<Activation::kRelu>(args);
    case Activation::kClamp: return StoreWith<Activation::kClamp>(args);
    case Activation::kLeakyRelu: return StoreWith<Activation::kLeakyRelu>(args);
    case Activation::kSigmoid: return StoreWith<Activation::kSigmoid>(args);
    case Activation::kTanh: return StoreWith<Activation::kTanh>(args);
    case Activation::kSilu: return StoreWith<Activation::kSilu>(args);
    case Activation::kHardSwish: return StoreWith<Activation::kHardSwish>(args);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
