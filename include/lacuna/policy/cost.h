// CostFactors: what the cost model's terms that wait for memory cost on a machine.

#ifndef LACUNA_POLICY_COST_H_
#define LACUNA_POLICY_COST_H_

#include "lacuna/core/abi.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/machine.h"

#include <algorithm>

namespace lacuna::inline LACUNA_ABI {

// The cost model counts in multiply-adds of a vector. Terms that read a cache or memory are multiplied by how many
// multiply-adds this machine could do meanwhile, over how many the one that defaults.h was measured on could.
struct CostFactors {
  double l2 = 1.0, l3 = 1.0, memory = 1.0;
  double last_level_bytes = kLastLevelBytes;  // weights beyond come from memory

  static CostFactors Of(const MachineFacts& facts) {
    // Vectors come from L2; single weights from further away.
    const auto factor = [&](double floats, double bandwidth, double reference) {
      const double multiply_adds = facts.multiply_adds_per_second * floats * sizeof(float) / bandwidth;
      return std::clamp(multiply_adds / reference, 1.0 / kMostCostFactor, kMostCostFactor);
    };
    CostFactors factors;
    factors.l2 = factor(static_cast<double>(facts.lanes), facts.l2_bandwidth, kReferenceL2Cost);
    factors.l3 = factor(1.0, facts.l3_bandwidth, kReferenceL3Cost);
    factors.memory = factor(1.0, facts.memory_bandwidth, kReferenceMemoryCost);
    // Half of the last cache: activations and other layers want some of it.
    factors.last_level_bytes = static_cast<double>(facts.caches.l3 != 0 ? facts.caches.l3 : facts.caches.l2) / 2;
    return factors;
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_POLICY_COST_H_
