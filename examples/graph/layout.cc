#include "graph/layout.h"

#include <algorithm>
#include <set>

#include "graph/weight_matrix.h"

namespace graph {
namespace {

// Costs in the time of one depthwise tap in registers, from layers of MobileNet-V2 (conv2d_bench --variants
// planar,nhwc) on a Zen 3 core: 9 taps channels-last take 0.7 ns an output; a planar one takes 1.5 ns and 35 ns for
// each row, twice that at stride 2; storing a value channels-last takes 0.8 ns an element, 2 ns where it leaves the L2
// cache, reading it 0.3 ns.
constexpr double kChannelsLastTap = 0.7 / 9.0;
constexpr double kPlanarTap = 1.5 / 9.0, kPlanarRow = 35.0 / 9.0;
constexpr double kStore = 0.8, kStoreFar = 2.0, kLoad = 0.3;
constexpr int64_t kFar = 128 * 1024;  // elements: 512 KiB

class Chooser {
 public:
  Chooser(const Graph& graph, const Values& values, const std::vector<Layer>& layers) : values_(values) {
    for (const std::string& output : graph.outputs) planar_.insert(output);
    for (const ValueInfo& input : graph.inputs) planar_.insert(input.name);
    for (const Layer& layer : layers) AddLayer(graph, layer);
  }

  // Depthwise layers in turn, each with its input and output.
  Layouts Choose() {
    Layouts layouts;
    for (const Convolution& layer : convolutions_) {
      if (!layer.depthwise) continue;
      // The layer is fast only where both are channels-last.
      if (!MayChange(layer.input) || !MayChange(layer.output)) continue;
      const double gain = PlanarCost(layer) - ChannelsLastCost(layer);
      if (gain <= Price(layer.input, layouts) + Price(layer.output, layouts)) continue;
      layouts[layer.input] = layouts[layer.output] = Layout::kChannelsLast;
    }
    return layouts;
  }

 private:
  struct Convolution {
    std::string input, output;
    bool depthwise;
    int64_t taps, stride, columns;  // of the last axis
  };

  void AddLayer(const Graph& graph, const Layer& layer) {
    const Node& node = *layer.node;
    const auto matrix = WeightMatrixOf(graph, values_, node);
    const bool convolves = node.op == "Conv" && matrix.ok() && matrix->has_value() && HasPlaces(node.inputs[0]);
    for (const std::string& input : node.inputs) {
      if (!convolves || input != node.inputs[0]) planar_.insert(input);
    }
    for (const Node* fused : layer.fused) planar_.insert(fused->inputs.begin(), fused->inputs.end());
    planar_.erase("");
    if (!layer.residual.empty()) planar_.insert(layer.residual);
    if (!convolves) {
      planar_.insert(layer.output);
      return;
    }
    made_.insert(layer.output);
    const Shape& y = values_.at(layer.output).shape;
    const Shape& x = values_.at(node.inputs[0]).shape;
    convolutions_.push_back({node.inputs[0], layer.output, (*matrix)->IsDepthwise() && (*matrix)->shape.rows == x[1],
                             (*matrix)->taps, std::max<int64_t>(1, x.back() / std::max<int64_t>(1, y.back())),
                             y.back()});
    readers_[node.inputs[0]].push_back(convolutions_.size() - 1);
  }

  // Several positions: of a single one both layouts are the same.
  bool HasPlaces(const std::string& value) const {
    const Shape& shape = values_.at(value).shape;
    return shape.size() >= 3 && Elements(shape) != shape[0] * shape[1];
  }

  bool MayChange(const std::string& value) const {
    return made_.contains(value) && !planar_.contains(value) && readers_.contains(value);
  }

  double Size(const std::string& value) const { return static_cast<double>(Elements(values_.at(value).shape)); }

  static double PerPlace(const Convolution& layer) {
    return kPlanarTap + kPlanarRow / static_cast<double>(layer.columns);
  }
  double PlanarCost(const Convolution& layer) const {
    const double strides = layer.stride > 1 ? 2.0 : 1.0;
    return Size(layer.output) * static_cast<double>(layer.taps) * PerPlace(layer) * strides;
  }
  double ChannelsLastCost(const Convolution& layer) const {
    return Size(layer.output) * static_cast<double>(layer.taps) * kChannelsLastTap;
  }

  // What others pay if `value` stands channels-last; nothing if it does already.
  double Price(const std::string& value, const Layouts& layouts) const {
    if (layouts.contains(value)) return 0.0;
    double price = 0.0;
    const bool by_depthwise = std::any_of(convolutions_.begin(), convolutions_.end(), [&](const Convolution& layer) {
      return layer.output == value && layer.depthwise;
    });
    if (!by_depthwise) price += Size(value) * (Size(value) > static_cast<double>(kFar) ? kStoreFar : kStore);
    for (const size_t reader : readers_.at(value)) {
      if (!convolutions_[reader].depthwise) price += Size(value) * kLoad;
    }
    return price;
  }

  const Values& values_;
  std::vector<Convolution> convolutions_;
  std::map<std::string, std::vector<size_t>> readers_;
  std::set<std::string> planar_;  // values that something but a convolution makes or reads
  std::set<std::string> made_;    // by convolutions
};

}  // namespace

Layouts ChooseLayouts(const Graph& graph, const Values& values, const std::vector<Layer>& layers) {
  return Chooser(graph, values, layers).Choose();
}

}  // namespace graph
