// Damaged models: every truncation and thousands of mutations end in a Status or in a network that runs.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "examples/tests/model_builder.h"
#include "examples/tests/schemes.h"
#include "examples/tests/seed_models.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"
#include "graph/pruning.h"

namespace {

constexpr int64_t kMaxElements = 1 << 18;  // keeps runs of what still compiles short

// Import, compile and run; whether all of it worked.
bool Survives(std::span<const char> bytes) {
  graph::ImportOptions import_options;
  import_options.max_elements = kMaxElements;
  const auto model = graph::ImportOnnx(bytes, import_options);
  if (!model.ok()) {
    CHECK(std::string(model.status().message()) != "");
    return false;
  }
  graph::CompileOptions options;
  options.max_elements = kMaxElements;
  options.stored = true;
  auto network = graph::Network::Compile(*model, options);
  if (!network.ok()) {
    CHECK(std::string(network.status().message()) != "");
    return false;
  }
  for (size_t i = 0; i < network->input_count(); ++i) graph::FillGaussian(network->input(i), 1.0f, i);
  const graph::Status run = network->Run();  // indices that are computed may lie outside
  CHECK((run.ok() || std::string(run.message()) != ""));
  return run.ok();
}

struct Seed {
  std::string name;
  onnx::ModelProto model;
  std::vector<char> bytes;
};

Seed SeedOf(const std::string& name, const onnx::ModelProto& model) {
  const std::string bytes = model.SerializeAsString();
  return {name, model, {bytes.begin(), bytes.end()}};
}

// Pruned models: their metadata and weights decide what is built.
std::vector<Seed> Seeds() {
  std::vector<Seed> seeds = {SeedOf("slice and resize", test::SlicedAndResized()), SeedOf("video", test::SmallVideo()),
                             SeedOf("speech", test::SmallSpeech()), SeedOf("shapes", test::ShapesAndBranches())};
  for (const char* scheme : {"bcr_col-8x", "pattern_g4-8x"}) {
    onnx::ModelProto model = test::SmallClassifier().model();
    graph::PruneOptions options;
    options.scheme = test::SchemeNamed(scheme);
    options.layers = "w2";
    REQUIRE(graph::PruneModel(options, model).ok());
    seeds.push_back(SeedOf(scheme, model));
  }
  return seeds;
}

// The bytes that are structure rather than weights: runs of weights dominate the file and hardly matter.
std::vector<size_t> StructureBytes(const Seed& seed) {
  const std::vector<char>& bytes = seed.bytes;
  std::vector<size_t> places;
  std::vector<bool> weight(bytes.size(), false);
  const std::string text(bytes.begin(), bytes.end());
  for (const auto& tensor : seed.model.graph().initializer()) {
    const size_t at = tensor.raw_data().empty() ? std::string::npos : text.find(tensor.raw_data());
    if (at == std::string::npos) continue;
    for (size_t i = 0; i < tensor.raw_data().size(); ++i) weight[at + i] = true;
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (!weight[i]) places.push_back(i);
  }
  return places;
}

uint64_t Next(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

TEST_CASE("the undamaged models run") {
  for (const Seed& seed : Seeds()) {
    CAPTURE(seed.name);
    CHECK(Survives(seed.bytes));
  }
}

TEST_CASE("truncations") {
  for (const Seed& seed : Seeds()) {
    CAPTURE(seed.name);
    size_t position = 0;
    for (const size_t place : StructureBytes(seed)) {
      Survives(std::span(seed.bytes).first(place));
      position = place;
    }
    CHECK(position > 0);
    CHECK_FALSE(Survives(std::span(seed.bytes).first(seed.bytes.size() / 3)));
  }
}

TEST_CASE("flipped bits and replaced bytes") {
  for (const Seed& seed : Seeds()) {
    CAPTURE(seed.name);
    const std::vector<size_t> places = StructureBytes(seed);
    uint64_t random = 0x9e3779b97f4a7c15;
    int survivors = 0;
    for (const size_t place : places) {  // each byte of structure once
      std::vector<char> damaged = seed.bytes;
      damaged[place] = static_cast<char>(damaged[place] ^ (1 << (Next(random) % 8)));
      survivors += Survives(damaged) ? 1 : 0;
    }
    for (int i = 0; i < 1000; ++i) {  // a few at once, with values that matter to lengths and extents
      std::vector<char> damaged = seed.bytes;
      constexpr char kValues[] = {0, 1, 2, 127, -128, -1};
      for (uint64_t hits = 1 + Next(random) % 4; hits > 0; --hits) {
        damaged[places[Next(random) % places.size()]] = kValues[Next(random) % sizeof(kValues)];
      }
      survivors += Survives(damaged) ? 1 : 0;
    }
    CHECK(survivors > 0);
  }
}

TEST_CASE("pieces removed and doubled") {
  for (const Seed& seed : Seeds()) {
    CAPTURE(seed.name);
    const std::vector<size_t> places = StructureBytes(seed);
    uint64_t random = 42;
    for (int i = 0; i < 500; ++i) {
      std::vector<char> damaged = seed.bytes;
      const size_t at = places[Next(random) % places.size()];
      const size_t length = std::min<size_t>(1 + Next(random) % 40, damaged.size() - at);
      const auto first = damaged.begin() + static_cast<std::ptrdiff_t>(at);
      const auto last = first + static_cast<std::ptrdiff_t>(length);
      if (i % 2 == 0) {
        damaged.erase(first, last);
      } else {
        const std::vector<char> piece(first, last);
        damaged.insert(last, piece.begin(), piece.end());
      }
      Survives(damaged);
    }
  }
}

TEST_CASE("weights that were never pruned are covered by any scheme in the metadata") {
  for (const char* scheme : test::kSparseSchemes) {
    CAPTURE(scheme);
    test::ModelBuilder net = test::SmallClassifier();
    auto* entry = net.model().add_metadata_props();
    entry->set_key("lacuna.scheme/w2");
    entry->set_value(std::string(R"({"scheme":")") + scheme + R"(","taps":9})");
    CHECK(Survives(net.Bytes()));
  }
}

}  // namespace
