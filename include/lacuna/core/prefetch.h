// Prefetch hints that Highway does not have.

#ifndef LACUNA_CORE_PREFETCH_H_
#define LACUNA_CORE_PREFETCH_H_

#include "lacuna/core/abi.h"

#include <cstdint>

namespace lacuna {

// Floats of a cache line.
inline constexpr int64_t kLineFloats = 16;

// Asks for the cache line at `p` in L2, sparing L1. A hint: any address will do, nothing is read.
// Always inlined: code of another SIMD target may not inline it otherwise, and g++ 12 then drops the call as one
// without effect.
#if defined(__GNUC__) || defined(__clang__)
__attribute__((always_inline))
#endif
inline void
PrefetchToL2(const void* p) {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(p, /*write=*/0, /*locality=*/2);
#else
  (void)p;
#endif
}

}  // namespace lacuna

#endif  // LACUNA_CORE_PREFETCH_H_
