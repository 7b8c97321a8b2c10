// SchemePlan: which pruning scheme each layer of a network gets, as a JSON file. README.md documents the file.

#ifndef LACUNA_EXAMPLES_GRAPH_SCHEME_PLAN_H_
#define LACUNA_EXAMPLES_GRAPH_SCHEME_PLAN_H_

#include "lacuna/prune/scheme.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

struct PlannedLayer {
  std::string layer{};  // name of a node, or of its weights
  lacuna::prune::Scheme scheme{};
  Shape shape{};                // of the weights as the model has them; empty if the plan does not tell
  double ms = 0.0;              // predicted latency; 0 if the plan does not tell
  double rate = 0.0;            // weights / kept weights that were reached, likewise
  double energy_removed = 0.0;  // fraction of the squared weight norm
  double sensitivity = 0.0;     // what the mapper took pruning the layer to cost
};

// Layers that are not in the plan stay as they are.
struct SchemePlan {
  std::string network{};    // what was mapped and how: for the reader
  std::string mapper{};     // "rules" or "search"
  std::string objective{};  // "weight rate at least 8"
  std::string cpu{}, target{};
  size_t threads = 1;
  double other_ms = 0.0;  // predicted latency of all layers that are not in the plan
  double dense_ms = 0.0;  // of the whole network without pruning
  std::vector<PlannedLayer> layers{};
  double weight_rate = 1.0;     // of the layers in the plan together: weights / kept weights
  double flops_rate = 1.0;      // FLOPs / FLOPs of kept weights
  std::optional<double> gap{};  // no mapping has less sensitivity by more than this; nothing is proven without it

  // Of the layers in the plan.
  double LayerMs() const;
  // Of the whole network, 0 if the plan predicts nothing.
  double PredictedMs() const { return LayerMs() + other_ms; }
};

// Only "layers" with "layer" and "scheme" must be there. Errors: those of ReadJson; kDataLoss names the path and the
// member that is malformed, or a layer that is there twice.
Result<SchemePlan> ReadPlan(const std::string& path);

// Replaces the file whole or not at all.
Status WritePlan(const SchemePlan& plan, const std::string& path);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_SCHEME_PLAN_H_
