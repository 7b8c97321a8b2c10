// SchemeMapper: chooses the pruning scheme of every layer of a network, from measured latencies and from what pruning
// costs. Source: "Automatic mapping of the best-suited DNN pruning schemes", TODAES 2022; lacuna/prune/mapping.h.

#ifndef LACUNA_EXAMPLES_GRAPH_SCHEME_MAPPING_H_
#define LACUNA_EXAMPLES_GRAPH_SCHEME_MAPPING_H_

#include "lacuna/prune/mapping.h"
#include "lacuna/prune/scheme.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/accuracy_drops.h"
#include "graph/executor.h"
#include "graph/fusion.h"
#include "graph/graph.h"
#include "graph/latency_table.h"
#include "graph/scheme_plan.h"
#include "graph/weight_matrix.h"

namespace graph {

// Regularities from fine to coarse, so that there are block sizes to choose from.
inline constexpr const char* kDefaultCandidates = "pattern,pattern_g4,bcr_col,bcr_kernel,punched,block_8x1";
// Of candidates that name none.
inline constexpr double kCandidateRates[] = {2, 4, 8, 16};

// Reads "pattern,bcr_col-8x": schemes at their rate, or at each of kCandidateRates; dense comes first, in the list or
// not. Rates are rounded to the six digits that names of schemes have. kInvalidArgument names an entry that is no
// scheme.
Result<std::vector<lacuna::prune::Scheme>> CandidateSchemes(const std::string& list);

struct LayerCandidate {
  lacuna::prune::Scheme scheme{};
  double ms = 0.0;
  int64_t kept = 0;             // weights
  double energy_removed = 0.0;  // fraction of the squared weight norm
};

// Weights that get a scheme, and the layers that compute with them: mostly one.
struct MappedLayer {
  std::string name{};  // of the first node; of the weights where another layer has that name
  WeightMatrix matrix{};
  std::vector<size_t> uses{};                     // by index of SchemeMapper's fused layers
  lacuna::prune::LayerDescription description{};  // nameless
  std::vector<LayerCandidate> candidates{};       // dense first
};

struct MapperOptions {
  std::vector<lacuna::prune::Scheme> candidates{};  // dense first
  std::string layers{};                             // which are mapped, as LayerSelection takes it
  bool prune_first = false;                         // else the first Conv has no candidate but dense
};

// One layer of one scheme that is about to be measured.
struct LatencyMeasurement {
  size_t number, count;      // from 1
  const std::string& layer;  // name of the node
  std::string scheme;        // empty for a layer that is not mapped
};

// What measuring needs. Median milliseconds of a run of the network, whose inputs are filled.
struct LatencyMeter {
  std::function<Result<double>(Network&)> measure{};
  std::function<void(const LatencyMeasurement&)> progress{};  // may be empty
};

// Of MappingGoal. The digits network at 2x, chosen by measured drops and not retrained, has an accuracy of 98 % and is
// 1.01x faster with 0, 46 % and 1.26x with 0.1, 11 % and 1.61x with 1; chosen by energy 88 %, 88 % and 12 %.
inline constexpr double kLatencyWeight = 0.1;

struct MappingGoal {
  bool search = true;  // else by rules
  // One of them is set: the least rate of all mapped weights together, or the most milliseconds of the whole network.
  std::optional<double> weight_rate{};
  std::optional<double> latency_ms{};
  // With weight_rate: what the dense network's time is worth, in units of the sum over all layers of the largest
  // sensitivity of a candidate. 0 looks at sensitivity alone and prefers the least regular schemes.
  double latency_weight = kLatencyWeight;

  // kInvalidArgument names the member that is out of range.
  Status Validate() const;
};

class SchemeMapper {
 public:
  // `graph` outlives the mapper. Recurrent layers are not mapped. Errors: an invalid graph, no layer selected.
  static Result<SchemeMapper> Make(const Graph& graph, const MapperOptions& options);

  const std::vector<MappedLayer>& layers() const { return mapped_; }

  // Prunes every layer by each of its candidates, to know what they keep and remove. Errors name layer and scheme.
  Status Prune();

  // Times every layer with each of its candidates, compiled alone with `options` (but for what prunes), and every other
  // layer as it is. Layers that are equal are measured once, those in `table` not at all; what was measured is in the
  // table even after an error.
  Status Measure(const CompileOptions& options, const LatencyMeter& meter, LatencyTable& table);

  // Chooses. `drops` replace the energy removed as sensitivity where they were measured and scale it elsewhere; may be
  // empty. Errors: a goal out of range, or that no choice reaches: the message says how far they go.
  // Preconditions: Prune and Measure succeeded.
  Result<SchemePlan> Map(const MappingGoal& goal, const AccuracyDrops& drops) const;

  // Milliseconds of the layers that are not mapped.
  double other_ms() const { return other_ms_; }
  double DenseMs() const;

 private:
  struct Job;

  explicit SchemeMapper(const Graph& graph) : graph_(&graph) {}

  Status AddLayers(const MapperOptions& options);
  Result<std::vector<Job>> MakeJobs();
  Result<double> MeasureAlone(const Job& job, const CompileOptions& options, const LatencyMeter& meter) const;
  Result<lacuna::prune::Mapping> Choose(const MappingGoal& goal,
                                        std::span<const lacuna::prune::LayerCandidates> layers) const;
  SchemePlan PlanOf(std::span<const lacuna::prune::LayerCandidates> layers,
                    const lacuna::prune::Mapping& mapping) const;

  const Graph* graph_;
  Values values_;
  std::vector<Layer> fused_;
  std::vector<size_t> others_;  // indices of fused_ that are not mapped and have a step
  std::vector<MappedLayer> mapped_;
  double other_ms_ = 0.0;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_SCHEME_MAPPING_H_
