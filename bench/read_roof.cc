#include "read_roof.h"

#include "cold.h"
#include "probe.h"

namespace lacuna::bench {

Status ReadRoof::AppendTo(std::vector<Timed>& timed) {
  if (seconds_.empty()) return Status();
  LACUNA_ASSIGN_OR_RETURN(buffer, Buffer<float>::Make(seconds_.rbegin()->first / sizeof(float)));
  buffer_ = std::move(buffer);
  for (const auto& [bytes, seconds] : seconds_) {
    const std::span<const float> values(buffer_.data(), bytes / sizeof(float));
    for (int way = 0; way < kReadWays; ++way) {
      timed.push_back(
          {.run = [way, values] { Read(way, values.data(), values.size()); }, .warm_seconds = kWarmSeconds});
      if (cold_) {
        timed.back().evict = [values] {
          const MemoryRange range = std::as_bytes(values);
          Evict({&range, 1});
        };
      }
    }
  }
  return Status();
}

void ReadRoof::Take(std::span<const Samples> samples) {
  size_t next = 0;
  for (auto& [bytes, seconds] : seconds_) {
    for (int way = 0; way < kReadWays; ++way, ++next) {
      const double median = samples[next].Quantile(0.5);
      if (median > 0.0 && (seconds == 0.0 || median < seconds)) seconds = median;
    }
  }
}

double ReadRoof::Bandwidth(size_t bytes) const {
  const auto found = seconds_.find(RoundedUp(bytes));
  if (found == seconds_.end() || found->second == 0.0) return 0.0;
  return static_cast<double>(found->first) / found->second;
}

}  // namespace lacuna::bench
