// What selection knows of the machine: its name, and how fast it multiplies and reads.

#ifndef LACUNA_POLICY_MACHINE_H_
#define LACUNA_POLICY_MACHINE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace lacuna::inline LACUNA_ABI {

// A clock that never goes back (where the system has one), in seconds since some moment. Without <chrono>, which takes
// every translation unit half a second to compile.
inline double SteadySeconds() {
  std::timespec now{};
#ifdef CLOCK_MONOTONIC
  clock_gettime(CLOCK_MONOTONIC, &now);
#else
  std::timespec_get(&now, TIME_UTC);
#endif
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Bytes of data cache that one core can fill. An l3 of 0 says that there is none.
struct CacheSizes {
  size_t l1 = size_t{32} << 10;
  size_t l2 = size_t{512} << 10;
  size_t l3 = size_t{4} << 20;

  Status Validate() const {
    if (l1 != 0 && l1 < l2 && (l3 == 0 || l2 < l3)) return Status();
    return Status::InvalidArgument("caches have %zu, %zu and %zu bytes, must grow from l1 to l3 (or l3 be 0)", l1, l2,
                                   l3);
  }
};

// Speeds of one core with no other busy, for vectors of `lanes` floats.
struct MachineFacts {
  size_t lanes = 0;
  double multiply_adds_per_second = 0.0;  // of vectors
  // Bytes per second that vector loads read from where the data is.
  double l1_bandwidth = 0.0, l2_bandwidth = 0.0, l3_bandwidth = 0.0, memory_bandwidth = 0.0;
  CacheSizes caches{};

  // Numbers of an x86-64 server core (AVX-512, two multiply-add units: 4.75e9 multiply-adds of 16 floats, 333, 116, 25
  // and 12 GB/s), rounded down and, as narrower vectors load less at a time, scaled to `lanes` in L1 and L2. Good for
  // comparing candidates, not for forecasting times.
  static MachineFacts Defaults(size_t lanes) {
    MachineFacts facts{.lanes = lanes, .multiply_adds_per_second = 4e9};
    facts.l1_bandwidth = 5e9 * static_cast<double>(lanes * sizeof(float));
    facts.l2_bandwidth = facts.l1_bandwidth / 3;
    facts.l3_bandwidth = std::min(25e9, facts.l2_bandwidth);
    facts.memory_bandwidth = std::min(12e9, facts.l3_bandwidth);
    return facts;
  }

  // Where `bytes` that are read again and again come from: the smallest cache that holds them.
  double Bandwidth(double bytes) const {
    if (bytes <= static_cast<double>(caches.l1)) return l1_bandwidth;
    if (bytes <= static_cast<double>(caches.l2)) return l2_bandwidth;
    return bytes <= static_cast<double>(caches.l3) ? l3_bandwidth : memory_bandwidth;
  }

  Status Validate() const {
    const auto positive = [](const char* name, double value) {
      if (value > 0 && value <= 1e18) return Status();  // catches NaN
      return Status::InvalidArgument("facts.%s is %g, must be above 0 and at most 1e18", name, value);
    };
    if (lanes == 0) return Status::InvalidArgument("facts.lanes is 0, must be at least 1");
    LACUNA_RETURN_IF_ERROR(positive("multiply_adds_per_second", multiply_adds_per_second));
    LACUNA_RETURN_IF_ERROR(positive("l1_bandwidth", l1_bandwidth));
    LACUNA_RETURN_IF_ERROR(positive("l2_bandwidth", l2_bandwidth));
    LACUNA_RETURN_IF_ERROR(positive("l3_bandwidth", l3_bandwidth));
    LACUNA_RETURN_IF_ERROR(positive("memory_bandwidth", memory_bandwidth));
    return caches.Validate();
  }
};

// Loops that run a machine's units at full speed. They are compiled per SIMD target, so the caller brings them. What
// they return has no meaning: it keeps compilers from leaving the work out.
struct MachineProbe {
  size_t lanes = 0;                                      // floats of a vector
  float (*multiply_adds)(int64_t count) = nullptr;       // `count` vector multiply-adds, enough of them independent
  float (*read)(const float*, size_t floats) = nullptr;  // every float once, by vector loads, in order
};

namespace machine {

inline constexpr double kProbeSeconds = 1e-3;  // long against the clock, short against the 50 ms of MeasureMachine
inline constexpr int kProbes = 3;              // of which the fastest counts: disturbance only slows
inline constexpr size_t kMostProbeBytes = size_t{32} << 20;

// Calls of run(count) per second, `count` counted; 0 if the clock stands still.
template <class F>
double BestRate(double (*now)(), const F& run) {
  const auto seconds = [&](int64_t count) {
    const double begin = now();
    run(count);
    return now() - begin;
  };
  int64_t count = 1;
  double least = seconds(count);
  while (!(least >= kProbeSeconds)) {
    if (count > int64_t{1} << 20) return 0.0;  // a second of multiply-adds
    count *= 2;
    least = seconds(count);
  }
  for (int probe = 1; probe < kProbes; ++probe) least = std::min(least, seconds(count));
  return least > 0 ? static_cast<double>(count) / least : 0.0;
}

inline std::string_view Trimmed(std::string_view text) {
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// The CPU that the text of Linux's /proc/cpuinfo describes: "model name" where there is one (x86), else, for Arm,
// "Hardware" and the numbers of the different cores ("0x41 0xd05 0xd41"). Empty if it says nothing.
inline std::string CpuNameIn(std::string_view cpuinfo) {
  std::string model, hardware, implementer, parts;
  const auto add_once = [](std::string& list, std::string_view item) {
    if ((list + " ").find(" " + std::string(item) + " ") == std::string::npos) list += " " + std::string(item);
  };
  while (!cpuinfo.empty()) {
    const std::string_view line = cpuinfo.substr(0, cpuinfo.find('\n'));
    cpuinfo.remove_prefix(std::min(cpuinfo.size(), line.size() + 1));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = Trimmed(line.substr(0, colon)), value = Trimmed(line.substr(colon + 1));
    if (name == "model name" && model.empty()) model = value;
    if (name == "Hardware") hardware = value;
    if (name == "CPU implementer" && implementer.empty()) implementer = value;
    if (name == "CPU part") add_once(parts, value);
  }
  if (!model.empty()) return model;
  std::string cores = hardware.empty() ? implementer : hardware + " " + implementer;
  cores += parts;
  return std::string(Trimmed(cores));
}

// The first bytes of a small file, as a text; empty if it cannot be read.
template <size_t kBytes>
std::string FirstBytes(const char* path) {
  char text[kBytes];
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return {};
  const size_t size = std::fread(text, 1, sizeof(text), file);
  std::fclose(file);
  return std::string(text, size);
}

}  // namespace machine

// The model of this machine's CPU, "unknown" where neither cpuid (x86) nor Linux knows it.
inline std::string CpuName() {
#if defined(__x86_64__) || defined(__i386__)
  unsigned words[13] = {};  // the last one ends the text
  bool known = true;
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    unsigned* w = words + 4 * leaf;
    known = known && __get_cpuid(0x80000002u + leaf, &w[0], &w[1], &w[2], &w[3]) != 0;
  }
  char brand[sizeof(words)];
  std::memcpy(brand, words, sizeof(words));
  if (known && !machine::Trimmed(brand).empty()) return std::string(machine::Trimmed(brand));
#endif
  const std::string name = machine::CpuNameIn(machine::FirstBytes<16384>("/proc/cpuinfo"));
  return name.empty() ? "unknown" : name;
}

// The caches of the first core as Linux lists them; defaults where it does not, or lists nonsense.
inline CacheSizes ReadCacheSizes() {
  CacheSizes sizes{.l1 = 0, .l2 = 0, .l3 = 0};
  for (int index = 0; index < 8; ++index) {
    const auto read = [&](const char* name) {
      char path[80];
      std::snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
      return machine::FirstBytes<32>(path);
    };
    unsigned kib = 0;
    if (read("type").starts_with("Instruction") || std::sscanf(read("size").c_str(), "%9uK", &kib) != 1) continue;
    const std::string level = read("level");
    const size_t bytes = size_t{kib} << 10;
    if (level.starts_with('1')) sizes.l1 = bytes;
    if (level.starts_with('2')) sizes.l2 = bytes;
    if (level.starts_with('3')) sizes.l3 = bytes;
  }
  return sizes.Validate().ok() ? sizes : CacheSizes{};
}

// Measures the facts with the loops of `probe`, in about 40 ms on an idle core. Memory bandwidth is that of 32 MiB; if
// L3 holds half of them or more, it is at most the default. Fails if an argument is not as described, memory runs out,
// or the clock stands still: Defaults() then.
inline Result<MachineFacts> MeasureMachine(const MachineProbe& probe, const CacheSizes& caches,
                                           double (*now)() = &SteadySeconds) {
  if (probe.lanes == 0 || probe.multiply_adds == nullptr || probe.read == nullptr) {
    return Status::InvalidArgument("probe has %zu lanes%s%s, must have at least 1 and both loops", probe.lanes,
                                   probe.multiply_adds == nullptr ? ", no multiply_adds" : "",
                                   probe.read == nullptr ? ", no read" : "");
  }
  LACUNA_RETURN_IF_ERROR(caches.Validate());
  constexpr size_t kMost = machine::kMostProbeBytes;
  LACUNA_ASSIGN_OR_RETURN(data, Buffer<float>::Make(kMost / sizeof(float)));
  // Half of a cache fits it surely; 8 times L2 is surely not in L2.
  const auto bandwidth = [&, &floats = data](size_t bytes) {
    const size_t count = std::min(bytes, kMost) / sizeof(float);
    const double reads = machine::BestRate(now, [&](int64_t times) {
      for (int64_t i = 0; i < times; ++i) probe.read(floats.data(), count);
    });
    return reads * static_cast<double>(count * sizeof(float));
  };
  MachineFacts facts{.lanes = probe.lanes, .caches = caches};
  constexpr int64_t kBatch = 4096;
  facts.multiply_adds_per_second = static_cast<double>(kBatch) * machine::BestRate(now, [&](int64_t batches) {
                                     probe.multiply_adds(batches * kBatch);
                                   });
  if (!(facts.multiply_adds_per_second > 0)) {
    return Status::Make(StatusCode::kUnsupported, "facts cannot be measured: the clock stands still");
  }
  // A cache is never slower than the one behind it: where it seems so, it was disturbed.
  facts.memory_bandwidth = bandwidth(kMost);
  if (caches.l3 >= kMost / 2) {
    facts.memory_bandwidth = std::min(facts.memory_bandwidth, MachineFacts::Defaults(probe.lanes).memory_bandwidth);
  }
  facts.l3_bandwidth = facts.memory_bandwidth;
  if (caches.l3 != 0) {
    facts.l3_bandwidth = std::max(facts.memory_bandwidth, bandwidth(std::min(caches.l3 / 2, 8 * caches.l2)));
  }
  facts.l2_bandwidth = std::max(facts.l3_bandwidth, bandwidth(caches.l2 / 2));
  facts.l1_bandwidth = std::max(facts.l2_bandwidth, bandwidth(caches.l1 / 2));
  LACUNA_RETURN_IF_ERROR(facts.Validate());
  return facts;
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_POLICY_MACHINE_H_
