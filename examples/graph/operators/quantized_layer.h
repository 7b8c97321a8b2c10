// QLinearConv and QGemm: layers of 8-bit integers, which lacuna runs where weights and scales are constant.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_QUANTIZED_LAYER_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_QUANTIZED_LAYER_H_

#include <cstdint>
#include <utility>

#include "graph/operator.h"
#include "graph/step.h"
#include "graph/window.h"

namespace graph {

// The output's shape of a convolution whose weights are input `w`.
Result<Shape> QuantizedConvShape(const NodeContext& at, size_t w);

// A convolution of planar integers as naive loops.
struct IntegerConvolution {
  Window window;
  int64_t batch, in_channels, out_channels, groups;

  static Result<IntegerConvolution> Of(const NodeContext& at, size_t w);

  // f(output, its channel, visit) for all outputs; visit(g) calls g(input, weight) for the pairs that it sums, which
  // are counted from the first elements. Pairs whose input is padding are left out.
  template <class F>
  void ForEachOutput(const F& f) const {
    const int64_t positions = Elements(window.output), taps = Elements(window.kernel), inputs = Elements(window.input);
    const int64_t group_in = in_channels / groups, group_out = out_channels / groups;
    for (int64_t y = 0; y < batch * out_channels * positions; ++y) {
      const int64_t channel = y / positions % out_channels, image = y / (positions * out_channels);
      f(y, channel, [&](const auto& g) {
        for (int64_t c = 0; c < group_in; ++c) {
          const int64_t plane = (image * in_channels + channel / group_out * group_in + c) * inputs;
          for (int64_t tap = 0; tap < taps; ++tap) {
            int64_t rest_y = y % positions, rest_tap = tap, at = 0, stride = 1;
            bool inside = true;
            for (size_t axis = window.rank(); axis-- > 0;) {
              const int64_t i = rest_y % window.output[axis] * window.stride[axis] - window.pad_begin[axis] +
                                rest_tap % window.kernel[axis] * window.dilation[axis];
              inside = inside && i >= 0 && i < window.input[axis];
              at += i * stride;
              stride *= window.input[axis];
              rest_y /= window.output[axis];
              rest_tap /= window.kernel[axis];
            }
            if (inside) g(plane + at, (channel * group_in + c) * taps + tap);
          }
        }
      });
    }
  }
};

// x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, bias, and behind what ONNX has, from a
// Relu, Clip or Add that the layer took over: attributes `low` and `high` bound the output as real numbers; residual,
// residual_scale, residual_zero_point. Without y_scale the output is FLOAT.
InferResult InferQLinearConv(const NodeContext& at);
// a, a_scale, a_zero_point, b, b_scale, b_zero_point, c, y_scale, y_zero_point: as ONNX Runtime has it with transB = 1,
// and with `low` and `high`.
InferResult InferQGemm(const NodeContext& at);
StepResult MakeQuantizedLayer(const StepContext& context);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_QUANTIZED_LAYER_H_
