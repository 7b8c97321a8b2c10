// Interleaved timing: engines take turns, and only samples taken at full speed of the core count.

#ifndef LACUNA_BENCH_SAMPLER_H_
#define LACUNA_BENCH_SAMPLER_H_

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "probe.h"

namespace lacuna::bench {

struct Timed {
  std::function<void()> run;
  int threads = 1;
};

struct Samples {
  std::vector<double> seconds;  // one run, ascending
  int dropped = 0;
  double peak_flops = 0.0;  // of the threads together

  double Quantile(double q) const;
};

struct SamplerOptions {
  double seconds = 2.0;  // budget, all engines together; stretched four times (and by 10 s) if samples are missing
  bool smoke = false;    // one run of each, whatever the speed of the core
};

class Sampler {
 public:
  explicit Sampler(const SamplerOptions& options) : options_(options) {}

  // Rounds over all engines until the budget is spent and each has at least 7 samples. A sample is the mean of enough
  // runs to last 3 ms, after one run that warms the caches; an engine that takes half a second is not warmed. The FMA
  // peak is probed before and after every sample; the sample is dropped if either probe was below 90 % of the peak.
  std::vector<Samples> Run(std::span<const Timed> engines);

  double PeakFlops(int threads) { return Tracker(threads).Peak(); }

 private:
  // How an engine is sampled.
  struct Plan {
    size_t runs = 1;
    bool warm_up = true;
  };
  struct Sample {
    double seconds;
    double slowest_probe;
    double running;  // part of the time that the thread had the CPU
  };
  PeakTracker& Tracker(int threads);
  Plan Calibrate(const Timed& engine);
  Sample Take(const Timed& engine, const Plan& plan);
  Samples Filter(const std::vector<Sample>& taken, int threads);

  SamplerOptions options_;
  std::map<int, PeakTracker> trackers_;
};

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_SAMPLER_H_
