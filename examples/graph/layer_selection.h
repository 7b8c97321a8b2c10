// LayerSelection: which layers a pruning scheme applies to.

#ifndef LACUNA_EXAMPLES_GRAPH_LAYER_SELECTION_H_
#define LACUNA_EXAMPLES_GRAPH_LAYER_SELECTION_H_

#include <optional>
#include <regex>
#include <string>

#include "graph/graph.h"
#include "graph/weight_matrix.h"

namespace graph {

class LayerSelection {
 public:
  // `layers` is a regular expression searched in node and weight names; empty selects every Conv. kInvalidArgument if
  // it is no regular expression.
  static Result<LayerSelection> Make(const std::string& layers, bool skip_first);

  // Called once for each node with weights, in execution order.
  bool Selects(const Node& node, const WeightMatrix& matrix);

 private:
  LayerSelection() = default;

  std::optional<std::regex> pattern_;
  bool skip_first_ = false;
  int convolutions_ = 0;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_LAYER_SELECTION_H_
