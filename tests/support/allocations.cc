#include "tests/support/allocations.h"

#include "lacuna/core/buffer.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<size_t> g_allocations{0};
}  // namespace

void* operator new(size_t size) {
  ++g_allocations;
  void* memory = std::malloc(std::max<size_t>(size, 1));
  if (memory == nullptr) std::abort();
  return memory;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++g_allocations;
  return std::malloc(std::max<size_t>(size, 1));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
// What Buffer allocates with.
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  ++g_allocations;
  const auto align = static_cast<size_t>(alignment);
  return std::aligned_alloc(align, lacuna::RoundUp(size, align));
}
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }

namespace lacuna::test {

size_t Allocations() { return g_allocations; }

}  // namespace lacuna::test
