// Stands for the thread pool that a host program already has. That it models lacuna::Executor is all lacuna asks for.

#ifndef EMBED_THREAD_POOL_H_
#define EMBED_THREAD_POOL_H_

#include <barrier>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

class ThreadPool {
 public:
  explicit ThreadPool(size_t threads) : barrier_(static_cast<std::ptrdiff_t>(threads)) {
    for (size_t slot = 1; slot < threads; ++slot) workers_.emplace_back([this, slot] { Work(slot); });
  }
  ~ThreadPool() {
    task_ = nullptr;
    barrier_.arrive_and_wait();
  }

  size_t concurrency() const { return workers_.size() + 1; }

  // Calls f(slot) once for every slot below `slots`, which is at most concurrency(), and returns when all have
  // returned.
  template <class F>
  void parallel_for(size_t slots, const F& f) {
    task_ = [&f, slots](size_t slot) {
      if (slot < slots) f(slot);
    };
    barrier_.arrive_and_wait();
    task_(0);
    barrier_.arrive_and_wait();
  }

 private:
  void Work(size_t slot) {
    for (;;) {
      barrier_.arrive_and_wait();
      if (!task_) return;
      task_(slot);
      barrier_.arrive_and_wait();
    }
  }

  std::function<void(size_t)> task_;
  std::barrier<> barrier_;
  std::vector<std::jthread> workers_;  // joined first
};

#endif  // EMBED_THREAD_POOL_H_
