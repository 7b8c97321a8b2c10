// Broadcast: operands of several shapes walked along one output.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_BROADCAST_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_BROADCAST_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace graph {

// An output seen as rows along its last axis, with the strides of kOperands operands: 0 along axes that one repeats.
// Neighbouring axes that every operand walks alike are one.
template <size_t kOperands>
class Broadcast {
 public:
  // Precondition: each operand broadcasts to `output`.
  Broadcast(const Shape& output, const std::array<Shape, kOperands>& operands) {
    for (size_t axis = 0; axis < output.size(); ++axis) {
      Axis next{output[axis], {}};
      for (size_t i = 0; i < kOperands; ++i) next.stride[i] = StrideOf(operands[i], output.size() - 1 - axis);
      if (next.extent == 1) continue;
      if (!axes_.empty() && Continues(axes_.back(), next)) {
        next.extent *= axes_.back().extent;
        axes_.back() = next;
      } else {
        axes_.push_back(next);
      }
    }
    if (axes_.empty()) axes_.push_back({1, {}});
  }

  int64_t columns() const { return axes_.back().extent; }
  int64_t rows() const {
    int64_t rows = 1;
    for (size_t axis = 0; axis + 1 < axes_.size(); ++axis) rows *= axes_[axis].extent;
    return columns() == 0 ? 0 : rows;
  }
  // 0 or 1 in most cases, along a row.
  int64_t stride(size_t operand) const { return axes_.back().stride[operand]; }
  // Where a row begins in an operand.
  int64_t Offset(size_t operand, int64_t row) const {
    int64_t offset = 0;
    for (size_t axis = axes_.size() - 1; axis-- > 0;) {
      offset += row % axes_[axis].extent * axes_[axis].stride[operand];
      row /= axes_[axis].extent;
    }
    return offset;
  }

 private:
  struct Axis {
    int64_t extent;
    std::array<int64_t, kOperands> stride;
  };

  // Along the axis that stands `from_last` before the last one.
  static int64_t StrideOf(const Shape& operand, size_t from_last) {
    if (from_last >= operand.size() || operand[operand.size() - 1 - from_last] == 1) return 0;
    int64_t stride = 1;
    for (size_t i = 0; i < from_last; ++i) stride *= operand[operand.size() - 1 - i];
    return stride;
  }

  static bool Continues(const Axis& outer, const Axis& inner) {
    for (size_t i = 0; i < kOperands; ++i) {
      if (outer.stride[i] != inner.stride[i] * inner.extent) return false;
    }
    return true;
  }

  std::vector<Axis> axes_;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_BROADCAST_H_
