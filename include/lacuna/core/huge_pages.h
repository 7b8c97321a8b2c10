// Huge pages for large buffers, where the system gives them on request.

#ifndef LACUNA_CORE_HUGE_PAGES_H_
#define LACUNA_CORE_HUGE_PAGES_H_

#include "lacuna/core/abi.h"

#include <cstddef>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace lacuna::inline LACUNA_ABI {

// What x86-64 and Arm with pages of 4 KiB have. Buffers from kHugeBufferBytes on are aligned to it and advised: less
// would mostly not be a whole one. In pages of 4 KiB the FC layers of C3D and VGG-16 take a fifth longer, and C3D as a
// whole 5 % (lacuna-run, Zen 4, transparent huge pages on "madvise", which is Debian's default).
inline constexpr size_t kHugePageBytes = size_t{2} << 20;
inline constexpr size_t kHugeBufferBytes = 2 * kHugePageBytes;

// A hint: nothing happens where it cannot be followed.
inline void AdviseHugePages([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  static_cast<void>(::madvise(memory, bytes, MADV_HUGEPAGE));
#endif
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_HUGE_PAGES_H_
