// What the machine can do at best, measured: multiply-adds per second and bytes read per second of the active SIMD
// target.

#ifndef LACUNA_BENCH_PROBE_H_
#define LACUNA_BENCH_PROBE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace lacuna::bench {

// Runs independent multiply-adds from registers for about `seconds` on each of `threads` threads; returns FLOP/s of all
// of them together, a multiply-add being two. On a target without fused multiply-add it is a multiplication and an
// addition.
double ProbeFlops(double seconds, int threads = 1);

// How many times more multiply-adds of 8-bit integers than of floats the active target does, both from registers and in
// turns; and the instruction that does them.
double ProbeInt8Scale(bool smoke);
const char* ProbeInt8Instruction();

// Highway bit of the target that the probes run on.
int64_t ProbeTarget();

// Bytes/s of reading a buffer of `bytes` over and over, the best of a few tries that last about `seconds` together.
double ProbeReadBandwidth(size_t bytes, double seconds);

// Reads `floats` floats once at full speed, a few less at the end if that is no multiple of what a turn of the loop
// reads; `data` is aligned to a cache line. Which of the ways is fastest depends on where the data is: kReadWays of
// them.
inline constexpr int kReadWays = 3;
void Read(int way, const float* data, size_t floats);

// The FMA peak of this process. A sample counts only if the probes beside it were close to it: hosts take a core's
// speed away for seconds at a time, with no other sign.
class PeakTracker {
 public:
  explicit PeakTracker(int threads) : threads_(threads) {}

  // Probes briefly, remembers and returns FLOP/s.
  double Probe();
  // FLOP/s of the fifth fastest probe so far: one glitch of the clock must not set the bar.
  double Peak() const;
  bool IsSlow(double flops) const { return flops < kSlow * Peak(); }

 private:
  static constexpr double kSlow = 0.9;
  static constexpr size_t kKept = 5;
  static constexpr double kProbeSeconds = 0.3e-3;

  int threads_;
  std::vector<double> fastest_;  // descending
};

// Read bandwidth by working set, measured on first use for sizes that are powers of two.
class BandwidthTable {
 public:
  // Bytes/s of reading a buffer at least as large as `bytes`.
  double At(size_t bytes);

 private:
  std::map<size_t, double> measured_;
};

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_PROBE_H_
