#include "graph/quantizing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <regex>
#include <set>
#include <utility>

#include "graph/attributes.h"
#include "graph/constant_folding.h"
#include "graph/executor.h"
#include "graph/fusion.h"
#include "graph/quantized_rewriting.h"
#include "graph/shape_inference.h"

namespace graph {
namespace {

using Sample = std::map<std::string, Tensor>;

constexpr size_t kMostValues = size_t{1} << 20;  // that are kept of a tensor

// Values of a tensor over all samples.
struct Observed {
  float least = 0.0f, most = 0.0f;  // 0 is among them: padding must be exact
  std::vector<float> values;        // some of them
  std::vector<double> channel_sum;  // over axis 1
  int64_t per_channel = 0;

  void Add(const Shape& shape, std::span<const float> x, size_t keep) {
    const size_t step = std::max<size_t>(1, x.size() / std::max<size_t>(1, keep));
    for (size_t i = 0; i < x.size(); ++i) {
      least = std::min(least, x[i]);
      most = std::max(most, x[i]);
      if (i % step == 0 && values.size() < kMostValues) values.push_back(x[i]);
    }
    if (shape.size() < 2) return;
    const auto channels = static_cast<size_t>(shape[1]);
    const size_t inner = x.size() / std::max<size_t>(1, channels * static_cast<size_t>(shape[0]));
    channel_sum.resize(channels);
    for (size_t i = 0; i < x.size(); ++i) channel_sum[i / inner % channels] += double{x[i]};
    per_channel += shape[0] * static_cast<int64_t>(inner);
  }
};

struct Range {
  float scale;
  int64_t zero_point;
};

Range RangeOf(float least, float most) {
  const float scale = (most - least) / 255.0f;
  if (!std::isnormal(scale)) return {1.0f, 0};
  return {scale, static_cast<int64_t>(std::clamp(std::nearbyint(-least / scale), 0.0f, 255.0f))};
}

double SquaredError(const std::vector<float>& values, const Range& range) {
  const auto zero = static_cast<float>(range.zero_point);
  double sum = 0.0;
  for (const float x : values) {
    const float q = std::clamp(std::nearbyint(x / range.scale) + zero, 0.0f, 255.0f);
    const double error = double{x} - double{(q - zero) * range.scale};
    sum += error * error;
  }
  return sum;
}

Range ChooseRange(Observed& observed, const QuantizeOptions& options) {
  std::vector<float>& values = observed.values;
  if (options.range == RangeMethod::kPercentile && !values.empty()) {
    const auto at = [&](double part) {
      const auto place = static_cast<ptrdiff_t>(part * static_cast<double>(values.size() - 1));
      std::nth_element(values.begin(), values.begin() + place, values.end());
      return values[static_cast<size_t>(place)];
    };
    const double part = options.percentile / 100.0;
    return RangeOf(std::min(0.0f, at(1.0 - part)), std::max(0.0f, at(part)));
  }
  Range best = RangeOf(observed.least, observed.most);
  if (options.range != RangeMethod::kMse) return best;
  double least_error = SquaredError(values, best);
  for (int percent = 95; percent >= 30; percent -= 5) {
    const float part = static_cast<float>(percent) / 100.0f;
    const Range range = RangeOf(observed.least * part, observed.most * part);
    const double error = SquaredError(values, range);
    if (error < least_error) {
      least_error = error;
      best = range;
    }
  }
  return best;
}

// A layer that can be quantised.
struct Candidate {
  size_t node;
  std::string output;  // behind its Relu or Clip
  bool gemm_columns;   // weights are stored [K, M]
};

class Quantizer {
 public:
  Quantizer(Graph graph, const QuantizeOptions& options) : graph_(std::move(graph)), options_(options) {}

  Result<QuantizedGraph> Run(const std::vector<Sample>& samples) {
    if (graph_.opset < 13) {
      return Status::Make(StatusCode::kUnsupported, "the operator set is version %lld, must be at least 13",
                          static_cast<long long>(graph_.opset));
    }
    if (samples.empty()) return Status::InvalidArgument("there are no samples, must be at least 1");
    LACUNA_RETURN_IF_ERROR(FoldNormalizations());
    Index();
    LACUNA_RETURN_IF_ERROR(FindCandidates());
    FindValues();
    LACUNA_RETURN_IF_ERROR(Observe(samples));
    QuantizedGraph result;
    for (const Candidate& candidate : candidates_) result.layers.push_back({.name = graph_.nodes[candidate.node].name});
    if (options_.most_sensitive > 0) LACUNA_RETURN_IF_ERROR(LeaveSensitive(samples, result.layers));
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (left_.contains(i)) result.layers[i].left = left_.at(i);
    }
    LACUNA_ASSIGN_OR_RETURN(quantized, Write([&](size_t i) { return !left_.contains(i); }));
    result.graph = std::move(quantized);
    return result;
  }

 private:
  void Index() {
    readers_.clear();
    maker_.clear();
    kept_ = {graph_.outputs.begin(), graph_.outputs.end()};
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      for (const std::string& input : graph_.nodes[i].inputs) readers_[input].push_back(i);
      for (const std::string& output : graph_.nodes[i].outputs) maker_[output] = i;
    }
  }

  // The one node that reads `value`, or null.
  const Node* OnlyReader(const std::string& value) const {
    const auto found = readers_.find(value);
    if (kept_.contains(value) || found == readers_.end() || found->second.size() != 1) return nullptr;
    return &graph_.nodes[found->second[0]];
  }

  Status Materialize(const std::string& name) {
    Tensor& tensor = graph_.initializers.at(name);
    if (!tensor.generate) return Status();
    tensor.floats.resize(static_cast<size_t>(Elements(tensor.shape)));
    tensor.generate(tensor.floats);
    tensor.generate = nullptr;
    return Status();
  }

  // Conv and BatchNormalization -> Conv.
  Status FoldNormalizations() {
    Index();
    std::set<size_t> removed;
    for (Node& node : graph_.nodes) {
      if (node.op != "Conv" || graph_.Constant(node.inputs[1]) == nullptr) continue;
      const Node* next = OnlyReader(node.outputs[0]);
      if (next == nullptr || next->op != "BatchNormalization" || next->inputs[0] != node.outputs[0]) continue;
      if (node.HasInput(2) && graph_.Constant(node.inputs[2]) == nullptr) continue;
      std::vector<float> scale, shift;
      LACUNA_RETURN_IF_ERROR(FoldBatchNormalization(graph_, *next, scale, shift));
      LACUNA_RETURN_IF_ERROR(Materialize(node.inputs[1]));
      Tensor weights = graph_.initializers.at(node.inputs[1]);
      const size_t rows = scale.size(), columns = weights.floats.size() / std::max<size_t>(1, rows);
      for (size_t i = 0; i < rows * columns; ++i) weights.floats[i] *= scale[i / columns];
      if (node.HasInput(2)) {
        const Tensor& bias = graph_.initializers.at(node.inputs[2]);
        for (size_t r = 0; r < rows; ++r) shift[r] += scale[r] * bias.floats[r];
      }
      const std::string prefix = node.outputs[0] + "/folded_";
      node.inputs.resize(3);
      node.inputs[1] = prefix + "weights";
      node.inputs[2] = prefix + "bias";
      graph_.initializers[node.inputs[1]] = std::move(weights);
      graph_.initializers[node.inputs[2]] = {.shape = {static_cast<int64_t>(rows)}, .floats = std::move(shift)};
      removed.insert(maker_.at(next->outputs[0]));
      node.outputs[0] = next->outputs[0];
    }
    std::vector<Node> left;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!removed.contains(i)) left.push_back(std::move(graph_.nodes[i]));
    }
    graph_.nodes = std::move(left);
    return Status();
  }

  Status FindCandidates() {
    LACUNA_ASSIGN_OR_RETURN(values, InferValues(graph_));
    values_ = std::move(values);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (node.op != "Conv" && node.op != "Gemm") continue;
      const Tensor* weights = graph_.Constant(node.inputs[1]);
      const Tensor* bias = node.HasInput(2) ? graph_.Constant(node.inputs[2]) : nullptr;
      if (weights == nullptr || !weights->IsFloats() || graph_.Constant(node.inputs[0]) != nullptr) continue;
      LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(node, "alpha", 1.0f));
      LACUNA_ASSIGN_OR_RETURN(beta, FloatAttribute(node, "beta", 1.0f));
      LACUNA_ASSIGN_OR_RETURN(trans_a, IntAttribute(node, "transA", 0));
      LACUNA_ASSIGN_OR_RETURN(trans_b, IntAttribute(node, "transB", 0));
      const bool columns = node.op == "Gemm" && trans_b == 0;
      const int64_t rows = weights->shape[columns ? 1 : 0];
      if (node.op == "Gemm" && (alpha != 1.0f || beta != 1.0f || trans_a != 0)) continue;
      if (node.HasInput(2) && (bias == nullptr || Elements(bias->shape) != rows)) continue;
      LACUNA_RETURN_IF_ERROR(Materialize(node.inputs[1]));
      if (node.HasInput(2)) LACUNA_RETURN_IF_ERROR(Materialize(node.inputs[2]));
      std::string output = node.outputs[0];
      if (const Node* next = OnlyReader(output); next != nullptr && (next->op == "Relu" || next->op == "Clip")) {
        output = next->outputs[0];
      }
      if (!options_.float_layers.empty() && std::regex_search(node.name, std::regex(options_.float_layers))) {
        left_[candidates_.size()] = "by name";
      }
      candidates_.push_back({i, output, columns});
    }
    return Status();
  }

  // Values that have a scale: by those of layers, and further through what keeps or adds them.
  void FindValues() {
    for (const Candidate& candidate : candidates_) {
      scaled_.insert(graph_.nodes[candidate.node].inputs[0]);
      if (!kept_.contains(candidate.output)) scaled_.insert(candidate.output);
    }
    for (const Node& node : graph_.nodes) {
      if (node.op == "Add" && scaled_.contains(node.inputs[0]) && scaled_.contains(node.inputs[1]) &&
          values_.at(node.inputs[0]).shape == values_.at(node.inputs[1]).shape) {
        std::string sum = node.outputs[0];
        if (const Node* next = OnlyReader(sum); next != nullptr && next->op == "Relu") sum = next->outputs[0];
        if (!kept_.contains(sum)) scaled_.insert(sum);
        adds_.insert(&node);
      } else if ((node.op == "MaxPool" || node.op == "Reshape" || node.op == "Flatten") &&
                 scaled_.contains(node.inputs[0]) && !kept_.contains(node.outputs[0]) &&
                 node.PresentOutputs().size() == 1) {
        scaled_.insert(node.outputs[0]);
        same_as_[node.outputs[0]] = node.inputs[0];
      }
    }
  }

  Status RunSamples(const Graph& graph, const std::vector<Sample>& samples,
                    const std::function<void(size_t, Network&)>& take) const {
    LACUNA_ASSIGN_OR_RETURN(network, Network::Compile(graph, {.threads = options_.threads}));
    for (size_t s = 0; s < samples.size(); ++s) {
      for (size_t i = 0; i < network.input_count(); ++i) {
        const auto found = samples[s].find(network.input_info(i).name);
        if (found == samples[s].end()) {
          return Status::Make(StatusCode::kNotFound, "sample %zu has no input '%.80s'", s,
                              network.input_info(i).name.c_str());
        }
        LACUNA_RETURN_IF_ERROR(network.SetInput(i, found->second));
      }
      LACUNA_RETURN_IF_ERROR(network.Run());
      take(s, network);
    }
    return Status();
  }

  Status Observe(const std::vector<Sample>& samples) {
    Graph all = graph_;
    for (const std::string& value : scaled_) {
      const bool is_input = std::any_of(all.inputs.begin(), all.inputs.end(),
                                        [&](const ValueInfo& input) { return input.name == value; });
      if (!is_input && !kept_.contains(value)) all.outputs.push_back(value);
      if (!IsFloating(values_.at(value).type)) return Status::InvalidArgument("'%s' is not of floats", value.c_str());
    }
    const size_t keep = kMostValues / samples.size();
    const Status status = RunSamples(all, samples, [&](size_t s, Network& network) {
      for (size_t i = 0; i < network.output_count(); ++i) {
        if (!scaled_.contains(network.output_name(i))) continue;
        observed_[network.output_name(i)].Add(network.output_shape(i), network.output(i), keep);
      }
      for (size_t i = 0; i < network.input_count(); ++i) {
        const ValueInfo& info = network.input_info(i);
        if (!scaled_.contains(info.name)) continue;
        observed_[info.name].Add(info.shape, samples[s].at(info.name).floats, keep);
      }
    });
    LACUNA_RETURN_IF_ERROR(status);
    for (auto& [value, observed] : observed_) ranges_[value] = ChooseRange(observed, options_);
    for (const Node& node : graph_.nodes) {  // in their order, so that what they follow is known
      if (const auto same = same_as_.find(node.outputs[0]); same != same_as_.end()) {
        ranges_[same->first] = ranges_.at(same->second);
      }
    }
    return Status();
  }

  // The layers that change the outputs most when they alone are quantised stay in floats.
  Status LeaveSensitive(const std::vector<Sample>& samples, std::vector<QuantizedLayerInfo>& layers) {
    const std::vector<Sample> few(samples.begin(),
                                  samples.begin() + static_cast<ptrdiff_t>(std::min<size_t>(8, samples.size())));
    std::vector<std::vector<float>> expected;
    LACUNA_RETURN_IF_ERROR(RunSamples(graph_, few, [&](size_t, Network& network) {
      std::vector<float>& all = expected.emplace_back();
      for (size_t i = 0; i < network.output_count(); ++i) {
        if (IsFloating(network.output_type(i)))
          all.insert(all.end(), network.output(i).begin(), network.output(i).end());
      }
    }));
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (left_.contains(i)) continue;
      LACUNA_ASSIGN_OR_RETURN(alone, Write([i](size_t layer) { return layer == i; }));
      RewriteQuantized(alone);
      LACUNA_RETURN_IF_ERROR(FoldConstants(alone, kMaxTensorElements));
      double error = 0.0, total = 0.0;
      LACUNA_RETURN_IF_ERROR(RunSamples(alone, few, [&](size_t s, Network& network) {
        size_t at = 0;
        for (size_t o = 0; o < network.output_count(); ++o) {
          if (!IsFloating(network.output_type(o))) continue;
          for (const float y : network.output(o)) {
            const double target = expected[s][at++];
            error += (double{y} - target) * (double{y} - target);
            total += target * target;
          }
        }
      }));
      layers[i].output_error = total > 0.0 ? error / total : 0.0;
    }
    std::vector<size_t> order(candidates_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return layers[a].output_error > layers[b].output_error; });
    for (size_t i = 0, leave = options_.most_sensitive; i < order.size() && leave > 0; ++i) {
      if (left_.contains(order[i])) continue;
      left_[order[i]] = "among the most sensitive";
      --leave;
    }
    return Status();
  }

  // The graph with the layers quantised that `takes` takes.
  template <class Takes>
  Result<Graph> Write(const Takes& takes) const {
    Graph out = graph_;
    out.nodes.clear();
    // Values around the layers that are quantised; sums need both sides.
    std::set<std::string> used;
    std::map<size_t, const Candidate*> quantized;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (!takes(i)) continue;
      quantized[candidates_[i].node] = &candidates_[i];
      used.insert(graph_.nodes[candidates_[i].node].inputs[0]);
      if (scaled_.contains(candidates_[i].output)) used.insert(candidates_[i].output);
    }
    for (const Node& node : graph_.nodes) {
      if (adds_.contains(&node) && used.contains(node.inputs[0]) && used.contains(node.inputs[1])) {
        std::string sum = node.outputs[0];
        if (const Node* next = OnlyReader(sum); next != nullptr && next->op == "Relu") sum = next->outputs[0];
        if (scaled_.contains(sum)) used.insert(sum);
      }
      if (same_as_.contains(node.outputs[0]) && used.contains(node.inputs[0])) used.insert(node.outputs[0]);
    }
    std::map<std::string, std::string> renamed;  // values -> as they are read once rounded
    const auto add_quantization = [&](const std::string& value) {
      const Range& range = ranges_.at(value);
      const std::string scale = value + "/scale", zero = value + "/zero_point";
      out.initializers[scale] = {.shape = {}, .floats = {range.scale}};
      out.initializers[zero] = {.type = ElementType::kUint8, .shape = {}, .integers = {range.zero_point}};
      out.nodes.push_back(
          {value + "/QuantizeLinear", "QuantizeLinear", {value, scale, zero}, {value + "/quantized"}, {}});
      out.nodes.push_back({value + "/DequantizeLinear",
                           "DequantizeLinear",
                           {value + "/quantized", scale, zero},
                           {value + "/dequantized"},
                           {}});
      renamed[value] = value + "/dequantized";
    };
    for (const ValueInfo& input : graph_.inputs) {
      if (used.contains(input.name)) add_quantization(input.name);
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      Node node = graph_.nodes[i];
      const std::string x = node.inputs.empty() ? "" : node.inputs[0];
      for (std::string& input : node.inputs) {
        if (const auto found = renamed.find(input); found != renamed.end()) input = found->second;
      }
      if (const auto found = quantized.find(i); found != quantized.end()) AddWeights(*found->second, x, node, out);
      const std::vector<std::string> outputs = node.outputs;
      out.nodes.push_back(std::move(node));
      for (const std::string& output : outputs) {
        if (used.contains(output)) add_quantization(output);
      }
    }
    return out;
  }

  // Replaces weights and bias of `node` by rounded ones behind DequantizeLinear. `x` is its input before rounding.
  void AddWeights(const Candidate& candidate, const std::string& x, Node& node, Graph& out) const {
    const Tensor& weights = *graph_.Constant(node.inputs[1]);
    const size_t rows = static_cast<size_t>(weights.shape[candidate.gemm_columns ? 1 : 0]);
    const size_t columns = weights.floats.size() / std::max<size_t>(1, rows);
    const auto at = [&](size_t r, size_t c) { return candidate.gemm_columns ? c * rows + r : r * columns + c; };
    Tensor rounded{.type = ElementType::kInt8, .shape = weights.shape};
    rounded.integers.resize(weights.floats.size());
    std::vector<float> scales(rows);
    std::vector<double> lost(rows, 0.0);  // of the mean of its sums
    const Observed& inputs = observed_.at(x);
    const Shape& x_shape = values_.at(x).shape;
    const size_t groups =
        node.op == "Conv"
            ? static_cast<size_t>(IntAttribute(node, "group", 1).ok() ? *IntAttribute(node, "group", 1) : 1)
            : 1;
    const size_t channels = x_shape.size() > 1 ? static_cast<size_t>(x_shape[1]) : 1;
    const size_t taps = columns / std::max<size_t>(1, channels / groups);
    const bool correct = options_.bias_correction && inputs.per_channel > 0;
    for (size_t r = 0; r < rows; ++r) {
      float largest = 0.0f;
      for (size_t c = 0; c < columns; ++c) largest = std::max(largest, std::abs(weights.floats[at(r, c)]));
      const float scale = largest / 127.0f;
      scales[r] = std::isnormal(scale) ? scale : 1.0f;
      for (size_t c = 0; c < columns; ++c) {
        const float w = weights.floats[at(r, c)];
        const float q = std::clamp(std::nearbyint(w / scales[r]), -127.0f, 127.0f);
        rounded.integers[at(r, c)] = static_cast<int64_t>(q);
        if (!correct) continue;
        const size_t channel = r / (rows / groups) * (channels / groups) + c / taps;
        lost[r] +=
            (double{w} - double{q * scales[r]}) * inputs.channel_sum[channel] / static_cast<double>(inputs.per_channel);
      }
    }
    const std::string prefix = node.inputs[1] + "/" + node.name;
    const float x_scale = ranges_.at(x).scale;
    Tensor bias{.type = ElementType::kInt32, .shape = {static_cast<int64_t>(rows)}};
    std::vector<float> bias_scales(rows);
    const Tensor* given = node.HasInput(2) ? graph_.Constant(node.inputs[2]) : nullptr;
    for (size_t r = 0; r < rows; ++r) {
      bias_scales[r] = x_scale * scales[r];
      const double value = (given != nullptr ? double{given->floats[r]} : 0.0) + lost[r];
      constexpr double kMost = std::numeric_limits<int32_t>::max() / 2;
      bias.integers.push_back(
          static_cast<int64_t>(std::clamp(std::nearbyint(value / double{bias_scales[r]}), -kMost, kMost)));
    }
    const auto count = static_cast<int64_t>(rows);
    Tensor zeros = Tensor::Zeros(ElementType::kInt8, {count}), bias_zeros = Tensor::Zeros(ElementType::kInt32, {count});
    const auto add = [&](const std::string& what, Tensor integers, std::vector<float> scale, Tensor zero,
                         int64_t axis) {
      const std::string name = prefix + "/" + what;
      out.initializers[name + "_quantized"] = std::move(integers);
      out.initializers[name + "_scale"] = {.shape = {count}, .floats = std::move(scale)};
      out.initializers[name + "_zero_point"] = std::move(zero);
      Node dequantize{name + "/DequantizeLinear",
                      "DequantizeLinear",
                      {name + "_quantized", name + "_scale", name + "_zero_point"},
                      {name + "_dequantized"},
                      {}};
      dequantize.attributes["axis"] = axis;
      out.nodes.push_back(std::move(dequantize));
      return name + "_dequantized";
    };
    node.inputs.resize(3);
    node.inputs[1] = add("weights", std::move(rounded), scales, std::move(zeros), candidate.gemm_columns ? 1 : 0);
    node.inputs[2] = add("bias", std::move(bias), bias_scales, std::move(bias_zeros), 0);
  }

  Graph graph_;
  const QuantizeOptions& options_;
  Values values_;
  std::map<std::string, std::vector<size_t>> readers_;
  std::map<std::string, size_t> maker_;
  std::set<std::string> kept_;
  std::vector<Candidate> candidates_;
  std::map<size_t, std::string> left_;  // candidates that stay in floats, and why
  std::set<std::string> scaled_;
  std::set<const Node*> adds_;
  std::map<std::string, std::string> same_as_;  // value -> the one whose scale it has
  std::map<std::string, Observed> observed_;
  std::map<std::string, Range> ranges_;
};

}  // namespace

Result<QuantizedGraph> QuantizeGraph(const Graph& graph, const std::vector<std::map<std::string, Tensor>>& samples,
                                     const QuantizeOptions& options) {
  return Quantizer(graph, options).Run(samples);
}

}  // namespace graph
