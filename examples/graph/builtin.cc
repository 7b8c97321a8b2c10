#include "graph/builtin.h"

#include <cmath>
#include <utility>
#include <vector>

namespace graph {
namespace {

// SplitMix64 (Steele, Lea and Flood, 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // In (0, 1).
  double NextUniform() { return (static_cast<double>(Next() >> 11) + 0.5) * 0x1p-53; }

 private:
  uint64_t state_;
};

class Builder {
 public:
  Builder(std::string name, int64_t batch, uint64_t seed) : seed_(seed) {
    graph_.name = std::move(name);
    graph_.inputs.push_back({"image", {batch, 3, 224, 224}});
  }

  std::string Conv(const std::string& name, const std::string& x, int64_t in, int64_t out, int64_t kernel,
                   int64_t stride = 1) {
    AddWeights(name, {out, in, kernel, kernel}, in * kernel * kernel);
    const int64_t pad = kernel / 2;
    return AddNode(
        name, "Conv", {x, name + ".weight", name + ".bias"},
        {{"kernel_shape", Shape{kernel, kernel}}, {"strides", Shape{stride, stride}}, {"pads", Shape(4, pad)}});
  }

  std::string ConvRelu(const std::string& name, const std::string& x, int64_t in, int64_t out, int64_t kernel,
                       int64_t stride = 1) {
    return Relu(Conv(name, x, in, out, kernel, stride));
  }

  std::string Relu(const std::string& x) { return AddNode(x + ".relu", "Relu", {x}); }
  std::string Add(const std::string& name, const std::string& a, const std::string& b) {
    return AddNode(name, "Add", {a, b});
  }
  std::string MaxPool(const std::string& name, const std::string& x, int64_t kernel, int64_t stride, int64_t pad) {
    return AddNode(
        name, "MaxPool", {x},
        {{"kernel_shape", Shape{kernel, kernel}}, {"strides", Shape{stride, stride}}, {"pads", Shape(4, pad)}});
  }
  std::string GlobalAveragePool(const std::string& x) { return AddNode("pool", "GlobalAveragePool", {x}); }
  std::string Flatten(const std::string& x) { return AddNode("flatten", "Flatten", {x}); }

  std::string Dense(const std::string& name, const std::string& x, int64_t in, int64_t out) {
    AddWeights(name, {out, in}, in);
    return AddNode(name, "Gemm", {x, name + ".weight", name + ".bias"}, {{"transB", int64_t{1}}});
  }

  Graph Finish(const std::string& x) {
    graph_.outputs = {AddNode("probabilities", "Softmax", {x})};
    return std::move(graph_);
  }

 private:
  std::string AddNode(const std::string& name, const std::string& op, std::vector<std::string> inputs,
                      std::map<std::string, Attribute> attributes = {}) {
    graph_.nodes.push_back({name, op, std::move(inputs), {name}, std::move(attributes)});
    return name;
  }

  void AddWeights(const std::string& name, const Shape& shape, int64_t depth) {
    Tensor& weights = graph_.initializers[name + ".weight"];
    weights.shape = shape;
    weights.floats.resize(static_cast<size_t>(Elements(shape)));
    FillGaussian(weights.floats, std::sqrt(2.0f / static_cast<float>(depth)), seed_++);
    Tensor& bias = graph_.initializers[name + ".bias"];
    bias.shape = {shape[0]};
    bias.floats.resize(static_cast<size_t>(shape[0]));
    FillGaussian(bias.floats, 0.01f, seed_++);
  }

  Graph graph_;
  uint64_t seed_;
};

Graph Vgg16(int64_t batch, uint64_t seed) {
  Builder net("vgg16", batch, seed);
  std::string x = "image";
  int64_t channels = 3;
  const std::pair<int64_t, int> blocks[] = {{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}};  // channels, layers
  int number = 0;
  for (const auto& [width, count] : blocks) {
    ++number;
    for (int i = 1; i <= count; ++i) {
      x = net.ConvRelu("conv" + std::to_string(number) + "_" + std::to_string(i), x, channels, width, 3);
      channels = width;
    }
    x = net.MaxPool("pool" + std::to_string(number), x, 2, 2, 0);
  }
  x = net.Relu(net.Dense("fc6", net.Flatten(x), 512 * 7 * 7, 4096));
  x = net.Relu(net.Dense("fc7", x, 4096, 4096));
  return net.Finish(net.Dense("fc8", x, 4096, 1000));
}

Graph Resnet50(int64_t batch, uint64_t seed) {
  Builder net("resnet50", batch, seed);
  std::string x = net.MaxPool("pool1", net.ConvRelu("conv1", "image", 3, 64, 7, 2), 3, 2, 1);
  int64_t channels = 64;
  const int counts[] = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    const int64_t width = int64_t{64} << stage;
    for (int i = 0; i < counts[stage]; ++i) {
      const std::string name = "res" + std::to_string(stage + 2) + static_cast<char>('a' + i);
      const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      const std::string shortcut = i == 0 ? net.Conv(name + "_branch1", x, channels, 4 * width, 1, stride) : x;
      std::string y = net.ConvRelu(name + "_2a", x, channels, width, 1);
      y = net.ConvRelu(name + "_2b", y, width, width, 3, stride);
      y = net.Conv(name + "_2c", y, width, 4 * width, 1);
      x = net.Relu(net.Add(name, y, shortcut));
      channels = 4 * width;
    }
  }
  return net.Finish(net.Dense("fc", net.Flatten(net.GlobalAveragePool(x)), 2048, 1000));
}

struct Network {
  const char* name;
  Graph (*build)(int64_t batch, uint64_t seed);
};

constexpr Network kNetworks[] = {{"vgg16", Vgg16}, {"resnet50", Resnet50}};

}  // namespace

bool IsBuiltinNetwork(const std::string& name) {
  for (const Network& network : kNetworks) {
    if (name == network.name) return true;
  }
  return false;
}

Result<Graph> BuiltinNetwork(const std::string& name, int64_t batch, uint64_t seed) {
  std::string known;
  for (const Network& network : kNetworks) {
    if (name == network.name) return network.build(batch, seed);
    known += (known.empty() ? "" : ", ") + std::string(network.name);
  }
  return Status::Make(StatusCode::kNotFound, "network is '%s', must be one of %s", name.c_str(), known.c_str());
}

void FillGaussian(std::span<float> values, float deviation, uint64_t seed) {
  Random random(seed);
  for (size_t i = 0; i < values.size(); i += 2) {  // Box and Muller, two at a time
    const double radius = std::sqrt(-2.0 * std::log(random.NextUniform()));
    const double angle = 2.0 * 3.14159265358979323846 * random.NextUniform();
    values[i] = deviation * static_cast<float>(radius * std::cos(angle));
    if (i + 1 < values.size()) values[i + 1] = deviation * static_cast<float>(radius * std::sin(angle));
  }
}

}  // namespace graph
