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
  bool stays = false;             // takes all turns, however slow
  std::function<void()> leave{};  // called when it drops out, not to be run again; may be null
  std::function<void()> evict{};  // if not null, called before every run, which is a sample then; not timed
  double warm_seconds = 0.0;      // it runs so long before every sample, once at least
};

struct Samples {
  std::vector<double> seconds;  // one run, ascending
  int dropped = 0;
  double peak_flops = 0.0;  // of the threads together
  bool left = false;        // dropped out early

  double Quantile(double q) const;
};

// Who leaves the turns early: an engine that takes more than `slower` times as long as the fastest, by the medians of
// at least `samples` samples; 0: by the fastest of the runs beforehand, which is then its only sample.
struct DropOut {
  size_t samples;
  double slower;
};

struct SamplerOptions {
  // Budget, all engines together. If samples are missing it is stretched four times and by stretch_seconds, and for
  // the fewest rounds.
  double seconds = 2.0;
  double stretch_seconds = 10.0;
  size_t fewest_rounds = 0;
  double long_run_seconds = 0.5;     // an engine that takes as long is not warmed
  bool smoke = false;                // one run of each, whatever the speed of the core
  std::vector<DropOut> drop_outs{};  // ascending by samples
};

class Sampler {
 public:
  explicit Sampler(const SamplerOptions& options) : options_(options) {}

  // Rounds over all engines until the budget is spent and each has at least 7 samples, 21 if it is evicted. A sample is
  // the mean of enough runs to last 3 ms, after one run that warms the caches, or as many as take Timed::warm_seconds,
  // unless runs are long: what caches keep is little beside that; of an engine that is evicted it is one run after the
  // eviction. The FMA peak is probed before and after every sample; the sample is dropped if either probe was below 90
  // % of the peak.
  std::vector<Samples> Run(std::span<const Timed> engines);

  double PeakFlops(int threads) { return Tracker(threads).Peak(); }

 private:
  // How an engine is sampled.
  struct Plan {
    size_t runs = 1;
    size_t warm_runs = 1;  // before those
    double seconds = 0.0;  // of the fastest run beforehand
  };
  struct Sample {
    double seconds;
    double slowest_probe;
    double running;  // part of the time that the thread had the CPU
  };
  // One engine in the course of Run.
  struct Turns {
    const Timed* engine;
    Plan plan;
    std::vector<Sample> taken{};
    bool left = false;
  };
  PeakTracker& Tracker(int threads);
  Plan Calibrate(const Timed& engine);
  Sample Take(const Timed& engine, const Plan& plan);
  Samples Filter(const Turns& turns);
  void LetGo(std::span<Turns> all, const DropOut& drop_out);

  SamplerOptions options_;
  std::map<int, PeakTracker> trackers_;
};

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_SAMPLER_H_
