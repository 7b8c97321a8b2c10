// Timing of one or two networks, layer by layer, as a table and as JSON.

#ifndef LACUNA_EXAMPLES_TOOLS_REPORT_H_
#define LACUNA_EXAMPLES_TOOLS_REPORT_H_

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "graph/executor.h"

namespace report {

// Medians over repeated runs, in milliseconds.
struct Timing {
  std::vector<double> layer_ms;
  double total_ms = 0.0;  // of whole runs
};

// Runs the networks in turn `repeat` times after one run to warm up, so that what slows the machine slows both.
graph::Result<std::vector<Timing>> Measure(const std::vector<graph::Network*>& networks, int repeat);

// The largest resident set that the process has had, in bytes; 0 if the system does not tell.
size_t PeakResidentBytes();

// The sum over all convolutions.
double ConvolutionMs(const graph::Network& network, const Timing& timing);

struct Report {
  std::string model;
  std::string target;   // SIMD
  std::string kernels;  // how they were selected
  size_t threads = 1;
  int repeat = 1;
  const graph::Network* network = nullptr;
  Timing timing;
  const graph::Network* dense = nullptr;  // null without a comparison; the same graph, so the same layers
  Timing dense_timing;
  double import_ms = 0.0;  // of the model, its file read
  double plan_ms = 0.0;    // and its steps made
};

// "64x64x3x3 s1 56x56": weights, stride and the spatial extents of the input; "3072x39+3072x1024 t100": both matrices
// of a recurrent layer and the steps; a layer without weights: the input's.
std::string ShapeText(const graph::LayerInfo& layer);

// Inputs, outputs, how many nodes of each operator there are, layers with weights.
graph::Status PrintContents(const std::string& name, const graph::Graph& model);
// The built-in networks with their weights, FLOPs and sources.
graph::Status PrintNetworks();

void PrintTable(const Report& report);
nlohmann::ordered_json ToJson(const Report& report);

}  // namespace report

#endif  // LACUNA_EXAMPLES_TOOLS_REPORT_H_
