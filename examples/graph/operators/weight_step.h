// Layers with constant weights, which lacuna runs.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_WEIGHT_STEP_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_WEIGHT_STEP_H_

#include "graph/step.h"
#include "graph/weight_matrix.h"

namespace graph {

// Of a Conv, ConvTranspose, Gemm or MatMul whose WeightMatrixOf is `matrix`.
StepResult MakeWeightStep(const StepContext& context, const WeightMatrix& matrix);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_WEIGHT_STEP_H_
