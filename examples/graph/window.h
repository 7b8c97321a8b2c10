// Window: where the sliding windows of a convolution or pooling stand.

#ifndef LACUNA_EXAMPLES_GRAPH_WINDOW_H_
#define LACUNA_EXAMPLES_GRAPH_WINDOW_H_

#include "graph/graph.h"

namespace graph {

// One entry per spatial axis, outermost first. Window o of an axis covers the inputs
// o * stride - pad_begin + k * dilation, k in [0, kernel).
struct Window {
  Shape input, kernel, stride, dilation, pad_begin, pad_end, output;

  size_t rank() const { return input.size(); }
};

// Read from kernel_shape, strides, dilations, pads, auto_pad and ceil_mode. `x` is (batch, channels, spatial...).
// Errors name the node, the attribute and its limit.
Result<Window> PoolWindow(const Node& node, const Shape& x);

// `w` is (out_channels, in_channels / group, kernel...).
Result<Window> ConvWindow(const Node& node, const Shape& x, const Shape& w);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_WINDOW_H_
