// Deconvolution: a ConvTranspose as a convolution of stride 1 followed by a shuffle.

#ifndef LACUNA_EXAMPLES_GRAPH_DECONVOLUTION_H_
#define LACUNA_EXAMPLES_GRAPH_DECONVOLUTION_H_

#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace graph {

// y[o] = sum over i, k with o = i * stride + k * dilation - pad_begin of w[k] x[i], along each axis. The outputs of one
// phase, (o + pad_begin) mod stride, are a convolution of x with every stride-th tap of w, backwards. So each output
// channel becomes one for each phase, and their values are then dealt out along the axes.
struct Deconvolution {
  int64_t groups = 1, in_per_group = 0, out_per_group = 0;
  Shape input, kernel, stride, dilation, pad_begin, output;  // one entry per spatial axis

  size_t rank() const { return input.size(); }
  // Of the convolution, along an axis.
  int64_t Taps(size_t axis) const;
  // The first output of a phase that is needed, and how many the convolution computes, along an axis.
  int64_t First(size_t axis) const { return pad_begin[axis] / stride[axis]; }
  int64_t Computed(size_t axis) const;
  // Padding of the convolution's input. Outputs before First are computed where the padding cannot leave them out.
  int64_t PadBegin(size_t axis) const;
  int64_t PadEnd(size_t axis) const;
  int64_t Phases() const;
  // Whether the convolution's output is y already.
  bool IsPlain() const;

  // W[M, K] of the convolution from the initializer's (C, M / groups, kernel...) and back; taps that no phase has are
  // 0. Rows are (output channel, phase), columns (input channel, tap).
  std::vector<float> ToRows(std::span<const float> stored) const;
  std::vector<float> FromRows(std::span<const float> rows) const;

  // y of one plane from the planes of its phases: (phase, computed...).
  void Shuffle(const float* phases, float* y) const;
};

// Read from strides, dilations, pads, auto_pad, output_shape, output_padding and group. `x` is (batch, C, spatial...),
// `w` (C, M / group, kernel...). Errors name the node, the attribute and its limit.
Result<Deconvolution> DeconvolutionOf(const Node& node, const Shape& x, const Shape& w);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_DECONVOLUTION_H_
