// RowBlocks: cuts a tile into blocks of rows and vectors for the pattern kernel. What SubTiling is to the panel kernel.

#ifndef LACUNA_PACK_ROW_BLOCKS_H_
#define LACUNA_PACK_ROW_BLOCKS_H_

#include "lacuna/core/abi.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// The block of a pattern kernel.
struct RowBlock {
  int height, vectors;

  double vectors_computed() const { return static_cast<double>(height * vectors); }
};

// A tile is cut into strips of some vectors; every strip into blocks from top to bottom. Of kernels of one row, outputs
// that follow each other without a gap are cut as one line, a block being as many vectors of it as it has.
struct RowBlocks {
  static constexpr bool kTakesShifted = false;
  static constexpr size_t kMost = 8;

  size_t lanes = 1;
  std::array<RowBlock, kMost> block{};
  size_t blocks = 0;
  bool one_row = false;  // the convolution's kernel

  int64_t Widest() const {
    int widest = 0;
    for (size_t i = 0; i < blocks; ++i) widest = std::max(widest, block[i].vectors);
    return widest * static_cast<int64_t>(lanes);
  }
  // Heights near a multiple of the first block's become that; widths of several vectors become whole vectors.
  int64_t RoundExtent(size_t axis, int64_t extent, int64_t output) const {
    if (axis == 0 || blocks == 0) return extent;
    const int64_t height = block[0].height, width = Widest();
    int64_t rounded = extent;
    if (axis == 1 && extent + height / 2 >= height) rounded = (extent + height / 2) / height * height;
    if (axis == 2 && extent > 2 * width) rounded = (extent + width - 1) / width * width;
    return std::min(rounded, output);
  }
  // What a kernel call may read from its first input on, beyond what its outputs need: rows and vectors that no output
  // is taken from.
  size_t Overread(int64_t pitch) const {
    size_t most = 0;
    for (size_t i = 0; i < blocks; ++i) {
      const size_t vectors = static_cast<size_t>(block[i].vectors) * lanes;
      most = std::max(most, static_cast<size_t>(block[i].height) * (static_cast<size_t>(pitch) + vectors));
    }
    return most;
  }

  size_t MaxSubTiles(const InputTile& tile) const {
    const auto rows = static_cast<size_t>(tile.axis[0].tile * tile.axis[1].tile);
    return rows * (DivideUp(static_cast<size_t>(tile.axis[2].extent()), lanes) + 1);
  }
  size_t MaxSpans(const InputTile& tile) const { return MaxSubTiles(tile); }

  // See SubTiling::Cut.
  size_t Cut(const InputTile& tile, std::array<int64_t, 3> outputs, bool rows_touch, SubTile* sub_tiles,
             OutputSpan* spans) const {
    size_t count = 0;
    int32_t used = 0;
    const int64_t pitch = tile.axis[2].extent();
    if (IsLine(pitch, outputs, rows_touch)) {
      const int64_t length = outputs[1] * outputs[2];
      for (int64_t d = 0; d < outputs[0]; ++d) {
        for (int64_t at = 0; at < length;) {
          const size_t i = BlockOfLine(length - at);
          const int64_t row = block[i].vectors * static_cast<int64_t>(lanes);
          const int64_t valid = std::min(length - at, block[i].height * row);
          spans[used] = {0, static_cast<int32_t>(valid), static_cast<int32_t>(d), 0, static_cast<int32_t>(at)};
          sub_tiles[count++] = {tile.Position(d, 0, 0) + at, static_cast<int32_t>(i), used, used + 1, row};
          ++used;
          at += valid;
        }
      }
      return count;
    }
    for (int64_t d = 0; d < outputs[0]; ++d) {
      for (int64_t w = 0; w < outputs[2];) {
        const size_t i = BlockOfStrip(outputs[1], outputs[2] - w);
        const int64_t width = block[i].vectors * static_cast<int64_t>(lanes);
        const int64_t valid = std::min(width, outputs[2] - w);
        for (int64_t h = 0; h < outputs[1]; h += block[i].height) {
          SubTile& sub = sub_tiles[count++];
          sub = {tile.Position(d, h, w), static_cast<int32_t>(i), used, used, pitch};
          const int64_t rows = std::min<int64_t>(block[i].height, outputs[1] - h);
          for (int64_t r = 0; r < rows; ++r) {
            spans[used++] = {static_cast<int32_t>(r * width), static_cast<int32_t>(valid), static_cast<int32_t>(d),
                             static_cast<int32_t>(h + r), static_cast<int32_t>(w)};
          }
          sub.span_end = used;
        }
        w += valid;
      }
    }
    return count;
  }

  // The block that a tile's first outputs are computed by.
  size_t First(const InputTile& tile, const std::array<int64_t, 3>& outputs) const {
    if (IsLine(tile.axis[2].extent(), outputs, /*rows_touch=*/true)) return BlockOfLine(outputs[1] * outputs[2]);
    return BlockOfStrip(outputs[1], outputs[2]);
  }

  // Cost of a tile with those outputs, in vectors computed: what is computed in vain counts, and what a step costs
  // whatever the block.
  double Vectors(const InputTile& tile, const std::array<int64_t, 3>& outputs) const {
    double vectors = 0;
    if (IsLine(tile.axis[2].extent(), outputs, /*rows_touch=*/true)) {
      for (int64_t left = outputs[1] * outputs[2]; left > 0;) {
        const size_t i = BlockOfLine(left);
        const int64_t positions = block[i].height * block[i].vectors * static_cast<int64_t>(lanes);
        // All blocks but the last few are the same.
        const int64_t times = std::max<int64_t>(1, left / positions);
        vectors += static_cast<double>(times) * CostOf(i);
        left -= times * positions;
      }
    } else {
      for (int64_t left = outputs[2]; left > 0;) {
        const size_t i = BlockOfStrip(outputs[1], left);
        const int64_t width = block[i].vectors * static_cast<int64_t>(lanes);
        const int64_t times = std::max<int64_t>(1, left / (4 * width));  // far from the end, one choice serves for many
        vectors += static_cast<double>(times) * StripCost(i, outputs[1]);
        left -= times * width;
      }
    }
    return vectors * static_cast<double>(outputs[0]);
  }

 private:
  double CostOf(size_t i) const { return block[i].vectors_computed() + kBlockCost; }
  double StripCost(size_t i, int64_t rows) const {
    return CostOf(i) * static_cast<double>((rows + block[i].height - 1) / block[i].height);
  }

  bool IsLine(int64_t pitch, const std::array<int64_t, 3>& outputs, bool rows_touch) const {
    return one_row && (outputs[1] == 1 || (rows_touch && pitch == outputs[2]));
  }

  // The block that costs least for each output it yields.
  size_t BlockOfLine(int64_t positions) const {
    return Cheapest([&](size_t i) {
      const int64_t computed = block[i].height * block[i].vectors * static_cast<int64_t>(lanes);
      return CostOf(i) / static_cast<double>(std::min(positions, computed));
    });
  }
  size_t BlockOfStrip(int64_t rows, int64_t positions) const {
    return Cheapest([&](size_t i) {
      const int64_t computed = block[i].vectors * static_cast<int64_t>(lanes);
      return StripCost(i, rows) / static_cast<double>(std::min(positions, computed));
    });
  }
  template <class Cost>
  size_t Cheapest(const Cost& cost) const {
    size_t best = 0;
    double least = cost(size_t{0});
    for (size_t i = 1; i < blocks; ++i) {
      if (const double c = cost(i); c < least) {
        least = c;
        best = i;
      }
    }
    return best;
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_PACK_ROW_BLOCKS_H_
