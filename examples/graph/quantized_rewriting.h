// Quantised models as layers of integers: what stands between DequantizeLinear and QuantizeLinear becomes one node.

#ifndef LACUNA_EXAMPLES_GRAPH_QUANTIZED_REWRITING_H_
#define LACUNA_EXAMPLES_GRAPH_QUANTIZED_REWRITING_H_

#include "graph/graph.h"

namespace graph {

// With constant scales and zero points, one each for activations, one or one a row for INT8 weights without zero
// points:
//   Conv, Gemm (and Relu, Clip) -> QLinearConv, QGemm; where no QuantizeLinear follows, with a FLOAT output
//   Add (and Relu)              -> QLinearAdd, or the residual of a QLinearConv that only it reads, whose own rounding
//                                  is left out then
//   MaxPool, Reshape, Flatten   -> themselves on integers, if scale and zero point are the same on both sides
// Anything else, depthwise layers among it, stays as it is, and is computed in floats. Of a valid graph; constants are its initializers.
void RewriteQuantized(Graph& graph);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_QUANTIZED_REWRITING_H_
