#include "lacuna/policy/machine.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "tests/support/check_error.h"

namespace lacuna::test {
namespace {

// A machine whose clock its own work moves on: 2e9 multiply-adds per second, 1 disturbance, caches of 1, 2 and 4 MiB.
struct FakeMachine {
  static inline double seconds = 0.0;
  static inline bool stopped = false;
  static inline int64_t disturbed_call = -1, calls = 0;
  static inline size_t most_bytes = 0;

  static constexpr CacheSizes kCaches = {.l1 = size_t{1} << 20, .l2 = size_t{2} << 20, .l3 = size_t{4} << 20};
  static double Bandwidth(size_t bytes) {
    if (bytes <= kCaches.l1) return 256e9;
    if (bytes <= kCaches.l2) return 64e9;
    return bytes <= kCaches.l3 ? 16e9 : 4e9;
  }

  static void Reset() {
    seconds = 0.0;
    stopped = false;
    disturbed_call = -1;
    calls = 0;
    most_bytes = 0;
  }
  static double Now() { return seconds; }
  static void Spend(double time) {
    if (calls++ == disturbed_call) time += 1.0;
    if (!stopped) seconds += time;
  }
  static float MultiplyAdds(int64_t count) {
    Spend(static_cast<double>(count) / 2e9);
    return 0.0f;
  }
  static float Read(const float* data, size_t floats) {
    const size_t bytes = floats * sizeof(float);
    most_bytes = std::max(most_bytes, bytes);
    Spend(static_cast<double>(bytes) / Bandwidth(bytes));
    return data[0] + data[floats - 1];
  }
  static MachineProbe Probe() { return {.lanes = 8, .multiply_adds = &MultiplyAdds, .read = &Read}; }
};

TEST_CASE("machine: facts are what the probe's loops show") {
  FakeMachine::Reset();
  auto facts = MeasureMachine(FakeMachine::Probe(), FakeMachine::kCaches, &FakeMachine::Now);
  REQUIRE(facts.ok());
  CHECK(facts->lanes == 8);
  CHECK(facts->caches.l2 == FakeMachine::kCaches.l2);
  CHECK(facts->multiply_adds_per_second == doctest::Approx(2e9));
  CHECK(facts->l1_bandwidth == doctest::Approx(256e9));
  CHECK(facts->l2_bandwidth == doctest::Approx(256e9));  // half of this L2 is this L1
  CHECK(facts->l3_bandwidth == doctest::Approx(64e9));   // and half of L3 this L2
  CHECK(facts->memory_bandwidth == doctest::Approx(4e9));
  CHECK(FakeMachine::most_bytes == machine::kMostProbeBytes);
  CHECK(FakeMachine::seconds < 0.06);

  SUBCASE("caches four times as large as what stands before them") {
    const CacheSizes caches{.l1 = size_t{1} << 19, .l2 = size_t{1} << 22, .l3 = size_t{1} << 23};
    facts = MeasureMachine(FakeMachine::Probe(), caches, &FakeMachine::Now);
    REQUIRE(facts.ok());
    CHECK(facts->l1_bandwidth == doctest::Approx(256e9));
    CHECK(facts->l2_bandwidth == doctest::Approx(64e9));
    CHECK(facts->l3_bandwidth == doctest::Approx(16e9));
    CHECK(facts->memory_bandwidth == doctest::Approx(4e9));
  }
  SUBCASE("a disturbed probe does not count") {
    for (int64_t call = 0; call < 20; ++call) {
      FakeMachine::Reset();
      FakeMachine::disturbed_call = call;
      facts = MeasureMachine(FakeMachine::Probe(), FakeMachine::kCaches, &FakeMachine::Now);
      REQUIRE(facts.ok());
      CHECK(facts->multiply_adds_per_second == doctest::Approx(2e9));
      CHECK(facts->memory_bandwidth == doctest::Approx(4e9));
    }
  }
  SUBCASE("no L3") {
    facts = MeasureMachine(FakeMachine::Probe(), {.l1 = 1 << 15, .l2 = 1 << 20, .l3 = 0}, &FakeMachine::Now);
    REQUIRE(facts.ok());
    CHECK(facts->l3_bandwidth == facts->memory_bandwidth);
    CHECK(facts->Bandwidth(2e6) == facts->memory_bandwidth);
  }
  SUBCASE("memory that L3 may hold is not taken to be faster than the default") {
    facts =
        MeasureMachine(FakeMachine::Probe(), {.l1 = 1 << 15, .l2 = 1 << 20, .l3 = size_t{1} << 28}, &FakeMachine::Now);
    REQUIRE(facts.ok());
    CHECK(facts->memory_bandwidth == doctest::Approx(4e9));
    MachineProbe fast = FakeMachine::Probe();
    fast.read = [](const float*, size_t floats) {
      FakeMachine::Spend(static_cast<double>(floats) * 1e-11);
      return 0.0f;
    };
    facts = MeasureMachine(fast, {.l1 = 1 << 15, .l2 = 1 << 20, .l3 = size_t{1} << 28}, &FakeMachine::Now);
    REQUIRE(facts.ok());
    CHECK(facts->memory_bandwidth == MachineFacts::Defaults(8).memory_bandwidth);
    CHECK(facts->l3_bandwidth == doctest::Approx(400e9));
  }
}

TEST_CASE("machine: a probe that cannot be used, or a clock that stands still, is a Status") {
  FakeMachine::Reset();
  const CacheSizes caches = FakeMachine::kCaches;
  const auto measure = [&](const MachineProbe& probe) { return MeasureMachine(probe, caches, &FakeMachine::Now); };
  MachineProbe probe = FakeMachine::Probe();
  probe.lanes = 0;
  CheckInvalid(measure(probe).status(), "probe has 0 lanes, must have at least 1 and both loops");
  probe = {.lanes = 4};
  CheckInvalid(measure(probe).status(), "probe has 4 lanes, no multiply_adds, no read, must have");
  CheckInvalid(MeasureMachine(FakeMachine::Probe(), {.l1 = 4096, .l2 = 4096}, &FakeMachine::Now).status(),
               "caches have 4096, 4096 and 4194304 bytes, must grow from l1 to l3 (or l3 be 0)");
  CHECK(FakeMachine::calls == 0);
  FakeMachine::stopped = true;
  CheckError(measure(FakeMachine::Probe()).status(), StatusCode::kUnsupported,
             "facts cannot be measured: the clock stands still");
  CHECK(FakeMachine::calls < 100);
  CHECK(FakeMachine::most_bytes == 0);
}

TEST_CASE("machine: defaults are valid for every vector, and facts say what is wrong with them") {
  for (const size_t lanes : {1u, 4u, 8u, 16u}) {
    const MachineFacts facts = MachineFacts::Defaults(lanes);
    CHECK(facts.Validate().ok());
    CHECK(facts.l1_bandwidth > facts.l2_bandwidth);
    CHECK(facts.l2_bandwidth >= facts.l3_bandwidth);
    CHECK(facts.l3_bandwidth >= facts.memory_bandwidth);
  }
  CheckInvalid(MachineFacts::Defaults(0).Validate(), "facts.lanes is 0, must be at least 1");
  MachineFacts facts = MachineFacts::Defaults(8);
  facts.l3_bandwidth = std::numeric_limits<double>::quiet_NaN();
  CheckInvalid(facts.Validate(), "facts.l3_bandwidth is nan, must be above 0 and at most 1e18");
  facts = MachineFacts::Defaults(8);
  facts.memory_bandwidth = -1;
  CheckInvalid(facts.Validate(), "facts.memory_bandwidth is -1, must be above 0");
  facts = MachineFacts::Defaults(8);
  facts.caches.l3 = facts.caches.l2;
  CheckInvalid(facts.Validate(), "caches have 32768, 524288 and 524288 bytes, must grow");
}

TEST_CASE("machine: the CPU of /proc/cpuinfo") {
  CHECK(machine::CpuNameIn("processor\t: 0\nvendor_id\t: X\nmodel name\t: Some CPU  @ 2.00GHz \nflags\t: a b\n\n"
                           "processor\t: 1\nmodel name\t: Another\n") == "Some CPU  @ 2.00GHz");
  CHECK(machine::CpuNameIn("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n"
                           "processor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n"
                           "processor\t: 2\nCPU implementer\t: 0x41\nCPU part\t: 0xd0\n\n"
                           "processor\t: 3\nCPU implementer\t: 0x41\nCPU part\t: 0xd41\n") == "0x41 0xd05 0xd0 0xd41");
  CHECK(machine::CpuNameIn("CPU implementer : 0x51\nCPU part: 0x802\nHardware : Snapdragon") ==
        "Snapdragon 0x51 0x802");
  CHECK(machine::CpuNameIn("").empty());
  CHECK(machine::CpuNameIn("no colon here\n:\n: x\nmodel name :\n").empty());
}

TEST_CASE("machine: of this machine a name and caches that grow") {
  const std::string name = CpuName();
  CHECK_FALSE(name.empty());
  CHECK(machine::Trimmed(name) == name);
  CHECK(CpuName() == name);
  CHECK(ReadCacheSizes().Validate().ok());
  const double now = SteadySeconds();
  CHECK(SteadySeconds() >= now);
}

}  // namespace
}  // namespace lacuna::test
