// Shared: a reference-counted immutable object whose allocation may fail without an exception.

#ifndef LACUNA_CORE_SHARED_H_
#define LACUNA_CORE_SHARED_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"

#include <atomic>
#include <cstddef>
#include <new>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// std::shared_ptr<const T> with a factory that returns a Status instead of throwing std::bad_alloc. Thread-safe like
// it.
template <class T>
class Shared {
 public:
  static Result<Shared> Make(T value) {
    Node* node = new (std::nothrow) Node{std::move(value)};
    if (node == nullptr) return Status::OutOfMemory("Shared", sizeof(Node));
    return Shared(node);
  }

  Shared() = default;
  Shared(const Shared& other) : node_(other.node_) {
    if (node_ != nullptr) node_->count.fetch_add(1, std::memory_order_relaxed);
  }
  Shared(Shared&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Shared& operator=(Shared other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Shared() {
    if (node_ != nullptr && node_->count.fetch_sub(1, std::memory_order_acq_rel) == 1) delete node_;
  }

  const T& operator*() const { return node_->value; }
  const T* operator->() const { return &node_->value; }
  explicit operator bool() const { return node_ != nullptr; }

 private:
  struct Node {
    T value;
    std::atomic<size_t> count{1};
  };
  explicit Shared(Node* node) : node_(node) {}

  Node* node_ = nullptr;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_SHARED_H_
