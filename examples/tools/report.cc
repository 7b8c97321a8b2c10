#include "tools/report.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace report {
namespace {

using graph::LayerInfo;
using graph::Network;

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 != 0) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

// Times of one network: [layer][run], and of whole runs.
struct Samples {
  std::vector<std::vector<double>> layers;
  std::vector<double> totals;
};

graph::Status RunOnce(Network& network, Samples* samples) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> layer_ms(network.layers().size());
  const Clock::time_point before = Clock::now();
  LACUNA_RETURN_IF_ERROR(network.Run(layer_ms));
  const double total = std::chrono::duration<double, std::milli>(Clock::now() - before).count();
  if (samples == nullptr) return graph::Status();
  samples->layers.resize(layer_ms.size());
  for (size_t i = 0; i < layer_ms.size(); ++i) samples->layers[i].push_back(layer_ms[i]);
  samples->totals.push_back(total);
  return graph::Status();
}

// Sums over the layers that `selects` names.
struct Sum {
  int64_t weights = 0, nnz = 0;
  double dense_flops = 0.0, flops = 0.0;  // of dense weights, of those that are kept
  double ms = 0.0, dense_ms = 0.0;
};

template <class Selects>
Sum SumOver(const Report& report, const Selects& selects) {
  Sum sum;
  for (size_t i = 0; i < report.network->layers().size(); ++i) {
    const LayerInfo& layer = report.network->layers()[i];
    if (!selects(layer)) continue;
    if (layer.weights != nullptr) {
      sum.weights += layer.weights->weights;
      sum.nnz += layer.weights->nnz;
      sum.dense_flops += layer.weights->dense_flops;
      sum.flops += layer.weights->dense_flops * static_cast<double>(layer.weights->nnz) /
                   static_cast<double>(layer.weights->weights);
    }
    sum.ms += report.timing.layer_ms[i];
    if (report.dense != nullptr) sum.dense_ms += report.dense_timing.layer_ms[i];
  }
  return sum;
}

bool IsConvolution(const LayerInfo& layer) { return layer.op == "Conv"; }
bool IsRecurrent(const LayerInfo& layer) { return layer.weights != nullptr && layer.weights->steps != 0; }

// The layers that a network is mostly made of. Without any recurrent ones the convolutions are listed, even if there
// are none.
struct Stack {
  const char* name;
  bool (*selects)(const LayerInfo&);
};
constexpr Stack kConvolutions = {"convolutions", IsConvolution};
constexpr Stack kRecurrent = {"recurrent layers", IsRecurrent};

std::vector<Stack> StacksOf(const Network& network) {
  const auto has = [&](const Stack& stack) {
    return std::any_of(network.layers().begin(), network.layers().end(), stack.selects);
  };
  std::vector<Stack> stacks;
  if (has(kConvolutions) || !has(kRecurrent)) stacks.push_back(kConvolutions);
  if (has(kRecurrent)) stacks.push_back(kRecurrent);
  return stacks;
}

nlohmann::ordered_json CandidatesToJson(const lacuna::Explanation& plan) {
  auto candidates = nlohmann::ordered_json::array();
  for (size_t i = 0; i < plan.option_count; ++i) {
    const lacuna::Explanation::Option& option = plan.options[i];
    candidates.push_back({{"name", option.name}, {"predicted", option.predicted}});
    if (option.measured_seconds != 0.0) candidates.back()["measured_ms"] = 1e3 * option.measured_seconds;
  }
  return candidates;
}

void PrintRow(const Report& report, const std::string& name, const std::string& shape, const std::string& scheme,
              int64_t nnz, double dense_ms, double ms) {
  std::printf("%-24.24s %-30s %-18s %10lld", name.c_str(), shape.c_str(), scheme.c_str(), static_cast<long long>(nnz));
  if (report.dense == nullptr) {
    std::printf(" %10.3f\n", ms);
  } else {
    std::printf(" %10.3f %10.3f %8.2fx\n", dense_ms, ms, dense_ms / ms);
  }
}

// What goes through a network in a second. Inputs of five axes are clips, of four images, others sequences if the
// network has recurrent layers.
struct Throughput {
  const char* items = "inputs";
  double items_per_second = 0.0;
  double frames_per_second = 0.0;  // of clips and sequences
};

Throughput ThroughputOf(const Network& network, double run_ms) {
  if (network.input_count() == 0 || network.input_info(0).shape.empty() || run_ms <= 0.0) return {};
  const graph::Shape& shape = network.input_info(0).shape;
  Throughput throughput;
  throughput.items_per_second = static_cast<double>(shape[0]) * 1e3 / run_ms;
  if (shape.size() == 4) throughput.items = "images";
  if (shape.size() == 5) {
    throughput.items = "clips";
    throughput.frames_per_second = throughput.items_per_second * static_cast<double>(shape[2]);
  }
  if (shape.size() == 4 || shape.size() == 5) return throughput;
  const auto first = std::find_if(network.layers().begin(), network.layers().end(), IsRecurrent);
  if (first != network.layers().end()) {
    throughput.items = "sequences";
    throughput.items_per_second = static_cast<double>(first->weights->sequences) * 1e3 / run_ms;
    throughput.frames_per_second = throughput.items_per_second * static_cast<double>(first->weights->steps);
  }
  return throughput;
}

void PrintThroughput(const Network& network, double run_ms) {
  const Throughput throughput = ThroughputOf(network, run_ms);
  std::printf("%.2f %s per second", throughput.items_per_second, throughput.items);
  if (throughput.frames_per_second > 0.0) std::printf(", %.1f frames per second", throughput.frames_per_second);
}

void PrintMemory(const char* name, const Network& network) {
  const graph::MemoryUse use = network.memory();
  const auto megabytes = [](size_t bytes) { return static_cast<double>(bytes) * 1e-6; };
  std::printf(
      "memory of the %s: activations %.1f MB, packed weights %.1f MB, their offsets %.1f MB, workspace %.1f MB, "
      "constants %.1f MB\n",
      name, megabytes(use.activations), megabytes(use.packed_weights), megabytes(use.offsets), megabytes(use.workspace),
      megabytes(use.constants));
}

void AddWeights(const graph::WeightInfo& weights, nlohmann::ordered_json& entry) {
  entry["shape"] = weights.geometry;
  entry["scheme"] = weights.scheme;
  entry["weights"] = weights.weights;
  entry["nnz"] = weights.nnz;
  entry["storage_bytes"] = weights.storage_bytes;
  entry["dense_flops"] = weights.dense_flops;
  entry["plan"] = weights.explanation;
  const lacuna::Explanation& plan = weights.plan;
  if (plan.option_count != 0) {
    entry["kernel"] = plan.options[plan.chosen].name;
    entry["reason"] = plan.reason.data();
    entry["candidates"] = CandidatesToJson(plan);
  }
  for (const graph::WeightInfo& product : weights.products) {
    AddWeights(product, entry["products"].emplace_back(nlohmann::ordered_json::object()));
  }
}

nlohmann::ordered_json StackToJson(const Report& report, const Stack& stack) {
  const Sum sum = SumOver(report, stack.selects);
  nlohmann::ordered_json json = {{"weights", sum.weights},
                                 {"nnz", sum.nnz},
                                 {"dense_flops", sum.dense_flops},
                                 {"flops", sum.flops},
                                 {"ms", sum.ms}};
  if (report.dense != nullptr) json["dense_ms"] = sum.dense_ms;
  return json;
}

nlohmann::ordered_json LayerToJson(const Report& report, size_t i) {
  const LayerInfo& layer = report.network->layers()[i];
  nlohmann::ordered_json entry = {
      {"name", layer.name}, {"op", layer.op}, {"fused", layer.fused}, {"input", layer.input}, {"output", layer.output}};
  if (layer.weights != nullptr) AddWeights(*layer.weights, entry);
  entry["ms"] = report.timing.layer_ms[i];
  if (report.dense != nullptr) entry["dense_ms"] = report.dense_timing.layer_ms[i];
  return entry;
}

}  // namespace

std::string ShapeText(const LayerInfo& layer) {
  if (layer.weights == nullptr) return graph::ToString(layer.input);
  std::string text = layer.weights->geometry;
  if (IsRecurrent(layer)) return text;
  for (size_t axis = 2; axis < layer.input.size(); ++axis) {  // spatial
    text += (axis == 2 ? " " : "x") + std::to_string(layer.input[axis]);
  }
  return text;
}

graph::Result<std::vector<Timing>> Measure(const std::vector<Network*>& networks, int repeat) {
  std::vector<Samples> samples(networks.size());
  for (int run = -1; run < repeat; ++run) {
    for (size_t i = 0; i < networks.size(); ++i) {
      LACUNA_RETURN_IF_ERROR(RunOnce(*networks[i], run < 0 ? nullptr : &samples[i]));
    }
  }
  std::vector<Timing> timings(networks.size());
  for (size_t i = 0; i < networks.size(); ++i) {
    for (std::vector<double>& layer : samples[i].layers) timings[i].layer_ms.push_back(Median(std::move(layer)));
    timings[i].total_ms = Median(std::move(samples[i].totals));
  }
  return timings;
}

size_t PeakResidentBytes() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#ifdef __APPLE__
  return static_cast<size_t>(usage.ru_maxrss);
#else
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
#endif
}

double ConvolutionMs(const Network& network, const Timing& timing) {
  double sum = 0.0;
  for (size_t i = 0; i < network.layers().size(); ++i) {
    if (IsConvolution(network.layers()[i])) sum += timing.layer_ms[i];
  }
  return sum;
}

void PrintTable(const Report& report) {
  std::printf("%s, %s, %zu thread(s), medians of %d runs, arena %.1f MB\n", report.model.c_str(), report.target.c_str(),
              report.threads, report.repeat, static_cast<double>(report.network->arena_bytes()) * 1e-6);
  if (!report.kernels.empty()) std::printf("kernels selected %s\n", report.kernels.c_str());
  std::printf("%-24s %-30s %-18s %10s", "layer", "shape", "scheme", "nnz");
  std::printf(report.dense == nullptr ? " %10s\n" : " %10s %10s %9s\n", report.dense == nullptr ? "ms" : "ms dense",
              "ms sparse", "speed-up");
  for (size_t i = 0; i < report.network->layers().size(); ++i) {
    const LayerInfo& layer = report.network->layers()[i];
    PrintRow(report, layer.name, ShapeText(layer), layer.weights != nullptr ? layer.weights->scheme : layer.op,
             layer.weights != nullptr ? layer.weights->nnz : 0,
             report.dense != nullptr ? report.dense_timing.layer_ms[i] : 0.0, report.timing.layer_ms[i]);
  }
  const std::vector<Stack> stacks = StacksOf(*report.network);
  for (const Stack& stack : stacks) {
    const Sum sum = SumOver(report, stack.selects);
    PrintRow(report, std::string("sum of ") + stack.name, "", "", sum.nnz, sum.dense_ms, sum.ms);
  }
  const Sum all = SumOver(report, [](const LayerInfo&) { return true; });
  PrintRow(report, "sum of all layers", "", "", all.nnz, all.dense_ms, all.ms);
  PrintRow(report, "whole run", "", "", all.nnz, report.dense_timing.total_ms, report.timing.total_ms);
  for (const Stack& stack : stacks) {
    const Sum sum = SumOver(report, stack.selects);
    std::printf("FLOPs of the %s: %.4g of %.4g GFLOPs (%.2fx fewer)\n", stack.name, sum.flops * 1e-9,
                sum.dense_flops * 1e-9, sum.flops > 0.0 ? sum.dense_flops / sum.flops : 1.0);
  }
  PrintThroughput(*report.network, report.timing.total_ms);
  if (report.dense != nullptr) {
    std::printf("; dense ");
    PrintThroughput(*report.dense, report.dense_timing.total_ms);
  }
  std::printf("\n");
  PrintMemory("network", *report.network);
  if (report.dense != nullptr) PrintMemory("dense network", *report.dense);
  std::printf("imported in %.0f ms, planned in %.0f ms\n", report.import_ms, report.plan_ms);
  std::printf("peak resident set of the process: %.1f MB\n", static_cast<double>(PeakResidentBytes()) * 1e-6);
}

nlohmann::ordered_json ToJson(const Report& report) {
  nlohmann::ordered_json json = {{"model", report.model},
                                 {"target", report.target},
                                 {"kernels", report.kernels},
                                 {"threads", report.threads},
                                 {"repeat", report.repeat},
                                 {"arena_bytes", report.network->arena_bytes()},
                                 {"workspace_bytes", report.network->workspace_bytes()}};
  json["layers"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < report.network->layers().size(); ++i) json["layers"].push_back(LayerToJson(report, i));
  const Sum all = SumOver(report, [](const LayerInfo&) { return true; });
  json["convolutions"] = StackToJson(report, kConvolutions);
  json["recurrent"] = StackToJson(report, kRecurrent);
  json["total"] = {{"weights", all.weights}, {"nnz", all.nnz}, {"ms", all.ms}, {"run_ms", report.timing.total_ms}};
  const Throughput throughput = ThroughputOf(*report.network, report.timing.total_ms);
  json["throughput"] = {{std::string(throughput.items) + "_per_second", throughput.items_per_second}};
  if (throughput.frames_per_second > 0.0) json["throughput"]["frames_per_second"] = throughput.frames_per_second;
  const graph::MemoryUse use = report.network->memory();
  json["import_ms"] = report.import_ms;
  json["plan_ms"] = report.plan_ms;
  json["memory"] = {{"activation_bytes", use.activations}, {"packed_weight_bytes", use.packed_weights},
                    {"offset_bytes", use.offsets},         {"workspace_bytes", use.workspace},
                    {"constant_bytes", use.constants},     {"peak_resident_bytes", PeakResidentBytes()}};
  if (report.dense != nullptr) {
    json["total"]["dense_ms"] = all.dense_ms;
    json["total"]["dense_run_ms"] = report.dense_timing.total_ms;
  }
  return json;
}

}  // namespace report
