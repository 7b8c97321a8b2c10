// ResizedAxis: what a Resize or Upsample does along one axis.

#ifndef LACUNA_EXAMPLES_GRAPH_RESIZED_AXIS_H_
#define LACUNA_EXAMPLES_GRAPH_RESIZED_AXIS_H_

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace graph {

// Output element i lies at a coordinate among the input's elements. Coordinates are floats, and where ONNX leaves
// rounding open it is ONNX Runtime's.
struct ResizedAxis {
  enum class Coordinate : uint8_t {
    kHalfPixel,
    kPytorchHalfPixel,
    kAlignCorners,
    kAsymmetric,
    kTfHalfPixelForNn,
    kHalfPixelSymmetric,
    kTfCropAndResize
  };
  // kSimple: of operator sets before 11, up where the axis shrinks, else down.
  enum class Nearest : uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil, kSimple };
  enum class Mode : uint8_t { kNearest, kLinear, kCubic };

  int64_t input = 0;
  int64_t output = 0;
  float scale = 1.0f;  // output / input as the model says it
  Coordinate coordinate = Coordinate::kHalfPixel;
  Nearest nearest = Nearest::kRoundPreferFloor;
  Mode mode = Mode::kNearest;
  float cubic = -0.75f;  // the coefficient a of cubic convolution (Keys, 1981)
  bool exclude_outside = false;
  bool antialias = false;
  float roi_begin = 0.0f, roi_end = 1.0f;  // of kTfCropAndResize, in units of the axis
  float extrapolation = 0.0f;              // what it gives outside

  // Where output i lies.
  float At(int64_t i) const;
  // Mode kNearest: the input element of output element i, -1 for extrapolation. Precondition: input > 0.
  int64_t Source(int64_t i) const;

  // The other modes: each output as a sum of `count` weighted inputs.
  struct Taps {
    int64_t count = 0;
    std::vector<int32_t> index{};   // [output, count]
    std::vector<float> weight{};    // likewise
    std::vector<float> constant{};  // [output], added; empty where it is 0 everywhere
  };
  // Of each output.
  int64_t TapCount() const { return 2 * Reach(); }
  // Preconditions: input > 0, TapCount() * output <= kMaxTaps.
  Taps AllTaps() const;
  static constexpr int64_t kMaxTaps = int64_t{1} << 26;

  // Whether each output is the input in its place.
  bool IsIdentity() const { return input == output && scale == 1.0f && coordinate != Coordinate::kTfCropAndResize; }

 private:
  // NaN, of a region that is not finite, lies outside too.
  bool IsOutside(float at) const {
    return coordinate == Coordinate::kTfCropAndResize && !(at >= 0.0f && at <= static_cast<float>(input - 1));
  }
  // Inputs on either side of a coordinate that count.
  int64_t Reach() const;
  float Weight(float distance) const;
};

// Read from scales or sizes and the attributes of all operator sets. One entry per axis of `x`.
Result<std::vector<ResizedAxis>> ResizeOf(const Graph& graph, const Node& node, const Shape& x);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_RESIZED_AXIS_H_
