// KernelTable: the kernels of one SIMD target as plain function pointers, which plans bind to when they are made.

#ifndef LACUNA_KERNEL_TABLE_H_
#define LACUNA_KERNEL_TABLE_H_

#include "lacuna/core/epilogue.h"
#include "lacuna/pack/input_prefetcher.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/tile.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna {

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

struct PanelKernel {
  TileInfo tile;
  const char* name;
  std::array<int, kMaxVectors> widths;   // vectors, descending, 0 at the end
  std::array<PanelFn, kMaxVectors> run;  // one a width
  PanelFn few;                           // for fewer positions than a vector, args.positions; or null

  std::span<const int> Widths() const {
    size_t count = 0;
    while (count < widths.size() && widths[count] != 0) ++count;
    return {widths.data(), count};
  }
  PanelFn ForWidth(int width) const {
    size_t i = 0;
    while (widths[i] != width) ++i;
    return run[i];
  }
};

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

struct KernelTable {
  int64_t target;  // Highway's bit
  size_t lanes;    // floats of a vector
  std::span<const PanelKernel> panels;
  std::span<const PanelKernel> patterns;  // of one width each
  PackInputFn pack_input;
  StoreFn store;
};

}  // namespace lacuna

#endif  // LACUNA_KERNEL_TABLE_H_
