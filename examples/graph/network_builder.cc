#include "graph/network_builder.h"

#include <cmath>
#include <utility>

#include "graph/builtin.h"

namespace graph {

namespace {

// `x` before the first and behind the last element of every axis.
Shape BothSides(Shape x) {
  x.insert(x.end(), x.begin(), x.end());
  return x;
}

}  // namespace

NetworkBuilder::NetworkBuilder(std::string name, const ValueInfo& input, uint64_t seed)
    : spatial_axes_(input.shape.size() - 2), seed_(seed) {
  graph_.name = std::move(name);
  graph_.inputs.push_back(input);
  channels_[input.name] = input.shape[1];
}

std::string NetworkBuilder::Conv(const std::string& name, const std::string& x, int64_t filters, const ConvSpec& spec) {
  const Shape kernel = spec.kernel.Expand(spatial_axes_);
  Shape weights = {filters, Channels(x) / spec.groups}, pads;
  for (const int64_t extent : kernel) {
    weights.push_back(extent);
    pads.push_back(extent / 2);
  }
  AddWeights(name, weights);
  return AddNode(name, "Conv", {x, name + ".weight", name + ".bias"}, filters,
                 {{"kernel_shape", kernel},
                  {"strides", spec.stride.Expand(spatial_axes_)},
                  {"pads", BothSides(pads)},
                  {"group", spec.groups}});
}

std::string NetworkBuilder::Dense(const std::string& name, const std::string& x, int64_t in, int64_t out) {
  AddWeights(name, {out, in});
  return AddNode(name, "Gemm", {x, name + ".weight", name + ".bias"}, out, {{"transB", int64_t{1}}});
}

std::string NetworkBuilder::Gru(const std::string& name, const std::string& x, int64_t features, int64_t hidden) {
  const float deviation = 1.0f / std::sqrt(3.0f * static_cast<float>(hidden));
  const std::string w = Gaussian(name + ".W", {1, 3 * hidden, features}, deviation);
  const std::string r = Gaussian(name + ".R", {1, 3 * hidden, hidden}, deviation);
  std::vector<float> bias(static_cast<size_t>(6 * hidden));
  FillGaussian(bias, deviation, seed_++);
  AddNode(name, "GRU", {x, w, r, Constant(name + ".B", {1, 6 * hidden}, std::move(bias))}, hidden,
          {{"hidden_size", hidden}, {"linear_before_reset", int64_t{1}}});
  return AddNode(name + ".h", "Squeeze", {name, Integer("direction_axis", 1)}, hidden);
}

std::string NetworkBuilder::Rows(const std::string& x, int64_t columns) {
  return AddNode(x + ".rows", "Reshape", {x, Integers(x + ".rows.shape", {-1, columns})}, columns);
}

std::string NetworkBuilder::Relu(const std::string& x) { return AddNode(x + ".relu", "Relu", {x}, Channels(x)); }

std::string NetworkBuilder::Relu6(const std::string& x) {
  return AddNode(x + ".relu6", "Clip", {x, Constant("relu6.min", {}, {0.0f}), Constant("relu6.max", {}, {6.0f})},
                 Channels(x));
}

std::string NetworkBuilder::LeakyRelu(const std::string& x, float slope) {
  return AddNode(x + ".leaky", "LeakyRelu", {x}, Channels(x), {{"alpha", slope}});
}

std::string NetworkBuilder::Add(const std::string& name, const std::string& a, const std::string& b) {
  return AddNode(name, "Add", {a, b}, Channels(a));
}

std::string NetworkBuilder::Concat(const std::string& name, const std::vector<std::string>& parts) {
  int64_t channels = 0;
  for (const std::string& part : parts) channels += Channels(part);
  return AddNode(name, "Concat", parts, channels, {{"axis", int64_t{1}}});
}

std::string NetworkBuilder::SecondHalf(const std::string& x) {
  const std::string name = x + ".half";
  const int64_t channels = Channels(x);
  return AddNode(
      name, "Slice",
      {x, Integer(name + ".start", channels / 2), Integer(name + ".end", channels), Integer("channel_axis", 1)},
      channels - channels / 2);
}

std::string NetworkBuilder::Upsample2x(const std::string& x) {
  std::vector<float> scales(2 + spatial_axes_, 2.0f);
  scales[0] = scales[1] = 1.0f;
  const auto count = static_cast<int64_t>(scales.size());
  return AddNode(
      x + ".2x", "Resize", {x, "", Constant("scales2x", {count}, std::move(scales))}, Channels(x),
      {{"coordinate_transformation_mode", std::string("asymmetric")}, {"nearest_mode", std::string("floor")}});
}

std::string NetworkBuilder::MaxPool(const std::string& name, const std::string& x, const PoolSpec& spec) {
  return AddNode(name, "MaxPool", {x}, Channels(x),
                 {{"kernel_shape", spec.kernel.Expand(spatial_axes_)},
                  {"strides", spec.stride.Expand(spatial_axes_)},
                  {"pads", BothSides(spec.pad.Expand(spatial_axes_))}});
}

std::string NetworkBuilder::GlobalAveragePool(const std::string& x) {
  return AddNode("pool", "GlobalAveragePool", {x}, Channels(x));
}

std::string NetworkBuilder::Flatten(const std::string& x) { return AddNode("flatten", "Flatten", {x}, Channels(x)); }

std::string NetworkBuilder::Softmax(const std::string& x) {
  return AddNode("probabilities", "Softmax", {x}, Channels(x));
}

Graph NetworkBuilder::Finish(std::vector<std::string> outputs) {
  graph_.outputs = std::move(outputs);
  return std::move(graph_);
}

std::string NetworkBuilder::AddNode(const std::string& name, const std::string& op, std::vector<std::string> inputs,
                                    int64_t channels, std::map<std::string, Attribute> attributes) {
  graph_.nodes.push_back({name, op, std::move(inputs), {name}, std::move(attributes)});
  channels_[name] = channels;
  return name;
}

std::string NetworkBuilder::Gaussian(const std::string& name, const Shape& shape, float deviation) {
  Tensor& tensor = graph_.initializers[name];
  tensor.shape = shape;
  tensor.generate = [deviation, seed = seed_++](std::span<float> values) { FillGaussian(values, deviation, seed); };
  return name;
}

void NetworkBuilder::AddWeights(const std::string& name, const Shape& shape) {
  const auto depth = static_cast<float>(Elements(shape) / shape[0]);
  Gaussian(name + ".weight", shape, std::sqrt(2.0f / depth));
  Tensor& bias = graph_.initializers[name + ".bias"];
  bias.shape = {shape[0]};
  bias.floats.resize(static_cast<size_t>(shape[0]));
  FillGaussian(bias.floats, 0.01f, seed_++);
}

std::string NetworkBuilder::Constant(const std::string& name, const Shape& shape, std::vector<float> values) {
  graph_.initializers[name] = {.shape = shape, .floats = std::move(values)};
  return name;
}

std::string NetworkBuilder::Integers(const std::string& name, std::vector<int64_t> values) {
  const auto count = static_cast<int64_t>(values.size());
  graph_.initializers[name] = {.type = ElementType::kInt64, .shape = {count}, .integers = std::move(values)};
  return name;
}

}  // namespace graph
