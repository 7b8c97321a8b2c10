// Index maps: outputs that take elements of the input along each axis on its own. Slice, Resize (nearest), Upsample.

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

// One axis of a Resize or Upsample of mode "nearest": output element i is the input element nearest to a coordinate.
struct ResizedAxis {
  enum class Coordinate : uint8_t { kHalfPixel, kPytorchHalfPixel, kAlignCorners, kAsymmetric, kTfHalfPixelForNn };
  enum class Nearest : uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };

  int64_t input = 0;
  int64_t output = 0;
  double scale = 1.0;  // output / input as the model says it
  Coordinate coordinate = Coordinate::kHalfPixel;
  Nearest nearest = Nearest::kRoundPreferFloor;

  // The input element of output element i. Precondition: input > 0.
  int64_t Source(int64_t i) const;
};

// Read from scales or sizes, coordinate_transformation_mode and nearest_mode. kUnsupported: other modes, and regions of
// interest. One entry per axis of `x`.
Result<std::vector<ResizedAxis>> ResizeOf(const Graph& graph, const Node& node, const Shape& x);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_INDEX_MAP_H_
