// Bytes as each JSON file of the tools: plans, latency tables, accuracy drops. What is accepted is written as a file
// that is read as the same.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "graph/accuracy_drops.h"
#include "graph/latency_table.h"
#include "graph/scheme_plan.h"
#include "tests/fuzz/fuzz.h"

namespace lacuna::fuzz::json_fuzzer {
namespace {

const ScratchFile& File() {
  static const ScratchFile file(".json");
  return file;
}

void ReadPlan(const std::string& path) {
  const auto plan = graph::ReadPlan(path);
  if (!plan.ok()) return;
  REQUIRE(graph::WritePlan(*plan, path).ok());
  const auto again = graph::ReadPlan(path);
  const std::string message = again.status().message();
  CAPTURE(message);
  REQUIRE(again.ok());
  REQUIRE(again->layers.size() == plan->layers.size());
  for (size_t i = 0; i < plan->layers.size(); ++i) {
    CHECK(again->layers[i].scheme.Name() == plan->layers[i].scheme.Name());
    CHECK(again->layers[i].shape == plan->layers[i].shape);
  }
}

graph::LatencyTable Table() { return graph::LatencyTable({.cpu = "a", .target = "b", .settings = "c"}); }

void ReadTable(const std::string& path) {
  graph::LatencyTable table = Table();
  if (!table.Load(path).ok()) {
    CHECK(table.size() == 0);
    return;
  }
  const size_t size = table.size();
  REQUIRE(table.Save(path).ok());
  REQUIRE(table.Load(path).ok());
  CHECK(table.size() <= size);  // keys that are no UTF-8 may become one
}

void ReadDrops(const std::string& path) {
  const auto drops = graph::ReadDrops(path);
  if (!drops.ok()) return;
  REQUIRE(graph::WriteDrops(*drops, path).ok());
  const auto again = graph::ReadDrops(path);
  REQUIRE(again.ok());
  CHECK(again->drops.size() == drops->drops.size());
}

void Run(std::span<const uint8_t> bytes) {
  Input in(bytes);
  const int64_t reader = in.Range(0, 2);
  const std::string& path = File().Write(in.Rest());
  switch (reader) {
    case 0: return ReadPlan(path);
    case 1: return ReadTable(path);
    default: return ReadDrops(path);
  }
}

void AddSeeds(Seeds& seeds) {
  const auto scheme = prune::ParseScheme("bcr_col-8x");
  REQUIRE(scheme.ok());
  graph::SchemePlan plan{.network = "net", .mapper = "search", .objective = "weight rate", .threads = 2, .gap = 0.1};
  plan.layers.push_back({.layer = "conv1", .scheme = *scheme, .shape = {8, 4, 3, 3}, .ms = 0.1, .rate = 8});
  plan.layers.push_back({.layer = "conv2", .scheme = {}});
  REQUIRE(graph::WritePlan(plan, File().path()).ok());
  seeds.Add({0}, File().Read());
  graph::LatencyTable table = Table();
  table.Set("Conv 8x4x3x3", 0.25);
  REQUIRE(table.Save(File().path()).ok());
  seeds.Add({1}, File().Read());
  graph::AccuracyDrops drops{.network = "net", .images = 100, .accuracy = 0.9};
  drops.drops.push_back({"conv1", *scheme, 0.01});
  REQUIRE(graph::WriteDrops(drops, File().path()).ok());
  seeds.Add({2}, File().Read());
}

const Registration kRegistration({.name = "json", .run = &Run, .seeds = &AddSeeds});

}  // namespace
}  // namespace lacuna::fuzz::json_fuzzer
