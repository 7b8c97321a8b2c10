// Damaged models: every truncation and thousands of mutations end in a Status or in a network that runs.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "examples/tests/model_builder.h"
#include "graph/executor.h"
#include "graph/onnx_import.h"

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
  CHECK(network->Run().ok());
  return true;
}

std::vector<char> Seed() {
  test::ModelBuilder net = test::SmallClassifier();
  auto* entry = net.model().add_metadata_props();
  entry->set_key("lacuna.scheme/w2");
  entry->set_value(R"({"scheme":"bcr_col-8x","rows":8,"columns":16,"column_group":1})");
  return net.Bytes();
}

// The bytes that are structure rather than weights: runs of weights dominate the file and hardly matter.
std::vector<size_t> StructureBytes(const std::vector<char>& bytes) {
  std::vector<size_t> places;
  const test::ModelBuilder net = test::SmallClassifier();
  std::vector<bool> weight(bytes.size(), false);
  const std::string text(bytes.begin(), bytes.end());
  for (const auto& tensor : net.model().graph().initializer()) {
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

TEST_CASE("the undamaged model runs") { CHECK(Survives(Seed())); }

TEST_CASE("truncations") {
  const std::vector<char> bytes = Seed();
  size_t position = 0;
  for (const size_t place : StructureBytes(bytes)) {
    Survives(std::span(bytes).first(place));
    position = place;
  }
  CHECK(position > 0);
  CHECK_FALSE(Survives(std::span(bytes).first(bytes.size() / 3)));
}

TEST_CASE("flipped bits and replaced bytes") {
  const std::vector<char> bytes = Seed();
  const std::vector<size_t> places = StructureBytes(bytes);
  uint64_t random = 0x9e3779b97f4a7c15;
  int survivors = 0;
  for (const size_t place : places) {  // each byte of structure once
    std::vector<char> damaged = bytes;
    damaged[place] = static_cast<char>(damaged[place] ^ (1 << (Next(random) % 8)));
    survivors += Survives(damaged) ? 1 : 0;
  }
  for (int i = 0; i < 2000; ++i) {  // a few at once, with values that matter to lengths and extents
    std::vector<char> damaged = bytes;
    constexpr char kValues[] = {0, 1, 2, 127, -128, -1};
    for (uint64_t hits = 1 + Next(random) % 4; hits > 0; --hits) {
      damaged[places[Next(random) % places.size()]] = kValues[Next(random) % sizeof(kValues)];
    }
    survivors += Survives(damaged) ? 1 : 0;
  }
  CHECK(survivors > 0);
}

TEST_CASE("pieces removed and doubled") {
  const std::vector<char> bytes = Seed();
  const std::vector<size_t> places = StructureBytes(bytes);
  uint64_t random = 42;
  for (int i = 0; i < 500; ++i) {
    std::vector<char> damaged = bytes;
    const size_t at = places[Next(random) % places.size()];
    const size_t length = std::min<size_t>(1 + Next(random) % 40, bytes.size() - at);
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

}  // namespace
