#include "suite.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <regex>
#include <string_view>

#include "lacuna_engine.h"
#include "layer_run.h"
#include "networks.h"
#include "probe.h"
#include "report.h"
#include "target.h"

namespace lacuna::bench {
namespace {

// Google Benchmark appends how it timed ("/iterations:1/manual_time"); here every benchmark is timed alike.
template <class Base>
class PlainNames : public Base {
 public:
  using Base::Base;
  void ReportRuns(const std::vector<benchmark::BenchmarkReporter::Run>& runs) override {
    std::vector<benchmark::BenchmarkReporter::Run> renamed = runs;
    for (auto& run : renamed) {
      run.run_name.iterations.clear();
      run.run_name.time_type.clear();
    }
    Base::ReportRuns(renamed);
  }
};

std::string FlagValue(int argc, char** argv, std::string_view flag) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.substr(0, flag.size()) == flag && argument.substr(flag.size(), 1) == "=") {
      return std::string(argument.substr(flag.size() + 1));
    }
  }
  return {};
}

// As --benchmark_filter is documented: a regular expression found anywhere in the name, or "-" and one that is not.
class Filter {
 public:
  explicit Filter(const std::string& pattern)
      : negative_(!pattern.empty() && pattern[0] == '-'),
        expression_(pattern == "all" ? "." : pattern.substr(negative_ ? 1 : 0), std::regex::extended) {}
  bool Takes(const std::string& name) const { return std::regex_search(name, expression_) != negative_; }

 private:
  bool negative_;
  std::regex expression_;
};

void AddEntries(LayerRun& run, const Suite& suite, const SuiteOp& op, const Options& options, const Filter& filter) {
  std::vector<EngineInfo> engines = (op.lacuna != nullptr ? op.lacuna : suite.lacuna)(options);
  const size_t own = engines.size();
  if (!options.no_peers) {
    for (const EngineInfo& peer : (op.peers != nullptr ? op.peers : suite.peers)()) {
      const bool wanted = options.peers.empty() ||
                          std::find(options.peers.begin(), options.peers.end(), peer.name) != options.peers.end();
      if (wanted) engines.push_back(peer);
    }
  }
  const Problem geometry{.shape = ShapeOf(run.layer()), .channels_last = op.channels_last, .weights = {}, .input = {}};
  std::vector<std::string> schemes = options.schemes.empty() ? suite.schemes : options.schemes;
  if (!op.schemes.empty()) schemes = op.schemes;
  if (const std::string& scheme = run.network_scheme(); !scheme.empty()) {
    if (std::find(schemes.begin(), schemes.end(), scheme) == schemes.end()) schemes.push_back(scheme);
  }
  // Dense peers are measured whether or not lacuna runs dense weights.
  const bool dense = std::find(schemes.begin(), schemes.end(), "dense") != schemes.end();
  if (!dense) schemes.insert(schemes.begin(), "dense");
  for (const std::string& scheme : schemes) {
    for (size_t e = 0; e < engines.size(); ++e) {
      const bool runs = scheme == "dense" ? engines[e].dense && (dense || e >= own) : engines[e].pruned;
      if (!runs || !engines[e].supports(geometry)) continue;
      Entry entry{scheme, engines[e]};
      if (filter.Takes(run.NameOf(entry))) run.Add(std::move(entry));
    }
  }
}

void Report(benchmark::State& state, LayerRun* run, size_t entry) {
  const Measurement& m = run->Measure(entry);
  if (!m.measured) {
    state.SkipWithError(m.error.c_str());
    return;
  }
  for (auto _ : state) state.SetIterationTime(m.seconds);
  state.counters["useful_gflops"] = m.useful_flops / m.seconds * 1e-9;
  state.counters["dense_gflops"] = m.dense_flops / m.seconds * 1e-9;
  state.counters["peak_fraction"] = m.peak_fraction();
  state.counters["roof_fraction"] = m.roof_fraction();
  state.counters["samples"] = m.samples;
  state.counters["dropped"] = m.dropped;
  state.counters["p10_ms"] = m.p10_seconds * 1e3;
  state.counters["p90_ms"] = m.p90_seconds * 1e3;
  state.counters["error"] = m.output_error;
  if (m.pack_seconds > 0.0) {
    state.counters["pack_ms"] = m.pack_seconds * 1e3;
    state.counters["storage_ratio"] = m.storage_ratio;
  }
  if (m.read_bandwidth > 0.0) {
    state.counters["bandwidth_fraction"] = m.bandwidth_fraction();
    state.counters["roof_ratio"] = m.roof_ratio();
    state.counters["packed_over_nnz"] = m.packed_over_nnz();
    state.counters["packed_bytes"] = m.packed_bytes;
    state.counters["read_gbytes"] = m.read_bandwidth * 1e-9;
  }
  if (run->entries()[entry].engine.threads > 1) state.counters["bit_identical"] = m.bit_identical ? 1 : 0;
}

void Register(LayerRun* run) {
  for (size_t e = 0; e < run->entries().size(); ++e) {
    benchmark::RegisterBenchmark(run->NameOf(run->entries()[e]).c_str(),
                                 [run, e](benchmark::State& state) { Report(state, run, e); })
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  }
}

Status CheckSchemes(const Options& options) {
  for (const std::string& scheme : options.schemes) {
    LACUNA_RETURN_IF_ERROR(MakeWorkload({.in_channels = 16, .out_channels = 8, .input = {1, 1, 1}, .kernel = {1, 1, 1}},
                                        std::span<const std::string>(&scheme, 1))
                               .status());
  }
  return Status();
}

// Networks are pruned as a whole unless other schemes are asked for.
Result<std::string> NetworkSchemeOf(const Layer& layer, const Options& options) {
  NetworkPruning pruning{.flops_rate = options.flops_rate};
  if (!options.network_scheme.empty()) {
    pruning.kind = options.network_scheme;
  } else if (!options.schemes.empty() && options.flops_rate == 0.0) {
    return std::string();
  }
  return NetworkSchemeOf(layer, pruning);
}

// The layer as `op` presents it; a product with a vector also with as many vectors as the options ask for.
LayerRuns RunsOf(const SuiteOp& op, const Layer& layer, const Options& options, RunContext& context) {
  const auto make = [&](const std::string& name, int64_t columns) {
    Layer resized = layer;
    resized.input[2] = columns;
    const LayerSetting setting{op.channels_last, op.cell, op.weight_bound, op.cold, op.channel_group};
    return std::make_unique<LayerRun>(name, resized, setting, &context);
  };
  LayerRuns runs;
  runs.push_back(make(op.name, layer.input[2]));
  if (layer.op != Op::kGemv) return runs;
  for (const int64_t columns : options.columns) {
    runs.push_back(make(op.name + std::string("_n") + std::to_string(columns), columns));
  }
  return runs;
}

int Fail(const Status& status) {
  std::fprintf(stderr, "%s\n", status.message());
  return 2;
}

}  // namespace

bool WritesJson(int argc, char** argv) {
  return !FlagValue(argc, argv, "--benchmark_out").empty() && FlagValue(argc, argv, "--benchmark_out_format") != "csv";
}

void RunRegistered(const std::string& filter, bool writes_json) {
  using Console = benchmark::ConsoleReporter;
  PlainNames<Console> console(Console::OO_None);
  if (writes_json) {
    PlainNames<benchmark::JSONReporter> json;
    benchmark::RunSpecifiedBenchmarks(&console, &json, filter);
  } else {
    benchmark::RunSpecifiedBenchmarks(&console, filter);
  }
}

Status Prepare(const Options& options) {
  if (!options.target.empty()) LACUNA_RETURN_IF_ERROR(LimitTarget(options.target));
  const std::string target = TargetName(LacunaTarget());
  if (LacunaTarget() != ProbeTarget()) {
    return Status::Make(StatusCode::kUnsupported, "lacuna runs on target %s, the probes on %s", target.c_str(),
                        TargetName(ProbeTarget()).c_str());
  }
  const std::pair<const char*, std::string> context[] = {
      {"cpu", CpuModel()}, {"target", target}, {"compiler", LACUNA_BENCH_COMPILER}, {"flags", LACUNA_BENCH_FLAGS}};
  for (const auto& [key, value] : context) {
    std::printf("%s: %s\n", key, value.c_str());
    benchmark::AddCustomContext(key, value);
  }
  return Status();
}

int RunSuite(const Suite& suite, int argc, char** argv) {
  Options options;
  if (const int code = ParseOptions(suite.description, argc, argv, options); code >= 0) return code;
  if (const Status status = Prepare(options); !status.ok()) return Fail(status);
  if (const Status status = CheckSchemes(options); !status.ok()) return Fail(status);
  const bool writes_json = WritesJson(argc, argv);
  const std::string pattern = FlagValue(argc, argv, "--benchmark_filter");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;

  // Peers are free in their instruction set unless the run is held to a target.
  const InstructionSet limit = options.target.empty() ? InstructionSet::kUnlimited : InstructionSetOf(LacunaTarget());
  RunContext context{.settings = {.instruction_set = limit, .verbose = options.verbose},
                     .sampler = Sampler({.seconds = options.seconds, .smoke = options.smoke}),
                     .bandwidth = {}};
  if (suite.int8) context.int8_scale = ProbeInt8Scale(options.smoke);
  char peak[64];
  std::snprintf(peak, sizeof(peak), "%.1f GFLOP/s", context.sampler.PeakFlops(1) * 1e-9);
  std::printf("FMA peak: %s\n", peak);
  benchmark::AddCustomContext("fma_peak", peak);
  if (suite.int8) {
    std::snprintf(peak, sizeof(peak), "%.3f of FMA (%s)", context.int8_scale, ProbeInt8Instruction());
    std::printf("8-bit multiply-add peak: %s\n", peak);
    benchmark::AddCustomContext("int8_peak", peak);
  }

  LayerRuns runs;
  const Filter filter(pattern);
  for (const SuiteOp& op : suite.ops) {
    if (op.weight_bound && options.mode != "both" && (options.mode == "cold") != op.cold) continue;
    for (const Layer& layer : kLayers) {
      if (layer.op != op.op || (op.takes != nullptr && !op.takes(layer))) continue;
      for (auto& run : RunsOf(op, layer, options, context)) {
        Result<std::string> network_scheme =
            op.takes != nullptr ? Result<std::string>(std::string()) : NetworkSchemeOf(layer, options);
        if (!network_scheme.ok()) return Fail(network_scheme.status());
        run->set_network_scheme(*std::move(network_scheme));
        AddEntries(*run, suite, op, options, filter);
        if (run->entries().empty()) continue;
        Register(run.get());
        runs.push_back(std::move(run));
      }
    }
  }
  if (runs.empty()) return Fail(Status::InvalidArgument("--benchmark_filter %s matches no benchmark", pattern.c_str()));
  RunRegistered("all", writes_json);
  benchmark::Shutdown();
  if (options.verbose) PrintDetails(runs);
  PrintLayers(runs);
  if (suite.print == nullptr) PrintSummary(runs);
  PrintVariants(runs);
  PrintThreads(runs);
  suite.print == nullptr ? PrintNetworks(runs) : suite.print(runs);
  return PrintFaults(runs, context, /*check_peak=*/!options.smoke) == 0 ? 0 : 1;
}

}  // namespace lacuna::bench
