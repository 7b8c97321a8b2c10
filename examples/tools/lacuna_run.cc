// lacuna-run: runs an ONNX model or a built-in network, layer by layer, and times or verifies it.

#include <CLI/CLI.hpp>

#include <cstdio>
#include <fstream>
#include <optional>
#include <string>

#include "graph/builtin.h"
#include "graph/executor.h"
#include "graph/layer_selection.h"
#include "graph/onnx_import.h"
#include "graph/target.h"
#include "tools/report.h"

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
  std::string layers;
  bool prune_first = false;
  size_t threads = 1;
  int repeat = 10;
  int64_t batch = 1;
  bool verify = false;
  bool explain = false;
  std::string compare;
  std::string json;
};

Result<CompileOptions> OptionsOf(const Arguments& arguments) {
  CompileOptions options;
  options.layers = arguments.layers;
  options.prune_first = arguments.prune_first;
  options.threads = arguments.threads;
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

void FillInputs(Network& network) {
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
  std::ofstream file(path);
  file << report::ToJson(report).dump(1) << '\n';
  file.close();
  return file ? Status() : Status::Make(StatusCode::kNotFound, "cannot write '%s'", path.c_str());
}

Status Run(const Arguments& arguments) {
  LACUNA_ASSIGN_OR_RETURN(options, OptionsOf(arguments));
  LACUNA_ASSIGN_OR_RETURN(model, Load(arguments));
  LACUNA_ASSIGN_OR_RETURN(network, Network::Compile(model, options));
  FillInputs(network);
  if (arguments.explain) {
    for (const graph::LayerInfo& layer : network.layers()) {
      if (layer.weights != nullptr) std::printf("%s: %s\n", layer.name.c_str(), layer.weights->explanation.c_str());
    }
  }
  if (arguments.verify) LACUNA_RETURN_IF_ERROR(Verify(network));

  report::Report report;
  report.model = arguments.model;
  report.target = graph::ActiveTargetName();
  report.threads = arguments.threads;
  report.repeat = arguments.repeat;
  report.network = &network;
  std::vector<Network*> networks = {&network};
  std::optional<Network> dense;
  if (!arguments.compare.empty()) {
    auto compiled = Network::Compile(model, CompileOptions{.threads = arguments.threads});
    if (!compiled.ok()) return compiled.status();
    dense = *std::move(compiled);
    FillInputs(*dense);
    report.dense = &*dense;
    networks.push_back(&*dense);
  }
  LACUNA_ASSIGN_OR_RETURN(timings, report::Measure(networks, arguments.repeat));
  report.timing = timings[0];
  if (dense.has_value()) report.dense_timing = timings[1];
  report::PrintTable(report);
  return arguments.json.empty() ? Status() : WriteJson(report, arguments.json);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Runs a network layer by layer on random input, prints the time of each layer.");
  app.add_option("model", arguments.model, "ONNX file, or a built-in network: " + graph::BuiltinNetworkNames())
      ->required();
  app.add_option(
         "--scheme", arguments.scheme,
         "how weights are pruned before the run: dense, a scheme with its rate (bcr_col-8x; or bcr_col and --rate "
         "8), or stored: as lacuna-prune recorded it in the model. " +
             std::string(graph::kSchemeHelp))
      ->capture_default_str();
  app.add_option("--rate", arguments.rate, "dense weights / kept weights, 1 to 10000");
  app.add_option("--layers", arguments.layers,
                 "prune the layers whose node or weight name matches this regular expression (Conv, Gemm, MatMul); "
                 "default: every Conv, depthwise ones only under unstructured, pattern and connectivity");
  app.add_flag("--prune-first", arguments.prune_first, "prune the first Conv too, which else stays dense");
  app.add_option("--threads", arguments.threads, "1 runs on the calling thread")->capture_default_str();
  app.add_option("--repeat", arguments.repeat, "runs to take medians of")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  app.add_option("--batch", arguments.batch, "images per run, where the model leaves it open")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  app.add_flag("--verify", arguments.verify, "compare every layer with the reference in double precision (slow)");
  app.add_flag("--explain", arguments.explain, "print why each layer runs as it does");
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
