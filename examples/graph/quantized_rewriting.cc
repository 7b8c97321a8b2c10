#include "graph/quantized_rewriting.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "graph/attributes.h"
#include "graph/fusion.h"

namespace graph {
namespace {

constexpr float kLowest = std::numeric_limits<float>::lowest(), kHighest = std::numeric_limits<float>::max();

class QuantizedRewriter {
 public:
  explicit QuantizedRewriter(Graph& graph) : graph_(graph) {
    kept_.insert(graph.outputs.begin(), graph.outputs.end());
    for (Node& node : graph.nodes) {
      for (const std::string& output : node.outputs) maker_[output] = &node;
      for (const std::string& input : node.inputs) ++readers_[input];
    }
  }

  void Run() {
    for (Node& node : graph_.nodes) {
      if (node.op == "QuantizeLinear") Quantize(node);
    }
    for (Node& node : graph_.nodes) {
      if (node.op != "Conv" && node.op != "Gemm") continue;
      if (auto layer = LayerOf(node, "", "", {}); layer.has_value()) Become(node, *std::move(layer));
    }
    RemoveUnread();
  }

 private:
  // Least and largest real number of an output.
  struct Bounds {
    float low = kLowest, high = kHighest;
  };
  // Integers and how they are to be read.
  struct Integers {
    std::string value, scale, zero;
  };
  struct Weights {
    std::string value, scale, zero;
    std::vector<float> scales;
    int64_t rows;
  };

  const Node* Maker(const std::string& value) const {
    const auto found = maker_.find(value);
    return found == maker_.end() ? nullptr : found->second;
  }
  // The node that makes `value` for one reader only, or null.
  const Node* OnlyMaker(const std::string& value) const {
    const Node* node = Maker(value);
    return node != nullptr && readers_.at(value) == 1 && !kept_.contains(value) ? node : nullptr;
  }

  const Tensor* One(const std::string& value) const {
    const Tensor* tensor = graph_.Constant(value);
    return tensor != nullptr && Elements(tensor->shape) == 1 ? tensor : nullptr;
  }

  std::string Define(std::string name, Tensor tensor) {
    while (graph_.initializers.contains(name) || maker_.contains(name)) name += "_";
    graph_.initializers[name] = std::move(tensor);
    return name;
  }

  // What `value` is dequantised from.
  std::optional<Integers> IntegersOf(const std::string& value) const {
    const Node* node = Maker(value);
    if (node == nullptr || node->op != "DequantizeLinear" || One(node->inputs[1]) == nullptr || !node->HasInput(2)) {
      return std::nullopt;
    }
    const Tensor* zero = One(node->inputs[2]);
    if (zero == nullptr || (zero->type != ElementType::kUint8 && zero->type != ElementType::kInt8)) return std::nullopt;
    return Integers{node->inputs[0], node->inputs[1], node->inputs[2]};
  }

  bool SameQuantization(const Integers& a, const std::string& scale, const std::string& zero) const {
    const Tensor *az = One(a.zero), *bz = One(zero);
    return One(a.scale)->floats == One(scale)->floats && az->integers == bz->integers && az->type == bz->type;
  }

  // Of 8-bit products a channel takes the room of four: floats are faster, between roundings to the same integers.
  static bool IsDepthwise(const Node& layer, const Tensor& weights) {
    const auto groups = IntAttribute(layer, "group", 1);
    return groups.ok() && *groups > 1 && weights.shape[1] == 1;
  }

  // INT8 weights of a Conv or Gemm, a row for each output.
  std::optional<Weights> WeightsOf(const Node& layer) {
    const Node* node = Maker(layer.inputs[1]);
    if (node == nullptr || node->op != "DequantizeLinear") return std::nullopt;
    const Tensor* w = graph_.Constant(node->inputs[0]);
    const Tensor* scale = graph_.Constant(node->inputs[1]);
    if (w == nullptr || w->type != ElementType::kInt8 || scale == nullptr || w->shape.size() < 2) return std::nullopt;
    if (node->HasInput(2)) {
      const Tensor* zero = graph_.Constant(node->inputs[2]);
      if (zero == nullptr ||
          std::any_of(zero->integers.begin(), zero->integers.end(), [](int64_t z) { return z != 0; }))
        return std::nullopt;
    }
    const auto transposed = IntAttribute(layer, "transB", 0);
    const auto axis = IntAttribute(*node, "axis", 1);
    if (!transposed.ok() || !axis.ok()) return std::nullopt;
    const bool columns = layer.op == "Gemm" && *transposed == 0;  // stored [K, M]
    const int64_t rows = w->shape[columns ? 1 : 0];
    const auto rank = static_cast<int64_t>(w->shape.size());
    const bool per_row = static_cast<int64_t>(scale->floats.size()) == rows && rows != 1;
    if (!per_row && scale->floats.size() != 1) return std::nullopt;
    if (IsDepthwise(layer, *w)) return std::nullopt;
    if (per_row && (*axis < 0 ? *axis + rank : *axis) != (columns ? 1 : 0)) return std::nullopt;
    Weights weights{node->inputs[0], node->inputs[1], "", scale->floats, rows};
    if (columns) {
      Tensor turned{.type = ElementType::kInt8, .shape = {rows, w->shape[0]}};
      turned.integers.resize(w->integers.size());
      for (int64_t k = 0; k < w->shape[0]; ++k) {
        for (int64_t m = 0; m < rows; ++m) {
          turned.integers[static_cast<size_t>(m * w->shape[0] + k)] = w->integers[static_cast<size_t>(k * rows + m)];
        }
      }
      weights.value = Define(node->inputs[0] + "/rows", std::move(turned));
    }
    weights.zero = Define(weights.value + "/zero_point", Tensor::Zeros(ElementType::kInt8, {}));
    return weights;
  }

  // The bias of a layer in units of its sums; nothing if it is not constant, "" if there is none.
  std::optional<std::string> BiasOf(const Node& layer, float x_scale, const Weights& weights) {
    if (!layer.HasInput(2)) return std::string();
    std::vector<double> values;
    if (const Tensor* bias = graph_.Constant(layer.inputs[2]); bias != nullptr && bias->IsFloats()) {
      values.assign(bias->floats.begin(), bias->floats.end());
    } else if (const Node* node = Maker(layer.inputs[2]); node != nullptr && node->op == "DequantizeLinear") {
      const Tensor *integers = graph_.Constant(node->inputs[0]), *scale = graph_.Constant(node->inputs[1]);
      if (integers == nullptr || scale == nullptr || scale->floats.empty()) return std::nullopt;
      for (size_t i = 0; i < integers->integers.size(); ++i) {
        const float unit = scale->floats[scale->floats.size() == 1 ? 0 : std::min(i, scale->floats.size() - 1)];
        values.push_back(static_cast<double>(integers->integers[i]) * double{unit});
      }
    }
    if (static_cast<int64_t>(values.size()) != weights.rows) return std::nullopt;
    Tensor bias{.type = ElementType::kInt32, .shape = {weights.rows}};
    for (size_t i = 0; i < values.size(); ++i) {
      const double unit = double{x_scale} * double{weights.scales[weights.scales.size() == 1 ? 0 : i]};
      const double units = unit > 0.0 ? values[i] / unit : 0.0;
      constexpr double kMost = std::numeric_limits<int32_t>::max();
      if (!(std::abs(units) < kMost)) return std::nullopt;
      bias.integers.push_back(static_cast<int64_t>(std::nearbyint(units)));
    }
    return Define(weights.value + "/bias", std::move(bias));
  }

  // A Conv or Gemm as a node on integers.
  std::optional<Node> LayerOf(const Node& node, const std::string& scale, const std::string& zero,
                              const Bounds& bounds) {
    const auto x = IntegersOf(node.inputs[0]);
    if (!x.has_value()) return std::nullopt;
    if (node.op == "Gemm") {
      const auto alpha = FloatAttribute(node, "alpha", 1.0f), beta = FloatAttribute(node, "beta", 1.0f);
      const auto transposed = IntAttribute(node, "transA", 0);
      if (!alpha.ok() || !beta.ok() || !transposed.ok() || *alpha != 1.0f || *beta != 1.0f || *transposed != 0)
        return std::nullopt;
    }
    const auto weights = WeightsOf(node);
    if (!weights.has_value()) return std::nullopt;
    const auto bias = BiasOf(node, One(x->scale)->floats[0], *weights);
    if (!bias.has_value()) return std::nullopt;
    Node layer{.name = node.name, .op = node.op == "Conv" ? "QLinearConv" : "QGemm", .inputs = {}, .outputs = {}, .attributes = {}};
    layer.inputs = {x->value, x->scale, x->zero, weights->value, weights->scale, weights->zero};
    if (node.op == "Conv") {
      layer.attributes = node.attributes;
      layer.inputs.insert(layer.inputs.end(), {scale, zero, *bias});
    } else {
      layer.attributes["transB"] = int64_t{1};
      layer.inputs.insert(layer.inputs.end(), {*bias, scale, zero});
    }
    if (bounds.low != kLowest) layer.attributes["low"] = bounds.low;
    if (bounds.high != kHighest) layer.attributes["high"] = bounds.high;
    return layer;
  }

  // Lets `node` be `made`, whose outputs are its own.
  void Become(Node& node, Node made) {
    for (const std::string& input : node.inputs) --readers_[input];
    made.outputs = node.outputs;
    node = std::move(made);
    for (const std::string& input : node.inputs) ++readers_[input];
  }

  // Relus and Clips before `value` become bounds; the value before them.
  std::string Unbounded(std::string value, Bounds& bounds) const {
    for (;;) {
      const Node* node = OnlyMaker(value);
      if (node == nullptr || (node->op != "Relu" && node->op != "Clip")) return value;
      const auto activation = ActivationOf(graph_, *node);
      if (!activation.ok() || !activation->has_value()) return value;
      const bool relu = node->op == "Relu";
      const float low = relu ? 0.0f : (*activation)->low, high = relu ? kHighest : (*activation)->high;
      if (low > bounds.high || high < bounds.low) return value;
      bounds = {std::max(bounds.low, low), std::min(bounds.high, high)};
      value = node->inputs[0];
    }
  }

  void Quantize(Node& node) {
    if (One(node.inputs[1]) == nullptr) return;
    if (!node.HasInput(2)) {
      node.inputs.resize(3);
      node.inputs[2] = Define(node.inputs[1] + "/zero_point", Tensor::Zeros(ElementType::kUint8, {}));
    }
    if (One(node.inputs[2]) == nullptr) return;
    const std::string scale = node.inputs[1], zero = node.inputs[2];
    Bounds bounds;
    const std::string before = Unbounded(node.inputs[0], bounds);
    const Node* made = OnlyMaker(before);
    if (made == nullptr) return;
    if (made->op == "Conv" || made->op == "Gemm") {
      if (auto layer = LayerOf(*made, scale, zero, bounds); layer.has_value()) Become(node, *std::move(layer));
    } else if (made->op == "Add") {
      Add(node, *made, bounds);
    } else if ((made->op == "MaxPool" || made->op == "Reshape" || made->op == "Flatten") && bounds.low == kLowest &&
               bounds.high == kHighest && made->PresentOutputs().size() == 1) {
      const auto x = IntegersOf(made->inputs[0]);
      if (!x.has_value() || !SameQuantization(*x, scale, zero)) return;
      Node moved = *made;
      moved.inputs[0] = x->value;
      Become(node, std::move(moved));
    }
  }

  void Add(Node& node, const Node& add, const Bounds& bounds) {
    const std::string scale = node.inputs[1], zero = node.inputs[2];
    const auto a = IntegersOf(add.inputs[0]), b = IntegersOf(add.inputs[1]);
    if (!a.has_value() || !b.has_value() || bounds.high != kHighest) return;
    for (const bool first : {true, false}) {
      const Integers &own = first ? *a : *b, &other = first ? *b : *a;
      const Node* layer = OnlyMaker(own.value);  // read by its DequantizeLinear alone, and that by the sum
      if (layer == nullptr || layer->op != "QLinearConv" || layer->inputs.size() > 9 ||
          layer->attributes.contains("low") || layer->attributes.contains("high") ||
          OnlyMaker(add.inputs[first ? 0 : 1]) == nullptr || other.value == own.value) {
        continue;
      }
      Node sum = *layer;
      sum.inputs.resize(9);
      sum.inputs[6] = scale;
      sum.inputs[7] = zero;
      sum.inputs.insert(sum.inputs.end(), {other.value, other.scale, other.zero});
      if (bounds.low != kLowest) sum.attributes["low"] = bounds.low;
      Become(node, std::move(sum));
      return;
    }
    Node sum{.name = add.name, .op = "QLinearAdd", .inputs = {}, .outputs = {}, .attributes = {}};
    sum.inputs = {a->value, a->scale, a->zero, b->value, b->scale, b->zero, scale, zero};
    if (bounds.low != kLowest) sum.attributes["low"] = bounds.low;
    Become(node, std::move(sum));
  }

  void RemoveUnread() {
    std::set<std::string> needed = kept_;
    std::vector<Node> left;
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      Node& node = graph_.nodes[i];
      if (std::none_of(node.outputs.begin(), node.outputs.end(), [&](const auto& v) { return needed.contains(v); }))
        continue;
      needed.insert(node.inputs.begin(), node.inputs.end());
      left.push_back(std::move(node));
    }
    std::reverse(left.begin(), left.end());
    graph_.nodes = std::move(left);
    std::erase_if(graph_.initializers, [&](const auto& entry) { return !needed.contains(entry.first); });
  }

  Graph& graph_;
  std::set<std::string> kept_;
  std::map<std::string, Node*> maker_;
  std::map<std::string, int> readers_;
};

bool HasSubgraphs(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    return std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
      return std::holds_alternative<std::shared_ptr<const Graph>>(attribute.second);
    });
  });
}

}  // namespace

void RewriteQuantized(Graph& graph) {
  const bool quantized = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                                     [](const Node& node) { return node.op == "DequantizeLinear"; });
  if (quantized && !HasSubgraphs(graph)) QuantizedRewriter(graph).Run();
}

}  // namespace graph
