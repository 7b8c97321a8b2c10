// Softmax, LogSoftmax and Hardmax of lines.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_SOFTMAX_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_SOFTMAX_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace graph {

// Functions of lines of `extent` elements that lie `inner` apart, `count` of them next to each other, at most kLines.
inline constexpr int64_t kLines = 256;

// Sums in double, in lanes for a compiler that may not reorder one.
template <class F>
double SumOf(const float* x, int64_t count, const F& f) {
  constexpr int64_t kLanes = 8;
  double sum[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sum[lane] += f(double{x[i + lane]});
  }
  for (; i < count; ++i) sum[0] += f(double{x[i]});
  double total = 0.0;
  for (const double part : sum) total += part;
  return total;
}

// e^x of x <= 0 to within 2 units in the last place, in operations that a compiler vectorises; 0 below -87.
inline float ExpOfNegative(float x) {
  const float bounded = x > -87.0f ? x : -87.0f;
  const float multiple = bounded * 1.44269504f - 0.5f;
  const auto power = static_cast<int32_t>(multiple);  // toward zero, which rounds to nearest
  const auto whole = static_cast<float>(power);
  const float rest = (bounded - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float series = 1.9875691500e-4f;
  series = series * rest + 1.3981999507e-3f;
  series = series * rest + 8.3334519073e-3f;
  series = series * rest + 4.1665795894e-2f;
  series = series * rest + 1.6666665459e-1f;
  series = series * rest + 5.0000001201e-1f;
  series = series * rest * rest + rest + 1.0f;
  const float result = series * std::bit_cast<float>((power + 127) << 23);
  return x > -87.0f ? result : x == x ? 0.0f : x;
}

// The largest of a single line, in lanes for a compiler that may not reorder one. NaN does not count.
inline float LargestOf(const float* x, int64_t extent) {
  constexpr int64_t kLanes = 8;
  float lane[kLanes];
  std::fill_n(lane, kLanes, x[0]);
  int64_t i = 0;
  for (; i + kLanes <= extent; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lane[l] = lane[l] < x[i + l] ? x[i + l] : lane[l];
  }
  for (; i < extent; ++i) lane[0] = std::max(lane[0], x[i]);
  return *std::max_element(lane, lane + kLanes);
}

// The same of each of `count` lines.
inline void LargestOf(const float* x, int64_t extent, int64_t inner, int64_t count, float* largest) {
  std::copy_n(x, count, largest);
  for (int64_t i = 1; i < extent; ++i) {
    const float* __restrict row = x + i * inner;
    for (int64_t k = 0; k < count; ++k) largest[k] = largest[k] < row[k] ? row[k] : largest[k];
  }
}

// Subtracts the maximum first, so that exp cannot overflow. A NaN anywhere makes the whole line NaN.
inline void SoftmaxLine(const float* __restrict x, float* __restrict y, int64_t extent) {
  const float largest = LargestOf(x, extent);
  for (int64_t i = 0; i < extent; ++i) y[i] = ExpOfNegative(x[i] - largest);
  const auto factor = static_cast<float>(1.0 / SumOf(y, extent, [](double value) { return value; }));
  for (int64_t i = 0; i < extent; ++i) y[i] *= factor;
}

inline void Softmax(const float* x, float* y, int64_t extent, int64_t inner, int64_t count) {
  if (inner == 1) return SoftmaxLine(x, y, extent);
  float largest[kLines], sum[kLines] = {};
  LargestOf(x, extent, inner, count, largest);
  for (int64_t i = 0; i < extent; ++i) {
    const float* __restrict from = x + i * inner;
    float* __restrict to = y + i * inner;
    for (int64_t k = 0; k < count; ++k) {
      to[k] = ExpOfNegative(from[k] - largest[k]);
      sum[k] += to[k];
    }
  }
  for (int64_t k = 0; k < count; ++k) sum[k] = 1.0f / sum[k];
  for (int64_t i = 0; i < extent; ++i) {
    float* __restrict to = y + i * inner;
    for (int64_t k = 0; k < count; ++k) to[k] *= sum[k];
  }
}

inline void LogSoftmax(const float* x, float* y, int64_t extent, int64_t inner, int64_t count) {
  float largest[kLines];
  double sum[kLines] = {};
  LargestOf(x, extent, inner, count, largest);
  for (int64_t i = 0; i < extent; ++i) {
    for (int64_t k = 0; k < count; ++k) sum[k] += double{ExpOfNegative(x[i * inner + k] - largest[k])};
  }
  for (int64_t k = 0; k < count; ++k) sum[k] = std::log(sum[k]);
  for (int64_t i = 0; i < extent; ++i) {
    for (int64_t k = 0; k < count; ++k) {
      y[i * inner + k] = static_cast<float>(double{x[i * inner + k]} - double{largest[k]} - sum[k]);
    }
  }
}

// 1 at the first of the largest elements, else 0.
inline void Hardmax(const float* x, float* y, int64_t extent, int64_t inner, int64_t count) {
  for (int64_t k = 0; k < count; ++k) {
    int64_t best = 0;
    for (int64_t i = 0; i < extent; ++i) {
      y[i * inner + k] = 0.0f;
      if (x[i * inner + k] > x[best * inner + k]) best = i;
    }
    y[best * inner + k] = 1.0f;
  }
}

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_SOFTMAX_H_
