// InputTile: how a block of a layer's input is laid out for the panel kernel.

#ifndef LACUNA_PACK_INPUT_TILE_H_
#define LACUNA_PACK_INPUT_TILE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/policy/cost.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// One spatial axis. Output o and tap t meet at input coordinate o * stride + t * dilation - pad. The tile keeps the
// input as planes of unit stride, one for each tap that has an offset of its own modulo the stride ("phase"): position
// i of phase v of a tile that begins at output o0 holds input (o0 + i) * stride + PhaseStart(v) - pad, so tap t of
// output o0 + j is position j + Shift(t) of phase Phase(t). If `shifted`, every tap has a plane of its own and Shift is
// 0: more copying, but positions of a plane are exactly the outputs of the tile, without a halo.
//
// Positions of rows that lie next to each other are padding at both ends: a row's last `shared` positions, all zeros,
// may double as the first of the next row. `align` rounds the stored positions up, for rows that begin alike in
// vectors; the added ones hold whatever input lies there, or zeros.
struct TileAxis {
  int64_t input = 1, output = 1, kernel = 1, stride = 1, dilation = 1, pad = 0;
  int64_t tile = 1;  // outputs per tile; the last tile of the axis may have fewer
  bool shifted = false;
  int64_t shared = 0;
  int64_t align = 1;

  int64_t tiles() const { return (output + tile - 1) / tile; }
  int64_t phases() const { return shifted ? kernel : std::min(kernel, stride / std::gcd(stride, dilation)); }
  int64_t Phase(int64_t tap) const { return tap % phases(); }
  int64_t PhaseStart(int64_t phase) const { return shifted ? phase * dilation : phase * dilation % stride; }
  int64_t Shift(int64_t tap) const { return shifted ? 0 : (tap * dilation - PhaseStart(Phase(tap))) / stride; }
  // The largest Shift: outputs' reach beyond the tile.
  int64_t halo() const { return shifted ? 0 : (kernel - 1) * dilation / stride; }
  // Stored positions of a plane.
  int64_t extent() const { return (tile + halo() - shared + align - 1) / align * align; }
  // The most positions that may be shared: both ends must be padding, in every tile.
  int64_t Sharable() const {
    if (tile != output || phases() != 1 || stride != 1) return 0;
    const int64_t at_end = tile + halo() - (input + pad);
    return std::clamp<int64_t>(std::min(pad, at_end), 0, halo());
  }
};

// Axes are (depth, height, width); a layer of lower rank has extents of 1 in front. Floats of the tile are ordered
// channel, depth phase, height phase, width phase, depth, height, width.
struct InputTile {
  std::array<TileAxis, 3> axis;
  int64_t channels = 0;
  int64_t channel_stride = 0;  // floats

  int64_t tiles() const { return axis[0].tiles() * axis[1].tiles() * axis[2].tiles(); }
  int64_t plane() const { return axis[0].extent() * axis[1].extent() * axis[2].extent(); }
  int64_t phases() const { return axis[0].phases() * axis[1].phases() * axis[2].phases(); }
  size_t floats() const { return static_cast<size_t>(channels * channel_stride); }

  // Where column k of the weights (k = channel * taps + tap) finds its inputs for the first output of a tile.
  int64_t Offset(int64_t k) const {
    const int64_t taps = axis[0].kernel * axis[1].kernel * axis[2].kernel;
    int64_t tap = k % taps;
    const int64_t w = tap % axis[2].kernel;
    tap /= axis[2].kernel;
    const int64_t h = tap % axis[1].kernel, d = tap / axis[1].kernel;
    const int64_t phase =
        (axis[0].Phase(d) * axis[1].phases() + axis[1].Phase(h)) * axis[2].phases() + axis[2].Phase(w);
    const int64_t position =
        (axis[0].Shift(d) * axis[1].extent() + axis[1].Shift(h)) * axis[2].extent() + axis[2].Shift(w);
    return k / taps * channel_stride + phase * plane() + position;
  }
  // The first output of tile `index`.
  std::array<int64_t, 3> Origin(int64_t index) const {
    const int64_t w = index % axis[2].tiles(), rest = index / axis[2].tiles();
    return {rest / axis[1].tiles() * axis[0].tile, rest % axis[1].tiles() * axis[1].tile, w * axis[2].tile};
  }
  // Position of output (d, h, w) of a tile, counted in outputs from the tile's corner.
  int64_t Position(int64_t d, int64_t h, int64_t w) const { return (d * axis[1].extent() + h) * axis[2].extent() + w; }
};

// Which positions [begin, end) of a plane's axis hold input, and the input coordinate of position 0; the others are
// padding.
struct AxisWindow {
  int64_t first;
  int64_t begin, end;
};
inline AxisWindow WindowOf(const TileAxis& axis, int64_t phase, int64_t origin) {
  const int64_t first = origin * axis.stride + axis.PhaseStart(phase) - axis.pad;
  const int64_t begin = first >= 0 ? 0 : (-first + axis.stride - 1) / axis.stride;
  const int64_t end = first >= axis.input ? 0 : (axis.input - 1 - first) / axis.stride + 1;
  return {first, std::min(begin, axis.extent()), std::clamp<int64_t>(end, 0, axis.extent())};
}

// Outputs computed by one kernel call, from position `begin` of the tile. Of the panel kernel: `width` vectors, or a
// few positions if width is 0. Of the pattern kernel: a block of rows `pitch` positions apart, `width` being the
// kernel's index. Its valid outputs are spans [span_begin, span_end).
struct SubTile {
  int64_t begin;
  int32_t width;
  int32_t span_begin, span_end;
  int64_t pitch = 0;
};

// Neighbouring outputs of one image row inside a sub-tile.
struct OutputSpan {
  int32_t position;  // from the begin of the sub-tile
  int32_t length;
  int32_t d, h, w;  // of its first output, from the corner of the tile
};

// Cuts a tile into sub-tiles of the widest kernel, and of narrower ones at the end of each depth slice.
struct SubTiling {
  size_t lanes = 1;
  std::span<const int> widths;  // descending
  static constexpr bool kTakesShifted = true;
  bool few = false;  // whether there is a kernel for kFewPositions and fewer

  // Positions of the widest kernel.
  int64_t Widest() const { return static_cast<int64_t>(lanes) * widths.front(); }

  // The extent of a tile on an axis that suits the kernels best, near `extent`.
  static int64_t RoundExtent(size_t, int64_t extent, int64_t) { return extent; }

  // Vectors of the next sub-tile when `positions` are left.
  int WidthFor(int64_t positions) const {
    if (few && positions <= kFewPositions) return 0;
    const auto vectors = static_cast<int64_t>(DivideUp(static_cast<size_t>(positions), lanes));
    // A whole vector less and a few positions are cheaper than a vector for those few.
    const bool spare = few && positions > static_cast<int64_t>(lanes) && OverFull(positions);
    for (const int width : widths) {
      if (spare && width == vectors) continue;
      if (width <= vectors) return width;
    }
    return widths.back();
  }

  size_t MaxSubTiles(const InputTile& tile) const {
    const auto rows = static_cast<size_t>(tile.axis[0].tile * tile.axis[1].tile);
    return rows * (DivideUp(static_cast<size_t>(tile.axis[2].extent()), lanes) + 1);
  }
  // Every sub-tile cuts at most one row in two.
  size_t MaxSpans(const InputTile& tile) const {
    return MaxSubTiles(tile) + static_cast<size_t>(tile.axis[0].tile * tile.axis[1].tile);
  }

  // Cuts the first `outputs` (per axis, at most the tile's) of a tile and returns the number of sub-tiles. The arrays
  // have room for MaxSubTiles and MaxSpans. `rows_touch` says that rows of the output follow each other without a gap;
  // where the tile's do too, a span may run on into the next row.
  size_t Cut(const InputTile& tile, std::array<int64_t, 3> outputs, bool rows_touch, SubTile* sub_tiles,
             OutputSpan* spans) const {
    size_t count = 0;
    int32_t used = 0;
    const int64_t pitch = tile.axis[2].extent();
    if (rows_touch && pitch == outputs[2]) outputs = {outputs[0], 1, outputs[1] * outputs[2]};
    const int64_t rows = ByRows(pitch, outputs) ? 1 : outputs[1];  // of a run
    for (int64_t d = 0; d < outputs[0]; ++d) {
      for (int64_t first = 0; first < outputs[1]; first += rows) {
        const int64_t run = tile.Position(d, first, 0);
        const int64_t length = (rows - 1) * pitch + outputs[2];
        int64_t h = 0, w = 0;  // the next output to place
        for (int64_t at = 0; at < length;) {
          const int width = WidthFor(length - at);
          const int64_t end = width == 0 ? length : at + width * static_cast<int64_t>(lanes);
          SubTile& sub = sub_tiles[count++];
          sub = {run + at, width, used, used, 0};
          while (h < rows && h * pitch + w < end) {
            const int64_t position = h * pitch + w;
            const int64_t valid = std::min(outputs[2] - w, end - position);
            spans[used++] = {static_cast<int32_t>(position - at), static_cast<int32_t>(valid), static_cast<int32_t>(d),
                             static_cast<int32_t>(first + h), static_cast<int32_t>(w)};
            w += valid;
            if (w == outputs[2]) {
              w = 0;
              ++h;
            }
          }
          sub.span_end = used;
          at = end;
        }
      }
    }
    return count;
  }

  // Vectors computed for a tile with those outputs.
  double Vectors(const InputTile& tile, const std::array<int64_t, 3>& outputs) const {
    const int64_t pitch = tile.axis[2].extent();
    const double slice = ByRows(pitch, outputs) ? static_cast<double>(outputs[1]) * RunVectors(outputs[2])
                                                : RunVectors((outputs[1] - 1) * pitch + outputs[2]);
    return slice * static_cast<double>(outputs[0]);
  }

 private:
  // Whether every row is a run of its own, rather than all rows of a depth slice one run with the gaps computed in
  // vain. Equal counts favour rows: no sub-tile then holds a gap, and all can write their outputs themselves. But rows
  // shorter than the widest kernel would leave it idle: 8 x 1 instead of 8 x 3 took a third longer at 14 x 14 outputs
  // under scheme bcr.
  bool ByRows(int64_t pitch, const std::array<int64_t, 3>& outputs) const {
    if (outputs[2] < static_cast<int64_t>(lanes) * widths.front()) return false;
    return static_cast<double>(outputs[1]) * RunVectors(outputs[2]) <=
           RunVectors((outputs[1] - 1) * pitch + outputs[2]);
  }

  double RunVectors(int64_t positions) const {
    const int64_t wide = static_cast<int64_t>(lanes) * widths.front();
    double vectors = static_cast<double>(positions / wide * widths.front());
    for (int64_t left = positions % wide; left > 0;) {
      const int width = WidthFor(left);
      if (width == 0) return vectors + static_cast<double>(left) * kFewPositionCost;
      vectors += width;
      left -= width * static_cast<int64_t>(lanes);
    }
    return vectors;
  }

  // Whether the last vector of `positions` would hold a few only.
  bool OverFull(int64_t positions) const {
    const int64_t last = positions % static_cast<int64_t>(lanes);
    return last != 0 && last <= kFewPositions;
  }
};

// What the choice of a tile depends on besides the geometry. Cutting is SubTiling, or RowBlocks (pack/row_blocks.h).
template <class Cutting = SubTiling>
struct TileBudget {
  Cutting cutting;
  size_t bytes = kInputTileBytes;
  double weights_per_group = 0;  // packed weights that every vector of positions is multiplied with
  int64_t rows_per_group = 0;    // output channels
  CostFactors cost{};
};

// The cheapest tile by the cost model of policy/defaults.h: vectors computed, input copied, weights streamed. `axis`
// gives the geometry; its `tile` and `shifted` are ignored. If no tile keeps to the budget, the smallest is returned:
// one register tile of outputs. Fails if even that does not fit the 32-bit offsets of a plan.
template <class Cutting = SubTiling>
Result<InputTile> ChooseInputTile(const std::array<TileAxis, 3>& axis, int64_t channels,
                                  const TileBudget<Cutting>& budget);

namespace pack {

// Cost of a layer with that tile, in multiply-adds of one vector.
template <class Cutting>
double TileCost(const InputTile& tile, const TileBudget<Cutting>& budget);

}  // namespace pack

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/pack/input_tile.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_PACK_INPUT_TILE_H_
