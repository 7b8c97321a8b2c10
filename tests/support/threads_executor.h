// ThreadsExecutor: an executor of plain std::threads, for tests that want real concurrency and ThreadSanitizer's full
// view.

#ifndef LACUNA_TESTS_SUPPORT_THREADS_EXECUTOR_H_
#define LACUNA_TESTS_SUPPORT_THREADS_EXECUTOR_H_

#include <cstddef>
#include <thread>
#include <vector>

namespace lacuna::test {

// A thread of its own for every slot but the first; more slots than cores are fine.
class ThreadsExecutor {
 public:
  explicit ThreadsExecutor(size_t concurrency) : concurrency_(concurrency) {}

  size_t concurrency() const { return concurrency_; }

  template <class F>
  void parallel_for(size_t slots, const F& f) const {
    std::vector<std::thread> threads;
    for (size_t slot = 1; slot < slots; ++slot) threads.emplace_back([&f, slot] { f(slot); });
    if (slots > 0) f(0);
    for (std::thread& thread : threads) thread.join();
  }

 private:
  size_t concurrency_;
};

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_THREADS_EXECUTOR_H_
