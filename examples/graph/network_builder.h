// NetworkBuilder: the vocabulary in which the built-in networks are written.

#ifndef LACUNA_EXAMPLES_GRAPH_NETWORK_BUILDER_H_
#define LACUNA_EXAMPLES_GRAPH_NETWORK_BUILDER_H_

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

// One value for every spatial axis, or one for each of them.
class PerAxis {
 public:
  PerAxis(int64_t value) : values_{value} {}  // implicit on purpose: {.kernel = 3}
  PerAxis(std::initializer_list<int64_t> values) : values_(values) {}

  // Precondition: there are `axes` values or one.
  Shape Expand(size_t axes) const { return values_.size() == 1 ? Shape(axes, values_[0]) : values_; }

 private:
  Shape values_;
};

// How a convolution differs from 1x1 with stride 1.
struct ConvSpec {
  PerAxis kernel = 1;  // the padding is half of it, times the dilation
  PerAxis stride = 1;
  int64_t groups = 1;
  int64_t dilation = 1;  // of every axis
};

struct PoolSpec {
  PerAxis kernel;
  PerAxis stride;
  PerAxis pad = 0;
};

// Every method appends a node and returns the name of its output, which is the name of the node. Weights are
// He-scaled Gaussians, generated when a layer needs them; BatchNormalization counts as folded, so every convolution has
// a bias.
class NetworkBuilder {
 public:
  // The input has the shape (batch, channels, spatial...), or (time, batch, features) for recurrent layers.
  NetworkBuilder(std::string name, const ValueInfo& input, uint64_t seed);

  int64_t Channels(const std::string& x) const { return channels_.at(x); }

  std::string Conv(const std::string& name, const std::string& x, int64_t filters, const ConvSpec& spec = {});
  // An axis of n becomes one of (n - 1) * stride + kernel - 2 * pad.
  std::string ConvTranspose(const std::string& name, const std::string& x, int64_t filters, const PoolSpec& spec);
  std::string Dense(const std::string& name, const std::string& x, int64_t in, int64_t out);

  // x W + b over the last axis, as exporters write it: MatMul and Add.
  std::string Linear(const std::string& name, const std::string& x, int64_t in, int64_t out);
  // A row of `width` random values for each number below `count`.
  std::string Embedding(const std::string& name, const std::string& x, int64_t count, int64_t width);
  std::string MatMul(const std::string& name, const std::string& a, const std::string& b);

  // Of sequences (time, batch, features), h of every step as (time, batch, hidden); linear_before_reset 1.
  std::string Gru(const std::string& name, const std::string& x, int64_t features, int64_t hidden);
  // A matrix with rows of the `columns` last values.
  std::string Rows(const std::string& x, int64_t columns);

  std::string Relu(const std::string& x);
  std::string Relu6(const std::string& x);  // Clip to [0, 6]
  std::string LeakyRelu(const std::string& x, float slope);

  std::string Mish(const std::string& x);
  std::string Gelu(const std::string& x);  // x Phi(x), spelled by Erf

  // Random scales and shifts.
  std::string InstanceNormalization(const std::string& x);
  std::string LayerNormalization(const std::string& x, int64_t width);  // of the last axis, which has `width` elements
  std::string Affine(const std::string& x, int64_t width);              // x * scale + shift over the last axis
  std::string PlusConstant(const std::string& name, const std::string& x, const Shape& shape);  // x + random values
  std::string Scaled(const std::string& x, float factor);

  std::string Reshape(const std::string& x, const Shape& shape);
  std::string Transpose(const std::string& x, Shape order);
  // Of (batch, length, width): each row between its neighbours, the one behind first, zeros at the ends.
  std::string Trigrams(const std::string& x, int64_t length);
  std::string PixelShuffle(const std::string& x, int64_t scale);  // channels to scale x scale pixels
  std::string Add(const std::string& name, const std::string& a, const std::string& b);
  std::string Concat(const std::string& name, const std::vector<std::string>& parts);  // along the channels
  std::string SecondHalf(const std::string& x);                                        // of the channels
  std::string Upsample2x(const std::string& x);                                        // nearest neighbour
  std::string MaxPool(const std::string& name, const std::string& x, const PoolSpec& spec);
  std::string GlobalAveragePool(const std::string& x);
  std::string Flatten(const std::string& x);
  std::string Softmax(const std::string& x);  // the network's result
  std::string Softmax(const std::string& x, int64_t axis);

  Graph Finish(std::vector<std::string> outputs);

 private:
  std::string AddNode(const std::string& name, const std::string& op, std::vector<std::string> inputs, int64_t channels,
                      std::map<std::string, Attribute> attributes = {});
  // A constant that is generated when it is needed.
  std::string Gaussian(const std::string& name, const Shape& shape, float deviation);
  void AddWeights(const std::string& name, const Shape& shape);
  std::string Constant(const std::string& name, const Shape& shape, std::vector<float> values);
  // Gaussians of that mean, in memory: for what is no layer's weight.
  std::string Random(const std::string& name, const Shape& shape, float mean, float deviation);
  std::string Integers(const std::string& name, std::vector<int64_t> values);
  std::string Integer(const std::string& name, int64_t value) { return Integers(name, {value}); }

  Graph graph_;
  size_t spatial_axes_;
  uint64_t seed_;
  std::map<std::string, int64_t> channels_;  // of each value
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_NETWORK_BUILDER_H_
