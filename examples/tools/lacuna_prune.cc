// lacuna-prune: prunes the weights of an ONNX model and records how in its metadata.

#include "lacuna/version.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/builtin.h"
#include "graph/layer_selection.h"
#include "graph/onnx_export.h"
#include "graph/onnx_file.h"
#include "graph/onnx_import.h"
#include "graph/ort_custom.h"
#include "graph/pruning.h"
#include "tools/calibration_data.h"
#include "tools/progress_bar.h"
#include "tools/scheme_options.h"
#include "tools/suggestion.h"
#ifdef LACUNA_CALIBRATION
#include "graph/calibrated_model.h"
#endif

namespace {

struct Arguments {
  std::string input;
  std::string output;
  std::string scheme;
  std::optional<double> rate;
  graph::PruneOptions prune;
  std::string calibrate;
  size_t samples = 256;
  double damping = 0.01;
  int64_t rounds = 4;
  bool refit = true;
  size_t threads = 1;
  std::string emit;
};

// A built-in network, or what the file holds, all data embedded.
graph::Result<onnx::ModelProto> ModelOf(const std::string& name) {
  if (graph::IsBuiltinNetwork(name)) {
    LACUNA_ASSIGN_OR_RETURN(network, graph::BuiltinNetwork(name));
    return graph::ToModel(network);
  }
  LACUNA_RETURN_IF_ERROR(tools::CheckModelName(name));
  LACUNA_ASSIGN_OR_RETURN(model, graph::ReadModel(name));
  const std::string folder = std::filesystem::path(name).parent_path().string();
  LACUNA_RETURN_IF_ERROR(graph::EmbedExternalData(model, folder.empty() ? "." : folder));
  return model;
}

#ifdef LACUNA_CALIBRATION
// What a model wants as inputs, open extents -1.
graph::Result<std::vector<graph::ValueInfo>> InputsOf(const onnx::ModelProto& model) {
  graph::ImportOptions as_it_is;
  as_it_is.for_execution = false;
  LACUNA_ASSIGN_OR_RETURN(imported, graph::ImportOnnx(model.SerializeAsString(), as_it_is));
  return std::move(imported.inputs);
}

graph::Result<graph::PrunedModel> Calibrate(const Arguments& arguments, onnx::ModelProto& model) {
  LACUNA_ASSIGN_OR_RETURN(inputs, InputsOf(model));
  LACUNA_ASSIGN_OR_RETURN(data, tools::ReadCalibrationData(arguments.calibrate, inputs, arguments.samples));
  tools::ProgressBar bar(stderr);
  graph::CalibrationOptions options{
      .damping = arguments.damping, .rounds = arguments.rounds, .refit = arguments.refit, .threads = arguments.threads};
  if (isatty(STDERR_FILENO) == 1) {
    options.progress = [&](size_t layer, size_t layers, const std::string& name) {
      bar.Show({layer, layers, name, "", 0, 1});
    };
  }
  LACUNA_ASSIGN_OR_RETURN(calibrated, graph::CalibrateModel(arguments.prune, data.samples, options, model));
  bar.Clear();
  std::printf("reconstructed on %zu samples; squared error of each layer's output, relative:\n", data.samples.size());
  for (const graph::CalibratedLayer& layer : calibrated.layers) {
    if (!layer.left.empty()) {
      std::printf("%-32s %-32s %s\n", layer.name.c_str(), layer.initializer.c_str(), layer.left.c_str());
      continue;
    }
    std::printf("%-32s %-32s %8.5f, %s %8.5f, %.1f s%s\n", layer.name.c_str(), layer.initializer.c_str(), layer.error,
                layer.refitted ? "not refitted" : "projected", layer.projected_error, layer.seconds,
                layer.underdetermined ? ", fewer positions than columns: regularised" : "");
  }
  return std::move(calibrated.pruned);
}
#else
graph::Result<graph::PrunedModel> Calibrate(const Arguments&, onnx::ModelProto&) {
  return graph::Status::Make(graph::StatusCode::kUnsupported, "--calibrate: this build has no Eigen");
}
#endif

void Report(const graph::PrunedModel& pruned) {
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
}

// Writes the pruned model, its layers as operators of ONNX Runtime if asked.
graph::Status Write(const Arguments& arguments, onnx::ModelProto& model) {
  if (arguments.emit.empty()) return graph::WriteModel(model, arguments.output);
  LACUNA_ASSIGN_OR_RETURN(layers, graph::EmitOrtCustom(model));
  for (const graph::CustomLayer& layer : layers) {
    std::printf("%-32s %s%s\n", layer.name.c_str(), layer.op.c_str(),
                layer.left.empty() ? "" : ("left to ONNX Runtime: " + layer.left).c_str());
  }
  return graph::WriteModel(model, arguments.output);
}

graph::Status Prune(Arguments& arguments) {
  if (arguments.scheme == "stored") {
    if (arguments.emit.empty() || arguments.rate.has_value() || arguments.prune.flops_rate.has_value() ||
        !arguments.calibrate.empty()) {
      return graph::Status::InvalidArgument("--scheme stored prunes nothing: it is for --emit, without a rate");
    }
    LACUNA_ASSIGN_OR_RETURN(model, ModelOf(arguments.input));
    return Write(arguments, model);
  }
  // A FLOPs rate finds the rate itself.
  const bool finds_rate = arguments.prune.flops_rate.has_value();
  LACUNA_ASSIGN_OR_RETURN(scheme, tools::SchemeOf(arguments.scheme, finds_rate ? 1.0 : arguments.rate));
  arguments.prune.scheme = scheme;
  LACUNA_ASSIGN_OR_RETURN(model, ModelOf(arguments.input));
  LACUNA_ASSIGN_OR_RETURN(
      pruned, arguments.calibrate.empty() ? graph::PruneModel(arguments.prune, model) : Calibrate(arguments, model));
  LACUNA_RETURN_IF_ERROR(Write(arguments, model));
  Report(pruned);
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
  app.add_option(
         "--emit", arguments.emit,
         "ort-custom: write pruned layers as operators of the domain lacuna, which integrations/onnxruntime gives "
         "to ONNX Runtime; with --scheme stored those of a model that is pruned already")
      ->check(CLI::IsMember({"ort-custom"}));
  auto* calibrate =
      app.add_option("--calibrate", arguments.calibrate,
                     "reconstruct each layer on samples of the model's inputs, without training: a .npy, .npz or .pb "
                     "file, a folder of "
                     "them, or a folder of folders of ONNX test data; arrays hold samples along their first axis");
  app.add_option("--samples", arguments.samples, "--calibrate: how many of the samples are used, 0: all")
      ->capture_default_str()
      ->needs(calibrate);
  app.add_option("--damping", arguments.damping,
                 "--calibrate: what is added to the diagonal of a layer's Hessian, as a fraction of its mean")
      ->capture_default_str()
      ->needs(calibrate);
  app.add_option("--rounds", arguments.rounds,
                 "--calibrate: least-squares steps that take a ReLU or clamp into account")
      ->capture_default_str()
      ->needs(calibrate);
  app.add_option(
         "--refit", arguments.refit,
         "--calibrate: whether layers that are not selected are fitted anew behind pruned ones, all weights kept")
      ->capture_default_str()
      ->needs(calibrate);
  app.add_option("--threads", arguments.threads, "--calibrate: threads")->capture_default_str()->needs(calibrate);
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
