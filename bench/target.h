// The SIMD target of a run: chosen by flag, the same for lacuna, the probes and, where they can be held to it, the
// peers.

#ifndef LACUNA_BENCH_TARGET_H_
#define LACUNA_BENCH_TARGET_H_

#include "lacuna/core/status.h"

#include <cstdint>
#include <string>
#include <vector>

#include "engine.h"

namespace lacuna::bench {

// "avx3_dl": Highway's name of a target, in lower case.
std::string TargetName(int64_t target);

// Targets that this binary has code for and this CPU can run, best first.
std::vector<int64_t> UsableTargets();

// Highway takes no target better than `name` from now on. Fails if that is not a usable target.
Status LimitTarget(const std::string& name);

// Makes `target` the only one until the next call; 0 lifts that.
void ForceTarget(int64_t target);

// What peers may use beside `target`.
InstructionSet InstructionSetOf(int64_t target);

std::string CpuModel();

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_TARGET_H_
