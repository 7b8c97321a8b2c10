// Executor: how a plan borrows the caller's threads.

#ifndef LACUNA_CORE_EXECUTOR_H_
#define LACUNA_CORE_EXECUTOR_H_

#include <concepts>
#include <cstddef>

namespace lacuna {

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

}  // namespace lacuna

#endif  // LACUNA_CORE_EXECUTOR_H_
