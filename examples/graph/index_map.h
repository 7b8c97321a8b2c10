// What a Slice takes of each axis.

#ifndef LACUNA_EXAMPLES_GRAPH_INDEX_MAP_H_
#define LACUNA_EXAMPLES_GRAPH_INDEX_MAP_H_

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace graph {

// The elements of one axis that a Slice takes: start + i * step for i in [0, extent). All lie inside the axis.
struct SlicedAxis {
  int64_t start = 0;
  int64_t step = 1;
  int64_t extent = 0;
};

// Read from starts, ends, axes and steps: inputs, or attributes in operator sets before 10. Starts and ends are clamped
// to the axis as ONNX defines. One entry per axis of `x`.
Result<std::vector<SlicedAxis>> SliceOf(const Graph& graph, const Node& node, const Shape& x);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_INDEX_MAP_H_
