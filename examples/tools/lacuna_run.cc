// lacuna-run: runs an ONNX model or a built-in network, layer by layer, and times or verifies it.

#include "lacuna/version.h"

#include <CLI/CLI.hpp>

#include <cstdlib>  // defines __GLIBC__ where it is so
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "graph/builtin.h"
#include "graph/executor.h"
#include "graph/layer_selection.h"
#include "graph/layer_weights.h"
#include "graph/operator.h"
#include "graph/replace_file.h"
#include "graph/target.h"
#include "tools/clip_input.h"
#include "tools/explain.h"
#include "tools/map_schemes.h"
#include "tools/model_options.h"
#include "tools/report.h"
#include "tools/run_data.h"
#include "tools/scheme_options.h"
#include "tools/tuning.h"

namespace {

using graph::CompileOptions;
using graph::Graph;
using graph::Network;
using graph::Result;
using graph::Status;
using graph::StatusCode;

struct Arguments {
  tools::ModelArguments model;
  std::string scheme = "dense";
  std::optional<double> rate;
  std::string flops_rate;
  std::string layers;
  bool prune_first = false;
  size_t threads = 1;
  int repeat = 10;
  bool verify = false;
  bool explain = false;
  std::string compare;
  std::string json;
  std::vector<std::string> inputs;
  tools::ImageArguments image;
  std::string output;
  std::string expect;
  double tolerance = 1e-4;
  bool list = false;
  std::string layout = "auto";
  tools::TuningArguments tuning;
  tools::MapArguments map;
};

// A FLOPs rate prunes the network's usual layers if it has any and --layers names none.
Status SetFlopsRate(const Arguments& arguments, CompileOptions& options) {
  if (arguments.rate.has_value() || arguments.scheme == "stored" || arguments.scheme == "dense") {
    return Status::InvalidArgument("--flops-rate is %s, must be absent with %s", arguments.flops_rate.c_str(),
                                   arguments.rate.has_value() ? "--rate" : ("--scheme " + arguments.scheme).c_str());
  }
  const auto usual = graph::UsualPruningOf(arguments.model.model);
  if (arguments.flops_rate == "usual") {
    if (!usual.has_value()) {
      return Status::InvalidArgument("--flops-rate is usual, but '%s' has no usual rate, must be a number",
                                     arguments.model.model.c_str());
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
  options.choose_layouts = arguments.layout == "auto";
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
  LACUNA_ASSIGN_OR_RETURN(scheme, tools::SchemeOf(arguments.scheme, arguments.rate));
  options.scheme = scheme;
  return options;
}

// What the network is run on: a clip, tensors, or nothing, which is random.
struct Inputs {
  std::vector<float> clip;
  tools::GivenInputs given;

  Status Fill(Network& network) const {
    LACUNA_RETURN_IF_ERROR(tools::SetInputs(given.tensors, network));
    if (!clip.empty()) tools::SetInputClip(clip, network);
    return Status();
  }
};

// A network that takes clips is given one by a folder of images or a video.
bool IsClip(const std::vector<std::string>& inputs) {
  return inputs.size() == 1 && !tools::IsTensorFile(inputs[0]) && !tools::IsImageFile(inputs[0]) &&
         inputs[0].find('=') == std::string::npos;
}

// Writes the outputs of a run, and compares them.
Status UseOutputs(const Arguments& arguments, Network& network) {
  if (arguments.output.empty() && arguments.expect.empty()) return Status();
  LACUNA_RETURN_IF_ERROR(network.Run());
  if (!arguments.output.empty()) {
    LACUNA_RETURN_IF_ERROR(tools::WriteTensors(tools::OutputsOf(network), arguments.output));
  }
  if (arguments.expect.empty()) return Status();
  LACUNA_ASSIGN_OR_RETURN(expected, tools::ReadTensors(arguments.expect, "output"));
  return tools::CompareOutputs(expected, arguments.tolerance, network);
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
                                                   {"--input", maps && !arguments.inputs.empty()},
                                                   {"--output", maps && !arguments.output.empty()},
                                                   {"--expect", maps && !arguments.expect.empty()}};
  for (const auto& [name, given] : excluded) {
    if (given) return Status::InvalidArgument("%s must be absent with %s", name, maps ? "--map" : "--plan");
  }
  return Status();
}

double MillisecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

bool HasStoredSchemes(const Graph& model) {
  return std::any_of(model.metadata.begin(), model.metadata.end(),
                     [](const auto& entry) { return entry.first.starts_with(graph::kSchemeMetadataPrefix); });
}

Status Run(const Arguments& arguments) {
  LACUNA_RETURN_IF_ERROR(CheckPlanOptions(arguments));
  LACUNA_ASSIGN_OR_RETURN(options, OptionsOf(arguments));
  tools::Tuning tuning("lacuna-run");
  LACUNA_RETURN_IF_ERROR(tuning.Prepare(arguments.tuning));
  options.kernels = tuning.selection();
  Inputs inputs;
  if (!IsClip(arguments.inputs)) {
    LACUNA_ASSIGN_OR_RETURN(given, tools::ReadInputs(arguments.inputs, arguments.image));
    inputs.given = std::move(given);
  }
  report::Report report;
  auto begin = std::chrono::steady_clock::now();
  LACUNA_ASSIGN_OR_RETURN(model, tools::LoadModel(arguments.model, inputs.given.tensors));
  report.import_ms = MillisecondsSince(begin);
  const std::string& name = arguments.model.model;
  if (arguments.list) return report::PrintContents(name, model);
  if (options.stored && !HasStoredSchemes(model)) {
    return Status::InvalidArgument("--scheme is stored, but '%s' records no scheme: prune it with lacuna-prune first",
                                   name.c_str());
  }
  if (!arguments.map.mapper.empty()) {
    const Status mapped = tools::MapSchemes(name, model, options, arguments.rate, arguments.map);
    const Status saved = tuning.Save();
    return mapped.ok() ? saved : mapped;
  }
  std::optional<graph::SchemePlan> plan;
  if (!arguments.map.plan.empty()) {
    LACUNA_ASSIGN_OR_RETURN(applied, tools::ApplyPlan(arguments.map.plan, model, options));
    plan = std::move(applied);
  }
  if (IsClip(arguments.inputs)) {
    LACUNA_ASSIGN_OR_RETURN(clip, tools::ReadInputClip(arguments.inputs[0], name, model));
    inputs.clip = std::move(clip);
  }
  LACUNA_RETURN_IF_ERROR(tools::NameInputs(model, inputs.given.tensors));
  LACUNA_RETURN_IF_ERROR(tools::ReadImages(model, arguments.image, inputs.given));
  begin = std::chrono::steady_clock::now();
  auto compiled = arguments.compare.empty() ? Network::Compile(std::move(model), options)
                                            : Network::Compile(model, options);  // compiled once more below
  if (!compiled.ok()) return compiled.status();
  report.plan_ms = MillisecondsSince(begin);
  LACUNA_RETURN_IF_ERROR(tuning.Save());
  Network network = *std::move(compiled);
  LACUNA_RETURN_IF_ERROR(inputs.Fill(network));
  if (arguments.explain) report::PrintExplanations(name, network);
  if (arguments.verify) LACUNA_RETURN_IF_ERROR(Verify(network));

  report.model = name;
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
    if (arguments.explain) report::PrintExplanations(name + ", dense", *compared);
    dense = *std::move(compared);
    LACUNA_RETURN_IF_ERROR(inputs.Fill(*dense));
    report.dense = &*dense;
    networks.push_back(&*dense);
  }
  LACUNA_ASSIGN_OR_RETURN(timings, report::Measure(networks, arguments.repeat));
  report.timing = timings[0];
  if (dense.has_value()) report.dense_timing = timings[1];
  report::PrintTable(report);
  if (plan.has_value()) tools::PrintPrediction(*plan, report);
  if (!inputs.clip.empty()) tools::PrintLargestOutputs(network);
  LACUNA_RETURN_IF_ERROR(UseOutputs(arguments, network));
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
  app.add_flag_callback(
      "--operators",
      [] {
        for (const graph::Operator& entry : graph::AllOperators()) std::printf("%s\n", std::string(entry.name).c_str());
        throw CLI::Success();
      },
      "print the operators that the executor has");
  app.add_flag_callback(
      "--networks",
      [] {
        const Status status = report::PrintNetworks();
        if (!status.ok()) throw CLI::RuntimeError(status.message(), 1);
        throw CLI::Success();
      },
      "list the built-in networks: weights, FLOPs, source");
  app.set_version_flag("--version", "lacuna " LACUNA_VERSION);
  app.get_formatter()->column_width(28);
  app.footer("Exit code: 0, 1 after an error or where outputs are not as expected, 2 if the arguments are wrong.");
  tools::AddModelOptions(app, arguments.model);
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
  app.add_flag("--verify", arguments.verify, "compare every layer with the reference in double precision (slow)");
  app.add_flag("--explain", arguments.explain,
               "print each layer's candidates, predicted and measured, and why one was chosen");
  tools::AddTuningOptions(app, arguments.tuning);
  tools::AddMapOptions(app, arguments.map);
  app.add_option(
      "--input", arguments.inputs,
      "what to run on instead of random values: NAME=FILE.npy (several times), a .npz or a folder of .npy "
      "files with the names of inputs, a folder of ONNX test data; NAME=IMAGE.png (jpg, bmp, ppm), scaled and cropped "
      "to the input; for a video network a folder of images or a video, whose largest outputs are printed");
  tools::AddImageOptions(app, arguments.image);
  app.add_option("--output", arguments.output, "write all outputs to FILE.npz, or to a folder as NAME.npy");
  app.add_option("--expect", arguments.expect,
                 "compare the outputs with those of a .npz, a .npy or a folder, print by how much each differs, and "
                 "fail beyond --tolerance");
  app.add_option("--tolerance", arguments.tolerance,
                 "of --expect, times the larger of 1 and the largest magnitude of an output")
      ->capture_default_str();
  app.add_option("--layout", arguments.layout,
                 "auto: values between convolutions stand channels-last where that is faster; planar: none does")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "planar"}));
  app.add_flag("--list", arguments.list, "print inputs, outputs, operators and layers, and run nothing");
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
