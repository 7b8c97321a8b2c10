// Bytes as an ONNX model: a Status, or a network that compiles and runs within the limit on elements.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "examples/tests/seed_models.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/pruning.h"
#include "tests/fuzz/fuzz.h"

namespace lacuna::fuzz::onnx_fuzzer {
namespace {

constexpr int64_t kMaxElements = 1 << 14;

bool Says(const Status& status) { return status.ok() || status.message()[0] != '\0'; }

void Run(std::span<const uint8_t> bytes) {
  graph::ImportOptions import_options;
  import_options.max_elements = kMaxElements;
  const auto model = graph::ImportOnnx({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, import_options);
  CHECK(Says(model.status()));
  if (!model.ok()) return;
  graph::CompileOptions options;
  options.max_elements = kMaxElements;
  options.stored = true;
  auto network = graph::Network::Compile(*model, options);
  CHECK(Says(network.status()));
  if (!network.ok()) return;
  for (size_t i = 0; i < network->input_count(); ++i) graph::FillGaussian(network->input(i), 1.0f, i);
  CHECK(Says(network->Run()));
}

void AddSeeds(Seeds& seeds) {
  const auto add = [&](const onnx::ModelProto& model) { seeds.Add({}, model.SerializeAsString()); };
  for (const auto& model :
       {test::SlicedAndResized(), test::SmallVideo(), test::SmallSpeech(), test::ShapesAndBranches()}) {
    add(model);
  }
  for (const char* scheme : {"bcr_col-8x", "pattern_g4-8x", "block_4x4-4x"}) {
    onnx::ModelProto model = test::SmallClassifier().model();
    graph::PruneOptions options;
    options.scheme = test::SchemeNamed(scheme);
    options.layers = "w2";
    REQUIRE(graph::PruneModel(options, model).ok());
    add(model);
  }
}

const Registration kRegistration({.name = "onnx", .run = &Run, .seeds = &AddSeeds, .test_runs = 200});

}  // namespace
}  // namespace lacuna::fuzz::onnx_fuzzer
