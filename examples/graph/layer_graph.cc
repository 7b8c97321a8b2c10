#include "graph/layer_graph.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <type_traits>
#include <variant>
#include <vector>

namespace graph {
namespace {

// In the graph's order, which is topological.
std::vector<const Node*> NodesOf(const Layer& layer) {
  std::vector<const Node*> nodes = {layer.node};
  nodes.insert(nodes.end(), layer.fused.begin(), layer.fused.end());
  std::sort(nodes.begin(), nodes.end());  // all of one vector
  return nodes;
}

std::string Text(int64_t value) { return std::to_string(value); }
std::string Text(float value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", static_cast<double>(value));
  return text;
}
std::string Text(const std::string& value) { return value; }
std::string Text(const Tensor& value) { return ToString(value.shape); }
std::string Text(const std::shared_ptr<const Graph>& value) { return value->name; }
template <class T>
std::string Text(const std::vector<T>& values) {
  std::string text;
  for (const T& value : values) text += (text.empty() ? "" : ",") + Text(value);
  return text;
}

}  // namespace

Graph LayerGraph(const Graph& graph, const Values& values, const Layer& layer) {
  Graph part;
  part.name = layer.node->name;
  part.opset = graph.opset;
  part.metadata = graph.metadata;
  std::set<std::string> known;
  for (const Node* node : NodesOf(layer)) {
    for (const std::string& input : node->inputs) {
      if (input.empty() || !known.insert(input).second) continue;
      if (const Tensor* constant = graph.Constant(input); constant != nullptr) {
        part.initializers[input] = *constant;
      } else {
        part.inputs.push_back({input, values.at(input).shape, values.at(input).type});
      }
    }
    for (const std::string& output : node->outputs) known.insert(output);
    part.nodes.push_back(*node);
  }
  part.outputs = {layer.output};
  part.outputs.insert(part.outputs.end(), layer.further.begin(), layer.further.end());
  return part;
}

std::string LayerText(const Graph& graph, const Values& values, const Layer& layer) {
  std::string text;
  for (const Node* node : NodesOf(layer)) {
    text += (text.empty() ? "" : " ") + node->op;
    for (const std::string& input : node->inputs) {
      if (input.empty()) continue;
      const Tensor* constant = graph.Constant(input);
      text += constant != nullptr ? " *" + ToString(constant->shape) : " " + ToString(values.at(input).shape);
    }
    for (const auto& [name, attribute] : node->attributes) {
      text += " " + name + "=" + std::visit([](const auto& value) { return Text(value); }, attribute);
    }
  }
  return text + " -> " + ToString(values.at(layer.output).shape);
}

}  // namespace graph
