// lacuna-prune: prunes the weights of an ONNX model and records how in its metadata.

#include "lacuna/version.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>

#include "graph/builtin.h"
#include "graph/layer_selection.h"
#include "graph/onnx_export.h"
#include "graph/onnx_file.h"
#include "graph/pruning.h"
#include "tools/scheme_options.h"

namespace {

struct Arguments {
  std::string input;
  std::string output;
  std::string scheme;
  std::optional<double> rate;
  graph::PruneOptions prune;
};

// A built-in network, or what the file holds, all data embedded.
graph::Result<onnx::ModelProto> ModelOf(const std::string& name) {
  if (graph::IsBuiltinNetwork(name)) {
    LACUNA_ASSIGN_OR_RETURN(network, graph::BuiltinNetwork(name));
    return graph::ToModel(network);
  }
  LACUNA_ASSIGN_OR_RETURN(model, graph::ReadModel(name));
  const std::string folder = std::filesystem::path(name).parent_path().string();
  LACUNA_RETURN_IF_ERROR(graph::EmbedExternalData(model, folder.empty() ? "." : folder));
  return model;
}

graph::Status Prune(Arguments& arguments) {
  // A FLOPs rate finds the rate itself.
  const bool finds_rate = arguments.prune.flops_rate.has_value();
  LACUNA_ASSIGN_OR_RETURN(scheme, tools::SchemeOf(arguments.scheme, finds_rate ? 1.0 : arguments.rate));
  arguments.prune.scheme = scheme;
  LACUNA_ASSIGN_OR_RETURN(model, ModelOf(arguments.input));
  LACUNA_ASSIGN_OR_RETURN(pruned, graph::PruneModel(arguments.prune, model));
  LACUNA_RETURN_IF_ERROR(graph::WriteModel(model, arguments.output));
  int64_t weights = 0, nnz = 0;
  for (const graph::PrunedLayer& layer : pruned.layers) {
    std::printf("%-32s %-32s %10lld of %10lld weights kept\n", layer.name.c_str(), layer.initializer.c_str(),
                static_cast<long long>(layer.nnz), static_cast<long long>(layer.weights));
    weights += layer.weights;
    nnz += layer.nnz;
  }
  for (const graph::UnprunedLayer& layer : pruned.left) {
    std::printf("%-32s %-32s left, %10lld weights: %s\n", layer.name.c_str(), layer.initializer.c_str(),
                static_cast<long long>(layer.weights), layer.reason.c_str());
  }
  std::printf("%s: %zu layers, %lld of %lld weights kept (%.2fx)\n", pruned.scheme.Name().c_str(), pruned.layers.size(),
              static_cast<long long>(nnz), static_cast<long long>(weights),
              static_cast<double>(weights) / static_cast<double>(nnz));
  if (pruned.dense_flops > 0.0) {  // models of recurrent layers have none
    std::printf("FLOPs of all convolutions: %.4g of %.4g GFLOPs kept (%.2fx)\n", pruned.flops * 1e-9,
                pruned.dense_flops * 1e-9, pruned.dense_flops / pruned.flops);
  }
  return graph::Status();
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(
      "Prunes the weights of an ONNX model: zeros are written into the weights, the scheme of each pruned "
      "initializer into the metadata (lacuna.scheme/<initializer>), where lacuna-run --scheme stored finds them.");
  app.set_version_flag("--version", "lacuna " LACUNA_VERSION);
  app.add_option("input", arguments.input, "ONNX model to read, or a built-in network: " + graph::BuiltinNetworkNames())
      ->required();
  app.add_option("output", arguments.output, "ONNX model to write; replaced as a whole if it exists")->required();
  app.add_option("--scheme", arguments.scheme, "how weights are pruned. " + std::string(graph::kSchemeHelp))
      ->required();
  auto* rate = app.add_option_group("rate")->require_option(0, 1);
  rate->add_option("--rate", arguments.rate,
                   "dense weights / kept weights, 1 to 10000; or as part of the scheme, bcr_col-8x");
  rate->add_option("--flops-rate", arguments.prune.flops_rate,
                   "prune the layers at the one rate that makes the FLOPs of all convolutions together this many times "
                   "fewer");
  app.add_option("--layers", arguments.prune.layers,
                 "regular expression searched in node and weight names (Conv, Gemm, MatMul, RNN, GRU, LSTM); default: "
                 "every Conv, depthwise ones only under unstructured, pattern and connectivity, and every RNN, GRU and "
                 "LSTM");
  app.add_flag("--skip-first", arguments.prune.skip_first, "leave the first Conv as it is");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const graph::Status status = Prune(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "lacuna-prune: %s\n", status.message());
  return 1;
}
