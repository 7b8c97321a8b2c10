// Buffer: a flat array that is owned (64-byte aligned) or viewed.

#ifndef LACUNA_CORE_BUFFER_H_
#define LACUNA_CORE_BUFFER_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/huge_pages.h"
#include "lacuna/core/status.h"

#include <cstddef>
#include <cstring>
#include <limits>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// Bytes of a cache line on every CPU lacuna targets, and the widest vector (AVX-512).
inline constexpr size_t kAlignment = 64;

constexpr size_t RoundUp(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }
constexpr size_t DivideUp(size_t value, size_t divisor) { return (value + divisor - 1) / divisor; }

// A movable array of `size()` elements. Either owns its memory, aligned to kAlignment (to huge pages if it is large),
// or views memory of the caller, which then must outlive it (a mapped file, say). Allocation failure is a Status, never
// an exception.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>, "Buffer moves bytes");

 public:
  Buffer() = default;
  ~Buffer() { Free(); }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      Free();
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
      alignment_ = std::exchange(other.alignment_, 0);
    }
    return *this;
  }

  // `size` elements with all bytes zero.
  static Result<Buffer> Make(size_t size) {
    Buffer buffer;
    if (size == 0) return buffer;
    if (size > (std::numeric_limits<size_t>::max() - kHugePageBytes) / sizeof(T)) {
      return Status::OutOfMemory("Buffer", std::numeric_limits<size_t>::max());
    }
    const bool huge = size * sizeof(T) >= kHugeBufferBytes;
    const size_t alignment = huge ? kHugePageBytes : kAlignment;
    void* memory = ::operator new (size * sizeof(T), std::align_val_t{alignment}, std::nothrow);
    if (memory == nullptr) return Status::OutOfMemory("Buffer", size * sizeof(T));
    if (huge) AdviseHugePages(memory, size * sizeof(T));
    std::memset(memory, 0, size * sizeof(T));
    buffer.data_ = static_cast<T*>(memory);
    buffer.size_ = size;
    buffer.alignment_ = alignment;
    return buffer;
  }

  static Result<Buffer> CopyOf(std::span<const T> values) {
    Result<Buffer> copy = Make(values.size());
    if (copy.ok() && !values.empty()) std::memcpy(copy->data_, values.data(), values.size_bytes());
    return copy;
  }

  // A view: nothing is copied or freed. Elements of a viewed Buffer are never written by lacuna.
  static Buffer View(std::span<const T> values) {
    Buffer buffer;
    buffer.data_ = const_cast<T*>(values.data());
    buffer.size_ = values.size();
    return buffer;
  }

  // Drops the elements from `size` on. The memory is kept.
  void Truncate(size_t size) {
    if (size < size_) size_ = size;
  }

  bool owned() const { return alignment_ != 0; }
  size_t size() const { return size_; }
  size_t size_bytes() const { return size_ * sizeof(T); }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  operator std::span<const T>() const { return {data_, size_}; }

 private:
// g++ 12 cannot see that the inactive alternatives of a std::variant of Buffers are not destroyed.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
  void Free() {
    if (alignment_ != 0) ::operator delete (data_, std::align_val_t{alignment_});
  }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

  T* data_ = nullptr;
  size_t size_ = 0;
  size_t alignment_ = 0;  // of memory that is owned, 0 of a view
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_BUFFER_H_
