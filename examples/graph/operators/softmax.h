// Softmax, LogSoftmax and Hardmax of lines.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_SOFTMAX_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_SOFTMAX_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "graph/simd/loops.h"

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

// e^x of x in [-88, 0].
inline float ExpOfNegative(float x) {
  const auto power = static_cast<int32_t>(x * 1.44269504f - 0.5f);  // toward zero, which rounds to nearest
  const auto whole = static_cast<float>(power);
  const float rest = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float series = 1.9875691500e-4f;
  series = series * rest + 1.3981999507e-3f;
  series = series * rest + 8.3334519073e-3f;
  series = series * rest + 4.1665795894e-2f;
  series = series * rest + 1.6666665459e-1f;
  series = series * rest + 5.0000001201e-1f;
  series = series * rest * rest + rest + 1.0f;
  return series * std::bit_cast<float>((power + 127) << 23);
}

// y = e^(x - largest), to within 2 units in the last place; 0 where that is below e^-87.7, and for NaN. Two loops,
// because a compiler that sees the bound makes a branch of it, and no vectors. largest(i) is that of x[i].
template <class F>
inline void ExpOfDifference(const float* __restrict x, float* __restrict y, int64_t count, const F& largest) {
  constexpr float kLeast = -88.0f;  // whose power of two is 0
  for (int64_t i = 0; i < count; ++i) {
    const float difference = x[i] - largest(i);
    y[i] = difference > kLeast ? difference : kLeast;
  }
  for (int64_t i = 0; i < count; ++i) y[i] = ExpOfNegative(y[i]);
}

// NaN if any of the two is.
inline float Larger(float a, float b) { return ((b > a) | (b != b)) ? b : a; }

// The largest of a single line, NaN if there is one.
inline float LargestOf(const float* x, int64_t extent) {
  constexpr int64_t kLanes = 32;  // as many as a compiler makes a loop of vectors of
  float lane[kLanes];
  std::fill_n(lane, kLanes, x[0]);
  for (int64_t i = 0; i < extent; i += kLanes) {
    const int64_t lanes = std::min(kLanes, extent - i);
    for (int64_t l = 0; l < lanes; ++l) lane[l] = Larger(lane[l], x[i + l]);
  }
  for (int64_t l = 1; l < std::min(kLanes, extent); ++l) lane[0] = Larger(lane[0], lane[l]);
  return lane[0];
}

// The same of each of `count` lines.
inline void LargestOf(const float* x, int64_t extent, int64_t inner, int64_t count, float* largest) {
  std::copy_n(x, count, largest);
  for (int64_t i = 1; i < extent; ++i) {
    const float* __restrict row = x + i * inner;
    for (int64_t k = 0; k < count; ++k) largest[k] = Larger(largest[k], row[k]);
  }
}

// Subtracts the maximum first, so that exp cannot overflow. A line with NaN or +infinity becomes NaN.
inline void Softmax(const float* x, float* y, int64_t extent, int64_t inner, int64_t count) {
  if (inner == 1) return ActiveLoops().softmax(x, y, extent);
  float largest[kLines], sum[kLines] = {};
  LargestOf(x, extent, inner, count, largest);
  for (int64_t i = 0; i < extent; ++i) {
    const float* __restrict from = x + i * inner;
    float* __restrict to = y + i * inner;
    ExpOfDifference(from, to, count, [&](int64_t k) { return largest[k]; });
    for (int64_t k = 0; k < count; ++k) sum[k] += to[k];
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
  if (inner == 1) {
    largest[0] = LargestOf(x, extent);
    ExpOfDifference(x, y, extent, [&](int64_t) { return largest[0]; });
    sum[0] = SumOf(y, extent, [](double value) { return value; });
  } else {
    LargestOf(x, extent, inner, count, largest);
    for (int64_t i = 0; i < extent; ++i) {
      ExpOfDifference(x + i * inner, y + i * inner, count, [&](int64_t k) { return largest[k]; });
      for (int64_t k = 0; k < count; ++k) sum[k] += double{y[i * inner + k]};
    }
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
