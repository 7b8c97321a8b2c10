// IsPermutation: whether an array reorders a range of numbers.

#ifndef LACUNA_CORE_PERMUTATION_H_
#define LACUNA_CORE_PERMUTATION_H_

#include "lacuna/core/abi.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// True if `order` holds each of [first, first + order.size()) exactly once. Allocates nothing: numbers are ticked off
// in windows of 32768, each a pass over `order`.
inline bool IsPermutation(std::span<const uint32_t> order, uint64_t first) {
  std::array<uint64_t, 512> seen;
  constexpr size_t kWindow = seen.size() * 64;
  for (size_t begin = 0; begin < order.size(); begin += kWindow) {
    seen.fill(0);
    for (const uint64_t number : order) {
      if (number < first || number - first >= order.size()) return false;
      const uint64_t at = number - first - begin;  // wraps for numbers before the window
      if (at >= kWindow) continue;
      const uint64_t bit = uint64_t{1} << at % 64;
      if ((seen[at / 64] & bit) != 0) return false;
      seen[at / 64] |= bit;
    }
  }
  return true;  // as many different numbers as there are
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_PERMUTATION_H_
