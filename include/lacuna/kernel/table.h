// KernelTable: the kernels of one SIMD target as plain function pointers, which plans bind to when they are made.

#ifndef LACUNA_KERNEL_TABLE_H_
#define LACUNA_KERNEL_TABLE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/pack/input_prefetcher.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/tile.h"
#include "lacuna/policy/winograd.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// Activations that are min(max(v, low), high): none and relu are with infinite bounds.
struct ClampRange {
  bool is_clamp = false;  // else the bounds mean nothing
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();

  static ClampRange Of(const Epilogue& epilogue) {
    ClampRange range;
    switch (epilogue.activation) {
      case Activation::kNone: range.is_clamp = true; break;
      case Activation::kRelu:
        range.is_clamp = true;
        range.low = 0.0f;
        break;
      case Activation::kClamp: return {true, epilogue.low, epilogue.high};
      default: break;
    }
    return range;
  }
};

// Where a kernel call may write its rows itself: outputs are contiguous and the activation is a clamp (none and relu
// are clamps with infinite bounds).
struct DirectOutput {
  int rows;                 // valid rows of the panel
  const int64_t* y_offset;  // per row, in elements from y; the same for the residual's from `residual`
  const int64_t* residual_offset;
  float* y;               // first output of the sub-tile, row 0 excluded
  const float* residual;  // or null
  float low, high;
};

// One panel times one sub-tile: acc[r][j] = bias[r] + sum over the panel's columns c of weight(r, c) * x[offset(c) +
// j], for r < tile.rows and j < width * lanes. Every float in that range of x must be readable. Written are either all
// of acc, which is aligned, or, if `direct` is set, min(max(acc + residual, low), high) of the valid rows.
struct PanelArgs {
  const float* x;
  const int32_t* offset;  // one a column, in the panel's packed order, and kPrefetchColumns more
  const float* weight;
  const uint32_t* count;  // columns under each mask of the tile
  const float* bias;      // [tile.rows]
  float* acc;             // [tile.rows][width * lanes]
  const DirectOutput* direct;
  size_t positions;  // of PanelKernel::few

  // Of pattern kernels: acc[h][j] is the sum over steps and their cells i of weight * x[offset + (h + i) * pitch + j],
  // for h < tile.height; count[0] is the number of steps, DirectOutput's rows are rows of the output.
  const uint8_t* cells;
  int64_t pitch;
};
using PanelFn = void (*)(const PanelArgs& args);

inline constexpr int kMaxVectors = 8;

template <class Fn>
struct PanelKernelOf {
  TileInfo tile;
  const char* name;
  const char* kept_name;  // of the choice to keep the format's order of rows, whatever the policy's Reorder does
  std::array<int, kMaxVectors> widths;  // vectors, descending, 0 at the end
  std::array<Fn, kMaxVectors> run;      // one a width
  Fn few;                               // for fewer positions than a vector, args.positions; or null

  std::span<const int> Widths() const {
    size_t count = 0;
    while (count < widths.size() && widths[count] != 0) ++count;
    return {widths.data(), count};
  }
  Fn ForWidth(int width) const {
    size_t i = 0;
    while (widths[i] != width) ++i;
    return run[i];
  }
};
using PanelKernel = PanelKernelOf<PanelFn>;

// Copies the input of the tile that begins at output `origin` into `to`, zeros where the layer is padded, for `outputs`
// (per axis, at most the tile's); positions that no output needs are zeroed as well.
using PackInputFn = void (*)(const InputTile& tile, const std::array<int64_t, 3>& origin, const InputPlanes& x,
                             float* to);

// What the rest of the epilogue (residual and activation) writes: rows of a panel, spans of a sub-tile.
struct StoreArgs {
  float* acc;  // [rows][acc_stride], overwritten where outputs are not contiguous
  size_t acc_stride;
  int rows;
  const int64_t* y_offset;  // per row, in elements from y; the same for the residual's from `residual`
  const int64_t* residual_offset;
  float* y;                                          // at the corner of the tile
  const float* residual;                             // at the corner of the tile, or null
  std::array<int64_t, 3> y_stride, residual_stride;  // per axis
  std::span<const OutputSpan> spans;
  const Epilogue* epilogue;
};
using StoreFn = void (*)(const StoreArgs& args);

// One row of a depthwise layer's output, channels innermost in memory everywhere: y[o][c] = epilogue(bias[c] + sum over
// the taps (d, h) of `rows` and w of weight(c, d, h, w) * x[d][h][o * stride + w * dilation - pad][c]), `width` being
// the axis of o and w. Taps that fall beside the row are left out, rows that do are not among `rows`. Nothing is read
// or written beyond the `channels` and the columns of `width`. y may be the residual.
struct DepthwiseArgs {
  const float* x;         // the first of the rows of taps: column 0, channel 0
  const float* weight;    // of that row. [channels / lanes][taps][lanes], the last block of channels padded
  const float* bias;      // [channels]
  float* y;               // column 0, channel 0
  const float* residual;  // or null
  int64_t channels;
  int64_t taps;                                 // of a channel, in all rows
  std::array<int64_t, 2> rows;                  // taps along depth and height
  std::array<int64_t, 2> x_row;                 // from one to the next, in x
  std::array<int64_t, 2> tap_row;               // in taps
  int64_t x_column, y_column, residual_column;  // strides
  const TileAxis* width;
  const Epilogue* epilogue;
  ClampRange clamp;
  const float* ahead;  // the first of rows_ahead input rows that calls to come will read, or null: fetched into L2
  int64_t rows_ahead, row_ahead;  // how many, and from one to the next
};
using DepthwiseFn = void (*)(const DepthwiseArgs& args);

// Rows [first_row, end_row) of one channel's outputs of a depthwise layer, a slice of the depth: y[oh][ow] =
// epilogue(bias + sum over the taps (h, w) of weight(h, w) * x[oh * stride + h - pad][ow * stride + w - pad]). Rows of
// x, y and the residual are contiguous. Taps that fall beside the input are zeros. Nothing is read or written beyond. y
// may be the residual.
struct DepthwisePlaneArgs {
  const float* x;       // row 0, column 0, of the input
  const float* weight;  // of tap (0, 0); [kernel][kernel], weight_tap apart
  int64_t weight_tap;
  float bias;
  float* y;
  const float* residual;  // or null
  int64_t x_row, y_row, residual_row;
  int64_t first_row, end_row;
  const TileAxis* height;
  const TileAxis* width;
  const Epilogue* epilogue;
  ClampRange clamp;
};
using DepthwisePlaneFn = void (*)(const DepthwisePlaneArgs& args);

struct DepthwisePlaneKernels {
  DepthwisePlaneFn run[2][2];  // [kernel 3 or 5][stride 1 or 2]

  // Null where there is none for the layer.
  DepthwisePlaneFn For(const std::array<TileAxis, 3>& axis) const {
    const auto& [depth, height, width] = axis;
    const bool square = height.kernel == width.kernel && height.stride == width.stride;
    if (!square || depth.kernel != 1 || depth.pad != 0 || height.dilation != 1 || width.dilation != 1) return nullptr;
    if ((width.kernel != 3 && width.kernel != 5) || width.stride > 2) return nullptr;
    return run[width.kernel == 3 ? 0 : 1][width.stride - 1];
  }
};

// The products' inputs for a block of tiles[0] x tiles[1] x tiles[2] Winograd tiles: y[c * y_channel + p *
// point_stride + t] = (B^T x B) of channel c at point p of tile t. Of x, whose rows are contiguous, position i of axis
// a of the block is at coordinate window[a].first + i, and zero outside [window[a].begin, window[a].end); nothing else
// is read. y is written in whole vectors of tiles, up to two behind the last tile's begin.
struct WinogradInputArgs {
  const WinogradTile* tile;
  std::array<int64_t, 3> tiles;
  std::array<AxisWindow, 3> window;
  const float* x;  // channel 0 at coordinate 0
  int64_t channels, channel_stride;
  std::array<int64_t, 2> stride;  // of x along depth and height
  float* scratch;                 // WinogradScratch::floats() of the largest block
  float* y;
  int64_t y_channel, point_stride;
};
// What a WinogradInputFn keeps of a channel between the axes, in floats: a padded row; the points of a slice's rows, by
// phase of the height; the points of all slices by phase of the depth, none if that axis is not transformed.
struct WinogradScratch {
  int64_t lanes = 0;
  int64_t row_phase = 0, row_count = 0;  // rows of a phase, and of all
  int64_t row_point = 0, slice_phase = 0;
  int64_t line = 0, rows = 0, slices = 0;

  WinogradScratch(const WinogradTile& tile, const std::array<int64_t, 3>& tiles, int64_t vector) : lanes(vector) {
    const auto room = [&](int64_t count) { return (count + lanes - 1) / lanes * lanes + lanes; };
    const auto& m = tile.outputs;
    row_phase = tiles[1] + (m[1] > 1 ? 1 : 0);
    row_count = row_phase * m[1];
    row_point = room(row_count * tiles[2]);
    if (m[0] > 1) slice_phase = room((tiles[0] + 1) * tiles[1] * tiles[2]);
    line = m[2] * room(tiles[2] + 1);
    rows = tile.points(2) * row_point + lanes;
    slices = tile.points(2) * tile.points(1) * m[0] * slice_phase;
  }
  int64_t floats() const { return line + lanes + rows + slices; }
};
using WinogradInputFn = void (*)(const WinogradInputArgs& args);

// The outputs of one channel: y[(od * outputs[1] + oh) * row + t * outputs[2] + ow] = bias + (A^T x A) of tile t at
// (od, oh, ow), x laid out as in WinogradInputArgs::y. Written in whole vectors of tiles.
struct WinogradOutputArgs {
  const WinogradTile* tile;
  int64_t tiles;
  const float* x;
  int64_t point_stride;
  float bias;
  float* scratch;  // [2][tile.products()] vectors
  float* y;
  int64_t row;
};
using WinogradOutputFn = void (*)(const WinogradOutputArgs& args);

struct WinogradKernels {
  WinogradInputFn input = nullptr;
  WinogradOutputFn output = nullptr;
};

struct KernelTable {
  int64_t target;  // Highway's bit
  size_t lanes;    // floats of a vector
  std::span<const PanelKernel> panels;
  std::span<const PanelKernel> patterns;  // of one width each
  PackInputFn pack_input;
  StoreFn store;
  DepthwiseFn depthwise;
  DepthwisePlaneKernels depthwise_planes;
  WinogradKernels winograd;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_KERNEL_TABLE_H_
