// The transforms of a Winograd convolution's input and output, tiles across lanes. Compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/core/prefetch.h"
#include "lacuna/kernel/input-inl.h"
#include "lacuna/kernel/table.h"
#include "lacuna/policy/winograd.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_WINOGRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_WINOGRAD_INL_H_
#undef LACUNA_KERNEL_WINOGRAD_INL_H_
#else
#define LACUNA_KERNEL_WINOGRAD_INL_H_
#endif

#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr float kRoot2 = 1.41421356237309505f;

// B^T x and A^T x of F(2, 3), F(4, 3) and F(6, 3) with the points of WinogradKernelMatrix.
template <class D, class V>
HWY_INLINE void WinogradInputPoints(D, V (&x)[4]) {
  const V x1 = hn::Add(x[1], x[2]), x2 = hn::Sub(x[2], x[1]);
  x[0] = hn::Sub(x[0], x[2]);
  x[3] = hn::Sub(x[1], x[3]);
  x[1] = x1;
  x[2] = x2;
}
template <class D, class V>
HWY_INLINE void WinogradOutputPoints(D, const V (&x)[4], V (&y)[2]) {
  y[0] = hn::Add(x[0], hn::Add(x[1], x[2]));
  y[1] = hn::Sub(hn::Sub(x[1], x[2]), x[3]);
}

template <class D, class V>
HWY_INLINE void WinogradInputPoints(D d, V (&x)[6]) {
  const V root2 = hn::Set(d, kRoot2), half_root2 = hn::Set(d, 0.5f * kRoot2);
  const V half = hn::Set(d, 0.5f), five_halves = hn::Set(d, 2.5f);
  const V a = hn::Sub(x[4], hn::Add(x[2], x[2])), b = hn::MulSub(half_root2, x[3], hn::Mul(root2, x[1]));
  const V c = hn::NegMulAdd(half, x[2], x[4]), e = hn::MulSub(root2, x[3], hn::Mul(half_root2, x[1]));
  x[0] = hn::NegMulAdd(five_halves, x[2], hn::Add(x[0], x[4]));
  x[5] = hn::NegMulAdd(five_halves, x[3], hn::Add(x[1], x[5]));
  x[1] = hn::Add(a, b);
  x[2] = hn::Sub(a, b);
  x[3] = hn::Add(c, e);
  x[4] = hn::Sub(c, e);
}
template <class D, class V>
HWY_INLINE void WinogradOutputPoints(D d, const V (&x)[6], V (&y)[4]) {
  const V root2 = hn::Set(d, kRoot2), half_root2 = hn::Set(d, 0.5f * kRoot2);
  const V quarter_root2 = hn::Set(d, 0.25f * kRoot2), double_root2 = hn::Set(d, 2.0f * kRoot2);
  const V s = hn::Add(x[1], x[2]), q = hn::Sub(x[1], x[2]);
  const V u = hn::Add(x[3], x[4]), w = hn::Sub(x[3], x[4]);
  y[0] = hn::Add(hn::Add(x[0], s), u);
  y[1] = hn::MulAdd(root2, w, hn::Mul(half_root2, q));
  y[2] = hn::MulAdd(hn::Set(d, 0.5f), s, hn::Add(u, u));
  y[3] = hn::MulAdd(double_root2, w, hn::MulAdd(quarter_root2, q, x[5]));
}

template <class D, class V>
HWY_INLINE void WinogradInputPoints(D d, V (&x)[8]) {
  const V quarter = hn::Set(d, 0.25f), half = hn::Set(d, 0.5f), two = hn::Set(d, 2.0f), four = hn::Set(d, 4.0f);
  const V five_quarters = hn::Set(d, 1.25f), five_halves = hn::Set(d, 2.5f);
  const V c17 = hn::Set(d, 4.25f), c21 = hn::Set(d, 5.25f);
  const V a = hn::NegMulAdd(c17, x[4], hn::Add(x[2], x[6])), b = hn::NegMulAdd(c17, x[3], hn::Add(x[1], x[5]));
  const V c = hn::NegMulAdd(five_quarters, x[4], hn::MulAdd(quarter, x[2], x[6]));
  const V e = hn::MulAdd(two, x[5], hn::NegMulAdd(five_halves, x[3], hn::Mul(half, x[1])));
  const V f = hn::MulAdd(four, hn::NegMulAdd(five_quarters, x[4], x[2]), x[6]);
  const V g = hn::MulAdd(half, x[5], hn::NegMulAdd(five_halves, x[3], hn::Mul(two, x[1])));
  x[0] = hn::MulAdd(c21, hn::Sub(x[4], x[2]), hn::Sub(x[0], x[6]));
  x[7] = hn::MulAdd(c21, hn::Sub(x[3], x[5]), hn::Sub(x[7], x[1]));
  x[1] = hn::Add(a, b);
  x[2] = hn::Sub(a, b);
  x[3] = hn::Add(c, e);
  x[4] = hn::Sub(c, e);
  x[5] = hn::Add(f, g);
  x[6] = hn::Sub(f, g);
}
template <class D, class V>
HWY_INLINE void WinogradOutputPoints(D d, const V (&x)[8], V (&y)[6]) {
  const V c2 = hn::Set(d, 2.0f), c4 = hn::Set(d, 4.0f), c8 = hn::Set(d, 8.0f), c16 = hn::Set(d, 16.0f);
  const V c32 = hn::Set(d, 32.0f);
  const V s1 = hn::Add(x[1], x[2]), q1 = hn::Sub(x[1], x[2]);
  const V s2 = hn::Add(x[3], x[4]), q2 = hn::Sub(x[3], x[4]);
  const V s3 = hn::Add(x[5], x[6]), q3 = hn::Sub(x[5], x[6]);
  y[0] = hn::MulAdd(c32, s3, hn::Add(hn::Add(x[0], s1), s2));
  y[1] = hn::MulAdd(c16, q3, hn::MulAdd(c2, q2, q1));
  y[2] = hn::MulAdd(c8, s3, hn::MulAdd(c4, s2, s1));
  y[3] = hn::MulAdd(c4, q3, hn::MulAdd(c8, q2, q1));
  y[4] = hn::MulAdd(c2, s3, hn::MulAdd(c16, s2, s1));
  y[5] = hn::Add(hn::Add(q3, x[7]), hn::MulAdd(c32, q2, q1));
}

// How WinogradInputPoints is applied along an axis: to[p * to_point + t] = B^T of what tile t sees, t < count rounded
// up to vectors, for `lines` such arrays. Row i of the axis is in array i % kOutputs, at position i / kOutputs * next,
// so that tile t has its row r at r / kOutputs * next + t of array r % kOutputs: neighbouring tiles are neighbours in
// memory, and what they share is there once.
struct WinogradPhases {
  int64_t count;
  const float* from;
  int64_t from_phase, next;
  float* to;
  int64_t to_point;
  int64_t lines, from_line, to_line;
};

template <int kOutputs, class D>
HWY_NOINLINE void TransformPhases(D d, const WinogradPhases& phases) {
  constexpr int kPoints = kOutputs + 2;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t line = 0; line < phases.lines; ++line) {
    const float* from = phases.from + line * phases.from_line;
    float* to = phases.to + line * phases.to_line;
    for (int64_t t = 0; t < phases.count; t += lanes) {
      hn::Vec<D> x[kPoints];
      HWY_UNROLL(8)
      for (int p = 0; p < kPoints; ++p) {
        x[p] = hn::LoadU(d, from + p % kOutputs * phases.from_phase + p / kOutputs * phases.next + t);
      }
      WinogradInputPoints(d, x);
      HWY_UNROLL(8)
      for (int p = 0; p < kPoints; ++p) hn::StoreU(x[p], d, to + p * phases.to_point + t);
    }
  }
}

template <class D>
HWY_INLINE void TransformPhases(D d, int outputs, const WinogradPhases& phases) {
  switch (outputs) {
    case 2: return TransformPhases<2>(d, phases);
    case 4: return TransformPhases<4>(d, phases);
    default: return TransformPhases<6>(d, phases);
  }
}

// What the points of `width` tiles of a row read: points[p * pitch + t] = row[t * kOutputs + p], t < width, p <
// kOutputs + 2. Whole vectors are written, from a float before a point's first; up to kOutputs vectors are read behind
// the row's last tile.
template <int kOutputs>
HWY_INLINE void SplitRow(const float* HWY_RESTRICT row, int64_t width, float* HWY_RESTRICT points, int64_t pitch) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t t = 0; t < width; t += lanes) {
    V phase[kOutputs];
    if constexpr (kOutputs == 2) {
      hn::LoadInterleaved2(d, row + t * 2, phase[0], phase[1]);
    } else if constexpr (kOutputs == 4) {
      hn::LoadInterleaved4(d, row + t * 4, phase[0], phase[1], phase[2], phase[3]);
    } else {  // every third float first, of those every second
      HWY_ALIGN float thirds[3][2 * hn::MaxLanes(d)];
      for (int64_t half = 0; half < 2; ++half) {
        V v0, v1, v2;
        hn::LoadInterleaved3(d, row + t * 6 + half * 3 * lanes, v0, v1, v2);
        hn::StoreU(v0, d, thirds[0] + half * lanes);
        hn::StoreU(v1, d, thirds[1] + half * lanes);
        hn::StoreU(v2, d, thirds[2] + half * lanes);
      }
      HWY_UNROLL(3)
      for (int third = 0; third < 3; ++third) hn::LoadInterleaved2(d, thirds[third], phase[third], phase[third + 3]);
    }
    HWY_UNROLL(6)
    for (int p = 0; p < kOutputs; ++p) hn::StoreU(phase[p], d, points + p * pitch + t);
    // A tile's last two points are the next one's first: the same vectors, a tile before.
    HWY_UNROLL(2)
    for (int p = 0; p < 2; ++p) {
      float* shared = points + (kOutputs + p) * pitch + t - 1;
      if (t == 0) {
        hn::BlendedStore(phase[p], hn::Not(hn::FirstN(d, 1)), d, shared);
      } else {
        hn::StoreU(phase[p], d, shared);
      }
    }
  }
  if (width % lanes != 0) return;
  for (int p = 0; p < 2; ++p) points[(kOutputs + p) * pitch + width - 1] = row[width * kOutputs + p];
}

HWY_INLINE void SplitRow(int outputs, const float* row, int64_t width, float* points, int64_t pitch) {
  switch (outputs) {
    case 2: return SplitRow<2>(row, width, points, pitch);
    case 4: return SplitRow<4>(row, width, points, pitch);
    default: return SplitRow<6>(row, width, points, pitch);
  }
}

// Asks for the part of a row that is read.
HWY_INLINE void FetchRow(const float* row, const AxisWindow& window) {
  for (int64_t i = window.begin; i < window.end + kLineFloats - 1; i += kLineFloats) hwy::Prefetch(row + i);
}

// One channel of TransformInput; the same rows of the next, `ahead` floats on, are fetched meanwhile: rows of a block
// are too short for the hardware to see streams in them. Rows of a slice are split into points, all of them transformed
// at one go, then their columns, then, slices together, along the depth. What lies between is kept by phase of the axis
// to come (WinogradPhases). Whole vectors are written, in ascending order: what falls behind a row is overwritten by
// the next, behind the last one there is room.
template <class D>
HWY_INLINE void TransformChannel(D d, const WinogradInputArgs& args, const WinogradScratch& scratch, const float* x,
                                 int64_t ahead, float* y) {
  const WinogradTile& tile = *args.tile;
  const auto& [depth, height, width] = args.window;
  const int64_t tiles = args.tiles[2], plane = args.tiles[1] * tiles;
  const std::array<int64_t, 3> m = {tile.outputs[0], tile.outputs[1], tile.outputs[2]};
  const int64_t depths = (args.tiles[0] - 1) * m[0] + tile.points(0);
  const int64_t heights = (args.tiles[1] - 1) * m[1] + tile.points(1);
  const int64_t extent = (tiles - 1) * m[2] + tile.points(2);
  const int64_t row_points = tile.points(2), slice_points = tile.points(1) * row_points;
  float* line = args.scratch;
  float* rows = line + scratch.line + scratch.lanes;  // [row_points][scratch.row_point]
  float* slices = rows + scratch.rows;                // [slice_points][m[0]][scratch.slice_phase]
  for (int64_t z = 0; z < depths; ++z) {
    // Where slice z goes, and how far its points are apart.
    float* slice = m[0] > 1 ? slices + z % m[0] * scratch.slice_phase + z / m[0] * plane : y + z * plane;
    const int64_t slice_point = m[0] > 1 ? m[0] * scratch.slice_phase : args.point_stride;
    if (z < depth.begin || z >= depth.end) {
      for (int64_t p = 0; p < slice_points; ++p) std::fill_n(slice + p * slice_point, plane, 0.0f);
      continue;
    }
    const float* from = x + (depth.first + z) * args.stride[0] + height.first * args.stride[1] + width.first;
    for (int64_t i = 0; i < scratch.row_count; ++i) {
      const int64_t row = i % scratch.row_phase * m[1] + i / scratch.row_phase;
      if (row >= heights) continue;
      float* points = rows + i * tiles;
      if (row < height.begin || row >= height.end) {
        for (int64_t p = 0; p < row_points; ++p) std::fill_n(points + p * scratch.row_point, tiles, 0.0f);
        continue;
      }
      FetchRow(from + row * args.stride[1] + ahead, width);
      PadRow(from + row * args.stride[1], width, extent, m[2] > 1 ? line : points);
      if (m[2] > 1) SplitRow(tile.outputs[2], line, tiles, points, scratch.row_point);
    }
    WinogradPhases phases{
        scratch.row_count * tiles, rows, scratch.row_point, m[2] * scratch.row_point, rows, scratch.row_point, 1, 0, 0};
    if (m[2] > 1) TransformPhases(d, tile.outputs[2], phases);  // in place: a point's vectors are read, then written
    if (m[1] > 1) {
      phases = {plane,
                rows,
                scratch.row_phase * tiles,
                tiles,
                slice,
                row_points * slice_point,
                row_points,
                scratch.row_point,
                slice_point};
      TransformPhases(d, tile.outputs[1], phases);
      continue;
    }
    for (int64_t p = 0; p < row_points; ++p) {
      std::copy_n(rows + p * scratch.row_point, plane, slice + p * slice_point);
    }
  }
  if (m[0] == 1) return;
  TransformPhases(d, tile.outputs[0],
                  {args.tiles[0] * plane, slices, scratch.slice_phase, plane, y, slice_points * args.point_stride,
                   slice_points, m[0] * scratch.slice_phase, args.point_stride});
}

// See WinogradInputFn.
inline void TransformInput(const WinogradInputArgs& args) {
  const hn::ScalableTag<float> d;
  const WinogradScratch scratch(*args.tile, args.tiles, static_cast<int64_t>(hn::Lanes(d)));
  for (int64_t c = 0; c < args.channels; ++c) {
    TransformChannel(d, args, scratch, args.x + c * args.channel_stride,
                     c + 1 < args.channels ? args.channel_stride : 0, args.y + c * args.y_channel);
  }
}

// A^T along one axis of an array of points, one vector of tiles a point. Strides count floats.
struct WinogradLines {
  std::array<int64_t, 2> count, from, to;  // lines: the other two axes
  int64_t from_point, to_point;
  int64_t ahead;  // in `from`, of what is fetched for later
};

template <int kOutputs, class D>
HWY_NOINLINE void TransformLines(D d, const WinogradLines& lines, const float* HWY_RESTRICT from,
                                 float* HWY_RESTRICT to) {
  constexpr int kPoints = kOutputs + 2;
  for (int64_t i = 0; i < lines.count[0]; ++i) {
    for (int64_t j = 0; j < lines.count[1]; ++j) {
      const float* x = from + i * lines.from[0] + j * lines.from[1];
      float* y = to + i * lines.to[0] + j * lines.to[1];
      hn::Vec<D> in[kPoints], out[kOutputs];
      HWY_UNROLL(8)
      for (int p = 0; p < kPoints; ++p) {
        in[p] = hn::LoadU(d, x + p * lines.from_point);
        hwy::Prefetch(x + p * lines.from_point + lines.ahead);
      }
      WinogradOutputPoints(d, in, out);
      HWY_UNROLL(8)
      for (int p = 0; p < kOutputs; ++p) hn::StoreU(out[p], d, y + p * lines.to_point);
    }
  }
}

template <class D>
HWY_INLINE void TransformAxis(D d, int outputs, const WinogradLines& lines, const float* from, float* to) {
  switch (outputs) {
    case 2: return TransformLines<2>(d, lines, from, to);
    case 4: return TransformLines<4>(d, lines, from, to);
    default: return TransformLines<6>(d, lines, from, to);
  }
}

// The inverse of SplitRow for one vector of every phase.
template <int kOutputs, class D, class V>
HWY_INLINE void StorePhases(D d, const V (&phase)[kOutputs], float* to) {
  if constexpr (kOutputs == 2) {
    hn::StoreInterleaved2(phase[0], phase[1], d, to);
  } else if constexpr (kOutputs == 4) {
    hn::StoreInterleaved4(phase[0], phase[1], phase[2], phase[3], d, to);
  } else {
    const size_t lanes = hn::Lanes(d);
    HWY_ALIGN float thirds[3][2 * hn::MaxLanes(d)];
    hn::StoreInterleaved2(phase[0], phase[3], d, thirds[0]);
    hn::StoreInterleaved2(phase[1], phase[4], d, thirds[1]);
    hn::StoreInterleaved2(phase[2], phase[5], d, thirds[2]);
    for (size_t half = 0; half < 2; ++half) {
      hn::StoreInterleaved3(hn::LoadU(d, thirds[0] + half * lanes), hn::LoadU(d, thirds[1] + half * lanes),
                            hn::LoadU(d, thirds[2] + half * lanes), d, to + half * 3 * lanes);
    }
  }
}

// The last axis of the output: points to neighbouring outputs, plus bias.
template <int kOutputs, class D>
HWY_NOINLINE void TransformRows(D d, int64_t rows, const float* HWY_RESTRICT from, int64_t from_unit, float bias,
                                float* HWY_RESTRICT to, int64_t to_row) {
  using V = hn::Vec<D>;
  const V b = hn::Set(d, bias);
  for (int64_t i = 0; i < rows; ++i, to += to_row) {
    if constexpr (kOutputs == 1) {
      hn::StoreU(hn::Add(hn::LoadU(d, from), b), d, to);
      from += from_unit;
    } else {
      V in[kOutputs + 2], out[kOutputs];
      HWY_UNROLL(8)
      for (int p = 0; p < kOutputs + 2; ++p) in[p] = hn::LoadU(d, from + p * from_unit);
      WinogradOutputPoints(d, in, out);
      HWY_UNROLL(8)
      for (int p = 0; p < kOutputs; ++p) out[p] = hn::Add(out[p], b);
      StorePhases<kOutputs>(d, out, to);
      from += (kOutputs + 2) * from_unit;
    }
  }
}

// The last two axes of the output at once, in registers, where both have kOutputs.
template <int kOutputs, class D>
HWY_NOINLINE void TransformPlanes(D d, int64_t planes, const float* HWY_RESTRICT from, int64_t from_unit, float bias,
                                  float* HWY_RESTRICT to, int64_t to_row) {
  constexpr int kPoints = kOutputs + 2;
  using V = hn::Vec<D>;
  const V b = hn::Set(d, bias);
  for (int64_t i = 0; i < planes; ++i, from += kPoints * kPoints * from_unit) {
    V rows[kOutputs][kPoints];
    HWY_UNROLL(6)
    for (int p = 0; p < kPoints; ++p) {
      V in[kPoints], out[kOutputs];
      HWY_UNROLL(6)
      for (int q = 0; q < kPoints; ++q) in[q] = hn::LoadU(d, from + (q * kPoints + p) * from_unit);
      WinogradOutputPoints(d, in, out);
      HWY_UNROLL(4)
      for (int q = 0; q < kOutputs; ++q) rows[q][p] = out[q];
    }
    HWY_UNROLL(4)
    for (int q = 0; q < kOutputs; ++q, to += to_row) {
      V out[kOutputs];
      WinogradOutputPoints(d, rows[q], out);
      HWY_UNROLL(4)
      for (int p = 0; p < kOutputs; ++p) out[p] = hn::Add(out[p], b);
      StorePhases<kOutputs>(d, out, to);
    }
  }
}

// See WinogradOutputFn. The sums of the next vector of tiles, or of the next channel's first, are fetched meanwhile.
inline void TransformOutput(const WinogradOutputArgs& args) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const WinogradTile& tile = *args.tile;
  const bool together = tile.outputs[1] == tile.outputs[2] && (tile.outputs[2] == 2 || tile.outputs[2] == 4);
  for (int64_t t = 0; t < args.tiles; t += lanes) {
    const float* from = args.x + t;
    int64_t from_unit = args.point_stride;
    std::array<int64_t, 3> extent = {tile.points(0), tile.points(1), tile.points(2)};
    for (size_t axis = 0; axis < (together ? 1 : 2); ++axis) {
      if (tile.outputs[axis] == 1) continue;
      const int64_t inner = axis == 0 ? extent[1] * extent[2] : extent[2];
      const WinogradLines lines = {{axis == 0 ? 1 : extent[0], inner},
                                   {extent[axis] * inner * from_unit, from_unit},
                                   {tile.outputs[axis] * inner * lanes, lanes},
                                   inner * from_unit,
                                   inner * lanes,
                                   from == args.x + t ? lanes : 0};
      // Lines shrink, so an array may not be transformed into itself.
      float* to = args.scratch + (axis == 0 ? 0 : tile.outputs[0] * extent[1] * extent[2] * lanes);
      TransformAxis(d, tile.outputs[axis], lines, from, to);
      from = to;
      from_unit = lanes;
      extent[axis] = tile.outputs[axis];
    }
    float* y = args.y + t * tile.outputs[2];
    if (together) {
      const auto transform = tile.outputs[2] == 2 ? &TransformPlanes<2, decltype(d)> : &TransformPlanes<4, decltype(d)>;
      transform(d, extent[0], from, from_unit, args.bias, y, args.row);
      continue;
    }
    const int64_t rows = extent[0] * extent[1];
    switch (tile.outputs[2]) {
      case 1: TransformRows<1>(d, rows, from, from_unit, args.bias, y, args.row); break;
      case 2: TransformRows<2>(d, rows, from, from_unit, args.bias, y, args.row); break;
      case 4: TransformRows<4>(d, rows, from, from_unit, args.bias, y, args.row); break;
      default: TransformRows<6>(d, rows, from, from_unit, args.bias, y, args.row); break;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
