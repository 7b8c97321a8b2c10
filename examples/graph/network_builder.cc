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
    pads.push_back(extent / 2 * spec.dilation);
  }
  AddWeights(name, weights);
  return AddNode(name, "Conv", {x, name + ".weight", name + ".bias"}, filters,
                 {{"kernel_shape", kernel},
                  {"strides", spec.stride.Expand(spatial_axes_)},
                  {"dilations", Shape(spatial_axes_, spec.dilation)},
                  {"pads", BothSides(pads)},
                  {"group", spec.groups}});
}

std::string NetworkBuilder::ConvTranspose(const std::string& name, const std::string& x, int64_t filters,
                                          const PoolSpec& spec) {
  const Shape kernel = spec.kernel.Expand(spatial_axes_);
  Shape weights = {Channels(x), filters};
  weights.insert(weights.end(), kernel.begin(), kernel.end());
  Gaussian(name + ".weight", weights, std::sqrt(2.0f / static_cast<float>(Elements(weights) / filters)));
  Random(name + ".bias", {filters}, 0.0f, 0.01f);
  return AddNode(name, "ConvTranspose", {x, name + ".weight", name + ".bias"}, filters,
                 {{"kernel_shape", kernel},
                  {"strides", spec.stride.Expand(spatial_axes_)},
                  {"pads", BothSides(spec.pad.Expand(spatial_axes_))}});
}

std::string NetworkBuilder::Linear(const std::string& name, const std::string& x, int64_t in, int64_t out) {
  Gaussian(name + ".weight", {in, out}, std::sqrt(1.0f / static_cast<float>(in)));
  Random(name + ".bias", {out}, 0.0f, 0.01f);
  AddNode(name + ".product", "MatMul", {x, name + ".weight"}, out);
  return AddNode(name, "Add", {name + ".product", name + ".bias"}, out);
}

std::string NetworkBuilder::Embedding(const std::string& name, const std::string& x, int64_t count, int64_t width) {
  Random(name + ".table", {count, width}, 0.0f, 1.0f);
  return AddNode(name, "Gather", {name + ".table", x}, width);
}

std::string NetworkBuilder::MatMul(const std::string& name, const std::string& a, const std::string& b) {
  return AddNode(name, "MatMul", {a, b}, Channels(a));
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

std::string NetworkBuilder::Mish(const std::string& x) {
  AddNode(x + ".softplus", "Softplus", {x}, Channels(x));
  AddNode(x + ".tanh", "Tanh", {x + ".softplus"}, Channels(x));
  return AddNode(x + ".mish", "Mul", {x, x + ".tanh"}, Channels(x));
}

std::string NetworkBuilder::Gelu(const std::string& x) {
  AddNode(x + ".erf", "Erf", {Scaled(x, std::sqrt(0.5f))}, Channels(x));
  AddNode(x + ".plus1", "Add", {x + ".erf", Constant("one", {}, {1.0f})}, Channels(x));
  AddNode(x + ".twice", "Mul", {x, x + ".plus1"}, Channels(x));
  return Scaled(x + ".twice", 0.5f);
}

std::string NetworkBuilder::InstanceNormalization(const std::string& x) {
  const Shape shape = {Channels(x)};
  return AddNode(x + ".norm", "InstanceNormalization",
                 {x, Random(x + ".scale", shape, 1.0f, 0.1f), Random(x + ".shift", shape, 0.0f, 0.1f)}, Channels(x));
}

std::string NetworkBuilder::LayerNormalization(const std::string& x, int64_t width) {
  const Shape shape = {width};
  return AddNode(x + ".norm", "LayerNormalization",
                 {x, Random(x + ".scale", shape, 1.0f, 0.1f), Random(x + ".shift", shape, 0.0f, 0.1f)}, Channels(x));
}

std::string NetworkBuilder::Affine(const std::string& x, int64_t width) {
  AddNode(x + ".scaled", "Mul", {x, Random(x + ".scale", {width}, 1.0f, 0.1f)}, Channels(x));
  return AddNode(x + ".affine", "Add", {x + ".scaled", Random(x + ".shift", {width}, 0.0f, 0.1f)}, Channels(x));
}

std::string NetworkBuilder::PlusConstant(const std::string& name, const std::string& x, const Shape& shape) {
  return AddNode(name, "Add", {x, Random(name + ".values", shape, 0.0f, 0.1f)}, Channels(x));
}

std::string NetworkBuilder::Scaled(const std::string& x, float factor) {
  return AddNode(x + ".times", "Mul", {x, Constant(x + ".factor", {}, {factor})}, Channels(x));
}

std::string NetworkBuilder::Reshape(const std::string& x, const Shape& shape) {
  return AddNode(x + ".shaped", "Reshape", {x, Integers(x + ".shape", shape)}, Channels(x));
}

std::string NetworkBuilder::Transpose(const std::string& x, Shape order) {
  return AddNode(x + ".transposed", "Transpose", {x}, Channels(x), {{"perm", std::move(order)}});
}

std::string NetworkBuilder::Trigrams(const std::string& x, int64_t length) {
  const auto shifted = [&](const std::string& name, int64_t begin, std::vector<int64_t> pads) {
    const std::string part = AddNode(
        name + ".part", "Slice",
        {x, Integer(name + ".begin", begin), Integer(name + ".end", begin + length - 1), Integer("sequence_axis", 1)},
        Channels(x));
    return AddNode(name, "Pad", {part, Integers(name + ".pads", std::move(pads))}, Channels(x));
  };
  const std::string behind = shifted(x + ".behind", 1, {0, 0, 0, 0, 1, 0});
  const std::string before = shifted(x + ".before", 0, {0, 1, 0, 0, 0, 0});
  return AddNode(x + ".trigrams", "Concat", {behind, x, before}, 3 * Channels(x), {{"axis", int64_t{2}}});
}

std::string NetworkBuilder::PixelShuffle(const std::string& x, int64_t scale) {
  return AddNode(x + ".pixels", "DepthToSpace", {x}, Channels(x) / (scale * scale),
                 {{"blocksize", scale}, {"mode", std::string("CRD")}});
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

std::string NetworkBuilder::Softmax(const std::string& x, int64_t axis) {
  return AddNode(x + ".softmax", "Softmax", {x}, Channels(x), {{"axis", axis}});
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
  Random(name + ".bias", {shape[0]}, 0.0f, 0.01f);
}

std::string NetworkBuilder::Random(const std::string& name, const Shape& shape, float mean, float deviation) {
  std::vector<float> values(static_cast<size_t>(Elements(shape)));
  FillGaussian(values, deviation, seed_++);
  for (float& value : values) value += mean;
  return Constant(name, shape, std::move(values));
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
