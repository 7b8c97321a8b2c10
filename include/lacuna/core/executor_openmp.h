// Executor over OpenMP. Opt-in: compile with -fopenmp.

#ifndef LACUNA_CORE_EXECUTOR_OPENMP_H_
#define LACUNA_CORE_EXECUTOR_OPENMP_H_

#ifndef _OPENMP
#error "lacuna/core/executor_openmp.h needs OpenMP: compile with -fopenmp."
#endif

#include "lacuna/core/abi.h"

#include <omp.h>

#include <cstddef>

namespace lacuna::inline LACUNA_ABI {

// Slots become the iterations of a parallel loop. `threads` = 0 takes what OpenMP offers.
class OpenMpExecutor {
 public:
  explicit OpenMpExecutor(size_t threads = 0)
      : threads_(threads != 0 ? threads : static_cast<size_t>(omp_get_max_threads())) {}

  size_t concurrency() const { return threads_; }

  template <class F>
  void parallel_for(size_t slots, const F& f) const {
    const int count = static_cast<int>(slots);
#pragma omp parallel for schedule(static, 1) num_threads(count)
    for (int slot = 0; slot < count; ++slot) f(static_cast<size_t>(slot));
  }

 private:
  size_t threads_;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_EXECUTOR_OPENMP_H_
