// Cold memory: what a run that follows long after the last one finds.

#ifndef LACUNA_BENCH_COLD_H_
#define LACUNA_BENCH_COLD_H_

#include <span>

#include "engine.h"

namespace lacuna::bench {

// Moves the memory out of all caches: line by line on x86-64 and on 64-bit Arm under Linux, elsewhere by reading
// something larger than caches are.
void Evict(std::span<const MemoryRange> ranges);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_COLD_H_
