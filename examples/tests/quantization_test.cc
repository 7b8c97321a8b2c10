// Quantised networks: made of float ones, rewritten to layers of integers, and run; exactly what the formulas say, and
// near the floats.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "digits_run/digits_data.h"
#include "graph/builtin.h"
#include "graph/constant_folding.h"
#include "graph/executor.h"
#include "graph/onnx_export.h"
#include "graph/onnx_import.h"
#include "graph/quantized_rewriting.h"
#include "graph/quantizing.h"
#include "model_builder.h"

namespace {

using graph::Graph;
using graph::Network;
using graph::Tensor;
using Sample = std::map<std::string, Tensor>;

Graph Import(const test::ModelBuilder& builder) {
  const std::vector<char> bytes = builder.Bytes();
  auto model = graph::ImportOnnx(bytes);
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  return *std::move(model);
}

// Convolutions of several kinds, a residual, a pool and a product behind it.
Graph SmallNetwork() {
  test::ModelBuilder builder;
  builder.Input("x", {1, 3, 9, 11}).Output("y");
  builder.Weights("w1", {8, 3, 3, 3}).Weights("b1", {8}).Weights("w2", {8, 8, 1, 1}).Weights("b2", {8});
  builder.Weights("w3", {8, 1, 3, 3}).Weights("w4", {10, 8 * 4 * 5});
  auto& conv1 = builder.Node("conv1", "Conv", {"x", "w1", "b1"}, "c1");
  test::AddInts(conv1, "pads", {1, 1, 1, 1});
  builder.Node("relu1", "Relu", {"c1"}, "r1");
  builder.Node("conv2", "Conv", {"r1", "w2", "b2"}, "c2");
  builder.Node("add", "Add", {"c2", "r1"}, "a");
  builder.Node("relu2", "Relu", {"a"}, "r2");
  auto& conv3 = builder.Node("conv3", "Conv", {"r2", "w3"}, "c3");
  test::AddInts(conv3, "pads", {1, 1, 1, 1});
  test::AddInt(conv3, "group", 8);
  auto& pool = builder.Node("pool", "MaxPool", {"c3"}, "p");
  test::AddInts(pool, "kernel_shape", {2, 2});
  test::AddInts(pool, "strides", {2, 2});
  builder.Node("flatten", "Flatten", {"p"}, "f");
  auto& gemm = builder.Node("gemm", "Gemm", {"f", "w4"}, "y");
  test::AddInt(gemm, "transB", 1);
  return Import(builder);
}

std::vector<Sample> Samples(const Graph& model, size_t count) {
  std::vector<Sample> samples(count);
  for (size_t s = 0; s < count; ++s) {
    for (const graph::ValueInfo& input : model.inputs) {
      Tensor values = Tensor::Zeros(input.type, input.shape);
      graph::FillGaussian(values.floats, 1.0f, s + 3);
      samples[s][input.name] = std::move(values);
    }
  }
  return samples;
}

Graph Quantize(const Graph& model, const graph::QuantizeOptions& options = {}) {
  auto quantized = graph::QuantizeGraph(model, Samples(model, 4), options);
  REQUIRE_MESSAGE(quantized.ok(), std::string(quantized.status().message()));
  return std::move(quantized->graph);
}

std::vector<float> Run(const Graph& model, const Sample& sample, const graph::CompileOptions& options = {}) {
  auto network = Network::Compile(model, options);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  for (size_t i = 0; i < network->input_count(); ++i) {
    REQUIRE(network->SetInput(i, sample.at(network->input_info(i).name)).ok());
  }
  const graph::Status status = network->Run();
  REQUIRE_MESSAGE(status.ok(), std::string(status.message()));
  return {network->output(0).begin(), network->output(0).end()};
}

double RelativeError(const std::vector<float>& actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  double error = 0.0, total = 0.0;
  for (size_t i = 0; i < actual.size(); ++i) {
    error += std::pow(double{actual[i]} - double{expected[i]}, 2);
    total += std::pow(double{expected[i]}, 2);
  }
  return std::sqrt(error / total);
}

// As import does.
void ToIntegers(Graph& model) {
  graph::RewriteQuantized(model);
  REQUIRE(graph::FoldConstants(model).ok());
}

int Count(const Graph& model, const std::string& op) {
  return static_cast<int>(
      std::count_if(model.nodes.begin(), model.nodes.end(), [&](const graph::Node& node) { return node.op == op; }));
}

TEST_CASE("a network is rounded, rewritten to integers, and stays near its floats") {
  const Graph floats = SmallNetwork();
  Graph integers = Quantize(floats);
  CHECK(Count(integers, "Conv") == 3);
  Graph rounded = integers;  // computed in floats between its roundings
  REQUIRE(graph::FoldConstants(rounded, graph::kMaxTensorElements).ok());
  ToIntegers(integers);
  CHECK(Count(integers, "QLinearConv") == 2);
  CHECK(Count(integers, "QGemm") == 1);
  CHECK(Count(integers, "Conv") == 1);            // depthwise
  CHECK(Count(integers, "QuantizeLinear") == 2);  // of the input, and behind it
  CHECK(Count(integers, "Add") == 0);
  CHECK(Count(integers, "QLinearAdd") == 0);  // a residual
  for (const Sample& sample : Samples(floats, 3)) {
    const std::vector<float> expected = Run(floats, sample), near = Run(rounded, sample),
                             actual = Run(integers, sample);
    CHECK(RelativeError(near, expected) < 0.05);
    CHECK(RelativeError(actual, expected) < 0.05);
    CHECK(RelativeError(actual, expected) > 0.0);
    // Wide values are the same values.
    CHECK(actual == Run(integers, sample, {.choose_layouts = false}));
    CHECK(actual == Run(integers, sample, {.threads = 3}));
  }
}

TEST_CASE("layers of integers are exact, by the library's reference") {
  Graph model = Quantize(SmallNetwork());
  ToIntegers(model);
  for (const bool narrow : {true, false}) {
    auto network = Network::Compile(model, {.keep_weights = true, .choose_layouts = narrow});
    REQUIRE(network.ok());
    REQUIRE(network->SetInput(0, Samples(model, 1)[0].at("x")).ok());
    const auto errors = network->Verify();
    REQUIRE_MESSAGE(errors.ok(), std::string(errors.status().message()));
    CHECK(errors->size() == 4);
    for (const graph::LayerError& error : *errors) CHECK_MESSAGE(error.over_bound <= 1.0, error.name);
  }
}

TEST_CASE("values between layers of integers are bytes") {
  Graph model = Quantize(SmallNetwork());
  ToIntegers(model);
  const auto wide = Network::Compile(model, {.choose_layouts = false});
  const auto narrow = Network::Compile(model);
  REQUIRE(wide.ok());
  REQUIRE(narrow.ok());
  CHECK(3 * narrow->arena_bytes() < 2 * wide->arena_bytes());
}

TEST_CASE("a sum whose operands others read is a layer of its own") {
  test::ModelBuilder builder;
  builder.Input("x", {1, 4, 5, 5}).Output("y").Output("z");
  builder.Weights("w1", {4, 4, 1, 1}).Weights("w2", {4, 4, 1, 1}).Weights("w3", {4, 4, 1, 1});
  builder.Node("conv1", "Conv", {"x", "w1"}, "c1");
  builder.Node("conv2", "Conv", {"c1", "w2"}, "c2");
  builder.Node("add", "Add", {"c1", "c2"}, "a");
  builder.Node("relu", "Relu", {"a"}, "r");
  builder.Node("conv3", "Conv", {"r", "w3"}, "y");
  builder.Node("conv4", "Conv", {"c2", "w3"}, "z");
  const Graph floats = Import(builder);
  Graph integers = Quantize(floats);
  ToIntegers(integers);
  CHECK(Count(integers, "QLinearAdd") == 1);
  CHECK(Count(integers, "QLinearConv") == 4);
  const Sample sample = Samples(floats, 1)[0];
  CHECK(RelativeError(Run(integers, sample), Run(floats, sample)) < 0.05);
}

TEST_CASE("every way of choosing ranges; layers that stay in floats") {
  const Graph floats = SmallNetwork();
  const Sample sample = Samples(floats, 2)[1];
  const std::vector<float> expected = Run(floats, sample);
  for (const graph::RangeMethod range :
       {graph::RangeMethod::kMinMax, graph::RangeMethod::kPercentile, graph::RangeMethod::kMse}) {
    for (const bool bias_correction : {false, true}) {
      Graph integers = Quantize(floats, {.range = range, .percentile = 99.9, .bias_correction = bias_correction});
      ToIntegers(integers);
      CHECK(RelativeError(Run(integers, sample), expected) < 0.1);
    }
  }
  auto some = graph::QuantizeGraph(floats, Samples(floats, 2), {.float_layers = "conv1", .most_sensitive = 1});
  REQUIRE_MESSAGE(some.ok(), std::string(some.status().message()));
  REQUIRE(some->layers.size() == 4);
  CHECK(some->layers[0].left == "by name");
  size_t sensitive = 0, most = 1;
  for (size_t i = 1; i < 4; ++i) {
    CHECK(some->layers[i].output_error > 0.0);
    if (some->layers[i].output_error > some->layers[most].output_error) most = i;
    sensitive += some->layers[i].left.empty() ? 0 : 1;
  }
  CHECK(sensitive == 1);
  CHECK(some->layers[most].left == "among the most sensitive");
  ToIntegers(some->graph);
  CHECK(Count(some->graph, "QLinearConv") + Count(some->graph, "QGemm") <= 2);
  CHECK(RelativeError(Run(some->graph, sample), expected) < 0.05);
}

TEST_CASE("a quantised model is written and read") {
  const Graph floats = SmallNetwork();
  Graph integers = Quantize(floats);
  const auto model = graph::ToModel(integers);
  REQUIRE(model.ok());
  const auto read = graph::ImportOnnx(model->SerializeAsString());
  REQUIRE_MESSAGE(read.ok(), std::string(read.status().message()));
  CHECK(Count(*read, "QLinearConv") == 2);
  ToIntegers(integers);
  const Sample sample = Samples(floats, 1)[0];
  CHECK(Run(*read, sample) == Run(integers, sample));
}

TEST_CASE("what cannot be quantised says why") {
  const Graph floats = SmallNetwork();
  CHECK(graph::QuantizeGraph(floats, {}, {}).status().code() == graph::StatusCode::kInvalidArgument);
  CHECK(graph::QuantizeGraph(floats, {Sample{}}, {}).status().code() == graph::StatusCode::kNotFound);
  Graph old = floats;
  old.opset = 12;
  const auto status = graph::QuantizeGraph(old, Samples(floats, 1), {}).status();
  CHECK(std::string(status.message()).find("must be at least 13") != std::string::npos);
}

const bool kHasDigits = std::filesystem::exists(digits::kDefaultPath);

double Accuracy(const Graph& model, const std::vector<digits::Image>& images) {
  auto network = Network::Compile(model);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  size_t held_out = 0, correct = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    if (!digits::IsHeldOut(i)) continue;
    std::copy(std::begin(images[i].pixels), std::end(images[i].pixels), network->input(0).begin());
    REQUIRE(network->Run().ok());
    const auto output = network->output(0);
    correct += std::max_element(output.begin(), output.end()) - output.begin() == images[i].label ? 1 : 0;
    ++held_out;
  }
  return static_cast<double>(correct) / static_cast<double>(held_out);
}

TEST_CASE("the digits in 8 bits, dense and pruned 8x, within half a point of floats" * doctest::skip(!kHasDigits)) {
  const auto images = digits::ReadDigits(digits::kDefaultPath);
  REQUIRE(images.ok());
  std::vector<Sample> samples;
  const auto model_of = [](const std::string& scheme) {
    auto model = graph::ImportOnnxFile(std::string(LACUNA_DIGITS_DIR) + "/digits_" + scheme + ".onnx");
    REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
    return *std::move(model);
  };
  const Graph dense = model_of("dense");
  for (size_t i = 0; i < images->size() && samples.size() < 64; ++i) {
    if (digits::IsHeldOut(i)) continue;
    Tensor image = Tensor::Zeros(graph::ElementType::kFloat, dense.inputs[0].shape);
    std::copy(std::begin((*images)[i].pixels), std::end((*images)[i].pixels), image.floats.begin());
    samples.push_back({{dense.inputs[0].name, std::move(image)}});
  }
  const double in_floats = Accuracy(dense, *images);
  for (const char* scheme : {"dense", "bcr_col-8x", "bcr-8x", "punched-8x", "pattern-8x", "unstructured-8x"}) {
    CAPTURE(scheme);
    auto quantized = graph::QuantizeGraph(model_of(scheme), samples, {});
    REQUIRE_MESSAGE(quantized.ok(), std::string(quantized.status().message()));
    ToIntegers(quantized->graph);
    CHECK(Count(quantized->graph, "Conv") == 0);
    CHECK(Count(quantized->graph, "QLinearConv") > 0);
    const double accuracy = Accuracy(quantized->graph, *images);
    std::printf("%-16s in 8 bits: %.2f %%, dense in floats: %.2f %%\n", scheme, 100.0 * accuracy, 100.0 * in_floats);
    CHECK(accuracy >= in_floats - 0.005);
  }
}

}  // namespace
