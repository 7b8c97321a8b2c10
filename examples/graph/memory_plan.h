// Memory plan: values whose lifetimes do not meet share memory.

#ifndef LACUNA_EXAMPLES_GRAPH_MEMORY_PLAN_H_
#define LACUNA_EXAMPLES_GRAPH_MEMORY_PLAN_H_

#include <cstddef>
#include <vector>

namespace graph {

// A value is written in step `first` and read for the last time in step `last`, both counted.
struct Lifetime {
  size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct MemoryPlan {
  std::vector<size_t> offset;  // of each value, aligned to lacuna::kAlignment
  size_t bytes = 0;            // of the whole arena
};

// Places the largest values first, each at the lowest offset where it meets no placed value of overlapping lifetime
// (greedy by size; Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020).
MemoryPlan PlanMemory(const std::vector<Lifetime>& values);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_MEMORY_PLAN_H_
