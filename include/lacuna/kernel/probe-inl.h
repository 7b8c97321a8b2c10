// The loops that MeasureMachine runs: multiply-adds and reads at full speed. Compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/policy/machine.h"

#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_PROBE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_PROBE_INL_H_
#undef LACUNA_KERNEL_PROBE_INL_H_
#else
#define LACUNA_KERNEL_PROBE_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Twelve chains: two units a cycle at a latency of four to six cycles are kept busy, and 16 registers hold them.
inline float ProbeMultiplyAdds(int64_t count) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, 0.999f), term = hn::Set(d, 0.001f);
  // Unlike starts, or compilers would merge the chains.
  auto a0 = hn::Set(d, 0.0f), a1 = hn::Set(d, 0.1f), a2 = hn::Set(d, 0.2f), a3 = hn::Set(d, 0.3f);
  auto a4 = hn::Set(d, 0.4f), a5 = hn::Set(d, 0.5f), b0 = hn::Set(d, 1.6f), b1 = hn::Set(d, 1.7f);
  auto b2 = hn::Set(d, 1.8f), b3 = hn::Set(d, 1.9f), b4 = hn::Set(d, 2.0f), b5 = hn::Set(d, 2.1f);
  for (int64_t i = 0; i < count; i += 12) {
    a0 = hn::MulAdd(a0, factor, term);
    a1 = hn::MulAdd(a1, factor, term);
    a2 = hn::MulAdd(a2, factor, term);
    a3 = hn::MulAdd(a3, factor, term);
    a4 = hn::MulAdd(a4, factor, term);
    a5 = hn::MulAdd(a5, factor, term);
    b0 = hn::MulAdd(b0, factor, term);
    b1 = hn::MulAdd(b1, factor, term);
    b2 = hn::MulAdd(b2, factor, term);
    b3 = hn::MulAdd(b3, factor, term);
    b4 = hn::MulAdd(b4, factor, term);
    b5 = hn::MulAdd(b5, factor, term);
  }
  const auto a = hn::Add(hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)), hn::Add(a4, a5));
  const auto b = hn::Add(hn::Add(hn::Add(b0, b1), hn::Add(b2, b3)), hn::Add(b4, b5));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
}

inline float ProbeRead(const float* data, size_t floats) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0;
  for (size_t i = 0; i + 4 * lanes <= floats; i += 4 * lanes) {
    a0 = hn::Add(a0, hn::LoadU(d, data + i));
    a1 = hn::Add(a1, hn::LoadU(d, data + i + lanes));
    a2 = hn::Add(a2, hn::LoadU(d, data + i + 2 * lanes));
    a3 = hn::Add(a3, hn::LoadU(d, data + i + 3 * lanes));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a0, a1), hn::Add(a2, a3))));
}

inline MachineProbe Probe() { return {hn::Lanes(hn::ScalableTag<float>()), &ProbeMultiplyAdds, &ProbeRead}; }

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
