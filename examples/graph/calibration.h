// Calibrated pruning of a graph: each layer is reconstructed from what it reads and should give on sample inputs.

#ifndef LACUNA_EXAMPLES_GRAPH_CALIBRATION_H_
#define LACUNA_EXAMPLES_GRAPH_CALIBRATION_H_

#include "lacuna/prune/scheme.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/staged_run.h"

namespace graph {

struct CalibratedLayer {
  std::string name;
  std::string initializer;
  std::string left{};  // why the layer was only projected; empty if it was reconstructed
  // Of lacuna::prune::Reconstruction.
  double error = 0.0;
  double projected_error = 0.0;
  bool underdetermined = false;
  bool refitted = false;  // nothing was pruned
  double seconds = 0.0;
};

// What may change besides the weights that schemes name: constants by name, and nodes that may be given a bias.
struct WritableConstants {
  std::set<std::string> constants{};
  std::set<std::string> nodes{};
};

struct CalibrationOptions {
  double damping = 0.01;
  int64_t rounds = 4;
  // Output positions of a layer that count, spread over all samples; 0: four for each column of W, at least 16384.
  int64_t positions = 0;
  // Layers behind a pruned one that no scheme names are fitted anew, all weights kept, where there are twice as many
  // positions as columns.
  bool refit = true;
  size_t threads = 1;
  std::optional<WritableConstants> writable{};  // all, if not set
  // Told before each layer; `layer` counts from 1.
  std::function<void(size_t layer, size_t layers, const std::string& name)> progress{};
};

// What a reconstruction changed besides the weights: a bias of [rows] that `node` reads as input 2, or, of a MatMul,
// the constant vector that is added to its output.
struct FittedBias {
  std::string node;
  std::string initializer;  // which may be new
  bool is_new = false;
  std::vector<float> values;
};

struct CalibratedGraph {
  std::vector<CalibratedLayer> layers;
  std::map<std::string, std::vector<float>> weights;   // by initializer: W[M, K] by rows, zeros where pruned
  std::map<std::string, std::vector<float>> refitted;  // likewise, as stored, of layers that were fitted anew
  std::vector<FittedBias> biases;
};

// Prunes the initializers of `graph` that `schemes` name, in the order in which the network runs them, and leaves them
// and their biases in the graph: inputs are those of the network as pruned so far, targets those of the dense one
// (lacuna::prune::Reconstruct). ConvTranspose, recurrent layers, products with the constant on the left and weights
// that several nodes share are projected, as their errors say. The same result for any number of threads. Errors: no
// samples, samples that do not fit the inputs, inputs or values that are not finite: the message names the layer.
Result<CalibratedGraph> CalibrateGraph(const std::map<std::string, lacuna::prune::Scheme>& schemes,
                                       const std::vector<Sample>& samples, const CalibrationOptions& options,
                                       Graph& graph);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_CALIBRATION_H_
