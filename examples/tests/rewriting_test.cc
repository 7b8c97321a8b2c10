// What exporters spell out becomes one operator, with the same values.

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "tests/model_builder.h"

namespace {

using test::ModelBuilder;

// A model on x [2, 3, 4, 4] with the constants that patterns need.
ModelBuilder Model(const std::function<void(ModelBuilder&)>& nodes) {
  ModelBuilder net(17);
  net.Input("x", {2, 3, 4, 4}).Output("y");
  net.Weights("three", {}, {3.0f}).Weights("six", {1}, {6.0f}).Weights("sixth", {}, {1.0f / 6.0f});
  net.Weights("zero", {}, {0.0f}).Weights("six.", {}, {6.0f}).Weights("root", {}, {std::sqrt(2.0f)});
  net.Weights("one", {}, {1.0f}).Weights("half", {}, {0.5f}).Weights("two", {}, {2.0f}).Weights("small", {}, {1e-5f});
  net.Weights("gamma", {4}, {1, 2, 3, 4}).Weights("beta", {4}, {0.5f, 0, -0.5f, 1});
  net.Weights("w", {3, 3, 1, 1}, {1, 0, 0, 0, 1, 0, 0, 0, 1}).Weights("s", {1, 3, 1, 1}, {2, 3, 4});
  net.Weights("t", {3, 1, 1}, {-1, 0, 1});
  nodes(net);
  return net;
}

// Operators of the imported model; its outputs against f(x, channel, place in the row) of every element.
std::vector<std::string> Check(const ModelBuilder& net, const std::function<double(double, size_t, size_t)>& f) {
  const auto model = graph::ImportOnnx(net.Bytes());
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  std::vector<std::string> ops;
  for (const graph::Node& node : model->nodes) ops.push_back(node.op);
  auto network = graph::Network::Compile(*model);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  graph::FillGaussian(network->input(0), 3.0f, 7);
  REQUIRE(network->Run().ok());
  double worst = 0.0;
  for (size_t i = 0; i < network->output(0).size(); ++i) {
    const double expected = f(double{network->input(0)[i]}, i / 16 % 3, i % 4);
    worst = std::max(worst, std::abs(double{network->output(0)[i]} - expected) / std::max(1.0, std::abs(expected)));
  }
  CHECK(worst < 1e-5);
  return ops;
}

using Ops = std::vector<std::string>;

double HardSwish(double x, size_t, size_t) { return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0; }
double Gelu(double x, size_t, size_t) { return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0))); }

void AddClipped(ModelBuilder& net) {
  net.Node("add", "Add", {"x", "three"}, "a");
  net.Node("clip", "Clip", {"a", "zero", "six."}, "c");
}

TEST_CASE("HardSwish in every order") {
  CHECK(Check(Model([](ModelBuilder& net) {
                AddClipped(net);
                net.Node("mul", "Mul", {"x", "c"}, "m");
                net.Node("div", "Div", {"m", "six"}, "y");
              }),
              HardSwish) == Ops{"HardSwish"});
  CHECK(Check(Model([](ModelBuilder& net) {
                AddClipped(net);
                net.Node("div", "Div", {"c", "six"}, "d");
                net.Node("mul", "Mul", {"x", "d"}, "y");
              }),
              HardSwish) == Ops{"HardSwish"});
  CHECK(Check(Model([](ModelBuilder& net) {
                AddClipped(net);
                net.Node("scale", "Mul", {"sixth", "x"}, "d");
                net.Node("mul", "Mul", {"c", "d"}, "y");
              }),
              HardSwish) == Ops{"HardSwish"});
}

TEST_CASE("a value that is read elsewhere stays") {
  const auto net = Model([](ModelBuilder& model) {
    AddClipped(model);
    model.Node("mul", "Mul", {"x", "c"}, "m");
    model.Node("div", "Div", {"m", "six"}, "y");
    model.Output("c");
  });
  CHECK(Check(net, HardSwish) == Ops{"Add", "Clip", "Mul", "Div"});
}

TEST_CASE("HardSigmoid, Mish, Gelu, Clip") {
  CHECK(Check(Model([](ModelBuilder& net) {
                AddClipped(net);
                net.Node("div", "Div", {"c", "six"}, "y");
              }),
              [](double x, size_t, size_t) { return std::clamp(x + 3.0, 0.0, 6.0) / 6.0; }) == Ops{"HardSigmoid"});
  CHECK(Check(Model([](ModelBuilder& net) {
                net.Node("softplus", "Softplus", {"x"}, "p");
                net.Node("tanh", "Tanh", {"p"}, "t_");
                net.Node("mul", "Mul", {"x", "t_"}, "y");
              }),
              [](double x, size_t, size_t) { return x * std::tanh(std::log1p(std::exp(x))); }) == Ops{"Mish"});
  const auto gate = [](ModelBuilder& net) {
    net.Node("div", "Div", {"x", "root"}, "d");
    net.Node("erf", "Erf", {"d"}, "e");
    net.Node("add", "Add", {"e", "one"}, "g");
  };
  CHECK(Check(Model([&](ModelBuilder& net) {
                gate(net);
                net.Node("mul", "Mul", {"x", "g"}, "m");
                net.Node("half", "Mul", {"m", "half"}, "y");
              }),
              Gelu) == Ops{"Gelu"});
  CHECK(Check(Model([&](ModelBuilder& net) {
                gate(net);
                net.Node("half", "Mul", {"x", "half"}, "m");
                net.Node("mul", "Mul", {"m", "g"}, "y");
              }),
              Gelu) == Ops{"Gelu"});
  CHECK(Check(Model([](ModelBuilder& net) {
                net.Node("max", "Max", {"half", "x"}, "m");
                net.Node("min", "Min", {"m", "two"}, "y");
              }),
              [](double x, size_t, size_t) { return std::clamp(x, 0.5, 2.0); }) == Ops{"Clip", "Clip"});
}

TEST_CASE("LayerNormalization, with one subtraction and with two") {
  for (const bool twice : {false, true}) {
    const auto net = Model([&](ModelBuilder& model) {
      const auto mean = [&](const char* name, const char* from, const char* to) {
        test::AddInts(model.Node(name, "ReduceMean", {from}, to), "axes", {-1});
      };
      mean("mean", "x", "m");
      model.Node("sub", "Sub", {"x", "m"}, "c");
      if (twice) model.Node("sub2", "Sub", {"x", "m"}, "c2");
      model.Node("pow", "Pow", {twice ? "c2" : "c", "two"}, "p");
      mean("variance", "p", "v");
      model.Node("add", "Add", {"v", "small"}, "e");
      model.Node("sqrt", "Sqrt", {"e"}, "r");
      model.Node("div", "Div", {"c", "r"}, "n");
      model.Node("scale", "Mul", {"n", "gamma"}, "g");
      model.Node("shift", "Add", {"g", "beta"}, "y");
    });
    const auto model = graph::ImportOnnx(net.Bytes());
    REQUIRE(model.ok());
    REQUIRE(model->nodes.size() == 1);
    CHECK(model->nodes[0].op == "LayerNormalization");
    auto network = graph::Network::Compile(*model);
    REQUIRE(network.ok());
    const std::vector<float> row = {1, 2, 3, 6};
    for (size_t i = 0; i < network->input(0).size(); ++i) network->input(0)[i] = row[i % 4];
    REQUIRE(network->Run().ok());
    const double deviation = std::sqrt(14.0 / 4.0 + 1e-5);
    CHECK(double{network->output(0)[3]} == doctest::Approx(4.0 * 3.0 / deviation + 1.0));
  }
}

TEST_CASE("numbers for each channel behind a convolution fuse into it") {
  const auto net = Model([](ModelBuilder& model) {
    model.Node("conv", "Conv", {"x", "w"}, "c");
    model.Node("scale", "Mul", {"c", "s"}, "m");
    model.Node("shift", "Add", {"m", "t"}, "a");
    model.Node("relu", "Relu", {"a"}, "y");
  });
  const auto expected = [](double x, size_t channel, size_t) {
    return std::max(0.0, x * static_cast<double>(channel + 2) + static_cast<double>(channel) - 1.0);
  };
  CHECK(Check(net, expected) == Ops{"Conv", "BatchNormalization", "Relu"});
  auto network = graph::Network::Compile(*graph::ImportOnnx(net.Bytes()));
  REQUIRE(network.ok());
  CHECK(network->layers().size() == 1);
}

}  // namespace
