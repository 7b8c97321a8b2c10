#include "sampler.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>

namespace lacuna::bench {
namespace {

constexpr double kSampleSeconds = 3e-3;
constexpr double kSurelyOneRun = 10.0;  // samples: a first run so long says how many runs a sample has
constexpr size_t kMinSamples = 7;
constexpr size_t kMinSingleRuns = 21;  // as many, if a sample is one short run
constexpr size_t kMaxSamples = 101;
constexpr double kRunning = 0.98;  // less of the sample on the CPU: another process had it meanwhile

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// CPU time of the calling thread.
double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

size_t MinSamples(const Timed& engine) { return engine.evict ? kMinSingleRuns : kMinSamples; }

double TimeRuns(const Timed& engine, size_t runs) {
  if (engine.evict) engine.evict();
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
  if (engine.evict) return {.runs = 1, .warm_runs = 0, .seconds = TimeRuns(engine, 1)};
  // The first run is cold, and any may be interrupted: the fastest counts.
  double once = TimeRuns(engine, 1);
  for (int i = 0; i < 3 && once < kSurelyOneRun * kSampleSeconds; ++i) once = std::min(once, TimeRuns(engine, 1));
  const double runs = std::ceil(kSampleSeconds / std::max(1e-9, once));
  Plan plan{.runs = static_cast<size_t>(std::max(1.0, runs)), .seconds = once};
  if (once >= options_.long_run_seconds) {
    plan.warm_runs = 0;
  } else if (engine.warm_seconds > 0.0) {
    plan.warm_runs = static_cast<size_t>(std::max(1.0, std::ceil(engine.warm_seconds / std::max(1e-9, once))));
  }
  return plan;
}

Sampler::Sample Sampler::Take(const Timed& engine, const Plan& plan) {
  PeakTracker& tracker = Tracker(engine.threads);
  if (plan.warm_runs > 0) TimeRuns(engine, plan.warm_runs);
  const double before = tracker.Probe();
  const double cpu_start = CpuSeconds(), start = Seconds();
  const double seconds = TimeRuns(engine, plan.runs);
  // With several threads the calling one may rightly sleep at a barrier.
  const double running = engine.threads > 1 ? 1.0 : (CpuSeconds() - cpu_start) / std::max(Seconds() - start, 1e-9);
  return {seconds, std::min(before, tracker.Probe()), running};
}

Samples Sampler::Filter(const Turns& turns) {
  const PeakTracker& tracker = Tracker(turns.engine->threads);
  Samples samples;
  samples.peak_flops = tracker.Peak();
  samples.left = turns.left;
  for (const Sample& sample : turns.taken) {
    if (options_.smoke || (sample.running >= kRunning && !tracker.IsSlow(sample.slowest_probe))) {
      samples.seconds.push_back(sample.seconds);
    } else {
      ++samples.dropped;
    }
  }
  if (turns.taken.empty()) samples.seconds.push_back(turns.plan.seconds);
  std::sort(samples.seconds.begin(), samples.seconds.end());
  return samples;
}

void Sampler::LetGo(std::span<Turns> all, const DropOut& drop_out) {
  const auto seconds_of = [&](const Turns& turns) {
    if (drop_out.samples == 0) return turns.plan.seconds;
    const Samples samples = Filter(turns);
    return samples.seconds.size() >= drop_out.samples ? samples.Quantile(0.5) : 0.0;
  };
  double fastest = std::numeric_limits<double>::infinity();
  std::vector<double> seconds(all.size());  // 0: has left, or is not known well enough
  for (size_t e = 0; e < all.size(); ++e) {
    if (!all[e].left) seconds[e] = seconds_of(all[e]);
    if (seconds[e] > 0.0) fastest = std::min(fastest, seconds[e]);
  }
  for (size_t e = 0; e < all.size(); ++e) {
    if (all[e].engine->stays || !(seconds[e] > drop_out.slower * fastest)) continue;
    all[e].left = true;
    if (all[e].engine->leave) all[e].engine->leave();
  }
}

std::vector<Samples> Sampler::Run(std::span<const Timed> engines) {
  std::vector<Turns> all;
  for (const Timed& engine : engines) all.push_back({&engine, Calibrate(engine)});
  const auto let_go = [&](size_t rounds) {
    for (const DropOut& drop_out : options_.drop_outs) {
      if (!options_.smoke && drop_out.samples <= rounds && (drop_out.samples > 0) == (rounds > 0)) LetGo(all, drop_out);
    }
  };
  let_go(0);
  const double start = Seconds();
  for (size_t round = 1; round <= kMaxSamples; ++round) {
    for (Turns& turns : all) {
      if (!turns.left) turns.taken.push_back(Take(*turns.engine, turns.plan));
    }
    if (options_.smoke) break;
    let_go(round);
    const double spent = Seconds() - start;
    const bool complete = std::all_of(all.begin(), all.end(), [&](const Turns& turns) {
      return turns.left || Filter(turns).seconds.size() >= MinSamples(*turns.engine);
    });
    const bool late = spent > 4.0 * options_.seconds + options_.stretch_seconds && round >= options_.fewest_rounds;
    if (spent > options_.seconds && (complete || late)) break;
  }
  std::vector<Samples> samples;
  for (const Turns& turns : all) samples.push_back(Filter(turns));
  return samples;
}

}  // namespace lacuna::bench
