// Pruning of models: zeros, metadata, and that what is stored runs as what was asked for.

#include "graph/pruning.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <string>
#include <vector>

#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "graph/executor.h"
#include "graph/layer_weights.h"
#include "graph/onnx_file.h"
#include "graph/onnx_import.h"

namespace {

using graph::PruneOptions;
using lacuna::prune::Scheme;
using lacuna::prune::SchemeKind;

std::vector<float> Run(const graph::Graph& model, const graph::CompileOptions& options) {
  auto network = graph::Network::Compile(model, options);
  REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
  for (size_t i = 0; i < network->input_count(); ++i) graph::FillGaussian(network->input(i), 1.0f, i);
  REQUIRE(network->Run().ok());
  return {network->output(0).begin(), network->output(0).end()};
}

graph::Graph Import(const onnx::ModelProto& model) {
  const std::string bytes = model.SerializeAsString();
  auto imported = graph::ImportOnnx(bytes);
  REQUIRE_MESSAGE(imported.ok(), std::string(imported.status().message()));
  return *std::move(imported);
}

size_t Zeros(const std::vector<float>& values) {
  return static_cast<size_t>(std::count(values.begin(), values.end(), 0.0f));
}

TEST_CASE("pruned weights are zero in the model, and the metadata say how") {
  onnx::ModelProto model = test::SmallClassifier().model();
  PruneOptions options;
  options.scheme = Scheme{SchemeKind::kBcrKernel, 4};
  options.skip_first = true;
  const auto layers = graph::PruneModel(options, model);
  REQUIRE_MESSAGE(layers.ok(), std::string(layers.status().message()));
  REQUIRE(layers->layers.size() == 2);
  CHECK(layers->layers[0].name == "conv2");
  CHECK(layers->layers[0].nnz == 16 * 16 * 9 / 4);
  const graph::Graph pruned = Import(model);
  CHECK(Zeros(pruned.initializers.at("w1").floats) == 0);
  CHECK(Zeros(pruned.initializers.at("w2").floats) == 16 * 16 * 9 * 3 / 4);
  const auto entry = nlohmann::json::parse(pruned.metadata.at("lacuna.scheme/w2"));
  CHECK(entry["scheme"] == "bcr_kernel-4x");
  CHECK(entry["taps"] == 9);
  CHECK(entry.size() == 2);
  CHECK_FALSE(pruned.metadata.contains("lacuna.scheme/w1"));
}

TEST_CASE("a stored scheme runs exactly like the scheme asked for") {
  for (const char* name : test::kSparseSchemes) {
    CAPTURE(name);
    const Scheme scheme = test::SchemeNamed(name);
    onnx::ModelProto model = test::SmallClassifier().model();
    PruneOptions options;
    options.scheme = scheme;
    options.skip_first = true;
    REQUIRE(graph::PruneModel(options, model).ok());
    graph::CompileOptions asked;
    asked.scheme = scheme;
    graph::CompileOptions stored;
    stored.stored = true;
    const graph::Graph original = Import(test::SmallClassifier().model());
    CHECK(Run(Import(model), stored) == Run(original, asked));
  }
}

TEST_CASE("stored weights have the format and the count of the scheme") {
  for (const char* name : test::kSparseSchemes) {
    CAPTURE(name);
    onnx::ModelProto model = test::SmallClassifier().model();
    PruneOptions options;
    options.scheme = test::SchemeNamed(name);
    options.layers = ".";
    const auto layers = graph::PruneModel(options, model);
    REQUIRE_MESSAGE(layers.ok(), std::string(layers.status().message()));
    REQUIRE(layers->layers.size() == 4);
    graph::CompileOptions stored;
    stored.stored = true;
    const graph::Graph pruned = Import(model);
    const auto network = graph::Network::Compile(pruned, stored);
    REQUIRE_MESSAGE(network.ok(), std::string(network.status().message()));
    size_t next = 0;
    for (const graph::LayerInfo& layer : network->layers()) {
      if (layer.weights == nullptr) continue;
      CAPTURE(layer.name);
      CHECK(layer.weights->scheme == name);
      CHECK(layer.weights->nnz == layers->layers[next++].nnz);
    }
  }
}

TEST_CASE("metadata of older versions, with the block's extents, are read") {
  onnx::ModelProto model = test::SmallClassifier().model();
  PruneOptions options;
  options.scheme = Scheme{SchemeKind::kBcrCol, 8};
  options.layers = "conv2";
  REQUIRE(graph::PruneModel(options, model).ok());
  graph::Graph pruned = Import(model);
  graph::CompileOptions stored;
  stored.stored = true;
  const std::vector<float> expected = Run(pruned, stored);
  pruned.metadata["lacuna.scheme/w2"] = R"({"scheme":"bcr_col-8x","rows":8,"columns":16,"column_group":1})";
  CHECK(Run(pruned, stored) == expected);
}

TEST_CASE("weights stored transposed are pruned along their outputs") {
  test::ModelBuilder net;
  net.Input("x", {2, 32}).Output("y").Weights("w", {32, 16});
  net.Node("matmul", "MatMul", {"x", "w"}, "y");
  onnx::ModelProto model = net.model();
  PruneOptions options;
  options.scheme = Scheme{SchemeKind::kBcrCol, 8};
  options.layers = "matmul";
  REQUIRE(graph::PruneModel(options, model).ok());
  const graph::Graph pruned = Import(model);
  const std::vector<float>& w = pruned.initializers.at("w").floats;
  CHECK(Zeros(w) == 32 * 16 * 7 / 8);
  for (size_t k = 0; k < 32; ++k) {  // a kept column of W[N, K] is kept for the 8 outputs of a block
    for (size_t n = 0; n < 16; ++n) CHECK((w[k * 16 + n] == 0.0f) == (w[k * 16 + n / 8 * 8] == 0.0f));
  }
  graph::CompileOptions stored, asked;
  stored.stored = true;
  asked.scheme = options.scheme;
  asked.layers = "matmul";
  CHECK(Run(pruned, stored) == Run(Import(net.model()), asked));
}

TEST_CASE("pruning twice replaces the metadata; shared weights are pruned once") {
  test::ModelBuilder net;
  net.Input("x", {1, 16, 4, 4}).Output("y").Weights("w", {16, 16, 1, 1});
  net.Node("a", "Conv", {"x", "w"}, "c");
  net.Node("b", "Conv", {"c", "w"}, "y");
  PruneOptions options;
  options.scheme = Scheme{SchemeKind::kBcrCol, 4};
  auto layers = graph::PruneModel(options, net.model());
  REQUIRE(layers.ok());
  CHECK(layers->layers.size() == 2);
  CHECK(layers->layers[1].nnz == 64);
  options.scheme.rate = 8;
  REQUIRE(graph::PruneModel(options, net.model()).ok());
  CHECK(net.model().metadata_props_size() == 1);
  CHECK(net.model().metadata_props(0).value().find("bcr_col-8x") != std::string::npos);
}

TEST_CASE("a FLOPs rate is met by pruning the selected layers at one rate") {
  // Multiply-adds: conv1 16*3*9*144 = 62208, conv2 16*16*9*36 = 82944, conv3 32*16*36 = 18432; together 163584.
  onnx::ModelProto model = test::SmallClassifier().model();
  PruneOptions options;
  options.scheme = Scheme{SchemeKind::kUnstructured, 1};
  options.flops_rate = 2.0;
  options.skip_first = true;
  const auto pruned = graph::PruneModel(options, model);
  REQUIRE_MESSAGE(pruned.ok(), std::string(pruned.status().message()));
  const double rate = 101376.0 / (163584.0 / 2.0 - 62208.0);
  CHECK(pruned->scheme.rate == doctest::Approx(rate).epsilon(1e-12));
  CHECK(pruned->dense_flops == 2.0 * 163584);
  CHECK(pruned->dense_flops / pruned->flops == doctest::Approx(2.0).epsilon(0.01));
  REQUIRE(pruned->layers.size() == 2);
  for (const graph::PrunedLayer& layer : pruned->layers) {
    CHECK(static_cast<double>(layer.nnz) == doctest::Approx(static_cast<double>(layer.weights) / rate).epsilon(0.02));
  }

  graph::CompileOptions compile;
  compile.scheme = options.scheme;
  compile.flops_rate = 2.0;
  const graph::Graph original = Import(test::SmallClassifier().model());
  graph::CompileOptions stored;
  stored.stored = true;
  CHECK(Run(original, compile) == Run(Import(model), stored));
}

TEST_CASE("FLOPs rates at and beyond the limits") {
  constexpr graph::ConvolutionFlops kFlops{.all = 100.0, .selected = 75.0};
  CHECK(*graph::RateForFlops(kFlops, 1.0) == 1.0);
  CHECK(*graph::RateForFlops(kFlops, 2.0) == doctest::Approx(3.0));
  CHECK(*graph::RateForFlops(kFlops, 100.0 / 25.0075) == doctest::Approx(lacuna::prune::kMaxRate));
  for (const double rate : {4.0, 0.5, -1.0, std::nan(""), HUGE_VAL}) {
    const auto refused = graph::RateForFlops(kFlops, rate);
    CHECK(refused.status().code() == graph::StatusCode::kInvalidArgument);
    CHECK_MESSAGE(std::string(refused.status().message()).find("must be in [1, 3.998]") != std::string::npos,
                  std::string(refused.status().message()));
  }
  const auto none = graph::RateForFlops({.all = 100.0, .selected = 0.0}, 2.0);
  CHECK(std::string(none.status().message()).find("must be in [1, 1]") != std::string::npos);
}

TEST_CASE("what cannot be pruned") {
  const auto refused = [](const PruneOptions& options, const std::string& word) {
    onnx::ModelProto model = test::SmallClassifier().model();
    const auto layers = graph::PruneModel(options, model);
    REQUIRE_FALSE(layers.ok());
    CHECK_MESSAGE(std::string(layers.status().message()).find(word) != std::string::npos,
                  std::string(layers.status().message()));
  };
  PruneOptions options;
  options.scheme = Scheme{SchemeKind::kBcrCol, 8};
  options.layers = "nothing_like_it";
  refused(options, "'nothing_like_it'");
  options.layers = "*";
  refused(options, "regular expression");
  options.layers = "";
  options.scheme = Scheme{};
  refused(options, "dense");
  options.scheme = Scheme{SchemeKind::kBcrCol, std::nan("")};
  refused(options, "column_keep");
}

}  // namespace
