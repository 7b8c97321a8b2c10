// lacuna-run: runs an ONNX model or a built-in network, layer by layer, and times or verifies it.

#include <CLI/CLI.hpp>

#include <cstdlib>  // defines __GLIBC__ where it is so
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cstdio>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "graph/builtin.h"
#include "graph/executor.h"
#include "graph/layer_selection.h"
#include "graph/onnx_import.h"
#include "graph/replace_file.h"
#include "graph/target.h"
#include "tools/clip_input.h"
#include "tools/explain.h"
#include "tools/map_schemes.h"
#include "tools/report.h"
#include "tools/tuning.h"

namespace {

using graph::CompileOptions;
using graph::Graph;
using graph::Network;
using graph::Result;
using graph::Status;
using graph::StatusCode;

struct Arguments {
  std::string model;
  std::string scheme = "dense";
  std::optional<double> rate;
  std::string flops_rate;
  std::string layers;
  bool prune_first = false;
  size_t threads = 1;
  int repeat = 10;
  int64_t batch = 1;
  bool verify = false;
  bool explain = false;
  std::string compare;
  std::string json;
  std::string input;
  tools::TuningArguments tuning;
  tools::MapArguments map;
};

// A FLOPs rate prunes the network's usual layers if it has any and --layers names none.
Status SetFlopsRate(const Arguments& arguments, CompileOptions& options) {
  if (arguments.rate.has_value() || arguments.scheme == "stored" || arguments.scheme == "dense") {
    return Status::InvalidArgument("--flops-rate is %s, must be absent with %s", arguments.flops_rate.c_str(),
                                   arguments.rate.has_value() ? "--rate" : ("--scheme " + arguments.scheme).c_str());
  }
  const auto usual = graph::UsualPruningOf(arguments.model);
  if (arguments.flops_rate == "usual") {
    if (!usual.has_value()) {
      return Status::InvalidArgument("--flops-rate is usual, but '%s' has no usual rate, must be a number",
                                     arguments.model.c_str());
    }
    options.flops_rate = usual->flops_rate;
  } else {
    char* end = nullptr;
    options.flops_rate = std::strtod(arguments.flops_rate.c_str(), &end);
    if (end == arguments.flops_rate.c_str() || *end != '\0') {
      return Status::InvalidArgument("--flops-rate is '%s', must be a number or usual", arguments.flops_rate.c_str());
    }
  }
  if (usual.has_value() && options.layers.empty()) options.layers = usual->layers;
  LACUNA_ASSIGN_OR_RETURN(scheme, lacuna::prune::MakeScheme(arguments.scheme, 1.0));
  options.scheme = scheme;
  return Status();
}

Result<CompileOptions> OptionsOf(const Arguments& arguments) {
  CompileOptions options;
  options.layers = arguments.layers;
  options.prune_first = arguments.prune_first;
  options.threads = arguments.threads;
  options.keep_weights = arguments.verify;
  if (!arguments.flops_rate.empty()) {
    LACUNA_RETURN_IF_ERROR(SetFlopsRate(arguments, options));
    return options;
  }
  if (arguments.scheme == "stored") {
    if (arguments.rate.has_value()) {
      return Status::InvalidArgument("--rate is %g, must be absent with --scheme stored", *arguments.rate);
    }
    options.stored = true;
    return options;
  }
  auto scheme = arguments.rate.has_value() ? lacuna::prune::MakeScheme(arguments.scheme, *arguments.rate)
                                           : lacuna::prune::ParseScheme(arguments.scheme);
  if (!scheme.ok()) return scheme.status();
  options.scheme = *scheme;
  return options;
}

Result<Graph> Load(const Arguments& arguments) {
  if (graph::IsBuiltinNetwork(arguments.model)) return graph::BuiltinNetwork(arguments.model, arguments.batch);
  graph::ImportOptions options;
  options.batch = arguments.batch;
  return graph::ImportOnnxFile(arguments.model, options);
}

void FillInputs(const std::vector<float>& clip, Network& network) {
  if (!clip.empty()) return tools::SetInputClip(clip, network);
  for (size_t i = 0; i < network.input_count(); ++i) graph::FillGaussian(network.input(i), 1.0f, 1000 + i);
}

Status Verify(Network& network) {
  LACUNA_ASSIGN_OR_RETURN(errors, network.Verify());
  double worst = 0.0;
  for (const graph::LayerError& error : errors) {
    std::printf("%-32s %8.4f of the rounding bound\n", error.name.c_str(), error.over_bound);
    worst = std::max(worst, error.over_bound);
  }
  std::printf("verified %zu layers against the reference: largest |difference| is %.4f of the rounding bound\n",
              errors.size(), worst);
  if (worst <= 1.0) return Status();
  return Status::Make(StatusCode::kDataLoss, "verification failed: a difference exceeds the rounding bound");
}

Status WriteJson(const report::Report& report, const std::string& path) {
  return graph::ReplaceFile(path, [&](std::ostream& file) {
    file << report::ToJson(report).dump(1) << '\n';
    return true;
  });
}

// A plan, made or applied, says itself how layers are pruned; making one runs nothing.
Status CheckPlanOptions(const Arguments& arguments) {
  LACUNA_RETURN_IF_ERROR(tools::CheckMapArguments(arguments.map, arguments.rate));
  if (arguments.map.plan.empty()) return Status();
  const bool maps = !arguments.map.mapper.empty();
  const std::pair<const char*, bool> excluded[] = {{"--scheme", arguments.scheme != "dense"},
                                                   {"--flops-rate", !arguments.flops_rate.empty()},
                                                   {"--rate", !maps && arguments.rate},
                                                   {"--layers", !maps && !arguments.layers.empty()},
                                                   {"--prune-first", !maps && arguments.prune_first},
                                                   {"--verify", maps && arguments.verify},
                                                   {"--explain", maps && arguments.explain},
                                                   {"--compare", maps && !arguments.compare.empty()},
                                                   {"--json", maps && !arguments.json.empty()},
                                                   {"--input", maps && !arguments.input.empty()}};
  for (const auto& [name, given] : excluded) {
    if (given) return Status::InvalidArgument("%s must be absent with %s", name, maps ? "--map" : "--plan");
  }
  return Status();
}

Status Run(const Arguments& arguments) {
  LACUNA_RETURN_IF_ERROR(CheckPlanOptions(arguments));
  LACUNA_ASSIGN_OR_RETURN(options, OptionsOf(arguments));
  tools::Tuning tuning("lacuna-run");
  LACUNA_RETURN_IF_ERROR(tuning.Prepare(arguments.tuning));
  options.kernels = tuning.selection();
  LACUNA_ASSIGN_OR_RETURN(model, Load(arguments));
  if (!arguments.map.mapper.empty()) {
    const Status mapped = tools::MapSchemes(arguments.model, model, options, arguments.rate, arguments.map);
    const Status saved = tuning.Save();
    return mapped.ok() ? saved : mapped;
  }
  std::optional<graph::SchemePlan> plan;
  if (!arguments.map.plan.empty()) {
    LACUNA_ASSIGN_OR_RETURN(applied, tools::ApplyPlan(arguments.map.plan, model, options));
    plan = std::move(applied);
  }
  std::vector<float> clip;
  if (!arguments.input.empty()) {
    LACUNA_ASSIGN_OR_RETURN(read, tools::ReadInputClip(arguments.input, arguments.model, model));
    clip = std::move(read);
  }
  auto compiled = arguments.compare.empty() ? Network::Compile(std::move(model), options)
                                            : Network::Compile(model, options);  // compiled once more below
  if (!compiled.ok()) return compiled.status();
  LACUNA_RETURN_IF_ERROR(tuning.Save());
  Network network = *std::move(compiled);
  FillInputs(clip, network);
  if (arguments.explain) report::PrintExplanations(arguments.model, network);
  if (arguments.verify) LACUNA_RETURN_IF_ERROR(Verify(network));

  report::Report report;
  report.model = arguments.model;
  report.target = graph::ActiveTargetName();
  report.kernels = tuning.Description();
  report.threads = arguments.threads;
  report.repeat = arguments.repeat;
  report.network = &network;
  std::vector<Network*> networks = {&network};
  std::optional<Network> dense;
  if (!arguments.compare.empty()) {
    CompileOptions dense_options;
    dense_options.threads = arguments.threads;
    dense_options.kernels = tuning.selection();
    auto compared = Network::Compile(model, dense_options);
    if (!compared.ok()) return compared.status();
    LACUNA_RETURN_IF_ERROR(tuning.Save());
    if (arguments.explain) report::PrintExplanations(arguments.model + ", dense", *compared);
    dense = *std::move(compared);
    FillInputs(clip, *dense);
    report.dense = &*dense;
    networks.push_back(&*dense);
  }
  LACUNA_ASSIGN_OR_RETURN(timings, report::Measure(networks, arguments.repeat));
  report.timing = timings[0];
  if (dense.has_value()) report.dense_timing = timings[1];
  report::PrintTable(report);
  if (plan.has_value()) tools::PrintPrediction(*plan, report);
  if (!clip.empty()) tools::PrintLargestOutputs(network);
  return arguments.json.empty() ? Status() : WriteJson(report, arguments.json);
}

}  // namespace

int main(int argc, char** argv) {
#ifdef __GLIBC__
  // Else the C library comes to serve ever larger requests from the heap, where freed weights of a layer stay resident.
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
#endif
  Arguments arguments;
  CLI::App app("Runs a network layer by layer on a clip or random input, prints the time of each layer.");
  app.add_option("model", arguments.model, "ONNX file, or a built-in network: " + graph::BuiltinNetworkNames())
      ->required();
  app.add_option(
         "--scheme", arguments.scheme,
         "how weights are pruned before the run: dense, a scheme with its rate (bcr_col-8x; or bcr_col and --rate "
         "8), or stored: as lacuna-prune recorded it in the model. " +
             std::string(graph::kSchemeHelp))
      ->capture_default_str();
  app.add_option("--rate", arguments.rate, "dense weights / kept weights, 1 to 10000");
  app.add_option("--flops-rate", arguments.flops_rate,
                 "prune the layers at the one rate that makes the FLOPs of all convolutions together this many times "
                 "fewer; the layers are those usual for the network if it has any and --layers names none. usual: its "
                 "usual rate (c3d 3.6, r2plus1d 3.2, s3d 2.1)");
  app.add_option("--layers", arguments.layers,
                 "prune the layers whose node or weight name matches this regular expression (Conv, Gemm, MatMul, RNN, "
                 "GRU, LSTM); default: every Conv, depthwise ones only under unstructured, pattern and connectivity, "
                 "and every RNN, GRU and LSTM");
  app.add_flag("--prune-first", arguments.prune_first, "prune the first Conv too, which else stays dense");
  app.add_option("--threads", arguments.threads, "1 runs on the calling thread")->capture_default_str();
  app.add_option("--repeat", arguments.repeat, "runs to take medians of")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  app.add_option("--batch", arguments.batch, "images, clips or sequences per run, where the model leaves it open")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  app.add_flag("--verify", arguments.verify, "compare every layer with the reference in double precision (slow)");
  app.add_flag("--explain", arguments.explain,
               "print each layer's candidates, predicted and measured, and why one was chosen");
  tools::AddTuningOptions(app, arguments.tuning);
  tools::AddMapOptions(app, arguments.map);
  app.add_option("--input", arguments.input,
                 "a clip for a video network instead of random input: a folder of images, or a video; the largest "
                 "outputs are printed");
  app.add_option("--compare", arguments.compare, "dense: run the dense network too, in turn")
      ->check(CLI::IsMember({"dense"}));
  app.add_option("--json", arguments.json, "file to write the layers and totals to");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Status status = Run(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "lacuna-run: %s\n", status.message());
  return 1;
}
