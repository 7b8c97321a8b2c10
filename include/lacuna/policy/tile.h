// Register tiles of the panel kernel: the compile-time axis of a policy.

#ifndef LACUNA_POLICY_TILE_H_
#define LACUNA_POLICY_TILE_H_

#include "lacuna/core/abi.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// Bit r of a row mask is set if row r of a panel takes part.
using RowMask = uint16_t;
inline constexpr int kMaxPanelRows = 16;
inline constexpr int kMaxPatternHeight = 32;

constexpr RowMask FullMask(int rows) { return static_cast<RowMask>((1u << rows) - 1u); }

// The masks that a kernel is instantiated for, as types. Every list ends with the full mask, so that each column has a
// superset to go under.
template <int kRows>
struct OnlyFullMask {
  static constexpr std::array<RowMask, 1> kMasks = {FullMask(kRows)};
};

// All masks of `kRows` rows but the empty one.
template <int kRows>
struct AllMasks {
  static constexpr auto kMasks = [] {
    std::array<RowMask, (size_t{1} << kRows) - 1> masks{};
    for (size_t i = 0; i < masks.size(); ++i) masks[i] = static_cast<RowMask>(i + 1);
    return masks;
  }();
};

// All masks that keep exactly `kKept` of `kRows` rows, and the full mask.
template <int kRows, int kKept>
struct MasksOfSize {
  static_assert(kKept < kRows);
  static constexpr size_t kCount = [] {
    size_t count = 0;
    for (unsigned mask = 0; mask < (1u << kRows); ++mask) count += std::popcount(mask) == kKept;
    return count;
  }();
  static constexpr auto kMasks = [] {
    std::array<RowMask, kCount + 1> masks{};
    size_t used = 0;
    for (unsigned mask = 0; mask < (1u << kRows); ++mask) {
      if (std::popcount(mask) == kKept) masks[used++] = static_cast<RowMask>(mask);
    }
    masks[used] = FullMask(kRows);
    return masks;
  }();
};

// kRowCount output rows x kVectorCount vectors of output positions are accumulated in registers. That takes
// kRowCount * kVectorCount + kVectorCount + 1 of them: 28 of 32 for 8 x 3, 16 of 16 for 4 x 3.
template <int kRowCount, int kVectorCount, class MaskList = OnlyFullMask<kRowCount>>
struct RegisterTile {
  static_assert(kRowCount >= 1 && kRowCount <= kMaxPanelRows && kVectorCount >= 1);
  static constexpr int kRows = kRowCount;
  static constexpr int kVectors = kVectorCount;
  static constexpr auto kMasks = MaskList::kMasks;
};

// Several tiles, of which packing takes the one that Select finds cheapest for the weights at hand.
template <class... Tiles>
struct AnyOf {};

// The register tile of the pattern kernel: one output channel, kHeightCount rows of the output x kVectorCount vectors.
// Takes kHeight * kVectors accumulators, three weights and an input.
template <int kHeightCount, int kVectorCount>
struct PatternTile {
  static_assert(kHeightCount >= 1 && kHeightCount <= kMaxPatternHeight && kVectorCount >= 1);
  static constexpr int kHeight = kHeightCount;
  static constexpr int kVectors = kVectorCount;
};

// The pattern kernels of a policy; a layer is cut into blocks of any of them. None: the policy has no pattern kernel.
template <class... Tiles>
struct PatternTiles {};

// What packed weights are laid out for.
enum class Packing : uint8_t { kPanel, kPattern };

// A tile as run-time data.
struct TileInfo {
  int rows = 0;
  int vectors = 0;
  std::span<const RowMask> masks{};
  Packing packing = Packing::kPanel;
  int height = 1;  // rows of the output

  // Packed weights fit every kernel with the same rows and masks, whatever its vectors and height.
  bool SamePacking(const TileInfo& other) const {
    if (packing != other.packing || rows != other.rows || masks.size() != other.masks.size()) return false;
    for (size_t i = 0; i < masks.size(); ++i) {
      if (masks[i] != other.masks[i]) return false;
    }
    return true;
  }
};

template <class Tile>
inline constexpr TileInfo kTileInfo = {Tile::kRows, Tile::kVectors, Tile::kMasks};
template <int kHeight, int kVectors>
inline constexpr TileInfo kTileInfo<PatternTile<kHeight, kVectors>> = {1, kVectors, OnlyFullMask<1>::kMasks,
                                                                       Packing::kPattern, kHeight};

// "8x3", "8x3/71" for 71 masks, "pattern 7x4" (output rows x vectors) for a pattern tile.
template <class Tile>
inline constexpr auto kTileName = [] {
  std::array<char, 24> name{};
  size_t used = 0;
  const auto put = [&](int value) {
    if (value >= 100) name[used++] = static_cast<char>('0' + value / 100);
    if (value >= 10) name[used++] = static_cast<char>('0' + value / 10 % 10);
    name[used++] = static_cast<char>('0' + value % 10);
  };
  constexpr TileInfo kInfo = kTileInfo<Tile>;
  if (kInfo.packing == Packing::kPattern) {
    for (const char c : {'p', 'a', 't', 't', 'e', 'r', 'n', ' '}) name[used++] = c;
  }
  put(kInfo.packing == Packing::kPattern ? kInfo.height : kInfo.rows);
  name[used++] = 'x';
  put(kInfo.vectors);
  if (kInfo.masks.size() > 1) {
    name[used++] = '/';
    put(static_cast<int>(kInfo.masks.size()));
  }
  return name;
}();

// The same and " kept".
template <class Tile>
inline constexpr auto kKeptTileName = [] {
  std::array<char, kTileName<Tile>.size() + 5> name{};
  size_t used = 0;
  while (kTileName<Tile>[used] != '\0') {
    name[used] = kTileName<Tile>[used];
    ++used;
  }
  for (const char c : {' ', 'k', 'e', 'p', 't'}) name[used++] = c;
  return name;
}();

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_POLICY_TILE_H_
