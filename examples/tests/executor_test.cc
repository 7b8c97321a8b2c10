// Networks: results against the reference, memory, options.

#include "graph/executor.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "graph/builtin.h"
#include "graph/onnx_import.h"
#include "graph/shape_inference.h"

namespace {

using graph::CompileOptions;
using graph::Network;
using graph::StatusCode;
using lacuna::prune::Scheme;
using lacuna::prune::SchemeKind;

graph::Graph Import(const test::ModelBuilder& builder) {
  auto model = graph::ImportOnnx(builder.Bytes());
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  return *std::move(model);
}

Network Compiled(const graph::Graph& model, const CompileOptions& options = {}) {
  auto network = Network::Compile(model, options);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  for (size_t i = 0; i < network->input_count(); ++i) graph::FillGaussian(network->input(i), 1.0f, i);
  return *std::move(network);
}

std::vector<float> OutputOf(Network& network) {
  const graph::Status status = network.Run();
  REQUIRE_MESSAGE(status.ok(), std::string(status.message()));
  return {network.output(0).begin(), network.output(0).end()};
}

CompileOptions Pruned(SchemeKind kind, double rate) {
  CompileOptions options;
  options.scheme = Scheme{kind, rate};
  return options;
}

TEST_CASE("every scheme: layers agree with the reference, networks with the reference network") {
  const graph::Graph model = Import(test::SmallClassifier());
  std::vector<Scheme> schemes = {Scheme{}};
  for (const char* name : test::kSparseSchemes) schemes.push_back(test::SchemeNamed(name));
  for (const Scheme& scheme : schemes) {
    CAPTURE(scheme.Name());
    CompileOptions options;
    options.scheme = scheme;
    options.layers = ".";
    options.keep_weights = true;
    Network network = Compiled(model, options);
    const auto errors = network.Verify();
    REQUIRE_MESSAGE(errors.ok(), std::string(errors.status().message()));
    CHECK(errors->size() == 4);
    for (const graph::LayerError& error : *errors) CHECK_MESSAGE(error.over_bound <= 1.0, error.name);
    options.reference = true;
    Network reference = Compiled(model, options);
    const std::vector<float> output = OutputOf(network);
    const std::vector<float> expected = OutputOf(reference);
    for (size_t i = 0; i < output.size(); ++i) CHECK(std::abs(output[i] - expected[i]) < 1e-5f);
  }
}

TEST_CASE("which layers are pruned") {
  const graph::Graph model = Import(test::SmallClassifier());
  const auto schemes = [&model](const CompileOptions& options) {
    std::vector<std::string> names;
    const Network network = Compiled(model, options);
    for (const graph::LayerInfo& layer : network.layers()) {
      if (layer.weights != nullptr && layer.weights->scheme != "dense") names.push_back(layer.name);
    }
    return names;
  };
  CompileOptions options = Pruned(SchemeKind::kBcrCol, 8);
  CHECK(schemes(options) == std::vector<std::string>{"conv2", "conv3"});
  options.prune_first = true;
  CHECK(schemes(options) == std::vector<std::string>{"conv1", "conv2", "conv3"});
  options.layers = "^(fc|conv3)$";
  CHECK(schemes(options) == std::vector<std::string>{"conv3", "fc"});
}

TEST_CASE("a global scheme prunes depthwise convolutions only where it has no blocks") {
  test::ModelBuilder net;
  net.Input("x", {1, 16, 6, 6}).Output("y").Weights("stem", {16, 16, 3, 3}).Weights("dw", {16, 1, 3, 3});
  net.Weights("grouped", {16, 8, 3, 3}).Weights("pw", {32, 16, 1, 1});
  net.Node("stem", "Conv", {"x", "stem"}, "a");
  test::AddInt(net.Node("depthwise", "Conv", {"a", "dw"}, "b"), "group", 16);
  auto& grouped = net.Node("grouped", "Conv", {"b", "grouped"}, "c");
  test::AddInt(grouped, "group", 2);
  test::AddInts(grouped, "pads", {1, 1, 1, 1});
  net.Node("pointwise", "Conv", {"c", "pw"}, "y");
  const graph::Graph model = Import(net);
  for (const char* name : test::kSparseSchemes) {
    CAPTURE(name);
    CompileOptions options;
    options.scheme = test::SchemeNamed(name);
    options.keep_weights = true;
    Network network = Compiled(model, options);
    const SchemeKind kind = options.scheme.kind;
    const bool prunes =
        kind == SchemeKind::kPattern || kind == SchemeKind::kUnstructured || kind == SchemeKind::kConnectivity;
    REQUIRE(network.layers().size() == 4);
    CHECK(network.layers()[0].weights->scheme == "dense");
    CHECK(network.layers()[1].weights->scheme == (prunes ? name : "dense"));
    CHECK(network.layers()[2].weights->scheme == name);
    CHECK(network.layers()[3].weights->scheme == name);
    const auto errors = network.Verify();
    REQUIRE(errors.ok());
    for (const graph::LayerError& error : *errors) CHECK_MESSAGE(error.over_bound <= 1.0, error.name);
    options.layers = "depthwise";  // what is named is pruned
    CHECK(Compiled(model, options).layers()[1].weights->scheme == name);
  }
}

TEST_CASE("pattern schemes leave 1x1 layers connectivity alone; filter keeps the layer's shape") {
  const graph::Graph model = Import(test::SmallClassifier());
  CompileOptions options;
  options.scheme = test::SchemeNamed("pattern-8x");
  options.layers = "conv3";
  Network pattern = Compiled(model, options);
  CHECK(pattern.layers()[3].weights->nnz == 32 * 16 / 8);
  options.scheme = test::SchemeNamed("filter-4x");
  options.layers = "conv2";
  Network filter = Compiled(model, options);
  CHECK(filter.layers()[2].output == graph::Shape{1, 16, 6, 6});
  CHECK(filter.layers()[2].weights->weights == 16 * 16 * 9);
  CHECK(filter.layers()[2].weights->nnz == 4 * 16 * 9);
}

TEST_CASE("nnz and storage are told") {
  const graph::Graph model = Import(test::SmallClassifier());
  const Network network = Compiled(model, Pruned(SchemeKind::kBcrCol, 8));
  for (const graph::LayerInfo& layer : network.layers()) {
    if (layer.name != "conv2") continue;
    REQUIRE(layer.weights != nullptr);
    CHECK(layer.weights->weights == 16 * 16 * 9);
    CHECK(layer.weights->nnz == 16 * 16 * 9 / 8);
    CHECK(layer.weights->scheme == "bcr_col-8x");
    CHECK(layer.fused == std::vector<std::string>{"add", "relu2"});
    CHECK(layer.output == graph::Shape{1, 16, 6, 6});
    CHECK(layer.weights->explanation != "");
  }
}

TEST_CASE("results do not depend on the number of threads") {
  const graph::Graph model = Import(test::SmallClassifier());
  CompileOptions options = Pruned(SchemeKind::kBcrCol, 4);
  Network serial = Compiled(model, options);
  const std::vector<float> expected = OutputOf(serial);
  for (const size_t threads : {2, 3}) {
    options.threads = threads;
    Network parallel = Compiled(model, options);
    CHECK(OutputOf(parallel) == expected);
    CHECK(OutputOf(parallel) == expected);
  }
}

TEST_CASE("input survives a run; a second run gives the same; layer times are filled") {
  const graph::Graph model = Import(test::SmallClassifier());
  Network network = Compiled(model);
  const std::vector<float> input(network.input(0).begin(), network.input(0).end());
  const std::vector<float> first = OutputOf(network);
  CHECK(std::vector<float>(network.input(0).begin(), network.input(0).end()) == input);
  std::vector<double> layer_ms(network.layers().size(), -1.0);
  REQUIRE(network.Run(layer_ms).ok());
  for (const double ms : layer_ms) CHECK(ms >= 0.0);
  CHECK(std::vector<float>(network.output(0).begin(), network.output(0).end()) == first);
}

TEST_CASE("outputs that no step computes: inputs, constants and views of them") {
  test::ModelBuilder net;
  net.Input("x", {2, 3}).Weights("w", {4}).Integers("target", {3, 2});
  net.Node("view", "Reshape", {"x", "target"}, "v");
  net.Node("same", "Identity", {"w"}, "u");
  net.Output("v").Output("u").Output("x");
  const graph::Graph model = Import(net);
  Network network = Compiled(model);
  REQUIRE(network.Run().ok());
  CHECK(network.layers().empty());
  CHECK(network.output_shape(0) == graph::Shape{3, 2});
  CHECK(network.output(0)[5] == network.input(0)[5]);
  CHECK(network.output(1)[3] == model.initializers.at("u").floats[3]);
  CHECK(network.output(2).data() == network.input(0).data());
  net.Output("target");
  const graph::Graph integers = Import(net);
  Network with_integers = Compiled(integers);
  CHECK(with_integers.output_type(3) == graph::ElementType::kInt64);
  CHECK(with_integers.integer_output(3)[0] == 3);
}

TEST_CASE("memory is shared by values that do not meet") {
  test::ModelBuilder net;
  net.Input("x", {1, 64, 64}).Output("v9");
  for (int i = 0; i < 10; ++i) {
    net.Node("n" + std::to_string(i), "Transpose", {i == 0 ? "x" : "v" + std::to_string(i - 1)},
             "v" + std::to_string(i));
  }
  CHECK(Compiled(Import(net)).arena_bytes() == 3 * 64 * 64 * sizeof(float));  // the input and two in turn
}

size_t ConstantBytes(const graph::Graph& model) {
  size_t bytes = 0;
  for (const auto& [name, tensor] : model.initializers) {
    bytes += tensor.floats.size() * sizeof(float) + tensor.integers.size() * sizeof(int64_t);
  }
  return bytes;
}

TEST_CASE("steps in place take over memory that nobody else reads") {
  test::ModelBuilder chain;
  chain.Input("x", {1, 3, 40, 40}).Node("a", "Tanh", {"x"}, "a");
  chain.Node("b", "Abs", {"a"}, "b");
  chain.Node("c", "Sqrt", {"b"}, "c");
  chain.Output("c");
  const graph::Graph model = Import(chain);
  Network network = Compiled(model);
  CHECK(network.arena_bytes() == 2 * 3 * 1600 * sizeof(float));  // the input, which stays, and all others
  const std::vector<float> x(network.input(0).begin(), network.input(0).end());
  for (int run = 0; run < 2; ++run) {
    const std::vector<float> y = OutputOf(network);
    for (size_t i = 0; i < x.size(); ++i) CHECK(y[i] == doctest::Approx(std::sqrt(std::abs(std::tanh(x[i])))));
  }
  CHECK(std::equal(x.begin(), x.end(), network.input(0).begin()));
}

TEST_CASE("steps in place leave what is read later, or is an output") {
  // a is read after b, through a view too; d is an output and e is made of it.
  test::ModelBuilder builder;
  builder.Input("x", {2, 24}).Integers("shape", {4, 12}).Node("a", "Neg", {"x"}, "a");
  builder.Node("view", "Reshape", {"a", "shape"}, "view");
  builder.Node("b", "Exp", {"a"}, "b");
  builder.Node("c", "Abs", {"view"}, "c");
  builder.Node("d", "Mul", {"b", "b"}, "d");
  builder.Node("e", "Neg", {"d"}, "e");
  builder.Output("c").Output("d").Output("e");
  const graph::Graph model = Import(builder);
  Network network = Compiled(model);
  const std::vector<float> c = OutputOf(network);
  for (size_t i = 0; i < c.size(); ++i) {
    const float x = network.input(0)[i];
    CHECK(c[i] == std::abs(x));
    CHECK(network.output(1)[i] == doctest::Approx(std::exp(-2.0f * x)));
    CHECK(network.output(2)[i] == -network.output(1)[i]);
  }
}

TEST_CASE("outputs whose extents depend on data change from run to run") {
  // The positive elements of x, their places, and what is made of x before.
  test::ModelBuilder builder;
  builder.Input("x", {2, 3}).Integers("flat", {6}).Output("picked").Output("y").Output("places");
  builder.Node("relu", "Relu", {"x"}, "y");
  builder.Node("reshape", "Reshape", {"y", "flat"}, "elements");
  builder.Node("nonzero", "NonZero", {"elements"}, "found");
  builder.Node("transpose", "Transpose", {"found"}, "places");
  builder.Node("gather", "GatherND", {"elements", "places"}, "picked");
  const graph::Graph model = Import(builder);
  REQUIRE(model.late != nullptr);
  Network network = Compiled(model);
  REQUIRE(network.output_count() == 3);
  CHECK(network.output_name(0) == "picked");
  CHECK(network.output_shape(0) == graph::Shape{0});
  for (const std::vector<float>& x :
       {std::vector<float>{1, -2, 3, -4, -5, 6}, {-1, -1, -1, -1, -1, -1}, {7, 0, 0, 0, 0, 8}}) {
    std::copy(x.begin(), x.end(), network.input(0).begin());
    REQUIRE(network.Run().ok());
    std::vector<float> picked;
    std::vector<int64_t> places;
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i] > 0.0f) {
        picked.push_back(x[i]);
        places.push_back(static_cast<int64_t>(i));
      }
      CHECK(network.output(1)[i] == std::max(x[i], 0.0f));
    }
    const auto count = static_cast<int64_t>(picked.size());
    CHECK(network.output_shape(0) == graph::Shape{count});
    CHECK(network.output_shape(1) == graph::Shape{2, 3});
    CHECK(network.output_shape(2) == graph::Shape{count, 1});
    CHECK(std::equal(picked.begin(), picked.end(), network.output(0).begin(), network.output(0).end()));
    CHECK(std::equal(places.begin(), places.end(), network.integer_output(2).begin(), network.integer_output(2).end()));
    CHECK(network.OutputTensor(2).integers == places);
  }
}

TEST_CASE("a network for other extents shares packed weights with its sibling") {
  test::ModelBuilder builder;
  builder.Input("x", {1, 16, -1, -1}).Output("y").Weights("w1", {24, 16, 3, 3}).Weights("b1", {24});
  builder.Weights("w2", {8, 24, 1, 1});
  builder.Node("first", "Conv", {"x", "w1", "b1"}, "a");
  builder.Node("relu", "Relu", {"a"}, "r");
  builder.Node("second", "Conv", {"r", "w2"}, "y");
  const auto import = [&](int64_t height, int64_t width) {
    graph::ImportOptions options;
    options.shapes["x"] = {1, 16, height, width};
    auto model = graph::ImportOnnx(builder.Bytes(), options);
    REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
    return *std::move(model);
  };
  for (const Scheme& scheme : {Scheme{}, Scheme{SchemeKind::kBcrCol, 4.0}}) {
    CompileOptions options;
    options.scheme = scheme;
    options.prune_first = true;
    options.kernels.winograd_error = 0.0;
    const graph::Graph small = import(8, 9), large = import(20, 31);
    auto sibling = std::make_unique<Network>(Compiled(small, options));
    Network alone = Compiled(large, options);
    const std::vector<float> expected = OutputOf(alone);
    // Without the weights themselves: packed ones are all that it has.
    graph::Graph hollow = large;
    for (auto& [name, tensor] : hollow.initializers) {
      if (name[0] == 'w') tensor.floats.clear();
    }
    options.sibling = sibling.get();
    Network network = Compiled(hollow, options);
    sibling.reset();
    CHECK(network.output_shape(0) == graph::Shape{1, 8, 18, 29});
    const std::vector<float> output = OutputOf(network);
    REQUIRE(output.size() == expected.size());
    for (size_t i = 0; i < output.size(); ++i) CHECK(output[i] == doctest::Approx(expected[i]).epsilon(1e-4));
    CHECK(network.layers()[0].weights->nnz == alone.layers()[0].weights->nnz);
  }
}

TEST_CASE("memory is told part by part, and weights go once they are packed") {
  const graph::Graph model = Import(test::SmallClassifier());
  const size_t constants = ConstantBytes(model);
  const size_t weights = (16 * 3 * 9 + 16 * 16 * 9 + 32 * 16 + 10 * 32) * sizeof(float);
  const CompileOptions options = Pruned(SchemeKind::kBcrCol, 8);
  Network viewing = Compiled(model, options);
  CHECK(viewing.memory().activations == viewing.arena_bytes());
  CHECK(viewing.memory().workspace == viewing.workspace_bytes());
  CHECK(viewing.memory().constants == constants);
  size_t packed = 0, kept_weights = 0, offsets = 0;
  for (const graph::LayerInfo& layer : viewing.layers()) {
    if (layer.weights == nullptr) continue;
    kept_weights += static_cast<size_t>(layer.weights->nnz) * sizeof(float);
    packed += layer.weights->packed_bytes;
    offsets += layer.weights->offset_bytes;
  }
  CHECK(packed >= kept_weights);
  CHECK(viewing.memory().packed_weights == packed);
  CHECK(offsets > 0);
  CHECK(viewing.memory().offsets == offsets);

  auto owning = Network::Compile(graph::Graph(model), options);
  REQUIRE(owning.ok());
  CHECK(owning->memory().constants == constants - weights);
  CHECK(owning->memory().packed_weights == packed);
  graph::FillGaussian(owning->input(0), 1.0f, 0);
  CHECK(OutputOf(*owning) == OutputOf(viewing));
  CHECK(owning->Verify().status().code() == StatusCode::kInvalidArgument);

  CompileOptions keeping = options;
  keeping.keep_weights = true;
  auto kept = Network::Compile(graph::Graph(model), keeping);
  REQUIRE(kept.ok());
  CHECK(kept->memory().constants > constants);
  CHECK(kept->Verify().ok());
}

TEST_CASE("weights that several nodes read go with the last of them; outputs stay") {
  test::ModelBuilder net;
  net.Input("x", {1, 16, 4, 4}).Output("y").Output("shown").Weights("w", {16, 16, 1, 1}).Weights("v", {16, 16, 1, 1});
  net.Weights("z", {16, 16, 1, 1});
  net.Node("a", "Conv", {"x", "w"}, "c");
  net.Node("b", "Conv", {"c", "w"}, "d");
  net.Node("e", "Conv", {"d", "v"}, "f");
  net.Node("g", "Conv", {"f", "z"}, "h");
  net.Node("sum", "Add", {"h", "z"}, "y");
  net.Node("same", "Identity", {"v"}, "shown");
  const graph::Graph model = Import(net);
  auto owning = Network::Compile(graph::Graph(model));
  REQUIRE_MESSAGE(owning.ok(), std::string(owning.status().message()));
  CHECK(owning->memory().constants == 2 * 256 * sizeof(float));
  Network viewing = Compiled(model);
  graph::FillGaussian(owning->input(0), 1.0f, 0);
  CHECK(OutputOf(*owning) == OutputOf(viewing));
  CHECK(std::vector<float>(owning->output(1).begin(), owning->output(1).end()) == model.initializers.at("v").floats);
}

TEST_CASE("generated weights exist for their layer only, and give what stored ones give") {
  for (const bool transposed : {false, true}) {
    test::ModelBuilder net;
    net.Input("x", {2, 12}).Output("y").Weights("w", transposed ? graph::Shape{12, 8} : graph::Shape{8, 12});
    test::AddInt(net.Node("fc", "Gemm", {"x", "w"}, "y"), "transB", transposed ? 0 : 1);
    const graph::Graph stored = Import(net);
    graph::Graph generated = stored;
    graph::Tensor& w = generated.initializers.at("w");
    w.generate = [values = w.floats](std::span<float> to) { std::copy(values.begin(), values.end(), to.begin()); };
    w.floats.clear();
    Network expected = Compiled(stored);
    CompileOptions options;
    options.keep_weights = true;
    Network network = Compiled(generated, options);
    CHECK(OutputOf(network) == OutputOf(expected));
    CHECK(network.memory().constants == 8 * 12 * sizeof(float));
    REQUIRE(network.Verify().ok());
    CHECK(Compiled(generated).memory().constants == 0);
  }
}

TEST_CASE("what is no layer's weights may not be generated") {
  test::ModelBuilder net;
  net.Input("x", {4}).Output("y").Weights("w", {4});
  net.Node("sum", "Mul", {"x", "w"}, "y");
  graph::Graph model = Import(net);
  model.initializers.at("w").floats.clear();
  model.initializers.at("w").generate = [](std::span<float>) {};
  const graph::Status status = Network::Compile(model).status();
  CHECK(status.code() == StatusCode::kUnsupported);
  CHECK(std::string(status.message()).find("'w' is generated") != std::string::npos);
}

TEST_CASE("options that are refused") {
  const graph::Graph model = Import(test::SmallClassifier());
  const auto refused = [&model](const CompileOptions& options, const std::string& word) {
    const graph::Status status = Network::Compile(model, options).status();
    CHECK_FALSE(status.ok());
    CHECK_MESSAGE(std::string(status.message()).find(word) != std::string::npos, std::string(status.message()));
  };
  refused({.threads = 0}, "threads is 0");
  refused({.threads = 100000}, "threads is 100000");
  refused({.layers = "(["}, "layers is '(['");
  refused(Pruned(SchemeKind::kBcrCol, 0.5), "'conv2'");
  refused({.max_elements = 1000}, "limit of 1000");
  CompileOptions flops = Pruned(SchemeKind::kPunched, 1);
  flops.flops_rate = 5.0;
  refused(flops, "flops rate is 5, must be in [1, 2.6");
}

TEST_CASE("metadata of stored schemes that are damaged") {
  graph::Graph model = Import(test::SmallClassifier());
  CompileOptions options;
  options.stored = true;
  CHECK(Network::Compile(model, options).ok());  // nothing stored: dense
  for (const char* entry :
       {"", "nonsense", "[]", "{}", R"({"scheme":7})", R"({"scheme":"magic-8x"})", R"({"scheme":"bcr_col"})",
        R"({"scheme":"bcr_col-0x"})", R"({"scheme":"bcr_col-nanx","taps":9})", R"({"scheme":"block_0x4-8x"})",
        R"({"scheme":"bcr_col-8x","taps":1})", R"({"scheme":"bcr_col-8x","taps":-9})",
        R"({"scheme":"bcr_col-8x","taps":"9"})", R"({"scheme":"bcr_col-8x","taps":1e300})"}) {
    CAPTURE(entry);
    model.metadata["lacuna.scheme/w2"] = entry;
    const graph::Status status = Network::Compile(model, options).status();
    CHECK(status.code() == StatusCode::kDataLoss);
    CHECK(std::string(status.message()).find("lacuna.scheme/w2") != std::string::npos);
  }
}

}  // namespace
