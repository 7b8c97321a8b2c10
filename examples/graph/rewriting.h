// Rewriting: what exporters spell out in many nodes becomes the one operator that it is.

#ifndef LACUNA_EXAMPLES_GRAPH_REWRITING_H_
#define LACUNA_EXAMPLES_GRAPH_REWRITING_H_

#include "graph/graph.h"

namespace graph {

// Replaces, wherever the values between have no other reader, by a table of patterns:
//   x * min(max(x + 3, 0), 6) / 6, in any order of its factors   -> HardSwish
//   min(max(x + 3, 0), 6) / 6                                    -> HardSigmoid
//   x * tanh(softplus(x))                                        -> Mish
//   0.5 x (1 + erf(x / sqrt 2)), in any order                    -> Gelu
//   (x - mean) / sqrt(mean((x - mean)^2) + e) * scale + shift    -> LayerNormalization
//   max(x, c), min(x, c) with a number c                         -> Clip
//   x * s + t behind a Conv or ConvTranspose, one number each channel -> BatchNormalization, which fuses
//   x * s + t elsewhere, likewise                                -> BatchNormalization, one pass
// Needs constants folded; `values` are the graph's. Operators may be newer than the graph's operator set.
void RewritePatterns(Graph& graph, const Values& values);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_REWRITING_H_
