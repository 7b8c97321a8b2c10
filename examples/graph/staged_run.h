// StagedRun: many samples through a network, one stage after the other, so that what comes later may still be changed.

#ifndef LACUNA_EXAMPLES_GRAPH_STAGED_RUN_H_
#define LACUNA_EXAMPLES_GRAPH_STAGED_RUN_H_

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace graph {

// The inputs of a network by name.
using Sample = std::map<std::string, Tensor>;

class StagedRun {
 public:
  // `graph` is viewed: a node reads its initializers when its stage runs. Each sample must have all inputs of the
  // graph, of their shapes, finite. `values` are those of the graph.
  static Result<StagedRun> Make(const Graph& graph, const Values& values, const std::vector<Sample>& samples,
                                size_t threads);

  // Runs the nodes before `end` that have not run yet, on all samples. Values that no later node reads are dropped.
  Status AdvanceTo(size_t end);

  // A value that exists by now and that the graph gives or a later node reads; null otherwise.
  const Tensor* Find(size_t sample, const std::string& value) const;

  size_t samples() const { return live_.size(); }

 private:
  StagedRun(const Graph& graph, const Values& values, size_t threads)
      : graph_(&graph), values_(&values), threads_(threads) {}

  // Nodes [done_, end) by themselves.
  Graph Stage(size_t end) const;

  const Graph* graph_;
  const Values* values_;
  size_t threads_;
  size_t done_ = 0;
  std::map<std::string, size_t> last_;  // the node that reads a value last
  std::vector<Sample> live_;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_STAGED_RUN_H_
