#ifndef LACUNA_EXAMPLES_GRAPH_TARGET_H_
#define LACUNA_EXAMPLES_GRAPH_TARGET_H_

#include "lacuna/policy/cost.h"

#include <string>

#include "graph/graph.h"

namespace graph {

// The SIMD target that layers are made for, "AVX3" say.
std::string ActiveTargetName();

// The cost model's factors for this machine, which is measured in the first call; an error where it cannot be.
Result<lacuna::CostFactors> MeasuredCost();

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_TARGET_H_
