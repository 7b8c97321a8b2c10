#include "graph/scheme_mapping.h"

#include "lacuna/prune/mapping_rules.h"
#include "lacuna/prune/mapping_search.h"
#include "lacuna/prune/project.h"
#include "lacuna/prune/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

#include "graph/builtin.h"
#include "graph/layer_graph.h"
#include "graph/layer_selection.h"
#include "graph/layer_weights.h"
#include "graph/operator.h"
#include "graph/pruning.h"
#include "graph/shape_inference.h"
#include "graph/step.h"
#include "graph/window.h"

namespace graph {
namespace {

using lacuna::prune::LayerCandidates;
using lacuna::prune::LayerDescription;
using lacuna::prune::Mapping;
using lacuna::prune::Objective;
using lacuna::prune::RuleSpec;
using lacuna::prune::Scheme;
using lacuna::prune::SchemeCandidate;
using lacuna::prune::SchemeKind;

Result<LayerDescription> Describe(const Graph& graph, const Values& values, const Node& node,
                                  const WeightMatrix& matrix) {
  LayerDescription layer{.out_channels = matrix.shape.rows,
                         .channels_per_group = matrix.shape.columns / matrix.taps,
                         .positions = Elements(values.at(node.outputs[0]).shape) / matrix.shape.rows,
                         .groups = matrix.shape.groups};
  if (node.op != "Conv") return layer;
  LACUNA_ASSIGN_OR_RETURN(window,
                          ConvWindow(node, values.at(node.inputs[0]).shape, graph.Constant(matrix.initializer)->shape));
  const auto place = static_cast<std::ptrdiff_t>(layer.kernel.size() - window.rank());  // at most 3 axes
  std::copy(window.kernel.begin(), window.kernel.end(), layer.kernel.begin() + place);
  std::copy(window.stride.begin(), window.stride.end(), layer.stride.begin() + place);
  return layer;
}

std::vector<LayerCandidate> CandidatesOf(const std::vector<Scheme>& schemes, const WeightMatrix& matrix,
                                         bool stays_dense) {
  std::vector<LayerCandidate> candidates;
  for (const Scheme& scheme : schemes) {
    const bool dense = scheme.kind == SchemeKind::kDense;
    if (!dense && (stays_dense || (matrix.IsDepthwise() && !PrunesDepthwise(scheme.kind)))) continue;
    candidates.push_back({.scheme = scheme});
  }
  return candidates;
}

// In front of a message: who it is about.
Status About(const std::string& layer, const Scheme& scheme, const Status& status) {
  return Status::Make(status.code(), "layer '%.60s' as %s: %s", layer.c_str(), scheme.Name().c_str(), status.message());
}

}  // namespace

Result<std::vector<Scheme>> CandidateSchemes(const std::string& list) {
  std::vector<Scheme> schemes = {Scheme{}};
  const auto add = [&](const Scheme& scheme) {
    LACUNA_ASSIGN_OR_RETURN(named, lacuna::prune::ParseScheme(scheme.Name()));
    if (std::find(schemes.begin(), schemes.end(), named) == schemes.end()) schemes.push_back(named);
    return Status();
  };
  for (size_t begin = 0, end = 0; end < list.size(); begin = end + 1) {
    end = std::min(list.find(',', begin), list.size());
    const std::string entry = list.substr(begin, end - begin);
    if (entry.find('-') != std::string::npos || entry == "dense") {
      LACUNA_ASSIGN_OR_RETURN(scheme, lacuna::prune::ParseScheme(entry));
      LACUNA_RETURN_IF_ERROR(add(scheme));
      continue;
    }
    for (const double rate : kCandidateRates) {
      LACUNA_ASSIGN_OR_RETURN(scheme, lacuna::prune::MakeScheme(entry, rate));
      LACUNA_RETURN_IF_ERROR(add(scheme));
    }
  }
  if (schemes.size() <= lacuna::prune::kMaxCandidates) return schemes;
  return Status::InvalidArgument("candidates are %zu, must be at most %zu", schemes.size(),
                                 lacuna::prune::kMaxCandidates);
}

Status MappingGoal::Validate() const {
  if (weight_rate.has_value() == latency_ms.has_value()) {
    return Status::InvalidArgument("either a rate or a latency must be given");
  }
  const auto check = [](const char* name, double value, double low, double high) {
    if (value >= low && value <= high) return Status();  // false for NaN
    return Status::InvalidArgument("%s is %g, must be in [%g, %g]", name, value, low, high);
  };
  if (weight_rate) LACUNA_RETURN_IF_ERROR(check("rate", *weight_rate, 1, lacuna::prune::kMaxRate));
  if (latency_ms) LACUNA_RETURN_IF_ERROR(check("latency", *latency_ms, 0, 1e12));
  return check("latency weight", latency_weight, 0, 1e6);
}

// A layer to be measured.
struct SchemeMapper::Job {
  std::string key;               // in the table
  size_t layer;                  // of fused_
  const Scheme* scheme;          // null: as it is
  std::vector<double*> results;  // milliseconds are added to them
};

Result<SchemeMapper> SchemeMapper::Make(const Graph& graph, const MapperOptions& options) {
  SchemeMapper mapper(graph);
  LACUNA_ASSIGN_OR_RETURN(values, InferValues(graph));
  mapper.values_ = std::move(values);
  LACUNA_ASSIGN_OR_RETURN(fused, FuseLayers(graph, mapper.values_));
  mapper.fused_ = std::move(fused);
  LACUNA_RETURN_IF_ERROR(mapper.AddLayers(options));
  return mapper;
}

Status SchemeMapper::AddLayers(const MapperOptions& options) {
  // Unstructured pruning suits all layers: what does not suit depthwise ones is left out of their candidates.
  LACUNA_ASSIGN_OR_RETURN(selection, LayerSelection::Make(options.layers, false, SchemeKind::kUnstructured, *graph_));
  std::map<std::string, size_t> by_weights;
  std::set<std::string> names;
  bool first = true;
  for (size_t i = 0; i < fused_.size(); ++i) {
    const Node& node = *fused_[i].node;
    if (IsView(node)) continue;
    LACUNA_ASSIGN_OR_RETURN(matrix, WeightMatrixOf(*graph_, values_, node));
    const bool is_first = node.op == "Conv" && std::exchange(first, first && node.op != "Conv");
    if (!matrix.has_value() || !selection.Selects(node, *matrix)) {
      others_.push_back(i);
      continue;
    }
    LACUNA_ASSIGN_OR_RETURN(description, Describe(*graph_, values_, node, *matrix));
    const auto [known, added] = by_weights.emplace(matrix->initializer, mapped_.size());
    if (!added) {
      mapped_[known->second].uses.push_back(i);
      mapped_[known->second].description.positions += description.positions;
      continue;
    }
    MappedLayer layer{.name = node.name, .matrix = *matrix, .uses = {i}, .description = description};
    if (!names.insert(layer.name).second) layer.name = matrix->initializer;
    layer.candidates = CandidatesOf(options.candidates, *matrix, is_first && !options.prune_first);
    mapped_.push_back(std::move(layer));
  }
  if (!mapped_.empty()) return Status();
  return Status::InvalidArgument("no layer is selected by layers '%.100s'", options.layers.c_str());
}

Status SchemeMapper::Prune() {
  for (MappedLayer& layer : mapped_) {
    const std::vector<float> values = WeightValues(*graph_->Constant(layer.matrix.initializer), layer.matrix);
    LACUNA_ASSIGN_OR_RETURN(dense, lacuna::DenseWeights<float>::View(layer.matrix.shape, values));
    for (LayerCandidate& candidate : layer.candidates) {
      candidate.kept = layer.matrix.shape.elements();
      if (candidate.scheme.kind == SchemeKind::kDense) continue;
      const auto pruned = lacuna::prune::Project(dense, candidate.scheme, layer.matrix.taps);
      if (!pruned.ok()) return About(layer.name, candidate.scheme, pruned.status());
      const auto energy = lacuna::prune::EnergyRemoved(dense, *pruned);
      if (!energy.ok()) return About(layer.name, candidate.scheme, energy.status());
      candidate.kept = pruned->nnz();
      candidate.energy_removed = *energy;
    }
  }
  return Status();
}

Result<std::vector<SchemeMapper::Job>> SchemeMapper::MakeJobs() {
  std::vector<Job> jobs;
  std::map<std::string, size_t> by_key;
  const auto add = [&](size_t i, const Scheme* scheme, const std::string& scheme_name, double& result) {
    std::string key = LayerText(*graph_, values_, fused_[i]) + " as " + scheme_name;
    const auto [known, added] = by_key.emplace(key, jobs.size());
    if (added) jobs.push_back({std::move(key), i, scheme, {}});
    jobs[known->second].results.push_back(&result);
  };
  for (MappedLayer& layer : mapped_) {
    for (LayerCandidate& candidate : layer.candidates) {
      candidate.ms = 0.0;
      for (const size_t i : layer.uses) add(i, &candidate.scheme, candidate.scheme.Name(), candidate.ms);
    }
  }
  other_ms_ = 0.0;
  for (const size_t i : others_) {
    LACUNA_ASSIGN_OR_RETURN(matrices, WeightMatricesOf(*graph_, values_, *fused_[i].node));
    std::string schemes;
    for (const WeightMatrix& matrix : matrices) {
      LACUNA_ASSIGN_OR_RETURN(stored, StoredSchemeOf(*graph_, matrix));
      schemes += (schemes.empty() ? "" : " ") + stored.Name();
    }
    add(i, nullptr, schemes.empty() ? Scheme{}.Name() : schemes, other_ms_);
  }
  return jobs;
}

Result<double> SchemeMapper::MeasureAlone(const Job& job, const CompileOptions& options,
                                          const LatencyMeter& meter) const {
  CompileOptions alone = options;
  alone.flops_rate.reset();
  alone.stored = job.scheme == nullptr;
  alone.scheme = job.scheme == nullptr ? Scheme{} : *job.scheme;
  alone.layers = ".";  // matches any name
  alone.prune_first = true;
  alone.kernels.progress = nullptr;  // the meter's is enough
  LACUNA_ASSIGN_OR_RETURN(network, Network::Compile(LayerGraph(*graph_, values_, fused_[job.layer]), alone));
  for (size_t i = 0; i < network.input_count(); ++i) FillGaussian(network.input(i), 1.0f, 1000 + i);
  LACUNA_ASSIGN_OR_RETURN(ms, meter.measure(network));
  if (ms >= 0 && ms <= 1e3 * lacuna::prune::kMaxLayerCost) return ms;  // false for NaN
  return Status::InvalidArgument("the measured latency is %g ms, must be in [0, %g]", ms,
                                 1e3 * lacuna::prune::kMaxLayerCost);
}

Status SchemeMapper::Measure(const CompileOptions& options, const LatencyMeter& meter, LatencyTable& table) {
  LACUNA_ASSIGN_OR_RETURN(jobs, MakeJobs());
  const auto unknown = [&](const Job& job) { return !table.Find(job.key).has_value(); };
  const auto count = static_cast<size_t>(std::count_if(jobs.begin(), jobs.end(), unknown));
  size_t number = 0;
  for (const Job& job : jobs) {
    if (unknown(job)) {
      const std::string& layer = fused_[job.layer].node->name;
      const Scheme scheme = job.scheme == nullptr ? Scheme{} : *job.scheme;
      if (meter.progress) meter.progress({++number, count, layer, job.scheme == nullptr ? "" : scheme.Name()});
      const auto ms = MeasureAlone(job, options, meter);
      if (!ms.ok()) return About(layer, scheme, ms.status());
      table.Set(job.key, *ms);
    }
    for (double* result : job.results) *result += *table.Find(job.key);
  }
  return Status();
}

double SchemeMapper::DenseMs() const {
  double sum = other_ms_;
  for (const MappedLayer& layer : mapped_) sum += layer.candidates[0].ms;
  return sum;
}

Result<SchemePlan> SchemeMapper::Map(const MappingGoal& goal, const AccuracyDrops& drops) const {
  LACUNA_RETURN_IF_ERROR(goal.Validate());
  std::vector<std::vector<SchemeCandidate>> candidates;
  std::vector<LayerCandidates> layers;
  for (const MappedLayer& mapped : mapped_) {
    LayerDescription layer = mapped.description;
    layer.name = mapped.name;
    candidates.emplace_back();
    for (const LayerCandidate& candidate : mapped.candidates) {
      const double density = static_cast<double>(candidate.kept) / static_cast<double>(layer.weights());
      candidates.back().push_back({.scheme = candidate.scheme,
                                   .seconds = 1e-3 * candidate.ms,
                                   .sensitivity = lacuna::prune::DefaultSensitivity(layer, candidate.energy_removed),
                                   .density = density});
    }
    layers.push_back({layer, candidates.back()});
  }
  std::vector<lacuna::prune::MeasuredDrop> measured = drops.Measured();
  std::erase_if(measured, [&](const auto& drop) {
    return std::any_of(others_.begin(), others_.end(), [&](size_t i) { return fused_[i].node->name == drop.layer; });
  });
  LACUNA_ASSIGN_OR_RETURN(scaled, lacuna::prune::WithMeasuredDrops(layers, measured));
  const std::span<const LayerCandidates> sensitive(scaled.layers.data(), scaled.layers.size());
  LACUNA_ASSIGN_OR_RETURN(mapping, Choose(goal, sensitive));
  SchemePlan plan = PlanOf(sensitive, mapping);
  char objective[64];
  std::snprintf(objective, sizeof(objective), goal.weight_rate ? "weight rate at least %g" : "latency at most %g ms",
                goal.weight_rate ? *goal.weight_rate : *goal.latency_ms);
  plan.objective = objective;
  plan.mapper = goal.search ? "search" : "rules";
  return plan;
}

Result<Mapping> SchemeMapper::Choose(const MappingGoal& goal, std::span<const LayerCandidates> layers) const {
  // The first layer is taken care of by its candidates.
  const RuleSpec rules{.first_dense = false};
  const auto choose = [&](const Objective& objective) {
    return goal.search ? lacuna::prune::MapBySearch(layers, objective, {.rules = rules})
                       : lacuna::prune::MapByRules(layers, objective, rules);
  };
  if (goal.weight_rate.has_value()) {
    Objective objective = Objective::WeightRateAtLeast(*goal.weight_rate);
    double sensitivity = 0, seconds = 0;
    for (const auto& [layer, candidates] : layers) {
      double most = 0;
      for (const SchemeCandidate& candidate : candidates) most = std::max(most, candidate.sensitivity);
      sensitivity += most;
      seconds += candidates[0].seconds;
    }
    if (seconds > 0) {
      objective.sensitivity_per_second =
          std::min(goal.latency_weight * sensitivity / seconds, lacuna::prune::kMaxLayerCost);
    }
    return choose(objective);
  }
  const double latency = *goal.latency_ms;
  if (latency <= other_ms_) {
    return Status::InvalidArgument("latency is %g ms, must be above the %.4g ms of the layers that are not mapped",
                                   latency, other_ms_);
  }
  auto mapping = choose(Objective::SecondsAtMost(1e-3 * (latency - other_ms_)));
  if (mapping.ok()) return mapping;
  return Status::Make(mapping.status().code(),
                      "latency is %g ms, of which the layers that are not mapped take %.4g: %s", latency, other_ms_,
                      mapping.status().message());
}

SchemePlan SchemeMapper::PlanOf(std::span<const LayerCandidates> layers, const Mapping& mapping) const {
  SchemePlan plan;
  plan.other_ms = other_ms_;
  plan.dense_ms = DenseMs();
  plan.weight_rate = mapping.weight_rate;
  plan.flops_rate = mapping.flops_rate;
  if (std::isfinite(mapping.gap)) plan.gap = mapping.gap;
  for (size_t i = 0; i < mapped_.size(); ++i) {
    const LayerCandidate& chosen = mapped_[i].candidates[mapping.chosen[i]];
    const auto kept = static_cast<double>(std::max<int64_t>(chosen.kept, 1));
    plan.layers.push_back({.layer = mapped_[i].name,
                           .scheme = chosen.scheme,
                           .shape = graph_->Constant(mapped_[i].matrix.initializer)->shape,
                           .ms = chosen.ms,
                           .rate = static_cast<double>(mapped_[i].matrix.shape.elements()) / kept,
                           .energy_removed = std::clamp(chosen.energy_removed, 0.0, 1.0),
                           .sensitivity = layers[i].candidates[mapping.chosen[i]].sensitivity});
  }
  return plan;
}

}  // namespace graph
