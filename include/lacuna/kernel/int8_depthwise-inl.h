// Rows of depthwise convolutions of 8-bit integers. Compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/int8_table.h"

#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_INT8_DEPTHWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_INT8_DEPTHWISE_INL_H_
#undef LACUNA_KERNEL_INT8_DEPTHWISE_INL_H_
#else
#define LACUNA_KERNEL_INT8_DEPTHWISE_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// acc[i] for the kVectors vectors from position `first` on.
template <int kVectors, class D>
HWY_INLINE void DepthwiseInt8Vectors(D d, const Int8DepthwiseArgs& args, size_t first) {
  const hn::Rebind<uint8_t, D> d8;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<D> sum[kVectors];
  HWY_UNROLL(4)
  for (int v = 0; v < kVectors; ++v) sum[v] = hn::Set(d, args.bias);
  for (size_t t = 0; t < args.taps; ++t) {
    const auto w = hn::Set(d, args.weight[t]);
    const uint8_t* HWY_RESTRICT x = args.x + args.offset[t] + first;
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      const auto in = hn::PromoteTo(d, hn::LoadU(d8, x + static_cast<size_t>(v) * lanes));
      sum[v] = hn::Add(hn::Mul(in, w), sum[v]);
    }
  }
  HWY_UNROLL(4)
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[v], d, args.acc + first + static_cast<size_t>(v) * lanes);
}

// See Int8DepthwiseFn. A tap is a widening load, a product and a sum of 32 bits, exact on every target.
inline HWY_NOINLINE void RunDepthwiseInt8(const Int8DepthwiseArgs& args) {
  const hn::ScalableTag<uint32_t> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + 4 * lanes <= args.count; i += 4 * lanes) DepthwiseInt8Vectors<4>(d, args, i);
  for (; i < args.count; i += lanes) DepthwiseInt8Vectors<1>(d, args, i);
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
