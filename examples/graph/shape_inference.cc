#include "graph/shape_inference.h"

#include <algorithm>
#include <utility>

#include "graph/operator.h"

namespace graph {

Result<Shape> BroadcastShapes(const Node& node, const Shape& a, const Shape& b) {
  Shape y(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < y.size(); ++i) {  // from the last axis
    const int64_t extent_a = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t extent_b = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (extent_a != extent_b && extent_a != 1 && extent_b != 1) {
      return Status::InvalidArgument("%s: shapes %s and %s do not broadcast", node.Label().c_str(), ToString(a).c_str(),
                                     ToString(b).c_str());
    }
    y[y.size() - 1 - i] = extent_a == 1 ? extent_b : extent_a;
  }
  return y;
}

Result<std::vector<TensorInfo>> InferNode(const Graph& graph, const Node& node, const Values& values,
                                          int64_t max_elements) {
  LACUNA_RETURN_IF_ERROR(CheckOperator(node));
  LACUNA_ASSIGN_OR_RETURN(outputs, FindOperator(node.op)->infer(ContextOf(graph, node, values)));
  for (const TensorInfo& output : outputs) {
    LACUNA_RETURN_IF_ERROR(CheckedElements(output.shape, max_elements, "the output of " + node.Label()).status());
  }
  return std::move(outputs);
}

Result<Values> InferValues(const Graph& graph, int64_t max_elements) {
  Values values;
  for (const auto& [name, tensor] : graph.initializers) values[name] = {tensor.type, tensor.shape};
  for (const ValueInfo& input : graph.inputs) values[input.name] = {input.type, input.shape};
  for (const Node& node : graph.nodes) {
    LACUNA_ASSIGN_OR_RETURN(outputs, InferNode(graph, node, values, max_elements));
    for (size_t i = 0; i < std::min(outputs.size(), node.outputs.size()); ++i) {
      if (!node.outputs[i].empty()) values[node.outputs[i]] = std::move(outputs[i]);
    }
  }
  return values;
}

}  // namespace graph
