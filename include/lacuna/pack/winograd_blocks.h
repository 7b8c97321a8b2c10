// WinogradBlocks: how a Winograd convolution's tiles are cut into blocks that are transformed together.

#ifndef LACUNA_PACK_WINOGRAD_BLOCKS_H_
#define LACUNA_PACK_WINOGRAD_BLOCKS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/policy/cost.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/winograd.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace lacuna::inline LACUNA_ABI {

// Whether a layer has a Winograd form with that tile: stride and dilation 1, 3 taps on the transformed axes and 1 on
// the others.
inline bool TakesWinograd(const std::array<TileAxis, 3>& axis, const WinogradTile& tile) {
  for (size_t a = 0; a < 3; ++a) {
    const int64_t taps = tile.outputs[a] == 1 ? 1 : 3;
    if (axis[a].kernel != taps || axis[a].stride != 1 || axis[a].dilation != 1) return false;
  }
  return tile.products() > 1;
}

struct WinogradBlocks {
  std::array<int64_t, 3> tiles{};  // of an image
  std::array<int64_t, 3> block{};  // tiles; the last of an axis may have fewer
  double cost = 0;                 // of an image and a group, in multiply-adds of a vector

  int64_t count(size_t a) const { return (tiles[a] + block[a] - 1) / block[a]; }
  int64_t count() const { return count(0) * count(1) * count(2); }
  int64_t tiles_per_block() const { return block[0] * block[1] * block[2]; }
};

struct WinogradBudget {
  SubTiling cutting;
  double weights_per_group = 0;  // of one product
  int64_t channels_per_group = 0, rows_per_group = 0;
  CostFactors cost{};
};

// The cheapest blocks whose transformed input is no larger than kWinogradBlockBytes, or the weights if they are larger:
// that is when reading the weights again for every block costs more than L2 misses of the input.
LACUNA_API WinogradBlocks ChooseWinogradBlocks(const std::array<TileAxis, 3>& axis, const WinogradTile& tile,
                                               const WinogradBudget& budget);

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/pack/winograd_blocks.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_PACK_WINOGRAD_BLOCKS_H_
