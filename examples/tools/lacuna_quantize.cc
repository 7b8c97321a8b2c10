// lacuna-quantize: rounds the layers of an ONNX model to 8 bits and writes it with QuantizeLinear and DequantizeLinear.

#include "lacuna/version.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "graph/builtin.h"
#include "graph/onnx_export.h"
#include "graph/onnx_file.h"
#include "graph/onnx_import.h"
#include "graph/quantizing.h"
#include "tools/calibration_data.h"

namespace {

struct Arguments {
  std::string input, output, calibrate;
  size_t samples = 64;
  graph::QuantizeOptions quantize;
};

graph::Result<graph::Graph> GraphOf(const std::string& name) {
  if (graph::IsBuiltinNetwork(name)) return graph::BuiltinNetwork(name);
  return graph::ImportOnnxFile(name);
}

// Gaussian inputs, for networks with random weights.
std::vector<graph::Sample> RandomSamples(const graph::Graph& network, size_t count) {
  std::vector<graph::Sample> samples(count);
  for (size_t s = 0; s < count; ++s) {
    for (const graph::ValueInfo& input : network.inputs) {
      graph::Tensor values = graph::Tensor::Zeros(input.type, input.shape);
      if (values.IsFloats()) graph::FillGaussian(values.floats, 1.0f, s + 1);
      samples[s][input.name] = std::move(values);
    }
  }
  return samples;
}

graph::Status Quantize(const Arguments& arguments) {
  LACUNA_ASSIGN_OR_RETURN(network, GraphOf(arguments.input));
  std::vector<graph::Sample> samples;
  if (arguments.calibrate.empty()) {
    samples = RandomSamples(network, 2);
    std::printf("no --calibrate: ranges are those of %zu Gaussian inputs\n", samples.size());
  } else {
    LACUNA_ASSIGN_OR_RETURN(data, tools::ReadCalibrationData(arguments.calibrate, network.inputs, arguments.samples));
    samples = std::move(data.samples);
  }
  LACUNA_ASSIGN_OR_RETURN(quantized, graph::QuantizeGraph(network, samples, arguments.quantize));
  size_t rounded = 0;
  for (const graph::QuantizedLayerInfo& layer : quantized.layers) {
    std::printf("%-40s %s", layer.name.c_str(), layer.left.empty() ? "8 bits" : ("floats: " + layer.left).c_str());
    if (layer.output_error >= 0.0)
      std::printf(", alone it changes the outputs by %.3g of their square", layer.output_error);
    std::printf("\n");
    rounded += layer.left.empty() ? 1 : 0;
  }
  LACUNA_ASSIGN_OR_RETURN(model, graph::ToModel(quantized.graph));
  LACUNA_RETURN_IF_ERROR(graph::WriteModel(model, arguments.output));
  std::printf("%zu of %zu layers in 8 bits, ranges of %zu samples\n", rounded, quantized.layers.size(), samples.size());
  return graph::Status();
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(
      "Rounds Conv and Gemm layers of an ONNX model to 8 bits: weights to INT8 with a scale a row, activations to "
      "UINT8. "
      "The model that is written has QuantizeLinear and DequantizeLinear around them, as ONNX Runtime and lacuna-run "
      "take it. Zeros of pruned weights stay zero.");
  app.set_version_flag("--version", "lacuna " LACUNA_VERSION);
  app.add_option("input", arguments.input, "ONNX model to read, or a built-in network: " + graph::BuiltinNetworkNames())
      ->required();
  app.add_option("output", arguments.output, "ONNX model to write; replaced as a whole if it exists")->required();
  app.add_option("--calibrate", arguments.calibrate,
                 "samples of the model's inputs: a .npy, .npz or .pb file, a folder of them, or a folder of folders of "
                 "ONNX test data; arrays hold samples along their first axis");
  app.add_option("--samples", arguments.samples, "how many of the samples are used, 0: all")->capture_default_str();
  const std::map<std::string, graph::RangeMethod> methods = {{"min-max", graph::RangeMethod::kMinMax},
                                                             {"percentile", graph::RangeMethod::kPercentile},
                                                             {"mse", graph::RangeMethod::kMse}};
  app.add_option("--range", arguments.quantize.range,
                 "how a tensor's range is chosen: min-max, percentile (all but the same part at each end) or mse (what "
                 "makes the squared error of rounding least)")
      ->transform(CLI::CheckedTransformer(methods))
      ->default_str("min-max");
  app.add_option("--percentile", arguments.quantize.percentile, "--range percentile: what is kept, in percent")
      ->check(CLI::Range(50.0, 100.0))
      ->capture_default_str();
  app.add_option("--bias-correction", arguments.quantize.bias_correction,
                 "whether biases make up for what rounding weights takes from the mean of a layer's outputs")
      ->capture_default_str();
  app.add_option("--float-layers", arguments.quantize.float_layers,
                 "regular expression searched in node names: layers that stay in floats");
  app.add_option("--most-sensitive", arguments.quantize.most_sensitive,
                 "so many layers stay in floats, those that change the outputs most when quantised alone")
      ->capture_default_str();
  app.add_option("--threads", arguments.quantize.threads, "threads")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const graph::Status status = Quantize(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "lacuna-quantize: %s\n", status.message());
  return 1;
}
