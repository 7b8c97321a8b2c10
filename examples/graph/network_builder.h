// NetworkBuilder: the vocabulary in which the built-in networks are written.

#ifndef LACUNA_EXAMPLES_GRAPH_NETWORK_BUILDER_H_
#define LACUNA_EXAMPLES_GRAPH_NETWORK_BUILDER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

// How a convolution differs from 1x1 with stride 1.
struct ConvSpec {
  int64_t kernel = 1;  // the padding is half of it
  int64_t stride = 1;
  int64_t groups = 1;
};

// Every method appends one node and returns the name of its output, which is the name of the node. Weights are
// He-scaled Gaussians; BatchNormalization counts as folded, so every convolution has a bias.
class NetworkBuilder {
 public:
  // The input is the value "image" of [batch, 3, side, side].
  NetworkBuilder(std::string name, int64_t batch, int64_t side, uint64_t seed);

  int64_t Channels(const std::string& x) const { return channels_.at(x); }

  std::string Conv(const std::string& name, const std::string& x, int64_t filters, const ConvSpec& spec = {});
  std::string Dense(const std::string& name, const std::string& x, int64_t in, int64_t out);

  std::string Relu(const std::string& x);
  std::string Relu6(const std::string& x);  // Clip to [0, 6]
  std::string LeakyRelu(const std::string& x, float slope);

  std::string Add(const std::string& name, const std::string& a, const std::string& b);
  std::string Concat(const std::string& name, const std::string& a, const std::string& b);  // channels of a, then of b
  std::string SecondHalf(const std::string& x);                                             // of the channels
  std::string Upsample2x(const std::string& x);                                             // nearest neighbour
  std::string MaxPool(const std::string& name, const std::string& x, int64_t kernel, int64_t stride, int64_t pad);
  std::string GlobalAveragePool(const std::string& x);
  std::string Flatten(const std::string& x);
  std::string Softmax(const std::string& x);

  Graph Finish(std::vector<std::string> outputs);

 private:
  std::string AddNode(const std::string& name, const std::string& op, std::vector<std::string> inputs, int64_t channels,
                      std::map<std::string, Attribute> attributes = {});
  void AddWeights(const std::string& name, const Shape& shape);
  std::string Constant(const std::string& name, const Shape& shape, std::vector<float> values);
  std::string Integer(const std::string& name, int64_t value);

  Graph graph_;
  uint64_t seed_;
  std::map<std::string, int64_t> channels_;  // of each value
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_NETWORK_BUILDER_H_
