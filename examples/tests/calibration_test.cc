// Calibrated pruning of graphs and models.

#include "graph/calibration.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "examples/tests/files_and_errors.h"
#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "graph/calibrated_model.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/shape_inference.h"
#include "graph/staged_run.h"

namespace {

using graph::CalibratedGraph;
using graph::CalibrationOptions;
using graph::Graph;
using graph::Sample;
using graph::Tensor;
using test::CheckError;
using test::CheckInvalid;
using test::Value;

// Without the softmax at the end, which hides errors.
Graph ImportLogits(const onnx::ModelProto& model) {
  Graph logits = Value(graph::ImportOnnx(model.SerializeAsString()));
  logits.outputs = {"logits"};
  logits.nodes.pop_back();
  return logits;
}

Graph Import(const onnx::ModelProto& model) { return Value(graph::ImportOnnx(model.SerializeAsString())); }

std::vector<Sample> Images(size_t count, uint64_t seed) {
  std::vector<Sample> samples(count);
  for (Sample& sample : samples) {
    Tensor image = Tensor::Zeros(graph::ElementType::kFloat, {1, 3, 12, 12});
    graph::FillGaussian(image.floats, 1.0f, seed++);
    sample.emplace("image", std::move(image));
  }
  return samples;
}

std::vector<float> Output(const Graph& model, const Sample& sample, bool stored) {
  auto network = Value(graph::Network::Compile(model, {.stored = stored}));
  REQUIRE(network.SetInput(0, sample.at("image")).ok());
  REQUIRE(network.Run().ok());
  return {network.output(0).begin(), network.output(0).end()};
}

// Sum of squared differences of the outputs of two models.
double Difference(const Graph& a, const Graph& b, const std::vector<Sample>& samples) {
  double sum = 0.0;
  for (const Sample& sample : samples) {
    const std::vector<float> x = Output(a, sample, true), y = Output(b, sample, true);
    for (size_t i = 0; i < x.size(); ++i) sum += (double{x[i]} - double{y[i]}) * (double{x[i]} - double{y[i]});
  }
  return sum;
}

TEST_CASE("a staged run gives what a whole run gives, wherever it stops") {
  const Graph model = Import(test::SmallClassifier().model());
  const std::vector<Sample> samples = Images(2, 5);
  const graph::Values values = Value(graph::InferValues(model));
  graph::StagedRun run = Value(graph::StagedRun::Make(model, values, samples, 1));
  for (size_t end = 1; end <= model.nodes.size(); ++end) REQUIRE(run.AdvanceTo(end).ok());
  CHECK(run.Find(0, "c1") == nullptr);
  for (size_t i = 0; i < samples.size(); ++i) {
    const Tensor* output = run.Find(i, "probabilities");
    REQUIRE(output != nullptr);
    const std::vector<float> whole = Output(model, samples[i], false);
    for (size_t k = 0; k < whole.size(); ++k) CHECK(output->floats[k] == doctest::Approx(whole[k]).epsilon(1e-4));
  }
}

TEST_CASE("a calibrated model is nearer to the dense one than a projected one, under every scheme") {
  const std::vector<Sample> samples = Images(80, 100), others = Images(8, 1000);
  const Graph dense = ImportLogits(test::SmallClassifier().model());
  for (const char* name : test::kSparseSchemes) {
    CAPTURE(name);
    graph::PruneOptions options;
    options.scheme = test::SchemeNamed(name);
    onnx::ModelProto projected = test::SmallClassifier().model(), calibrated = projected;
    const auto by_projection = Value(graph::PruneModel(options, projected));
    const auto by_samples = Value(graph::CalibrateModel(options, samples, {}, calibrated));
    REQUIRE(by_samples.pruned.layers.size() == by_projection.layers.size());
    for (size_t i = 0; i < by_projection.layers.size(); ++i) {
      // Blocks at the edges are clipped: others of the same number may have other weights.
      CHECK(std::abs(by_samples.pruned.layers[i].nnz - by_projection.layers[i].nnz) <= 16);
      CHECK(by_samples.layers[i].left == "");
      CHECK(by_samples.layers[i].error <= by_samples.layers[i].projected_error);
    }
    CHECK(Difference(ImportLogits(calibrated), dense, others) <
          0.7 * Difference(ImportLogits(projected), dense, others));
  }
}

TEST_CASE("biases are fitted, a Conv without one gets one, and batch normalisation is undone") {
  onnx::ModelProto model = test::SmallClassifier().model();
  graph::PruneOptions options;
  options.scheme = test::SchemeNamed("bcr_col-4x");
  REQUIRE(graph::CalibrateModel(options, Images(80, 7), {}, model).ok());
  const Graph pruned = Import(model), dense = Import(test::SmallClassifier().model());
  CHECK(pruned.initializers.at("b1").floats != dense.initializers.at("b1").floats);
  CHECK(pruned.initializers.at("norm.scale").floats == dense.initializers.at("norm.scale").floats);
  CHECK(pruned.initializers.at("fc").floats != dense.initializers.at("fc").floats);  // fitted anew
  CHECK(pruned.nodes[4].op == "Conv");
  REQUIRE(pruned.nodes[4].inputs.size() == 3);
  CHECK(pruned.initializers.at(pruned.nodes[4].inputs[2]).shape == graph::Shape{16});
}

TEST_CASE("layers that cannot be reconstructed are projected, and said to be") {
  test::ModelBuilder net;
  net.Input("image", {1, 3, 12, 12}).Output("y").Weights("w", {8, 3, 3, 3}).Weights("v", {8, 8, 3, 3});
  net.Node("first", "Conv", {"image", "w"}, "a");
  net.Node("second", "Conv", {"a", "v"}, "b");
  net.Node("third", "Conv", {"b", "v"}, "y");
  graph::PruneOptions options;
  options.scheme = test::SchemeNamed("bcr_col-4x");
  const auto done = Value(graph::CalibrateModel(options, Images(8, 3), {}, net.model()));
  REQUIRE(done.layers.size() == 2);
  CHECK(done.layers[0].left == "");
  CHECK(done.layers[1].left == "shared weights are projected");
  CHECK(done.pruned.layers.size() == 3);
}

TEST_CASE("the result is the same for any number of threads") {
  std::map<std::string, lacuna::prune::Scheme> schemes;
  for (const char* weights : {"w1", "w2", "w3"}) schemes[weights] = test::SchemeNamed("pattern-4x");
  Graph one = Import(test::SmallClassifier().model()), three = one;
  CalibrationOptions options;
  REQUIRE(graph::CalibrateGraph(schemes, Images(8, 1), options, one).ok());
  options.threads = 3;
  REQUIRE(graph::CalibrateGraph(schemes, Images(8, 1), options, three).ok());
  for (const auto& [name, tensor] : one.initializers) CHECK(tensor.floats == three.initializers.at(name).floats);
}

TEST_CASE("errors name the sample and the input") {
  const onnx::ModelProto model = test::SmallClassifier().model();
  graph::PruneOptions options;
  options.scheme = test::SchemeNamed("bcr_col-4x");
  const auto status = [&](const std::vector<Sample>& samples) {
    onnx::ModelProto copy = model;
    return graph::CalibrateModel(options, samples, {}, copy).status();
  };
  CheckInvalid(status({}), "there are no samples");
  std::vector<Sample> samples = Images(3, 1);
  samples[1].clear();
  CheckError(status(samples), graph::StatusCode::kNotFound, "sample 1 has no input 'image'");
  samples[1].emplace("image", Tensor::Zeros(graph::ElementType::kFloat, {1, 3, 12, 11}));
  CheckInvalid(status(samples), "shape [1, 3, 12, 11], must have FLOAT and [1, 3, 12, 12]");
  samples = Images(3, 1);
  samples[2].at("image").floats[100] = std::numeric_limits<float>::quiet_NaN();
  CheckInvalid(status(samples), "sample 2: input 'image' is nan at place 100");
}

}  // namespace
