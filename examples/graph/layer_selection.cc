#include "graph/layer_selection.h"

#include "graph/recurrent_node.h"

namespace graph {

using lacuna::prune::SchemeKind;

namespace {

// Convolutions, and twice the recurrent layers, of a graph and the graphs inside it.
int LayersBesideProducts(const Graph& graph) {
  int count = 0;
  for (const Node& node : graph.nodes) {
    if (node.op == "Conv" || node.op == "ConvTranspose") ++count;
    if (IsRecurrent(node)) count += 2;
    for (const auto& [name, attribute] : node.attributes) {
      const auto* body = std::get_if<std::shared_ptr<const Graph>>(&attribute);
      if (body != nullptr) count += LayersBesideProducts(**body);
    }
  }
  return count;
}

}  // namespace

bool PrunesDepthwise(SchemeKind scheme) {
  return scheme == SchemeKind::kPattern || scheme == SchemeKind::kUnstructured || scheme == SchemeKind::kConnectivity;
}

Result<LayerSelection> LayerSelection::Make(const std::string& layers, bool skip_first, SchemeKind scheme,
                                            const Graph& graph) {
  LayerSelection selection;
  selection.scheme_ = scheme;
  selection.skip_first_ = skip_first;
  selection.products_ = LayersBesideProducts(graph) <= 1;
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
