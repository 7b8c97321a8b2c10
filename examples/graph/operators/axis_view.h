// AxisView: a shape seen from a range of its axes.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_AXIS_VIEW_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_AXIS_VIEW_H_

#include <cstddef>
#include <cstdint>

#include "graph/graph.h"

namespace graph {

// [outer, extent, inner]
struct AxisView {
  int64_t outer = 1, extent = 1, inner = 1;

  // Of the axes [first, end).
  AxisView(const Shape& shape, size_t first, size_t end) {
    for (size_t axis = 0; axis < shape.size(); ++axis)
      (axis < first ? outer : axis < end ? extent : inner) *= shape[axis];
  }
  AxisView(const Shape& shape, size_t axis) : AxisView(shape, axis, axis + 1) {}
};

// Elements from one index of each axis to the next.
inline Shape StridesOf(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_AXIS_VIEW_H_
