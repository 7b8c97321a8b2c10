// Accuracy drops: what a network lost when one layer of it was pruned, as a JSON file. README.md documents the file.

#ifndef LACUNA_EXAMPLES_GRAPH_ACCURACY_DROPS_H_
#define LACUNA_EXAMPLES_GRAPH_ACCURACY_DROPS_H_

#include "lacuna/prune/scheme.h"
#include "lacuna/prune/sensitivity.h"

#include <cstddef>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

struct LayerDrop {
  std::string layer{};  // as PlannedLayer::layer
  lacuna::prune::Scheme scheme{};
  double drop = 0.0;  // accuracy of the dense network less that of the pruned one, in [-1, 1]
};

struct AccuracyDrops {
  std::string network{};  // what was measured, for the reader
  size_t images = 0;
  double accuracy = 0.0;  // of the dense network
  std::vector<LayerDrop> drops{};

  // Views this.
  std::vector<lacuna::prune::MeasuredDrop> Measured() const&;
  std::vector<lacuna::prune::MeasuredDrop> Measured() && = delete;
};

// Only "drops" must be there. Errors: those of ReadJson; kDataLoss names the path and the member that is malformed.
Result<AccuracyDrops> ReadDrops(const std::string& path);

// Replaces the file whole or not at all.
Status WriteDrops(const AccuracyDrops& drops, const std::string& path);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_ACCURACY_DROPS_H_
