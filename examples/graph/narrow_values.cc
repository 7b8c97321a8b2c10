#include "graph/narrow_values.h"

#include <algorithm>
#include <map>

#include "graph/operator.h"

namespace graph {
namespace {

// Places of inputs that may be bytes.
std::vector<size_t> NarrowInputs(const Node& node) {
  if (node.op == "DequantizeLinear" || node.op == "QGemm" || node.op == "MaxPool" || IsView(node)) return {0};
  if (node.op == "QLinearConv") return {0, 9};
  if (node.op == "QLinearAdd") return {0, 3};
  return {};
}

bool MakesNarrow(const Node& node) {
  return node.op == "QuantizeLinear" || node.op == "QLinearConv" || node.op == "QGemm" || node.op == "QLinearAdd" ||
         node.op == "MaxPool" || IsView(node);
}

}  // namespace

NarrowValues ChooseNarrowValues(const Graph& graph, const Values& values, const std::vector<Layer>& layers) {
  NarrowValues wide;  // and what shares memory with it
  std::map<std::string, std::string> viewed;
  const auto owner = [&](const std::string& value) {
    const auto found = viewed.find(value);
    return found == viewed.end() ? value : found->second;
  };
  NarrowValues made;
  for (const ValueInfo& input : graph.inputs) wide.insert(input.name);
  for (const auto& [name, tensor] : graph.initializers) wide.insert(name);
  for (const Layer& layer : layers) {
    const Node& node = *layer.node;
    if (IsView(node)) {
      viewed[layer.output] = owner(node.inputs[0]);
    } else if (MakesNarrow(node) && layer.further.empty()) {
      made.insert(layer.output);
    }
    const std::vector<size_t> narrow = NarrowInputs(node);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (std::find(narrow.begin(), narrow.end(), i) == narrow.end()) wide.insert(owner(node.inputs[i]));
    }
  }
  for (const std::string& output : graph.outputs) wide.insert(owner(output));
  // A pooling step has one type in and out.
  for (bool changed = true; changed;) {
    changed = false;
    const auto is_narrow = [&](const std::string& value) {
      const ElementType type = values.at(value).type;
      return (type == ElementType::kUint8 || type == ElementType::kInt8) && made.contains(owner(value)) &&
             !wide.contains(owner(value));
    };
    for (const Layer& layer : layers) {
      if (layer.node->op != "MaxPool" || is_narrow(layer.output) == is_narrow(layer.node->inputs[0])) continue;
      changed = wide.insert(owner(layer.output)).second || changed;
      changed = wide.insert(owner(layer.node->inputs[0])).second || changed;
    }
  }
  NarrowValues narrow;
  for (const auto& [name, info] : values) {
    const bool byte = info.type == ElementType::kUint8 || info.type == ElementType::kInt8;
    if (byte && made.contains(owner(name)) && !wide.contains(owner(name))) narrow.insert(name);
  }
  return narrow;
}

}  // namespace graph
