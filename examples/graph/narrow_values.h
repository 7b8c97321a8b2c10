// Narrow values: integers of 8 bits that stand as bytes in memory.

#ifndef LACUNA_EXAMPLES_GRAPH_NARROW_VALUES_H_
#define LACUNA_EXAMPLES_GRAPH_NARROW_VALUES_H_

#include <set>
#include <string>
#include <vector>

#include "graph/fusion.h"
#include "graph/graph.h"

namespace graph {

using NarrowValues = std::set<std::string>;

// Values of UINT8 and INT8 that only steps which know bytes make and read: QuantizeLinear, DequantizeLinear,
// QLinearConv, QGemm, QLinearAdd, MaxPool and views. Inputs, outputs and constants of the graph are as all integers
// are.
NarrowValues ChooseNarrowValues(const Graph& graph, const Values& values, const std::vector<Layer>& layers);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_NARROW_VALUES_H_
