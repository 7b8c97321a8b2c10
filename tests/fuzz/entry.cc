// The functions that libFuzzer calls, for the one fuzzer of the binary.
//
// With LACUNA_FUZZ_SEEDS=FOLDER in its environment, the binary writes its seeds to that folder and ends.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

// A check that fails is a finding: libFuzzer keeps the input of a process that aborts.
void EndAtFailure(const doctest::AssertData& data) {
  if (!data.m_failed) return;
  std::fprintf(stderr, "%s:%d: %s: %s\n", data.m_file, data.m_line, data.m_expr, data.m_decomp.c_str());
  for (int i = 0; i < doctest::IReporter::get_num_active_contexts(); ++i) {
    std::ostringstream text;
    doctest::IReporter::get_active_contexts()[i]->stringify(&text);
    std::fprintf(stderr, "  %s\n", text.str().c_str());
  }
  std::abort();
}

doctest::Context& Checks() {
  static doctest::Context context;
  return context;
}

const lacuna::fuzz::Fuzzer& TheFuzzer() { return lacuna::fuzz::Fuzzers().front(); }

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  Checks().setAsDefaultForAssertsOutOfTestCases();
  Checks().setAssertHandler(&EndAtFailure);
  const char* folder = std::getenv("LACUNA_FUZZ_SEEDS");
  if (folder == nullptr) return 0;
  lacuna::fuzz::Seeds seeds;
  if (TheFuzzer().seeds != nullptr) TheFuzzer().seeds(seeds);
  std::mt19937 random(1);
  while (seeds.all().size() < 16) {
    std::vector<uint8_t> decisions(TheFuzzer().decision_bytes);
    for (uint8_t& byte : decisions) byte = static_cast<uint8_t>(random());
    seeds.Add(decisions);
  }
  std::filesystem::create_directories(folder);
  size_t number = 0;
  for (const auto& seed : seeds.all()) {
    std::ofstream file(std::filesystem::path(folder) / ("seed_" + std::to_string(number++)), std::ios::binary);
    file.write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
  }
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  TheFuzzer().run({data, size});
  return 0;
}
