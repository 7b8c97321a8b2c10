#include "tests/support/allocations.h"

#include "lacuna/core/buffer.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

namespace {

constexpr size_t kNever = std::numeric_limits<size_t>::max();

std::atomic<size_t> g_allocations{0};
std::atomic<size_t> g_deleted{0};
// Numbers of calls, counted as g_allocations does.
std::atomic<size_t> g_first_failure{kNever}, g_last_failure{kNever};

// Null if it is this call's turn to fail.
void* Allocate(size_t size, size_t alignment) {
  const size_t call = g_allocations++;
  if (call >= g_first_failure && call <= g_last_failure) {
    ++g_deleted;
    return nullptr;
  }
  size = std::max<size_t>(size, 1);
  return alignment == 0 ? std::malloc(size) : std::aligned_alloc(alignment, lacuna::RoundUp(size, alignment));
}
void* AllocateOrThrow(size_t size, size_t alignment) {
  void* memory = Allocate(size, alignment);
  if (memory != nullptr) return memory;
#ifdef __cpp_exceptions
  throw std::bad_alloc();
#else
  std::abort();
#endif
}
void Delete(void* memory) {
  if (memory != nullptr) ++g_deleted;
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) { return AllocateOrThrow(size, 0); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Allocate(size, 0); }
void operator delete(void* memory) noexcept { Delete(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { Delete(memory); }
void operator delete(void* memory, size_t) noexcept { Delete(memory); }
// What Buffer allocates with.
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return Allocate(size, static_cast<size_t>(alignment));
}
// Of types whose own alignment is larger than usual.
void* operator new(size_t size, std::align_val_t alignment) {
  return AllocateOrThrow(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory, std::align_val_t) noexcept { Delete(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { Delete(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { Delete(memory); }

namespace lacuna::test {

size_t Allocations() { return g_allocations; }
size_t LiveAllocations() { return g_allocations - g_deleted; }

FailingAllocations::FailingAllocations(size_t successes, Failures failures) {
  const size_t first = g_allocations + successes;
  g_last_failure = failures == Failures::kOne ? first : kNever;
  g_first_failure = first;
}
FailingAllocations::~FailingAllocations() { g_first_failure = kNever; }

}  // namespace lacuna::test
