// Ranking: which units of a layer survive, by norm. What all projections share.

#ifndef LACUNA_PRUNE_RANKING_H_
#define LACUNA_PRUNE_RANKING_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/format/dense.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI::prune {

// Something that competes for survival: a weight, a row of a block, a block, a kernel.
struct Unit {
  double norm2;    // mean square of its weights, so that clipped units compete fairly
  uint64_t place;  // where its flag stands; breaks ties, so that results are the same everywhere
};

inline bool Stronger(const Unit& a, const Unit& b) {
  return a.norm2 != b.norm2 ? a.norm2 > b.norm2 : a.place < b.place;
}

// Sets flag[place] of the `count` units of largest norm. `units` is reordered.
template <class Flags>
void KeepLargest(std::span<Unit> units, int64_t count, Flags& flag) {
  const auto nth =
      units.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(static_cast<size_t>(count), units.size()));
  if (nth != units.end()) std::nth_element(units.begin(), nth, units.end(), Stronger);
  for (auto unit = units.begin(); unit != nth; ++unit) flag[unit->place] = 1;
}

// As above for units of different sizes: the fewest of largest norm that have at least `budget` weights together,
// weights_of(place) each. `units` is sorted.
template <class WeightsOf, class Flags>
void KeepLargest(std::span<Unit> units, double budget, const WeightsOf& weights_of, Flags& flag) {
  std::sort(units.begin(), units.end(), Stronger);
  double left = budget * (1 - 1e-12);  // where 1/3 of 3 is meant to be exactly 1
  for (const Unit& unit : units) {
    if (left <= 0) break;
    flag[unit.place] = 1;
    left -= static_cast<double>(weights_of(unit.place));
  }
}

// ceil(fraction * extent), at least 1, where a fraction such as 1/3 of 3 is meant to be exactly 1.
inline int64_t KeptOf(double fraction, int64_t extent) {
  const double kept = std::ceil(fraction * static_cast<double>(extent) - 1e-9);
  return std::clamp<int64_t>(static_cast<int64_t>(kept), 1, extent);
}

// Ok if `value`, called `name`, is a fraction in (0, 1].
inline Status CheckFraction(const char* name, double value) {
  if (value > 0.0 && value <= 1.0) return Status();  // false for NaN
  return Status::InvalidArgument("%s is %g, must be in (0, 1]", name, value);
}

// Norms rank nothing if a weight is NaN or infinite.
template <class T>
Status CheckFinite(const DenseWeights<T>& weights) {
  for (size_t i = 0; i < weights.values().size(); ++i) {
    if (!std::isfinite(static_cast<double>(weights.values()[i]))) {
      return Status::InvalidArgument("weights[%zu] is %g, must be finite", i, static_cast<double>(weights.values()[i]));
    }
  }
  return Status();
}

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_RANKING_H_
