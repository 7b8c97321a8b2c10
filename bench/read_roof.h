// ReadRoof: how fast the bytes of weights can be read, measured in turns with the engines that are bound by it.

#ifndef LACUNA_BENCH_READ_ROOF_H_
#define LACUNA_BENCH_READ_ROOF_H_

#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"

#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "sampler.h"

namespace lacuna::bench {

// How long what is bound by reading runs before a sample, unless it is evicted: when others have read 64 MB in their
// turn, one run does not bring weights of 9 MB back into L3 (Zen 4: 0.17 of the bandwidth instead of 0.65 was
// measured).
inline constexpr double kWarmSeconds = 0.01;

class ReadRoof {
 public:
  // `cold`: the bytes are evicted from the caches before every read.
  explicit ReadRoof(bool cold) : cold_(cold) {}

  // That reads of so many bytes are to be measured.
  void Add(size_t bytes) { seconds_[RoundedUp(bytes)] = 0.0; }

  // Appends what is to be timed; this object must outlive that.
  Status AppendTo(std::vector<Timed>& timed);
  // Of what was appended, in that order.
  void Take(std::span<const Samples> samples);

  // Bytes/s of reading so many bytes, by the faster of several loops, medians; 0 if that was not measured.
  double Bandwidth(size_t bytes) const;

 private:
  // Loops read whole turns of 512 bytes.
  static size_t RoundedUp(size_t bytes) { return RoundUp(bytes, 512); }

  bool cold_;
  std::map<size_t, double> seconds_;  // by bytes
  Buffer<float> buffer_;
};

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_READ_ROOF_H_
