#include "graph/memory_plan.h"

#include "lacuna/core/buffer.h"

#include <algorithm>
#include <numeric>

namespace graph {

MemoryPlan PlanMemory(const std::vector<Lifetime>& values) {
  MemoryPlan plan;
  plan.offset.assign(values.size(), 0);
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a].bytes > values[b].bytes; });

  std::vector<size_t> placed;  // by ascending offset
  for (const size_t value : order) {
    const size_t bytes = lacuna::RoundUp(values[value].bytes, lacuna::kAlignment);
    size_t offset = 0;
    for (const size_t other : placed) {
      const bool together = values[other].first <= values[value].last && values[value].first <= values[other].last;
      if (!together) continue;
      if (offset + bytes <= plan.offset[other]) break;  // fits into the gap before it
      offset = std::max(offset, plan.offset[other] + lacuna::RoundUp(values[other].bytes, lacuna::kAlignment));
    }
    plan.offset[value] = offset;
    plan.bytes = std::max(plan.bytes, offset + bytes);
    const auto place = std::upper_bound(placed.begin(), placed.end(), value,
                                        [&](size_t a, size_t b) { return plan.offset[a] < plan.offset[b]; });
    placed.insert(place, value);
  }
  return plan;
}

}  // namespace graph
