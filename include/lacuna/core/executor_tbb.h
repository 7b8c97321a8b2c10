// Executor over oneTBB. Opt-in: link TBB::tbb.

#ifndef LACUNA_CORE_EXECUTOR_TBB_H_
#define LACUNA_CORE_EXECUTOR_TBB_H_

#include "lacuna/core/abi.h"

#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>

#include <cstddef>

namespace lacuna::inline LACUNA_ABI {

// Slots become tasks of an arena that the caller owns.
class TbbExecutor {
 public:
  explicit TbbExecutor(tbb::task_arena& arena) : arena_(&arena) {}

  size_t concurrency() const { return static_cast<size_t>(arena_->max_concurrency()); }

  template <class F>
  void parallel_for(size_t slots, const F& f) const {
    arena_->execute([&] { tbb::parallel_for(size_t{0}, slots, f, tbb::simple_partitioner()); });
  }

 private:
  tbb::task_arena* arena_;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_EXECUTOR_TBB_H_
