#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/prefetch.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/winograd_blocks.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace lacuna::inline LACUNA_ABI {

namespace pack {

inline double WinogradCost(const WinogradTile& tile, const WinogradBlocks& blocks, const WinogradBudget& budget) {
  const auto products = static_cast<double>(tile.products());
  const auto channels = static_cast<double>(budget.channels_per_group);
  const auto outputs = static_cast<double>(budget.rows_per_group);
  std::array<std::array<int64_t, 2>, 3> size{}, number{};  // blocks at the end of an axis are smaller
  for (size_t a = 0; a < 3; ++a) {
    const int64_t n = blocks.count(a);
    size[a] = {blocks.block[a], blocks.tiles[a] - (n - 1) * blocks.block[a]};
    number[a] = {n - 1, 1};
  }
  const CostFactors& factors = budget.cost;
  const bool fits = products * budget.weights_per_group * sizeof(float) <= factors.last_level_bytes;
  const double stream = fits ? kWinogradStreamCost * factors.l3 : kWinogradMemoryCost * factors.memory;
  const double first = fits ? kCachedWeightCost * factors.l3 : kColdWeightCost * factors.memory;
  double point = kWinogradPointCost * (1.0 + factors.l2) / 2;  // half of it arithmetic
  for (const int m : tile.outputs) point *= m == 2 ? kWinogradPointCost2 : m == 6 ? kWinogradPointCost6 : 1.0;
  // Lines of a row of `floats`: a part of a row shares one with its neighbour.
  const auto lines = [&](int64_t floats) {
    return static_cast<double>(floats) / kLineFloats + (blocks.count(2) > 1 ? 1.0 : 0.0);
  };
  double cost = products * budget.weights_per_group * (first + static_cast<double>(blocks.count() - 1) * stream);
  for (size_t kind = 0; kind < 8; ++kind) {
    const std::array<size_t, 3> end = {kind & 1, kind >> 1 & 1, kind >> 2};
    int64_t count = 1, tiles = 1;
    double rows = 1, spans = 1;
    for (size_t a = 0; a < 3; ++a) {
      count *= number[a][end[a]];
      tiles *= size[a][end[a]];
      if (a == 2) break;
      rows *= static_cast<double>((size[a][end[a]] - 1) * tile.outputs[a] + tile.points(a));
      spans *= static_cast<double>(size[a][end[a]] * tile.outputs[a]);
    }
    if (count == 0) continue;
    const int64_t width = size[2][end[2]] * tile.outputs[2];
    InputTile line;
    line.axis[2].tile = tiles;
    const double vectors = budget.cutting.Vectors(line, {1, 1, tiles});
    const auto whole = static_cast<double>(DivideUp(static_cast<size_t>(tiles), budget.cutting.lanes));
    cost += static_cast<double>(count) *
            (products * (budget.weights_per_group * vectors + (channels + outputs) * whole * point) +
             channels * rows * (kPackRowCost + kWinogradLineCost * lines(width + tile.points(2) - tile.outputs[2])) +
             outputs * spans * (kSpanCost + kWinogradLineCost * lines(width)));
  }
  return cost;
}

}  // namespace pack

LACUNA_COLD_FUNC WinogradBlocks ChooseWinogradBlocks(const std::array<TileAxis, 3>& axis, const WinogradTile& tile,
                                                     const WinogradBudget& budget) {
  WinogradBlocks best;
  for (size_t a = 0; a < 3; ++a) best.tiles[a] = (axis[a].output + tile.outputs[a] - 1) / tile.outputs[a];
  const double product_bytes = static_cast<double>(tile.products()) * sizeof(float);
  const double most = std::clamp(product_bytes * budget.weights_per_group, static_cast<double>(kWinogradBlockBytes),
                                 static_cast<double>(kMaxWinogradBlockBytes));
  const auto next_parts = [](int64_t parts) { return parts < 8 ? parts + 1 : parts + parts / 4; };
  best.block = {1, 1, 1};  // where none of those tried below is small enough
  best.cost = pack::WinogradCost(tile, best, budget);
  WinogradBlocks blocks = best;
  for (int64_t nd = 1; nd <= best.tiles[0]; nd = next_parts(nd)) {
    for (int64_t nh = 1; nh <= best.tiles[1]; nh = next_parts(nh)) {
      for (int64_t nw = 1; nw <= best.tiles[2]; nw = next_parts(nw)) {
        const std::array<int64_t, 3> parts = {nd, nh, nw};
        for (size_t a = 0; a < 3; ++a) blocks.block[a] = (best.tiles[a] + parts[a] - 1) / parts[a];
        const auto tiles = static_cast<double>(blocks.tiles_per_block());
        const bool fits = product_bytes * static_cast<double>(budget.channels_per_group) * tiles <= most;
        if (!fits && blocks.tiles_per_block() > budget.cutting.Widest()) continue;
        blocks.cost = pack::WinogradCost(tile, blocks, budget);
        if (blocks.cost < best.cost) best = blocks;
      }
    }
  }
  return best;
}

}  // namespace lacuna::inline LACUNA_ABI
