#include "sampler.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

namespace lacuna::bench {
namespace {

constexpr double kSampleSeconds = 3e-3;
// Slower engines are not warmed: what the caches keep from one run to the next is nothing beside half a second.
constexpr double kLongRunSeconds = 0.5;
constexpr size_t kMinSamples = 7;
constexpr size_t kMaxSamples = 101;
constexpr double kRunning = 0.98;  // less of the sample on the CPU: another process had it meanwhile

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// CPU time of the calling thread.
double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double TimeRuns(const Timed& engine, size_t runs) {
  const double start = Seconds();
  for (size_t i = 0; i < runs; ++i) engine.run();
  return (Seconds() - start) / static_cast<double>(runs);
}

}  // namespace

double Samples::Quantile(double q) const {
  if (seconds.empty()) return 0.0;
  return seconds[static_cast<size_t>(std::lround(q * static_cast<double>(seconds.size() - 1)))];
}

PeakTracker& Sampler::Tracker(int threads) {
  const auto [place, is_new] = trackers_.try_emplace(threads, threads);
  if (is_new) {
    // A tenth of a second finds the peak; later probes may still raise it.
    const int probes = options_.smoke ? 5 : 300;
    for (int i = 0; i < probes; ++i) place->second.Probe();
  }
  return place->second;
}

Sampler::Plan Sampler::Calibrate(const Timed& engine) {
  if (options_.smoke) return {};
  // The first run is cold, and any may be interrupted: the fastest counts.
  double once = TimeRuns(engine, 1);
  for (int i = 0; i < 3 && once < kLongRunSeconds; ++i) once = std::min(once, TimeRuns(engine, 1));
  const double runs = std::ceil(kSampleSeconds / std::max(1e-9, once));
  return {.runs = static_cast<size_t>(std::max(1.0, runs)), .warm_up = once < kLongRunSeconds};
}

Sampler::Sample Sampler::Take(const Timed& engine, const Plan& plan) {
  PeakTracker& tracker = Tracker(engine.threads);
  if (plan.warm_up) engine.run();
  const double before = tracker.Probe();
  const double cpu_start = CpuSeconds(), start = Seconds();
  const double seconds = TimeRuns(engine, plan.runs);
  // With several threads the calling one may rightly sleep at a barrier.
  const double running = engine.threads > 1 ? 1.0 : (CpuSeconds() - cpu_start) / std::max(Seconds() - start, 1e-9);
  return {seconds, std::min(before, tracker.Probe()), running};
}

Samples Sampler::Filter(const std::vector<Sample>& taken, int threads) {
  const PeakTracker& tracker = Tracker(threads);
  Samples samples;
  samples.peak_flops = tracker.Peak();
  for (const Sample& sample : taken) {
    if (options_.smoke || (sample.running >= kRunning && !tracker.IsSlow(sample.slowest_probe))) {
      samples.seconds.push_back(sample.seconds);
    } else {
      ++samples.dropped;
    }
  }
  std::sort(samples.seconds.begin(), samples.seconds.end());
  return samples;
}

std::vector<Samples> Sampler::Run(std::span<const Timed> engines) {
  std::vector<Plan> plans;
  for (const Timed& engine : engines) plans.push_back(Calibrate(engine));
  std::vector<std::vector<Sample>> taken(engines.size());
  const double start = Seconds();
  for (size_t round = 1; round <= kMaxSamples; ++round) {
    for (size_t e = 0; e < engines.size(); ++e) taken[e].push_back(Take(engines[e], plans[e]));
    if (options_.smoke) break;
    const double spent = Seconds() - start;
    bool complete = true;
    for (size_t e = 0; e < engines.size() && complete; ++e) {
      complete = Filter(taken[e], engines[e].threads).seconds.size() >= kMinSamples;
    }
    if (spent > options_.seconds && (complete || spent > 4.0 * options_.seconds + 10.0)) break;
  }
  std::vector<Samples> samples;
  for (size_t e = 0; e < engines.size(); ++e) samples.push_back(Filter(taken[e], engines[e].threads));
  return samples;
}

}  // namespace lacuna::bench
