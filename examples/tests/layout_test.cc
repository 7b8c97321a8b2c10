// Layouts between convolutions: chosen where depthwise layers gain, and the same values.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "tests/model_builder.h"

namespace {

using test::ModelBuilder;

// An inverted residual block: expand, depthwise, project, each with an activation but the last, and the sum.
ModelBuilder Block(int64_t extent, int64_t stride = 1) {
  ModelBuilder net;
  net.Input("x", {2, 8, extent, extent}).Output("y");
  net.Weights("we", {48, 8, 1, 1}).Weights("wd", {48, 1, 3, 3}).Weights("wp", {8, 48, 1, 1}).Weights("b", {48});
  net.Node("expand", "Conv", {"x", "we", "b"}, "e");
  net.Node("relu1", "Relu", {"e"}, "er");
  auto& depthwise = net.Node("depthwise", "Conv", {"er", "wd"}, "d");
  // Dilated: there is no kernel for planes that would do as well.
  test::AddInts(depthwise, "pads", {2, 2, 2, 2});
  test::AddInts(depthwise, "dilations", {2, 2});
  test::AddInts(depthwise, "strides", {stride, stride});
  test::AddInt(depthwise, "group", 48);
  net.Node("relu2", "Relu", {"d"}, "dr");
  net.Node("project", "Conv", {"dr", "wp"}, "p");
  net.Node("sum", "Add", {"p", stride == 1 ? "x" : "p"}, "y");
  return net;
}

struct Ran {
  std::vector<std::string> channels_last;  // names of layers
  std::vector<float> output;
};

Ran RunModel(const ModelBuilder& net, bool choose, size_t threads = 1) {
  const auto model = graph::ImportOnnx(net.Bytes());
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  graph::CompileOptions options;
  options.choose_layouts = choose;
  options.keep_weights = true;
  options.threads = threads;
  auto network = graph::Network::Compile(*model, options);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  graph::FillGaussian(network->input(0), 1.0f, 3);
  const auto errors = network->Verify();
  REQUIRE(errors.ok());
  for (const graph::LayerError& error : *errors) CHECK_MESSAGE(error.over_bound <= 1.0, error.name);
  Ran ran;
  for (const graph::LayerInfo& layer : network->layers()) {
    if (layer.channels_last) ran.channels_last.push_back(layer.name);
  }
  ran.output.assign(network->output(0).begin(), network->output(0).end());
  return ran;
}

using Names = std::vector<std::string>;

TEST_CASE("values around a depthwise layer stand channels-last, and only they") {
  for (const int64_t stride : {1, 2}) {
    const Ran chosen = RunModel(Block(14, stride), true);
    const Ran planar = RunModel(Block(14, stride), false);
    CHECK(chosen.channels_last == Names{"expand", "depthwise"});
    CHECK(planar.channels_last.empty());
    REQUIRE(chosen.output.size() == planar.output.size());
    for (size_t i = 0; i < planar.output.size(); ++i) {
      CHECK(chosen.output[i] == doctest::Approx(planar.output[i]).epsilon(1e-4).scale(1.0));
    }
    CHECK(RunModel(Block(14, stride), true, 3).output == chosen.output);
  }
}

TEST_CASE("a value that something else reads stays planar") {
  ModelBuilder shown = Block(14);
  shown.Output("dr");
  CHECK(RunModel(shown, true).channels_last.empty());
  ModelBuilder pooled = Block(14);
  pooled.Node("pool", "GlobalAveragePool", {"er"}, "z");
  pooled.Output("z");
  CHECK(RunModel(pooled, true).channels_last.empty());
}

}  // namespace
