// GuardedBuffer: memory in which one element too far, on the guarded side, is a fault.

#ifndef LACUNA_TESTS_SUPPORT_GUARDED_BUFFER_H_
#define LACUNA_TESTS_SUPPORT_GUARDED_BUFFER_H_

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <type_traits>

namespace lacuna::test {

enum class Guard { kAfter, kBefore };

// `size` zeroed elements that end directly before a protected page (kAfter) or begin directly after one (kBefore). With
// kAfter the address is aligned to no more than size * sizeof(T) allows, so kernels meet misaligned memory too.
template <class T>
class GuardedBuffer {
  static_assert(std::is_trivially_copyable_v<T>, "memory comes from mmap");

 public:
  explicit GuardedBuffer(size_t size, Guard guard = Guard::kAfter) : size_(size) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t used = std::max(page, (size * sizeof(T) + page - 1) / page * page);
    mapped_bytes_ = used + page;
    mapped_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) Fail("mmap");
    std::byte* begin = static_cast<std::byte*>(mapped_);
    std::byte* data = guard == Guard::kAfter ? begin + used - size * sizeof(T) : begin + page;
    if (mprotect(guard == Guard::kAfter ? begin + used : begin, page, PROT_NONE) != 0) Fail("mprotect");
    data_ = reinterpret_cast<T*>(data);
  }
  ~GuardedBuffer() { munmap(mapped_, mapped_bytes_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  size_t size() const { return size_; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  std::span<T> span() { return {data_, size_}; }
  std::span<const T> span() const { return {data_, size_}; }

 private:
  // A test without its memory has nothing to report to.
  [[noreturn]] static void Fail(const char* call) {
    std::perror(call);
    std::abort();
  }

  size_t size_;
  size_t mapped_bytes_ = 0;
  void* mapped_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_GUARDED_BUFFER_H_
