#include "graph/layout.h"

#include <algorithm>
#include <set>

#include "graph/attributes.h"
#include "graph/weight_matrix.h"

namespace graph {
namespace {

// Costs in nanoseconds, from layers of MobileNet-V2 on a Zen 4 core (conv2d_bench --variants planar,nhwc): 9 taps
// channels-last take 0.28 an output; a planar one takes 0.36 and 4 for each row, 1.7 times that at stride 2, where
// there is a kernel for planes, else 1.5 and 35, and twice that; storing a value channels-last takes 0.8 an element, 2
// where it leaves the L2 cache, reading it 0.3.
constexpr double kChannelsLastTap = 0.28 / 9.0;
struct PlanarTap {
  double place, row, stride;
};
constexpr PlanarTap kPlanes = {0.36 / 9.0, 4.0 / 9.0, 1.7}, kGeneral = {1.5 / 9.0, 35.0 / 9.0, 2.0};
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
    bool planes;                    // there is a kernel for planar activations
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
                             TakesPlanes(node), (*matrix)->taps,
                             std::max<int64_t>(1, x.back() / std::max<int64_t>(1, y.back())), y.back()});
    readers_[node.inputs[0]].push_back(convolutions_.size() - 1);
  }

  // See DepthwisePlaneKernels.
  bool TakesPlanes(const Node& node) const {
    const Shape& weights = values_.at(node.inputs[1]).shape;
    const auto strides = IntsAttribute(node, "strides", {}), dilations = IntsAttribute(node, "dilations", {});
    const auto all = [](const auto& values, int64_t most) {
      return values.ok() && std::all_of(values->begin(), values->end(), [&](int64_t v) { return v <= most; });
    };
    return weights.size() == 4 && weights[2] == weights[3] && (weights[2] == 3 || weights[2] == 5) && all(strides, 2) &&
           all(dilations, 1);
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

  double PlanarCost(const Convolution& layer) const {
    const PlanarTap& tap = layer.planes ? kPlanes : kGeneral;
    const double place = tap.place + tap.row / static_cast<double>(layer.columns);
    return Size(layer.output) * static_cast<double>(layer.taps) * place * (layer.stride > 1 ? tap.stride : 1.0);
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
