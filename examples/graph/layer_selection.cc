#include "graph/layer_selection.h"

#include <algorithm>

#include "graph/recurrent_node.h"

namespace graph {

using lacuna::prune::SchemeKind;

bool PrunesDepthwise(SchemeKind scheme) {
  return scheme == SchemeKind::kPattern || scheme == SchemeKind::kUnstructured || scheme == SchemeKind::kConnectivity;
}

Result<LayerSelection> LayerSelection::Make(const std::string& layers, bool skip_first, SchemeKind scheme,
                                            const Graph& graph) {
  LayerSelection selection;
  selection.scheme_ = scheme;
  selection.skip_first_ = skip_first;
  selection.products_ = std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                      [](const Node& node) {
                                        return IsRecurrent(node) || node.op == "Conv" || node.op == "ConvTranspose";
                                      }) <= 1 &&
                        std::none_of(graph.nodes.begin(), graph.nodes.end(), IsRecurrent);
  try {
    if (!layers.empty()) selection.pattern_.emplace(layers);
  } catch (const std::regex_error& error) {
    return Status::InvalidArgument("layers is '%s', no regular expression: %s", layers.c_str(), error.what());
  }
  return selection;
}

bool LayerSelection::Selects(const Node& node, const WeightMatrix& matrix) {
  const bool first = node.op == "Conv" && convolutions_++ == 0;
  if (first && skip_first_) return false;
  if (!pattern_.has_value()) {
    if (node.op == "Gemm" || node.op == "MatMul") return products_;
    return !matrix.IsDepthwise() || PrunesDepthwise(scheme_);
  }
  return std::regex_search(node.name, *pattern_) || std::regex_search(matrix.initializer, *pattern_);
}

}  // namespace graph
