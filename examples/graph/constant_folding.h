// Constant folding: what can be computed before a network runs is computed when it is imported.

#ifndef LACUNA_EXAMPLES_GRAPH_CONSTANT_FOLDING_H_
#define LACUNA_EXAMPLES_GRAPH_CONSTANT_FOLDING_H_

#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

// Rewrites `graph`:
//   - nodes whose inputs are all known become initializers, Shape and Size among them as extents are known;
//   - an Identity or Dropout of a constant is the constant: weights keep the name by which the model stores them;
//   - an If with a known condition becomes its branch, another one a selection from both; a Loop with known trip count
//   and conditions its iterations, a
//     Scan its iterations;
//   - nodes whose extents depend on values that are not known, and those behind them, become Graph::late;
//   - outputs that nobody reads are forgotten, and so are initializers and nodes that nothing needs.
// Values are computed by the operators' own steps. `problems`, unless null, receives all that keeps the executor from
// running the graph, a line each: the node and why. The Status is the first of them, and says if there are more.
Status FoldConstants(Graph& graph, int64_t max_elements = kMaxTensorElements,
                     std::vector<std::string>* problems = nullptr);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_CONSTANT_FOLDING_H_
