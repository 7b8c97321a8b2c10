// Text that people and files bring: scheme names, names of activations, choices of kernels. What is accepted is written
// back as text that means the same.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstdio>
#include <string>

#include "tests/fuzz/fuzz.h"

namespace lacuna::fuzz::text_fuzzer {
namespace {

void ReadScheme(std::string_view text) {
  const auto scheme = prune::ParseScheme(text);
  if (!scheme.ok()) return;
  const std::string name = scheme->Name();
  const auto again = prune::ParseScheme(name);
  CAPTURE(name);
  REQUIRE(again.ok());
  CHECK(again->Name() == name);
  CHECK(again->kind == scheme->kind);
  CHECK(again->block == scheme->block);
  for (const int64_t taps : {1, 9, 27}) {
    const auto spec = prune::BcrSpecOf(*scheme, taps);
    const auto pattern = prune::PatternSpecOf(*scheme, taps);
    CHECK((spec.ok() || spec.status().message()[0] != '\0'));
    CHECK((pattern.ok() || pattern.status().message()[0] != '\0'));
  }
}

Choices& Table() {
  static Choices choices("a CPU", "a target");
  return choices;
}

void ReadChoices(std::string_view text) {
  Choices& choices = Table();
  if (!choices.Parse(text).ok()) {
    CHECK(choices.size() == 0);
    return;
  }
  const auto written = choices.Serialize();
  REQUIRE(written.ok());
  const size_t size = choices.size();
  REQUIRE(choices.Parse({written->data(), written->size()}).ok());
  CHECK(choices.size() == size);
}

// With the last line, its checksum (FNV-1a), made to fit.
void ReadFittedChoices(std::string_view text) {
  std::string fitted(text.substr(0, text.rfind("checksum ")));
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : fitted) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  char line[32];
  std::snprintf(line, sizeof(line), "checksum %016llx\n", static_cast<unsigned long long>(hash));
  ReadChoices(fitted + line);
}

void Run(std::span<const uint8_t> bytes) {
  Input in(bytes);
  switch (in.Range(0, 3)) {
    case 0: return ReadScheme(in.Text());
    case 1: return void(GateFunction::Parse(in.Text()));
    case 2: return ReadChoices(in.Text());
    default: return ReadFittedChoices(in.Text());
  }
}

void AddSeeds(Seeds& seeds) {
  for (const char* name : {"dense", "unstructured-8x", "pattern_g4-2.25x", "bcr_col_c4-8x", "punched_balanced-3.6x",
                           "block_8x1-4x", "block_kernel_16x4_c2-1e2x", "connectivity-2x", "filter-10000x"}) {
    seeds.Add({0}, name);
  }
  for (const char* name : {"Sigmoid", "tanh", "HardSigmoid", "ThresholdedRelu"}) seeds.Add({1}, name);
  Choices& choices = Table();
  choices.Clear();
  const LayerKey layer{
      .in_channels = 64, .out_channels = 128, .input = {1, 56, 56}, .scheme = "bcr_col", .density = 0.1};
  REQUIRE(choices.Insert(layer, "8x3", 0.001).ok());
  REQUIRE(choices.Insert({.in_channels = 3, .out_channels = 8}, "winograd 4x4", 0.5).ok());
  const auto written = choices.Serialize();
  REQUIRE(written.ok());
  for (const uint8_t fit : {uint8_t{2}, uint8_t{3}}) seeds.Add({fit}, {written->data(), written->size()});
}

const Registration kRegistration({.name = "text", .run = &Run, .seeds = &AddSeeds, .test_runs = 2000});

}  // namespace
}  // namespace lacuna::fuzz::text_fuzzer
