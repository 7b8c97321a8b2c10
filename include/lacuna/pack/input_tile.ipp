#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace lacuna::inline LACUNA_ABI {

namespace pack {

// `axis` with that many outputs per tile. channel_stride is set.
inline InputTile MakeInputTile(const std::array<TileAxis, 3>& axis, int64_t channels, size_t lanes,
                               const std::array<int64_t, 3>& outputs, bool shifted) {
  InputTile tile{axis, channels, 0};
  for (size_t a = 0; a < 3; ++a) tile.axis[a].tile = outputs[a];
  tile.axis[2].shifted = shifted;
  if (TileAxis packed = tile.axis[2]; packed.align > 1) {
    packed.align = 1;
    const double gaps = static_cast<double>(tile.axis[2].extent()) / static_cast<double>(packed.extent()) - 1.0;
    if (gaps > kMostAlignmentGaps) tile.axis[2].align = 1;
  }
  if (tile.axis[2].align == 1) tile.axis[2].shared = tile.axis[2].Sharable();
  const auto unit = static_cast<int64_t>(std::max(kAlignment / sizeof(float), lanes));
  int64_t units = (tile.phases() * tile.plane() + unit - 1) / unit;
  if (units % kConflictLines == 0) ++units;
  tile.channel_stride = units * unit;
  return tile;
}

// An upper bound of InputTile::floats() that cannot overflow.
inline double FloatsBound(const std::array<TileAxis, 3>& axis, int64_t channels, size_t lanes,
                          const std::array<int64_t, 3>& outputs, bool shifted) {
  double floats = 1.0;
  for (size_t a = 0; a < 3; ++a) {
    TileAxis one = axis[a];
    one.tile = outputs[a];
    one.shifted = shifted && a == 2;
    floats *= static_cast<double>(one.phases()) * static_cast<double>(one.extent());
  }
  return static_cast<double>(channels) *
         (floats + 2.0 * static_cast<double>(std::max(kAlignment / sizeof(float), lanes)));
}

// Cost of a layer with that tile, in multiply-adds of one vector.
template <class Cutting>
double TileCost(const InputTile& tile, const TileBudget<Cutting>& budget) {
  double vectors = 0;
  // Tiles at the end of an axis are smaller: two sizes an axis, eight kinds of tile.
  std::array<std::array<int64_t, 2>, 3> size{}, number{};
  for (size_t a = 0; a < 3; ++a) {
    const TileAxis& t = tile.axis[a];
    size[a] = {t.tile, t.output - (t.tiles() - 1) * t.tile};
    number[a] = {t.tiles() - 1, 1};
  }
  for (size_t kind = 0; kind < 8; ++kind) {
    const size_t d = kind & 1, h = kind >> 1 & 1, w = kind >> 2;
    const int64_t tiles = number[0][d] * number[1][h] * number[2][w];
    if (tiles == 0) continue;
    vectors += static_cast<double>(tiles) * budget.cutting.Vectors(tile, {size[0][d], size[1][h], size[2][w]});
  }
  const auto tiles = static_cast<double>(tile.tiles());
  const auto rows = static_cast<double>(tile.phases() * tile.axis[0].extent() * tile.axis[1].extent());
  const auto row_vectors =
      static_cast<double>(DivideUp(static_cast<size_t>(tile.axis[2].extent()), budget.cutting.lanes));
  const auto spans = static_cast<double>(tile.axis[0].tile * tile.axis[1].tile);
  return vectors * budget.weights_per_group +
         tiles * (static_cast<double>(tile.channels) * rows * (row_vectors * kPackVectorCost + kPackRowCost) +
                  spans * static_cast<double>(budget.rows_per_group) * kSpanCost +
                  budget.weights_per_group * kStreamWeightCost * budget.cost.l3);
}

}  // namespace pack

template <class Cutting>
Result<InputTile> ChooseInputTile(const std::array<TileAxis, 3>& axis, int64_t channels,
                                  const TileBudget<Cutting>& budget) {
  const size_t lanes = budget.cutting.lanes;
  const int64_t widest = budget.cutting.Widest();
  const std::array<int64_t, 3> least = {1, 1, std::min(axis[2].output, widest)};
  if (const double floats = pack::FloatsBound(axis, channels, lanes, least, false);
      floats + static_cast<double>(widest) > std::numeric_limits<int32_t>::max()) {
    return Status::Make(StatusCode::kUnsupported,
                        "the smallest input tile has %.0f elements, more than the limit of %d", floats,
                        std::numeric_limits<int32_t>::max());
  }
  InputTile best = pack::MakeInputTile(axis, channels, lanes, least, false);
  double best_cost = std::numeric_limits<double>::infinity();
  constexpr double kMostFloats = std::numeric_limits<int32_t>::max() / 2;
  // Tile sizes tried on an axis: the extent in 1..8 parts, then in ever more, a quarter more each time.
  const auto next_parts = [](int64_t parts) { return parts < 8 ? parts + 1 : parts + parts / 4; };
  const auto part = [&](size_t a, int64_t parts) {
    return budget.cutting.RoundExtent(a, (axis[a].output + parts - 1) / parts, axis[a].output);
  };
  for (const bool shifted : {false, true}) {
    if (shifted && (axis[2].kernel == 1 || !Cutting::kTakesShifted)) break;
    for (int64_t nd = 1; nd <= axis[0].output; nd = next_parts(nd)) {
      for (int64_t nh = 1; nh <= axis[1].output; nh = next_parts(nh)) {
        for (int64_t nw = 1; nw <= axis[2].output; nw = next_parts(nw)) {
          const std::array<int64_t, 3> outputs = {part(0, nd), part(1, nh), part(2, nw)};
          if (pack::FloatsBound(axis, channels, lanes, outputs, shifted) > kMostFloats) continue;
          const InputTile tile = pack::MakeInputTile(axis, channels, lanes, outputs, shifted);
          if (tile.floats() * sizeof(float) > budget.bytes) continue;
          const double cost = pack::TileCost(tile, budget);
          if (cost < best_cost) {
            best_cost = cost;
            best = tile;
          }
        }
      }
    }
  }
  return best;
}

}  // namespace lacuna::inline LACUNA_ABI
