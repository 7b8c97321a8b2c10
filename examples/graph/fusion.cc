#include "graph/fusion.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "graph/attributes.h"
#include "graph/weight_matrix.h"

namespace graph {
namespace {

using lacuna::Activation;
using lacuna::Epilogue;

// A bound of Clip: input `i`, or in operator sets before 11 the attribute `name`.
Result<float> ClipBound(const Graph& graph, const Node& node, size_t i, const std::string& name, float fallback) {
  if (graph.opset < 11) return FloatAttribute(node, name, fallback);
  if (!node.HasInput(i)) return fallback;
  const Tensor* bound = graph.Constant(node.inputs[i]);
  if (bound == nullptr || !bound->IsFloats() || bound->floats.size() != 1) {
    return Status::Make(StatusCode::kUnsupported, "%s: input %zu, '%s', must be a constant FLOAT scalar",
                        node.Label().c_str(), i, name.c_str());
  }
  return bound->floats[0];
}

Result<std::optional<Epilogue>> ClipActivation(const Graph& graph, const Node& node) {
  Epilogue epilogue{.activation = Activation::kClamp};
  LACUNA_ASSIGN_OR_RETURN(low, ClipBound(graph, node, 1, "min", std::numeric_limits<float>::lowest()));
  LACUNA_ASSIGN_OR_RETURN(high, ClipBound(graph, node, 2, "max", std::numeric_limits<float>::max()));
  epilogue.low = std::min(low, high);  // where they cross, min(max(x, low), high) is high everywhere
  epilogue.high = high;
  if (std::isnan(low) || std::isnan(high)) {
    return Status::InvalidArgument("%s: its bounds are %g and %g, must be numbers", node.Label().c_str(),
                                   static_cast<double>(low), static_cast<double>(high));
  }
  return std::optional<Epilogue>(epilogue);
}

// Fuses greedily along the chain that starts at a layer's node.
class Fuser {
 public:
  Fuser(const Graph& graph, const Values& values) : graph_(graph), values_(values) {
    for (const Node& node : graph.nodes) {
      for (const std::string& input : node.inputs) users_[input].push_back(&node);
    }
    for (const std::string& output : graph.outputs) kept_.insert(output);
    for (const ValueInfo& input : graph.inputs) available_.insert(input.name);
    for (const auto& [name, tensor] : graph.initializers) available_.insert(name);
  }

  Result<std::vector<Layer>> Run() {
    std::vector<Layer> layers;
    for (const Node& node : graph_.nodes) {
      if (absorbed_.contains(&node)) continue;
      Layer layer;
      layer.node = &node;
      layer.further = node.PresentOutputs();
      layer.output = layer.further[0];
      layer.further.erase(layer.further.begin());
      LACUNA_ASSIGN_OR_RETURN(weights, WeightMatrixOf(graph_, values_, node));
      if (weights.has_value()) {
        if (weights->rows_are_channels) LACUNA_RETURN_IF_ERROR(AbsorbAffine(layer));
        if (node.op != "ConvTranspose") AbsorbResidual(layer);  // its rows are not yet in the output's places
        LACUNA_RETURN_IF_ERROR(AbsorbActivation(layer));
      }
      available_.insert(layer.output);
      available_.insert(layer.further.begin(), layer.further.end());
      layers.push_back(std::move(layer));
    }
    return layers;
  }

 private:
  // The nodes that read the layer's output, or none if it is seen from outside too.
  std::vector<const Node*> Users(const Layer& layer) const {
    if (kept_.contains(layer.output)) return {};
    const auto found = users_.find(layer.output);
    return found == users_.end() ? std::vector<const Node*>{} : found->second;
  }

  const Node* OnlyUser(const Layer& layer) const {
    const std::vector<const Node*> users = Users(layer);
    return users.size() == 1 ? users[0] : nullptr;
  }

  void Absorb(Layer& layer, const Node* node) {
    layer.fused.push_back(node);
    layer.output = node->outputs[0];
    absorbed_.insert(node);
  }

  static const std::string& OtherInput(const Node& node, const std::string& value) {
    return node.inputs[node.inputs[0] == value ? 1 : 0];
  }

  Status AbsorbAffine(Layer& layer) {
    const Node* next = OnlyUser(layer);
    if (next == nullptr) return Status();
    const bool is_convolution = layer.node->op == "Conv" || layer.node->op == "ConvTranspose";
    if (is_convolution && next->op == "BatchNormalization" && next->inputs[0] == layer.output) {
      LACUNA_RETURN_IF_ERROR(FoldBatchNormalization(graph_, *next, layer.scale, layer.shift));
      Absorb(layer, next);
    } else if (!is_convolution && next->op == "Add") {
      const Tensor* bias = graph_.Constant(OtherInput(*next, layer.output));
      if (bias != nullptr && !bias->shape.empty() && bias->shape.back() == values_.at(layer.output).shape.back() &&
          Elements(bias->shape) == bias->shape.back() && values_.at(next->outputs[0]) == values_.at(layer.output)) {
        layer.shift = bias->floats;
        Absorb(layer, next);
      }
    }
    return Status();
  }

  void AbsorbResidual(Layer& layer) {
    const Node* next = OnlyUser(layer);
    if (next == nullptr || next->op != "Add") return;
    const std::string& other = OtherInput(*next, layer.output);
    // Run by this layer, the sum must not wait for a value that only a later one makes.
    if (!available_.contains(other) || values_.at(other) != values_.at(layer.output)) return;
    layer.residual = other;
    Absorb(layer, next);
  }

  Status AbsorbActivation(Layer& layer) {
    if (const Node* next = OnlyUser(layer); next != nullptr) {
      LACUNA_ASSIGN_OR_RETURN(activation, ActivationOf(graph_, *next));
      if (!activation.has_value()) return Status();
      layer.activation = *activation;
      Absorb(layer, next);
      return Status();
    }
    return AbsorbGate(layer);
  }

  // x * sigmoid(x) and x * HardSigmoid(x): two users, one of them the only reader of the other.
  Status AbsorbGate(Layer& layer) {
    std::vector<const Node*> users = Users(layer);
    if (users.size() != 2) return Status();
    if (users[0]->op == "Mul") std::swap(users[0], users[1]);
    const Node* gate = users[0];
    const Node* product = users[1];
    if ((gate->op != "Sigmoid" && gate->op != "HardSigmoid") || product->op != "Mul") return Status();
    const std::string& gated = gate->outputs[0];
    if (kept_.contains(gated) || users_[gated].size() != 1 || OtherInput(*product, layer.output) != gated)
      return Status();
    Activation activation = Activation::kSilu;
    if (gate->op == "HardSigmoid") {
      LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(*gate, "alpha", 0.2f));
      LACUNA_ASSIGN_OR_RETURN(beta, FloatAttribute(*gate, "beta", 0.5f));
      if (std::abs(alpha - 1.0f / 6.0f) > 1e-6f || beta != 0.5f) return Status();
      activation = Activation::kHardSwish;
    }
    layer.activation.activation = activation;
    Absorb(layer, gate);
    Absorb(layer, product);
    return Status();
  }

  const Graph& graph_;
  const Values& values_;
  std::map<std::string, std::vector<const Node*>> users_;  // a node that reads a value twice stands there twice
  std::set<std::string> kept_;
  std::set<std::string> available_;  // what exists when the layer at hand runs
  std::set<const Node*> absorbed_;
};

}  // namespace

Result<std::optional<Epilogue>> ActivationOf(const Graph& graph, const Node& node) {
  Epilogue epilogue;
  if (node.op == "Clip") return ClipActivation(graph, node);
  if (node.op == "LeakyRelu") {
    LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(node, "alpha", 0.01f));
    epilogue.activation = Activation::kLeakyRelu;
    epilogue.slope = alpha;
    LACUNA_RETURN_IF_ERROR(epilogue.Validate(1));
    return std::optional<Epilogue>(epilogue);
  }
  if (node.op == "Relu") epilogue.activation = Activation::kRelu;
  if (node.op == "Sigmoid") epilogue.activation = Activation::kSigmoid;
  if (node.op == "Tanh") epilogue.activation = Activation::kTanh;
  if (node.op == "HardSwish") epilogue.activation = Activation::kHardSwish;
  if (epilogue.activation == Activation::kNone) return std::optional<Epilogue>();
  return std::optional<Epilogue>(epilogue);
}

Status FoldBatchNormalization(const Graph& graph, const Node& node, std::vector<float>& scale,
                              std::vector<float>& shift) {
  const Tensor* parameter[4];
  for (size_t i = 0; i < 4; ++i) {
    parameter[i] = graph.Constant(node.inputs[i + 1]);
    if (parameter[i] == nullptr) {
      return Status::Make(StatusCode::kUnsupported, "%s: input %zu, '%s', must be a constant", node.Label().c_str(),
                          i + 1, node.inputs[i + 1].c_str());
    }
  }
  LACUNA_ASSIGN_OR_RETURN(epsilon, FloatAttribute(node, "epsilon", 1e-5f));
  const auto& [gamma, beta, mean, variance] = parameter;
  scale.resize(gamma->floats.size());
  shift.resize(gamma->floats.size());
  for (size_t c = 0; c < scale.size(); ++c) {
    const double factor = double{gamma->floats[c]} / std::sqrt(double{variance->floats[c]} + double{epsilon});
    scale[c] = static_cast<float>(factor);
    shift[c] = static_cast<float>(double{beta->floats[c]} - factor * double{mean->floats[c]});
  }
  return Status();
}

Result<std::vector<Layer>> FuseLayers(const Graph& graph, const Values& values) { return Fuser(graph, values).Run(); }

}  // namespace graph
