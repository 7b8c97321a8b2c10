#include "cold.h"

#include "lacuna/core/buffer.h"

#include <cstddef>

#include "probe.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace lacuna::bench {
namespace {

#if defined(__x86_64__)
void EvictLine(const std::byte* line) { _mm_clflush(line); }
void Finish() { _mm_mfence(); }
#elif defined(__aarch64__) && defined(__linux__)
void EvictLine(const std::byte* line) { asm volatile("dc civac, %0" : : "r"(line) : "memory"); }
void Finish() { asm volatile("dsb ish" : : : "memory"); }
#endif

}  // namespace

#if defined(__x86_64__) || (defined(__aarch64__) && defined(__linux__))
void Evict(std::span<const MemoryRange> ranges) {
  constexpr size_t kLine = 64;  // or a multiple of that
  for (const MemoryRange& range : ranges) {
    if (range.empty()) continue;
    for (size_t i = 0; i < range.size(); i += kLine) EvictLine(range.data() + i);
    EvictLine(range.data() + range.size() - 1);
  }
  Finish();
}
#else
void Evict(std::span<const MemoryRange>) {
  constexpr size_t kBytes = size_t{1} << 28;
  static const Result<Buffer<float> > buffer = Buffer<float>::Make(kBytes / sizeof(float));
  if (buffer.ok()) Read(0, buffer->data(), buffer->size());
}
#endif

}  // namespace lacuna::bench
