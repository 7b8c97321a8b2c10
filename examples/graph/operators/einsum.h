// Einsum, any equation: plain loops, for completeness rather than speed.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_EINSUM_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_EINSUM_H_

#include "graph/operator.h"

namespace graph {

InferResult InferEinsum(const NodeContext& at);
StepResult MakeEinsumStep(const StepContext& context);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_EINSUM_H_
