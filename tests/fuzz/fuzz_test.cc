// The fuzzers as a test: their seeds, damaged seeds and random decisions, the same in every run.

#include "tests/fuzz/fuzz.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>
#include <vector>

namespace lacuna::fuzz {
namespace {

// One to four bytes, taken away, doubled, or given another value, mostly one that matters to extents and lengths.
std::vector<uint8_t> Damaged(std::vector<uint8_t> bytes, std::mt19937& random) {
  for (uint32_t hits = 1 + random() % 4; hits > 0 && !bytes.empty(); --hits) {
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(random() % bytes.size());
    switch (random() % 8) {
      case 0: bytes.erase(at); break;
      case 1: bytes.insert(at, *at); break;
      case 2: *at = static_cast<uint8_t>(*at ^ (1u << random() % 8)); break;
      case 3: *at = static_cast<uint8_t>(random()); break;
      default: {
        constexpr uint8_t kValues[] = {0, 1, 2, 0x7f, 0x80, 0xff};
        *at = kValues[random() % sizeof(kValues)];
      }
    }
  }
  return bytes;
}

Seeds SeedsOf(const Fuzzer& fuzzer) {
  Seeds seeds;
  if (fuzzer.seeds != nullptr) fuzzer.seeds(seeds);
  return seeds;
}

std::vector<uint8_t> RandomInput(const Fuzzer& fuzzer, const Seeds& seeds, std::mt19937& random) {
  if (!seeds.all().empty() && random() % 8 != 0) {
    return Damaged(seeds.all()[random() % seeds.all().size()], random);
  }
  std::vector<uint8_t> bytes(fuzzer.decision_bytes);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

TEST_CASE("every fuzzer: seeds, damaged seeds, random decisions") {
  REQUIRE_FALSE(Fuzzers().empty());
  for (const Fuzzer& fuzzer : Fuzzers()) {
    CAPTURE(fuzzer.name);
    const Seeds seeds = SeedsOf(fuzzer);
    for (const auto& seed : seeds.all()) fuzzer.run(seed);
    std::mt19937 random(1);
    for (int run = 0; run < fuzzer.test_runs; ++run) fuzzer.run(RandomInput(fuzzer, seeds, random));
  }
}

// LACUNA_FUZZ_SECONDS=60 fuzz_test: other inputs in every run, for that long, taken in turn; LACUNA_FUZZ_NAME: of one
// fuzzer. An input that ends the process stays in the file that is named first.
TEST_CASE("for a while") {
  const char* asked = std::getenv("LACUNA_FUZZ_SECONDS");
  if (asked == nullptr) return;
  const char* name = std::getenv("LACUNA_FUZZ_NAME");
  const ScratchFile current;
  std::printf("the input at hand is in %s\n", current.path().c_str());
  const double seconds = std::atof(asked) / static_cast<double>(name == nullptr ? Fuzzers().size() : 1);
  std::mt19937 random(std::random_device{}());
  for (const Fuzzer& fuzzer : Fuzzers()) {
    if (name != nullptr && std::string_view(name) != fuzzer.name) continue;
    CAPTURE(fuzzer.name);
    const Seeds seeds = SeedsOf(fuzzer);
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    size_t runs = 0;
    for (; std::chrono::steady_clock::now() < end; ++runs) {
      const std::vector<uint8_t> bytes = RandomInput(fuzzer, seeds, random);
      current.Write(bytes);
      fuzzer.run(bytes);
    }
    std::printf("%-14s %10zu\n", fuzzer.name, runs);
  }
}

}  // namespace
}  // namespace lacuna::fuzz
