// Executor over pthreadpool. Opt-in: link pthreadpool.

#ifndef LACUNA_CORE_EXECUTOR_PTHREADPOOL_H_
#define LACUNA_CORE_EXECUTOR_PTHREADPOOL_H_

#include "lacuna/core/abi.h"

#include <pthreadpool.h>

#include <cstddef>

namespace lacuna::inline LACUNA_ABI {

// Slots become the iterations of a one-dimensional loop on a pool that the caller owns.
class PthreadpoolExecutor {
 public:
  explicit PthreadpoolExecutor(pthreadpool_t pool) : pool_(pool) {}

  size_t concurrency() const { return pthreadpool_get_threads_count(pool_); }

  template <class F>
  void parallel_for(size_t slots, const F& f) const {
    pthreadpool_parallelize_1d(
        pool_, [](void* context, size_t slot) { (*static_cast<const F*>(context))(slot); }, const_cast<F*>(&f), slots,
        /*flags=*/0);
  }

 private:
  pthreadpool_t pool_;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_EXECUTOR_PTHREADPOOL_H_
