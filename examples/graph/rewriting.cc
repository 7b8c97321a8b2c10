#include "graph/rewriting.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace graph {
namespace {

// A graph being rewritten: nodes are found by the value they make and the values they read.
class Rewriter {
 public:
  Rewriter(Graph& graph, const Values& values) : graph_(graph), values_(values) {
    kept_.insert(graph.outputs.begin(), graph.outputs.end());
    for (Node& node : graph.nodes) Add(node);
  }

  void Run() {
    Sweep(kPatterns);
    Sweep(kLatePatterns);
    std::vector<Node> left;
    for (Node& node : graph_.nodes) {
      if (!removed_.contains(&node)) left.push_back(std::move(node));
    }
    graph_.nodes = std::move(left);
    std::erase_if(graph_.initializers, [&](const auto& entry) {
      const auto readers = readers_.find(entry.first);
      return (readers == readers_.end() || readers->second == 0) && !kept_.contains(entry.first);
    });
  }

 private:
  using Pattern = bool (Rewriter::*)(Node&);
  static const std::vector<Pattern> kPatterns;
  static const std::vector<Pattern> kLatePatterns;  // which would take parts of the others away

  // A pattern ends at a node: those before it have been seen.
  void Sweep(const std::vector<Pattern>& patterns) {
    for (Node& node : graph_.nodes) {
      for (const Pattern& pattern : patterns) {
        if (removed_.contains(&node) || (this->*pattern)(node)) break;
      }
    }
  }

  void Add(Node& node) {
    for (const std::string& output : node.outputs) maker_[output] = &node;
    for (const std::string& input : node.inputs) ++readers_[input];
  }

  // The node of operator `op` that makes `value` for one reader only; null if it is none.
  Node* Maker(const std::string& value, const std::string& op) const {
    const auto found = maker_.find(value);
    if (found == maker_.end() || found->second->op != op || removed_.contains(found->second)) return nullptr;
    if (kept_.contains(value) || readers_.at(value) != 1) return nullptr;
    return found->second;
  }

  // The one number that a constant holds.
  std::optional<float> Number(const std::string& value) const {
    const Tensor* tensor = graph_.Constant(value);
    if (tensor == nullptr || tensor->floats.size() != 1) return std::nullopt;
    return tensor->floats[0];
  }

  static bool IsNear(const std::optional<float>& value, float expected) {
    return value.has_value() && std::abs(*value - expected) <= 1e-6f * std::abs(expected);
  }

  // Of a node with two inputs: the other one of a number, if one of them is `number`.
  std::optional<std::string> Beside(const Node& node, float number) const {
    for (size_t i = 0; i < 2; ++i) {
      if (node.inputs.size() == 2 && IsNear(Number(node.inputs[i]), number)) return node.inputs[1 - i];
    }
    return std::nullopt;
  }

  // What is multiplied with 1 / number or divided by number in `node`.
  std::optional<std::string> Divided(const Node& node, float number) const {
    if (node.op == "Div" && IsNear(Number(node.inputs[1]), number)) return node.inputs[0];
    if (node.op == "Mul") return Beside(node, 1.0f / number);
    return std::nullopt;
  }

  // Lets `last` be `op` of `inputs`, and forgets the nodes that it stands for.
  void Replace(Node& last, const std::string& op, std::vector<std::string> inputs, const std::vector<Node*>& others) {
    for (const std::string& input : last.inputs) --readers_[input];
    for (Node* other : others) {
      for (const std::string& input : other->inputs) --readers_[input];
      removed_.insert(other);
    }
    last.op = op;
    last.inputs = std::move(inputs);
    last.attributes.clear();
    for (const std::string& input : last.inputs) ++readers_[input];
  }

  // The Clip to [low, high] that makes `value`.
  Node* ClipTo(const std::string& value, float low, float high) const {
    Node* clip = Maker(value, "Clip");
    if (clip == nullptr) return nullptr;
    const auto bound = [&](size_t i, const char* name) -> std::optional<float> {
      if (graph_.opset >= 11) return clip->HasInput(i) ? Number(clip->inputs[i]) : std::nullopt;
      const auto found = clip->attributes.find(name);
      const auto* number = found == clip->attributes.end() ? nullptr : std::get_if<float>(&found->second);
      return number == nullptr ? std::nullopt : std::optional<float>(*number);
    };
    const auto least = bound(1, "min"), most = bound(2, "max");
    return least == low && most == high ? clip : nullptr;
  }

  // x where `value` is min(max(x + 3, 0), 6); its nodes are added to `nodes`.
  std::optional<std::string> Clipped(const std::string& value, std::vector<Node*>& nodes) const {
    Node* clip = ClipTo(value, 0.0f, 6.0f);
    if (clip == nullptr) return std::nullopt;
    Node* add = Maker(clip->inputs[0], "Add");
    if (add == nullptr) return std::nullopt;
    nodes.insert(nodes.end(), {clip, add});
    return Beside(*add, 3.0f);
  }

  bool HardSwish(Node& node) {
    // (x * clip) / 6
    if (const auto product = Divided(node, 6.0f); product.has_value()) {
      if (Node* multiply = Maker(*product, "Mul"); multiply != nullptr) {
        for (size_t i = 0; i < 2; ++i) {
          std::vector<Node*> nodes = {multiply};
          const auto x = Clipped(multiply->inputs[i], nodes);
          if (x.has_value() && *x == multiply->inputs[1 - i]) {
            Replace(node, "HardSwish", {*x}, nodes);
            return true;
          }
        }
      }
    }
    // x * (clip / 6), or (x / 6) * clip
    if (node.op != "Mul") return false;
    for (size_t i = 0; i < 2; ++i) {
      std::vector<Node*> nodes;
      const std::string& a = node.inputs[i];
      const std::string& b = node.inputs[1 - i];
      for (const char* op : {"Div", "Mul"}) {
        Node* scaled = Maker(a, op);
        const auto whole = scaled == nullptr ? std::nullopt : Divided(*scaled, 6.0f);
        if (!whole.has_value()) continue;
        nodes = {scaled};
        if (const auto x = Clipped(*whole, nodes); x.has_value() && *x == b) {
          Replace(node, "HardSwish", {*x}, nodes);
          return true;
        }
        nodes = {scaled};
        if (const auto x = Clipped(b, nodes); x.has_value() && *x == *whole) {
          Replace(node, "HardSwish", {*x}, nodes);
          return true;
        }
      }
      if (Node* gate = Maker(a, "HardSigmoid"); gate != nullptr && gate->inputs[0] == b && IsGateOfSixths(*gate)) {
        Replace(node, "HardSwish", {b}, {gate});
        return true;
      }
    }
    return false;
  }

  static bool IsGateOfSixths(const Node& gate) {
    const auto number = [&](const char* name, float fallback) {
      const auto found = gate.attributes.find(name);
      const auto* value = found == gate.attributes.end() ? nullptr : std::get_if<float>(&found->second);
      return value == nullptr ? fallback : *value;
    };
    return IsNear(number("alpha", 0.2f), 1.0f / 6.0f) && IsNear(number("beta", 0.5f), 0.5f);
  }

  // Runs after HardSwish had its chance: the gate alone has a reader that multiplies by something else.
  bool HardSigmoid(Node& node) {
    const auto clipped = Divided(node, 6.0f);
    if (!clipped.has_value()) return false;
    std::vector<Node*> nodes;
    const auto x = Clipped(*clipped, nodes);
    if (!x.has_value()) return false;
    Replace(node, "HardSigmoid", {*x}, nodes);
    node.attributes["alpha"] = 1.0f / 6.0f;
    node.attributes["beta"] = 0.5f;
    return true;
  }

  bool Mish(Node& node) {
    if (node.op != "Mul") return false;
    for (size_t i = 0; i < 2; ++i) {
      Node* tanh = Maker(node.inputs[i], "Tanh");
      Node* softplus = tanh == nullptr ? nullptr : Maker(tanh->inputs[0], "Softplus");
      if (softplus == nullptr || softplus->inputs[0] != node.inputs[1 - i]) continue;
      Replace(node, "Mish", {softplus->inputs[0]}, {tanh, softplus});
      return true;
    }
    return false;
  }

  // x where `value` is 1 + erf(x / sqrt 2).
  std::optional<std::string> ErrorGate(const std::string& value, std::vector<Node*>& nodes) const {
    Node* add = Maker(value, "Add");
    const auto erf_value = add == nullptr ? std::nullopt : Beside(*add, 1.0f);
    Node* erf = erf_value.has_value() ? Maker(*erf_value, "Erf") : nullptr;
    if (erf == nullptr) return std::nullopt;
    const auto scaled = maker_.find(erf->inputs[0]);
    if (scaled == maker_.end() || readers_.at(erf->inputs[0]) != 1) return std::nullopt;
    const auto x = Divided(*scaled->second, std::sqrt(2.0f));
    if (!x.has_value()) return std::nullopt;
    nodes.insert(nodes.end(), {add, erf, scaled->second});
    return x;
  }

  bool Gelu(Node& node) {
    if (node.op != "Mul") return false;
    // (x * gate) / 2
    const auto product = Divided(node, 2.0f);
    Node* inner = product.has_value() ? Maker(*product, "Mul") : nullptr;
    if (inner != nullptr) {
      for (size_t i = 0; i < 2; ++i) {
        std::vector<Node*> nodes = {inner};
        const auto x = ErrorGate(inner->inputs[i], nodes);
        if (!x.has_value() || *x != inner->inputs[1 - i]) continue;
        Replace(node, "Gelu", {*x}, nodes);
        return true;
      }
    }
    // (x / 2) * gate, or x * (gate / 2)
    for (size_t i = 0; i < 2; ++i) {
      Node* half = Maker(node.inputs[i], "Mul");
      const auto whole = half == nullptr ? std::nullopt : Divided(*half, 2.0f);
      if (!whole.has_value()) continue;
      std::vector<Node*> nodes = {half};
      auto x = ErrorGate(node.inputs[1 - i], nodes);
      bool found = x.has_value() && *x == *whole;
      if (!found) {
        nodes = {half};
        x = ErrorGate(*whole, nodes);
        found = x.has_value() && *x == node.inputs[1 - i];
      }
      if (!found) continue;
      Replace(node, "Gelu", {*x}, nodes);
      return true;
    }
    return false;
  }

  // Whether `mean` is the mean of `x` over its last axis, which stays.
  bool IsLastMean(const Node& mean, const std::string& x) const {
    if (mean.op != "ReduceMean" || mean.inputs[0] != x) return false;
    const auto rank = static_cast<int64_t>(values_.at(x).shape.size());
    std::vector<int64_t> axes;
    if (mean.HasInput(1)) {
      const Tensor* tensor = graph_.Constant(mean.inputs[1]);
      if (tensor != nullptr) axes = tensor->integers;
    } else if (const auto found = mean.attributes.find("axes"); found != mean.attributes.end()) {
      if (const auto* list = std::get_if<std::vector<int64_t>>(&found->second)) axes = *list;
    }
    const auto keeps = mean.attributes.find("keepdims");
    const auto* keepdims = keeps == mean.attributes.end() ? nullptr : std::get_if<int64_t>(&keeps->second);
    const bool kept = keeps == mean.attributes.end() || (keepdims != nullptr && *keepdims == 1);
    return kept && axes.size() == 1 && (axes[0] == -1 || axes[0] == rank - 1);
  }

  // Where both end in x - mean(x), and one of them is squared, averaged and made a divisor.
  bool LayerNormalization(Node& node) {
    if (node.op != "Add") return false;
    for (size_t i = 0; i < 2; ++i) {
      Node* scale = Maker(node.inputs[i], "Mul");
      if (scale == nullptr) continue;
      for (size_t k = 0; k < 2; ++k) {
        Node* divide = Maker(scale->inputs[k], "Div");
        if (divide == nullptr) continue;
        const std::string& gamma = scale->inputs[1 - k];
        const std::string& beta = node.inputs[1 - i];
        std::vector<Node*> nodes = {scale, divide};
        const auto x_and_epsilon = Normalised(*divide, nodes);
        if (!x_and_epsilon.has_value()) continue;
        const Shape& shape = values_.at(x_and_epsilon->first).shape;
        const auto fits = [&](const std::string& parameter) {
          const Tensor* tensor = graph_.Constant(parameter);
          return tensor != nullptr && tensor->shape == Shape{shape.back()};
        };
        if (!fits(gamma) || !fits(beta)) continue;
        const std::vector<std::string> inputs = {x_and_epsilon->first, gamma, beta};
        Replace(node, "LayerNormalization", inputs, nodes);
        node.attributes["axis"] = int64_t{-1};
        node.attributes["epsilon"] = x_and_epsilon->second;
        return true;
      }
    }
    return false;
  }

  std::optional<std::pair<std::string, float>> Normalised(const Node& divide, std::vector<Node*>& nodes) const {
    const auto centred = maker_.find(divide.inputs[0]);
    Node* root = Maker(divide.inputs[1], "Sqrt");
    Node* add = root == nullptr ? nullptr : Maker(root->inputs[0], "Add");
    if (centred == maker_.end() || centred->second->op != "Sub" || add == nullptr) return std::nullopt;
    Node* subtract = centred->second;
    for (size_t i = 0; i < 2; ++i) {
      const auto epsilon = Number(add->inputs[i]);
      Node* variance = Maker(add->inputs[1 - i], "ReduceMean");
      if (!epsilon.has_value() || variance == nullptr) continue;
      Node* square = Maker(variance->inputs[0], "Pow");
      if (square == nullptr || !IsNear(Number(square->inputs[1]), 2.0f)) continue;
      // Some exporters subtract twice.
      Node* other = nullptr;
      if (square->inputs[0] != divide.inputs[0]) {
        other = Maker(square->inputs[0], "Sub");
        if (other == nullptr || other->inputs != subtract->inputs) continue;
      }
      const int readers = readers_.at(divide.inputs[0]);
      if (kept_.contains(divide.inputs[0]) || readers != (other == nullptr ? 2 : 1)) continue;
      const auto mean = maker_.find(subtract->inputs[1]);
      if (mean == maker_.end() || !IsLastMean(*mean->second, subtract->inputs[0]) ||
          !IsLastMean(*variance, square->outputs[0]) || kept_.contains(subtract->inputs[1]) ||
          readers_.at(subtract->inputs[1]) != (other == nullptr ? 1 : 2)) {
        continue;
      }
      nodes.insert(nodes.end(), {root, add, variance, square, subtract, mean->second});
      if (other != nullptr) nodes.push_back(other);
      return std::pair(subtract->inputs[0], *epsilon);
    }
    return std::nullopt;
  }

  bool Clip(Node& node) {
    if ((node.op != "Max" && node.op != "Min") || node.inputs.size() != 2 || graph_.opset < 11) return false;
    if (!IsFloating(values_.at(node.outputs[0]).type)) return false;
    for (size_t i = 0; i < 2; ++i) {
      const auto bound = Number(node.inputs[i]);
      if (!bound.has_value() || std::isnan(*bound) || graph_.Constant(node.inputs[1 - i]) != nullptr) continue;
      if (values_.at(node.outputs[0]).shape != values_.at(node.inputs[1 - i]).shape) continue;
      const std::string name = node.outputs[0] + "/bound";
      Tensor scalar = Tensor::Zeros(values_.at(node.outputs[0]).type, {});
      scalar.floats[0] = *bound;
      graph_.initializers[name] = std::move(scalar);
      const std::string x = node.inputs[1 - i];
      const bool least = node.op == "Max";
      Replace(node, "Clip", least ? std::vector{x, name} : std::vector<std::string>{x, "", name}, {});
      return true;
    }
    return false;
  }

  // One number for each channel of `value`, which has `rank` axes; nothing if it is not that.
  std::optional<std::vector<float>> PerChannel(const std::string& value, const Shape& output) const {
    const Tensor* tensor = graph_.Constant(value);
    if (tensor == nullptr || !tensor->IsFloats() || tensor->generate || output.size() < 3) return std::nullopt;
    Shape shape = tensor->shape;
    while (shape.size() < output.size()) shape.insert(shape.begin(), 1);
    if (Elements(shape) == 1) return std::vector<float>(static_cast<size_t>(output[1]), tensor->floats[0]);
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] != (axis == 1 ? output[1] : 1)) return std::nullopt;
    }
    return tensor->floats;
  }

  // x * scale + shift anywhere else: one pass instead of two. `shift` is of each channel.
  bool ScaleAndShift(Node& add, const std::string& product, const std::vector<float>& shift) {
    Node* multiply = Maker(product, "Mul");
    const Shape& output = values_.at(add.outputs[0]).shape;
    for (size_t i = 0; multiply != nullptr && i < 2; ++i) {
      const auto scale = PerChannel(multiply->inputs[i], output);
      if (!scale.has_value() || values_.at(multiply->inputs[1 - i]).shape != output) continue;
      MakeAffine(add, multiply->inputs[1 - i], *scale, shift, {multiply});
      return true;
    }
    return false;
  }

  // Makes `node` a BatchNormalization that computes scale * input + shift.
  void MakeAffine(Node& node, const std::string& input, const std::vector<float>& scale,
                  const std::vector<float>& shift, const std::vector<Node*>& others) {
    const Shape shape = {static_cast<int64_t>(scale.size())};
    const std::string prefix = node.outputs[0] + "/";
    const std::vector<std::string> inputs = {input, prefix + "scale", prefix + "shift", prefix + "mean",
                                             prefix + "variance"};
    graph_.initializers[inputs[1]] = {.shape = shape, .floats = scale};
    graph_.initializers[inputs[2]] = {.shape = shape, .floats = shift};
    graph_.initializers[inputs[3]] = {.shape = shape, .floats = std::vector<float>(scale.size(), 0.0f)};
    graph_.initializers[inputs[4]] = {.shape = shape, .floats = std::vector<float>(scale.size(), 1.0f)};
    Replace(node, "BatchNormalization", inputs, others);
    node.attributes["epsilon"] = 0.0f;
    affine_.insert(&node);
  }

  // A Mul or Add of constants behind a convolution is a BatchNormalization, one that another follows becomes one with
  // it.
  bool Affine(Node& node) {
    if (node.op != "Mul" && node.op != "Add") return false;
    const Shape& output = values_.at(node.outputs[0]).shape;
    for (size_t i = 0; i < 2; ++i) {
      const auto numbers = PerChannel(node.inputs[i], output);
      if (!numbers.has_value() || values_.at(node.inputs[1 - i]).shape != output) continue;
      const std::string x = node.inputs[1 - i];
      const bool behind = Maker(x, "Conv") != nullptr || Maker(x, "ConvTranspose") != nullptr;
      Node* before = Maker(x, "BatchNormalization");
      const bool joins = before != nullptr && affine_.contains(before);
      if (!behind && !joins) {
        if (node.op == "Add" && ScaleAndShift(node, x, *numbers)) return true;
        continue;
      }
      std::vector<float> scale = *numbers, shift = *numbers;
      if (node.op == "Mul") shift.assign(numbers->size(), 0.0f);
      if (node.op == "Add") scale.assign(numbers->size(), 1.0f);
      std::vector<Node*> others;
      std::string input = x;
      if (joins) {  // scale * (s x + t) + shift
        const Tensor& s = *graph_.Constant(before->inputs[1]);
        const Tensor& t = *graph_.Constant(before->inputs[2]);
        for (size_t c = 0; c < numbers->size(); ++c) {
          shift[c] += scale[c] * t.floats[c];
          scale[c] *= s.floats[c];
        }
        input = before->inputs[0];
        others.push_back(before);
      }
      MakeAffine(node, input, scale, shift, others);
      return true;
    }
    return false;
  }

  Graph& graph_;
  const Values& values_;
  std::set<std::string> kept_;
  std::map<std::string, Node*> maker_;
  std::map<std::string, int> readers_;
  std::set<const Node*> removed_;
  std::set<const Node*> affine_;  // BatchNormalizations made here, without an epsilon
};

const std::vector<Rewriter::Pattern> Rewriter::kPatterns = {&Rewriter::HardSwish, &Rewriter::HardSigmoid,
                                                            &Rewriter::Mish,      &Rewriter::Gelu,
                                                            &Rewriter::Clip,      &Rewriter::LayerNormalization};
const std::vector<Rewriter::Pattern> Rewriter::kLatePatterns = {&Rewriter::Affine};

}  // namespace

void RewritePatterns(Graph& graph, const Values& values) { Rewriter(graph, values).Run(); }

}  // namespace graph
