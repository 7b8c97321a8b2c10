#include "graph/memory_plan.h"

#include <doctest/doctest.h>

#include "graph/builtin.h"

namespace {

using graph::Lifetime;
using graph::PlanMemory;

TEST_CASE("a chain of equal values needs two of them") {
  std::vector<Lifetime> chain;
  for (int i = 0; i < 10; ++i) chain.push_back({1024, i, i + 1});
  CHECK(PlanMemory(chain).bytes == 2048);
}

TEST_CASE("small values fit into gaps; nothing alive at the same time overlaps") {
  std::vector<Lifetime> values;
  uint64_t state = 7;
  for (int i = 0; i < 200; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const int first = static_cast<int>((state >> 33) % 50);
    values.push_back({static_cast<size_t>((state >> 20) % 5000), first, first + static_cast<int>((state >> 50) % 9)});
  }
  const graph::MemoryPlan plan = PlanMemory(values);
  for (size_t a = 0; a < values.size(); ++a) {
    CHECK(plan.offset[a] % 64 == 0);
    CHECK(plan.offset[a] + values[a].bytes <= plan.bytes);
    for (size_t b = 0; b < a; ++b) {
      if (values[a].first > values[b].last || values[b].first > values[a].last) continue;
      const bool apart =
          plan.offset[a] + values[a].bytes <= plan.offset[b] || plan.offset[b] + values[b].bytes <= plan.offset[a];
      CHECK(apart);
    }
  }
}

TEST_CASE("no values") { CHECK(PlanMemory({}).bytes == 0); }

}  // namespace
