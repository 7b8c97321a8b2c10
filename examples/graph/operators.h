// The operators the executor knows.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_H_

#include <span>
#include <string_view>

#include "graph/graph.h"

namespace graph {

struct OperatorArity {
  std::string_view op;
  size_t min_inputs;
  size_t max_inputs;
  size_t max_outputs = 1;  // that are computed; further ones must stay unused
};

// All supported operators, sorted by name.
std::span<const OperatorArity> SupportedOperators();

// Ok if `node` is a supported operator with a valid number of inputs and of used outputs; otherwise an error that names
// it.
Status CheckOperator(const Node& node);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_H_
