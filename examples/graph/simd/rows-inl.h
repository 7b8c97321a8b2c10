// Sums, moments, normalization and softmax of a row.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "graph/simd/elementwise-inl.h"
#include "graph/simd/loops.h"

#if defined(LACUNA_EXAMPLES_GRAPH_SIMD_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_EXAMPLES_GRAPH_SIMD_ROWS_INL_H_
#undef LACUNA_EXAMPLES_GRAPH_SIMD_ROWS_INL_H_
#else
#define LACUNA_EXAMPLES_GRAPH_SIMD_ROWS_INL_H_
#endif

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace graph {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The sum of f(d, x) over x, f giving a vector of the same lanes: in float for short stretches, whose sums are added in
// double.
template <class F>
HWY_INLINE double SumOver(const float* x, int64_t count, const F& f) {
  constexpr int64_t kSums = 4, kStretch = 8;  // a sum of floats has at most so many terms
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  double total = 0.0;
  int64_t i = 0;
  while (i + kSums * lanes <= count) {
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t k = 0; k < kStretch && i + kSums * lanes <= count; ++k, i += kSums * lanes) {
      s0 = hn::Add(s0, f(d, hn::LoadU(d, x + i)));
      s1 = hn::Add(s1, f(d, hn::LoadU(d, x + i + lanes)));
      s2 = hn::Add(s2, f(d, hn::LoadU(d, x + i + 2 * lanes)));
      s3 = hn::Add(s3, f(d, hn::LoadU(d, x + i + 3 * lanes)));
    }
    total += double{hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))))};
  }
  auto rest = hn::Zero(d);
  i = ForVectors(d, i, count, [&](auto, int64_t at) { rest = hn::Add(rest, f(d, hn::LoadU(d, x + at))); });
  total += double{hn::GetLane(hn::SumOfLanes(d, rest))};
  const hn::CappedTag<float, 1> d1;
  ForVectors(d1, i, count, [&](auto, int64_t at) { total += double{hn::GetLane(f(d1, hn::LoadU(d1, x + at)))}; });
  return total;
}

inline double Sum(const float* x, int64_t count) {
  return SumOver(x, count, [](auto, auto v) { return v; });
}

inline Moments MomentsOf(const float* x, int64_t count, bool centred) {
  constexpr int64_t kBlock = 4096;
  Moments all = {0.0, 0.0};
  for (int64_t i = 0; i < count; i += kBlock) {
    const int64_t size = std::min(kBlock, count - i);
    const double mean = centred ? Sum(x + i, size) / static_cast<double>(size) : 0.0;
    const auto shift = static_cast<float>(mean);
    const double squares = SumOver(x + i, size, [shift](auto d, auto v) {
      const auto difference = hn::Sub(v, hn::Set(d, shift));
      return hn::Mul(difference, difference);
    });
    // Both sums were taken around `shift`; join them with those of what stands before.
    const double rounding = mean - double{shift};
    const double difference = mean - all.mean;
    const double before = static_cast<double>(i), own = static_cast<double>(size), sum = before + own;
    all.mean += difference * own / sum;
    all.squares += squares - own * rounding * rounding + difference * difference * before * own / sum;
  }
  return all;
}

template <bool kScale, bool kBias>
HWY_INLINE void NormalizeRow(const float* x, float* y, int64_t count, float mean, float inverse, const float* scale,
                             const float* bias) {
  ForAll(count, [=](auto d, int64_t i) {
    auto v = hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, inverse));
    if (kScale) v = hn::Mul(v, hn::LoadU(d, scale + i));
    if (kBias) v = hn::Add(v, hn::LoadU(d, bias + i));
    hn::StoreU(v, d, y + i);
  });
}

inline void Normalize(const float* x, float* y, int64_t count, float mean, float inverse, const float* scale,
                      const float* bias) {
  if (scale != nullptr && bias != nullptr) return NormalizeRow<true, true>(x, y, count, mean, inverse, scale, bias);
  if (scale != nullptr) return NormalizeRow<true, false>(x, y, count, mean, inverse, scale, bias);
  if (bias != nullptr) return NormalizeRow<false, true>(x, y, count, mean, inverse, scale, bias);
  NormalizeRow<false, false>(x, y, count, mean, inverse, scale, bias);
}

// NaN if there is one.
inline float LargestOf(const float* x, int64_t count) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> d1;
  float largest = -std::numeric_limits<float>::infinity();
  auto lanes = hn::Set(d, largest);
  const int64_t i =
      ForVectors(d, 0, count, [&](auto, int64_t at) { lanes = Combine<Binary::kMax>(hn::LoadU(d, x + at), lanes); });
  HWY_ALIGN float each[HWY_LANES(float)];
  hn::Store(lanes, d, each);
  const auto larger = [&](float v) { largest = v > largest || std::isnan(v) ? v : largest; };
  for (size_t lane = 0; lane < hn::Lanes(d); ++lane) larger(each[lane]);
  ForVectors(d1, i, count, [&](auto, int64_t at) { larger(x[at]); });
  return largest;
}

// Subtracts the maximum first, so that no power overflows.
inline void SoftmaxRow(const float* x, float* y, int64_t count) {
  const float largest = LargestOf(x, count);
  if (!std::isfinite(largest)) {
    std::fill_n(y, count, std::numeric_limits<float>::quiet_NaN());
    return;
  }
  ForAll(count, [=](auto d, int64_t i) {
    hn::StoreU(hn::Exp(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, largest))), d, y + i);
  });
  const auto factor = static_cast<float>(1.0 / Sum(y, count));
  ForAll(count, [=](auto d, int64_t i) { hn::StoreU(hn::Mul(hn::LoadU(d, y + i), hn::Set(d, factor)), d, y + i); });
}

}  // namespace HWY_NAMESPACE
}  // namespace graph
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
