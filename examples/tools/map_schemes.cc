#include "tools/map_schemes.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "graph/pruning.h"
#include "tools/progress_bar.h"

namespace tools {
namespace {

using graph::LatencyTable;
using graph::Result;
using graph::SchemeMapper;
using graph::SchemePlan;
using graph::Status;
using graph::StatusCode;

// Fast layers are run for this long, slow ones a few times: medians of less vary by more than candidates differ.
constexpr double kMeasuredMs = 30.0;
constexpr int kFewestRuns = 3;
constexpr int kMostRuns = 200;

Result<double> MedianMs(graph::Network& network) {
  LACUNA_ASSIGN_OR_RETURN(few, report::Measure({&network}, kFewestRuns));
  const double ms = few[0].total_ms;
  const int runs = static_cast<int>(std::min<double>(kMostRuns, kMeasuredMs / std::max(ms, 1e-6)));
  if (runs <= kFewestRuns) return ms;
  LACUNA_ASSIGN_OR_RETURN(more, report::Measure({&network}, runs));
  return more[0].total_ms;
}

// Where standard error is no terminal, a line for each layer instead of a bar.
class Progress {
 public:
  void Show(const graph::LatencyMeasurement& measurement) {
    const graph::TuningProgress progress{.layer = measurement.number,
                                         .layers = measurement.count,
                                         .name = measurement.layer,
                                         .candidate = measurement.scheme.c_str(),
                                         .done = 0,
                                         .total = 1};
    if (is_terminal_) {
      std::fprintf(stderr, "\r%s\x1b[K", BarText(progress, 79).c_str());
      std::fflush(stderr);
      shown_ = true;
    } else if (measurement.layer != last_) {
      std::fprintf(stderr, "measuring %zu of %zu: %s\n", measurement.number, measurement.count,
                   measurement.layer.c_str());
    }
    last_ = measurement.layer;
  }
  void Clear() {
    if (shown_) std::fprintf(stderr, "\r\x1b[K");
    shown_ = false;
  }

 private:
  bool is_terminal_ = isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
  std::string last_;
};

// A table that is not there yet is fine, one that is of no use is said to be so.
void LoadTable(const std::string& path, LatencyTable& table) {
  const Status status = table.Load(path);
  if (status.ok() || status.code() == StatusCode::kNotFound) return;
  std::fprintf(stderr, "lacuna-run: %s; measured anew\n", status.message());
}

Status Measure(const graph::CompileOptions& options, const std::string& path, SchemeMapper& mapper,
               LatencyTable& table) {
  if (!path.empty()) LoadTable(path, table);
  const size_t known = table.size();
  Progress progress;
  const Status status = mapper.Measure(
      options, {.measure = MedianMs, .progress = [&](const graph::LatencyMeasurement& m) { progress.Show(m); }}, table);
  progress.Clear();
  std::printf("%zu latencies measured", table.size() - known);
  if (!path.empty() && table.size() > known) {
    const Status saved = table.Save(path);
    if (status.ok() && !saved.ok()) return saved;
    std::printf(", saved in %s", path.c_str());
  }
  if (known > 0) std::printf(", %zu known from %s", known, path.c_str());
  std::printf("\n");
  return status;
}

void PrintPlan(const SchemePlan& plan, const SchemeMapper& mapper, bool measured_drops) {
  std::printf("%-32s %-18s %9s %10s %10s %15s %12s\n", "layer", "scheme", "rate", "ms dense", "ms", "energy removed",
              measured_drops ? "drop" : "sensitivity");
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const graph::PlannedLayer& layer = plan.layers[i];
    std::printf("%-32.32s %-18s %8.2fx %10.3f %10.3f %15.4f %12.4f\n", layer.layer.c_str(), layer.scheme.Name().c_str(),
                layer.rate, mapper.layers()[i].candidates[0].ms, layer.ms, layer.energy_removed, layer.sensitivity);
  }
  std::printf("%-32s %-18s %9s %10.3f %10.3f\n", "layers that are not mapped", "", "", plan.other_ms, plan.other_ms);
  std::printf("%-32s %-18s %8.2fx %10.3f %10.3f\n", "sum", "", plan.weight_rate, plan.dense_ms, plan.PredictedMs());
  std::printf("%s for %s: %.2fx fewer weights and %.2fx fewer FLOPs in the mapped layers, predicted %.2fx faster",
              plan.mapper.c_str(), plan.objective.c_str(), plan.weight_rate, plan.flops_rate,
              plan.dense_ms / plan.PredictedMs());
  if (plan.gap.has_value()) {
    std::printf(*plan.gap > 0 ? "; at most %.3g from the best choice" : "; no choice is better", *plan.gap);
  }
  std::printf("\n");
}

}  // namespace

void AddMapOptions(CLI::App& app, MapArguments& arguments) {
  app.add_option("--map", arguments.mapper,
                 "choose a pruning scheme for every layer and write the --plan, by rules or by search: from measured "
                 "latencies and the weight energy that schemes remove, for --rate (of the mapped weights together) or "
                 "--latency")
      ->check(CLI::IsMember({"rules", "search"}));
  app.add_option("--latency", arguments.latency_ms, "--map: the most milliseconds of the whole network");
  app.add_option("--latency-weight", arguments.latency_weight,
                 "--map search --rate: what the time of the dense network is worth against the largest sensitivity of "
                 "every layer; 0.1 by default, 0 looks at sensitivity alone");
  app.add_option("--candidates", arguments.candidates,
                 "--map: schemes with or without rate, separated by commas; without: 2, 4, 8 and 16; default: " +
                     std::string(graph::kDefaultCandidates));
  app.add_option("--latency-table", arguments.latency_table,
                 "--map: a file of measured latencies to use and to extend, of this CPU and SIMD target");
  app.add_option("--sensitivity", arguments.sensitivity,
                 "--map: a file of accuracy drops that were measured, as lacuna-digits --sensitivity writes it");
  app.add_option("--plan", arguments.plan,
                 "with --map: the file to write the chosen schemes to; else: prune each layer as the file says");
}

Status CheckMapArguments(const MapArguments& arguments, std::optional<double> rate) {
  if (arguments.mapper.empty()) {
    const std::pair<const char*, bool> needs_map[] = {{"--latency", arguments.latency_ms.has_value()},
                                                      {"--latency-weight", arguments.latency_weight.has_value()},
                                                      {"--candidates", !arguments.candidates.empty()},
                                                      {"--latency-table", !arguments.latency_table.empty()},
                                                      {"--sensitivity", !arguments.sensitivity.empty()}};
    for (const auto& [name, given] : needs_map) {
      if (given) return Status::InvalidArgument("%s needs --map", name);
    }
    return Status();
  }
  if (arguments.plan.empty()) return Status::InvalidArgument("--map needs --plan, the file to write");
  if (rate.has_value() == arguments.latency_ms.has_value()) {
    return Status::InvalidArgument("--map needs --rate or --latency%s", rate.has_value() ? ", not both" : "");
  }
  if (arguments.latency_weight.has_value() && (!rate.has_value() || arguments.mapper != "search")) {
    return Status::InvalidArgument("--latency-weight is %g, must be absent without --map search and --rate",
                                   *arguments.latency_weight);
  }
  return Status();
}

Status MapSchemes(const std::string& name, const graph::Graph& model, const graph::CompileOptions& options,
                  std::optional<double> rate, const MapArguments& arguments) {
  const graph::MappingGoal goal{.search = arguments.mapper == "search",
                                .weight_rate = rate,
                                .latency_ms = arguments.latency_ms,
                                .latency_weight = arguments.latency_weight.value_or(graph::kLatencyWeight)};
  LACUNA_RETURN_IF_ERROR(goal.Validate());
  LACUNA_ASSIGN_OR_RETURN(candidates, graph::CandidateSchemes(arguments.candidates.empty() ? graph::kDefaultCandidates
                                                                                           : arguments.candidates));
  graph::AccuracyDrops drops;
  if (!arguments.sensitivity.empty()) {
    LACUNA_ASSIGN_OR_RETURN(read, graph::ReadDrops(arguments.sensitivity));
    drops = std::move(read);
  }
  LACUNA_ASSIGN_OR_RETURN(
      mapper, SchemeMapper::Make(
                  model, {.candidates = candidates, .layers = options.layers, .prune_first = options.prune_first}));
  LACUNA_RETURN_IF_ERROR(mapper.Prune());
  LatencyTable table(graph::LatencyConditions::Of(options));
  LACUNA_RETURN_IF_ERROR(Measure(options, arguments.latency_table, mapper, table));
  LACUNA_ASSIGN_OR_RETURN(plan, mapper.Map(goal, drops));
  plan.network = name;
  plan.cpu = table.conditions().cpu;
  plan.target = table.conditions().target;
  plan.threads = options.threads;
  PrintPlan(plan, mapper, !drops.drops.empty());
  LACUNA_RETURN_IF_ERROR(graph::WritePlan(plan, arguments.plan));
  std::printf("plan written to %s\n", arguments.plan.c_str());
  return Status();
}

Result<SchemePlan> ApplyPlan(const std::string& path, graph::Graph& model, graph::CompileOptions& options) {
  LACUNA_ASSIGN_OR_RETURN(plan, graph::ReadPlan(path));
  const auto pruned = graph::PruneGraph(plan, model);
  if (!pruned.ok()) {
    return Status::Make(pruned.status().code(), "'%.80s': %s", path.c_str(), pruned.status().message());
  }
  options.stored = true;
  return std::move(plan);
}

void PrintPrediction(const SchemePlan& plan, const report::Report& report) {
  std::set<std::string> planned;
  for (const graph::PlannedLayer& layer : plan.layers) planned.insert(layer.layer);
  double ms = 0.0;
  for (size_t i = 0; i < report.network->layers().size(); ++i) {
    if (planned.contains(report.network->layers()[i].name)) ms += report.timing.layer_ms[i];
  }
  if (plan.PredictedMs() == 0.0) {
    std::printf("plan: %zu layers, %.3f ms of %.3f; it predicts nothing\n", plan.layers.size(), ms,
                report.timing.total_ms);
    return;
  }
  std::printf("plan: %zu layers predicted %.3f ms, measured %.3f; whole run predicted %.3f ms, measured %.3f\n",
              plan.layers.size(), plan.LayerMs(), ms, plan.PredictedMs(), report.timing.total_ms);
  if (plan.target != report.target || plan.threads != report.threads) {
    std::printf("plan: predicted for %s, %s, %zu thread(s)\n", plan.cpu.c_str(), plan.target.c_str(), plan.threads);
  }
}

}  // namespace tools
