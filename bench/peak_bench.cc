// What the machine can do: multiply-adds per second of every SIMD target, and read bandwidth by buffer size.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>
#include <utility>

#include "options.h"
#include "probe.h"
#include "suite.h"
#include "target.h"

namespace {

using namespace lacuna::bench;

void FmaPeak(benchmark::State& state, int64_t target, bool smoke) {
  ForceTarget(target);
  PeakTracker tracker(/*threads=*/1);
  for (int i = 0; i < (smoke ? 5 : 300); ++i) tracker.Probe();
  ForceTarget(0);
  for (auto _ : state) state.SetIterationTime(1e9 / tracker.Peak());  // the time of a GFLOP
  state.counters["gflops"] = tracker.Peak() * 1e-9;
}

void ReadBandwidth(benchmark::State& state, size_t bytes, double seconds) {
  const double bandwidth = ProbeReadBandwidth(bytes, seconds);
  for (auto _ : state) state.SetIterationTime(static_cast<double>(bytes) / bandwidth);
  state.counters["gigabytes_per_second"] = bandwidth * 1e-9;
}

void Register(const Options& options) {
  for (const int64_t target : UsableTargets()) {
    benchmark::RegisterBenchmark(("fma_peak/" + TargetName(target)).c_str(),
                                 [target, &options](benchmark::State& state) { FmaPeak(state, target, options.smoke); })
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  }
  constexpr size_t kKibibyte = 1024;
  // Well inside the level, and for DRAM well outside all.
  const std::pair<const char*, size_t> buffers[] = {{"16KiB", 16 * kKibibyte},
                                                    {"512KiB", 512 * kKibibyte},
                                                    {"8MiB", 8192 * kKibibyte},
                                                    {"256MiB", 262144 * kKibibyte}};
  const double seconds = options.smoke ? 0.01 : 0.5;
  for (const auto& [name, bytes] : buffers) {
    benchmark::RegisterBenchmark(
        (std::string("read/") + name).c_str(),
        [size = bytes, seconds](benchmark::State& state) { ReadBandwidth(state, size, seconds); })
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const int code = ParseOptions("FMA peak and read bandwidth.", argc, argv, options); code >= 0) return code;
  if (const lacuna::Status status = Prepare(options); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.message());
    return 2;
  }
  const bool writes_json = WritesJson(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Register(options);
  const std::string filter = benchmark::GetBenchmarkFilter();
  RunRegistered(filter.empty() ? "all" : filter, writes_json);
  benchmark::Shutdown();
  return 0;
}
