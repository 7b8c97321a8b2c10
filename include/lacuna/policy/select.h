// Select policies: which of several candidates a plan uses. The create-time axis of a policy.

#ifndef LACUNA_POLICY_SELECT_H_
#define LACUNA_POLICY_SELECT_H_

#include <concepts>
#include <cstddef>
#include <span>

namespace lacuna {

// A way to compute a layer. `predicted` is its cost in multiply-adds per output position; lower is better.
struct Candidate {
  const char* name;
  double predicted;
};

// Choose() returns an index into `candidates`, of which there is at least one.
template <class S>
concept SelectPolicy = requires(std::span<const Candidate> candidates) {
  { S::Choose(candidates) } -> std::convertible_to<size_t>;
};

// The candidate of lowest predicted cost; the first of equals.
struct SelectByCostModel {
  static size_t Choose(std::span<const Candidate> candidates) {
    size_t best = 0;
    for (size_t i = 1; i < candidates.size(); ++i) {
      if (candidates[i].predicted < candidates[best].predicted) best = i;
    }
    return best;
  }
};

// Always candidate kIndex (the last one if there are fewer).
template <size_t kIndex>
struct SelectFixed {
  static size_t Choose(std::span<const Candidate> candidates) {
    return kIndex < candidates.size() ? kIndex : candidates.size() - 1;
  }
};

}  // namespace lacuna

#endif  // LACUNA_POLICY_SELECT_H_
