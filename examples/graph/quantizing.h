// QuantizeGraph: a network in floats as one with QuantizeLinear and DequantizeLinear, which integers can run.

#ifndef LACUNA_EXAMPLES_GRAPH_QUANTIZING_H_
#define LACUNA_EXAMPLES_GRAPH_QUANTIZING_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

// How the range of a tensor is chosen from the values that it had on the samples.
enum class RangeMethod : uint8_t {
  kMinMax,      // all of them
  kPercentile,  // all but the same part at each end
  kMse          // the part of min-max that makes the squared error of rounding least
};

struct QuantizeOptions {
  RangeMethod range = RangeMethod::kMinMax;
  double percentile = 99.99;
  bool bias_correction = true;  // adds to each bias what rounding the weights takes from the mean of its sums
  // Regular expression searched in names of nodes: such layers stay in floats.
  std::string float_layers{};
  // So many layers stay in floats too: those that, quantised alone, change the outputs most.
  size_t most_sensitive = 0;
  size_t threads = 1;
};

struct QuantizedLayerInfo {
  std::string name;
  std::string left{};  // why the layer stays in floats; empty if it does not
  double output_error =
      -1.0;  // relative squared error of the network's outputs, this layer alone quantised; -1: unknown
};

struct QuantizedGraph {
  Graph graph;  // in floats between DequantizeLinear and QuantizeLinear: as ONNX Runtime takes it, and RewriteQuantized
  std::vector<QuantizedLayerInfo> layers;
};

// Quantises every Conv and Gemm with constant weights: these to INT8 with a scale a row and no zero point (a zero stays
// one), their inputs and outputs to UINT8, behind a Relu or Clip where there is one; also the sums of Adds between such
// values, and what MaxPool, Reshape and Flatten make of them. BatchNormalizations behind a Conv are folded into it.
// `samples` are inputs of the graph by name, at least one. Fails if the operator set is below 13, which has no scales a
// row, or a sample does not fit.
Result<QuantizedGraph> QuantizeGraph(const Graph& graph, const std::vector<std::map<std::string, Tensor>>& samples,
                                     const QuantizeOptions& options);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_QUANTIZING_H_
