// Executor: how a plan borrows the caller's threads.

#ifndef LACUNA_CORE_EXECUTOR_H_
#define LACUNA_CORE_EXECUTOR_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/function_ref.h"

#include <concepts>
#include <cstddef>
#include <type_traits>

namespace lacuna::inline LACUNA_ABI {

// concurrency(): how many slots may run at the same time, at least 1.
// parallel_for(slots, f): calls f(i) exactly once for every i < slots, slots <= concurrency(), on any threads in any
// order, and returns when all calls have. f never throws and never calls back into the executor. Adapters for OpenMP,
// oneTBB and pthreadpool are in executor_openmp.h, executor_tbb.h and executor_pthreadpool.h.
template <class E>
concept Executor = requires(E& executor, size_t slots, void (*f)(size_t)) {
  { executor.concurrency() } -> std::convertible_to<size_t>;
  executor.parallel_for(slots, f);
};

// Runs everything on the calling thread.
struct SerialExecutor {
  size_t concurrency() const { return 1; }
  template <class F>
  void parallel_for(size_t slots, const F& f) const {
    for (size_t slot = 0; slot < slots; ++slot) f(slot);
  }
};

// An executor of any type, by reference: the object must outlive it. Plans take executors as this, so that they are
// compiled once, not once for each type; it costs one indirect call a Run.
class ExecutorRef {
 public:
  // Implicit on purpose.
  template <class E>
  requires(!std::same_as<std::remove_cvref_t<E>, ExecutorRef> && Executor<E>) ExecutorRef(E&& executor)
      : executor_(const_cast<void*>(static_cast<const void*>(&executor))),
        concurrency_([](void* object) -> size_t {
          const auto concurrency = static_cast<std::remove_reference_t<E>*>(object)->concurrency();
          return concurrency < 1 ? 1 : static_cast<size_t>(concurrency);
        }),
        parallel_for_([](void* object, size_t slots, FunctionRef<void(size_t)> f) {
          static_cast<std::remove_reference_t<E>*>(object)->parallel_for(slots, f);
        }) {}

  size_t concurrency() const { return concurrency_(executor_); }
  void parallel_for(size_t slots, FunctionRef<void(size_t)> f) const { parallel_for_(executor_, slots, f); }

 private:
  void* executor_;
  size_t (*concurrency_)(void* executor);
  void (*parallel_for_)(void* executor, size_t slots, FunctionRef<void(size_t)> f);
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_EXECUTOR_H_
