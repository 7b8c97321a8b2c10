// Fusion: what runs inside a layer's epilogue, and that it computes the same.

#include "graph/fusion.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "examples/tests/model_builder.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"

namespace {

using test::ModelBuilder;

struct Ran {
  std::vector<std::string> layers;
  std::vector<float> output;
};

Ran RunModel(const ModelBuilder& builder, size_t output = 0) {
  const auto model = graph::ImportOnnx(builder.Bytes());
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  auto network = graph::Network::Compile(*model);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  for (size_t i = 0; i < network->input_count(); ++i) graph::FillGaussian(network->input(i), 1.0f, 5 + i);
  REQUIRE(network->Run().ok());
  Ran ran;
  for (const graph::LayerInfo& layer : network->layers()) ran.layers.push_back(layer.name);
  ran.output.assign(network->output(output).begin(), network->output(output).end());
  return ran;
}

// Runs the model as it is, and with every value between visible from outside, which forbids fusion.
void CheckFusion(ModelBuilder builder, const std::vector<std::string>& expected_layers) {
  const Ran fused = RunModel(builder);
  CHECK(fused.layers == expected_layers);
  std::vector<std::string> between;
  for (const auto& node : builder.model().graph().node()) between.push_back(node.output(0));
  between.pop_back();
  for (const std::string& value : between) builder.Output(value);
  const Ran plain = RunModel(builder);
  CHECK(plain.layers.size() == between.size() + 1);
  REQUIRE(plain.output.size() == fused.output.size());
  for (size_t i = 0; i < plain.output.size(); ++i) {
    CHECK(fused.output[i] == doctest::Approx(plain.output[i]).epsilon(1e-4).scale(1.0));
  }
}

ModelBuilder Stem() {
  ModelBuilder net;
  net.Input("x", {1, 3, 6, 6}).Output("y").Weights("w", {8, 3, 3, 3}).Weights("b", {8});
  test::AddInts(net.Node("conv", "Conv", {"x", "w", "b"}, "c"), "pads", {1, 1, 1, 1});
  return net;
}

TEST_CASE("activations run in the convolution before them") {
  const std::vector<std::pair<std::string, std::function<void(onnx::NodeProto&)>>> activations = {
      {"Relu", [](onnx::NodeProto&) {}},
      {"LeakyRelu", [](onnx::NodeProto& node) { test::AddFloat(node, "alpha", 0.2f); }},
      {"Sigmoid", [](onnx::NodeProto&) {}},
      {"Tanh", [](onnx::NodeProto&) {}},
      {"HardSwish", [](onnx::NodeProto&) {}},
  };
  for (const auto& activation : activations) {
    CAPTURE(activation.first);
    ModelBuilder net = Stem();
    activation.second(net.Node("act", activation.first, {"c"}, "y"));
    CheckFusion(net, {"conv"});
  }
}

TEST_CASE("Clip runs in the convolution, with bounds from inputs") {
  ModelBuilder net = Stem();
  net.Weights("low", {}, {0.0f}).Weights("high", {}, {0.5f});
  net.Node("clip", "Clip", {"c", "low", "high"}, "y");
  CheckFusion(net, {"conv"});
  ModelBuilder crossed = Stem();
  crossed.Weights("low", {}, {1.0f}).Weights("high", {}, {0.5f});
  crossed.Node("clip", "Clip", {"c", "low", "high"}, "y");
  for (const float value : RunModel(crossed).output) CHECK(value == 0.5f);
}

TEST_CASE("BatchNormalization, residual and activation together") {
  ModelBuilder net = Stem();
  net.Normalisation("n", 8);
  net.Weights("w0", {8, 3, 1, 1});
  net.Node("norm", "BatchNormalization", {"c", "n.scale", "n.bias", "n.mean", "n.variance"}, "n");
  net.Node("shortcut", "Conv", {"x", "w0"}, "s");
  net.Node("sum", "Add", {"n", "s"}, "a");
  net.Node("relu", "Relu", {"a"}, "y");
  // The sum needs both convolutions, so the later one takes it.
  CheckFusion(net, {"conv", "shortcut"});
}

TEST_CASE("x * sigmoid(x) and x * HardSigmoid(x) in two nodes") {
  ModelBuilder silu = Stem();
  silu.Node("gate", "Sigmoid", {"c"}, "g");
  silu.Node("product", "Mul", {"g", "c"}, "y");
  CheckFusion(silu, {"conv"});
  ModelBuilder swish = Stem();
  auto& gate = swish.Node("gate", "HardSigmoid", {"c"}, "g");
  test::AddFloat(gate, "alpha", 1.0f / 6.0f);
  swish.Node("product", "Mul", {"c", "g"}, "y");
  CheckFusion(swish, {"conv"});
  ModelBuilder other = Stem();  // the default slope of 0.2 is no hard-swish
  other.Node("gate", "HardSigmoid", {"c"}, "g");
  other.Node("product", "Mul", {"c", "g"}, "y");
  CheckFusion(other, {"conv", "gate", "product"});
}

TEST_CASE("MatMul takes an added vector, a residual and an activation") {
  ModelBuilder net;
  net.Input("x", {2, 5, 16}).Output("y").Weights("w", {16, 16}).Weights("b", {16});
  net.Node("matmul", "MatMul", {"x", "w"}, "m");
  net.Node("bias", "Add", {"b", "m"}, "n");
  net.Node("residual", "Add", {"n", "x"}, "r");
  net.Node("relu", "Relu", {"r"}, "y");
  CheckFusion(net, {"matmul"});
}

TEST_CASE("Gemm: alpha and beta are folded, a constant left operand is W too") {
  ModelBuilder net;
  net.Input("x", {3, 8}).Output("y").Weights("w", {8, 5}).Weights("b", {5});
  auto& node = net.Node("gemm", "Gemm", {"x", "w", "b"}, "g");
  test::AddFloat(node, "alpha", 0.5f);
  test::AddFloat(node, "beta", -2.0f);
  net.Node("relu", "Relu", {"g"}, "y");
  CheckFusion(net, {"gemm"});
  ModelBuilder left;
  left.Input("x", {8, 3}).Output("y").Weights("w", {5, 8});
  left.Node("matmul", "MatMul", {"w", "x"}, "m");
  left.Node("relu", "Relu", {"m"}, "y");
  CheckFusion(left, {"matmul"});
}

TEST_CASE("what is not fused: values with other uses, sums that broadcast, sums of later values, x + x") {
  ModelBuilder twice = Stem();
  twice.Node("relu", "Relu", {"c"}, "r");
  twice.Node("sum", "Add", {"r", "c"}, "y");
  CHECK(RunModel(twice).layers == std::vector<std::string>{"conv", "relu", "sum"});

  ModelBuilder broadcast = Stem();
  broadcast.Weights("v", {6, 1});
  broadcast.Node("sum", "Add", {"c", "v"}, "y");
  CheckFusion(broadcast, {"conv", "sum"});
  ModelBuilder channels = Stem();  // a bias, written as a sum
  channels.Weights("v", {8, 1, 1});
  channels.Node("sum", "Add", {"c", "v"}, "y");
  CheckFusion(channels, {"conv"});

  ModelBuilder later = Stem();
  later.Weights("w0", {8, 3, 1, 1});
  later.Node("pool", "Tanh", {"x"}, "p");
  later.Node("other", "Conv", {"p", "w0"}, "o");
  later.Node("square", "Mul", {"o", "o"}, "q");
  later.Node("sum", "Add", {"c", "q"}, "y");
  CheckFusion(later, {"conv", "pool", "other", "square", "sum"});

  ModelBuilder doubled = Stem();
  doubled.Node("double", "Add", {"c", "c"}, "y");
  CheckFusion(doubled, {"conv", "double"});
}

TEST_CASE("an activation before the sum stays before it") {
  ModelBuilder net = Stem();
  net.Node("relu", "Relu", {"c"}, "r");
  net.Weights("w0", {8, 3, 1, 1});
  net.Node("first", "Conv", {"x", "w0"}, "f");
  net.Node("first.relu", "Relu", {"f"}, "fr");
  net.Node("sum", "Add", {"r", "fr"}, "y");
  CheckFusion(net, {"conv", "first", "sum"});
}

}  // namespace
