// Threads: the executor of a network, serial or a pthreadpool.

#ifndef LACUNA_EXAMPLES_GRAPH_THREADS_H_
#define LACUNA_EXAMPLES_GRAPH_THREADS_H_

#include "lacuna/core/executor_pthreadpool.h"

#include <pthreadpool.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "graph/graph.h"

namespace graph {

// A lacuna Executor. One thread means the calling one: no pool is made.
class Threads {
 public:
  static constexpr size_t kMax = 1024;

  static Result<Threads> Make(size_t count) {
    if (count < 1 || count > kMax) return Status::InvalidArgument("threads is %zu, must be in [1, %zu]", count, kMax);
    Threads threads;
    if (count == 1) return threads;
    threads.pool_.reset(pthreadpool_create(count));
    if (threads.pool_ == nullptr) return Status::Make(StatusCode::kOutOfMemory, "cannot start %zu threads", count);
    return threads;
  }

  size_t concurrency() const { return pool_ == nullptr ? 1 : pthreadpool_get_threads_count(pool_.get()); }

  template <class F>
  void parallel_for(size_t slots, const F& f) const {
    if (pool_ == nullptr || slots == 1) {
      for (size_t slot = 0; slot < slots; ++slot) f(slot);
    } else {
      lacuna::PthreadpoolExecutor(pool_.get()).parallel_for(slots, f);
    }
  }

  // f(slot, begin, end) over equal parts of [0, count).
  template <class F>
  void parallel_ranges(int64_t count, const F& f) const {
    const auto slots = static_cast<int64_t>(concurrency());
    parallel_for(static_cast<size_t>(slots), [&](size_t slot) {
      const auto i = static_cast<int64_t>(slot);
      const int64_t begin = count * i / slots;
      const int64_t end = count * (i + 1) / slots;
      if (begin < end) f(slot, begin, end);
    });
  }

 private:
  struct Destroy {
    void operator()(pthreadpool_t pool) const { pthreadpool_destroy(pool); }
  };
  Threads() = default;

  std::unique_ptr<pthreadpool, Destroy> pool_;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_THREADS_H_
