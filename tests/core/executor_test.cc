#include "lacuna/core/executor.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <vector>

#include "tests/support/threads_executor.h"

#if LACUNA_TEST_OPENMP
#include "lacuna/core/executor_openmp.h"
#endif
#if LACUNA_TEST_TBB
#include "lacuna/core/executor_tbb.h"
#endif
#if LACUNA_TEST_PTHREADPOOL
#include "lacuna/core/executor_pthreadpool.h"
#endif

namespace lacuna {
namespace {

// The whole contract: each of 0, 1 ... concurrency() slots is called exactly once, and all calls have ended on return.
template <Executor E>
void CheckExecutor(E&& executor, size_t concurrency) {
  REQUIRE(executor.concurrency() == concurrency);
  for (int repeat = 0; repeat < 5; ++repeat) {
    for (size_t slots = 0; slots <= concurrency; ++slots) {
      std::vector<std::atomic<int>> calls(concurrency + 1);
      executor.parallel_for(slots, [&](size_t slot) { calls[slot < slots ? slot : concurrency].fetch_add(1); });
      for (size_t slot = 0; slot <= concurrency; ++slot) {
        CAPTURE(slots);
        CAPTURE(slot);
        CHECK(calls[slot].load() == (slot < slots ? 1 : 0));
      }
    }
  }
}

TEST_CASE("executor: serial") { CheckExecutor(SerialExecutor{}, 1); }

TEST_CASE("executor: std::thread") {
  for (const size_t threads : {1, 2, 5}) CheckExecutor(test::ThreadsExecutor(threads), threads);
}

#if LACUNA_TEST_OPENMP
TEST_CASE("executor: OpenMP") {
  for (const size_t threads : {1, 2, 5}) CheckExecutor(OpenMpExecutor(threads), threads);
  CHECK(OpenMpExecutor().concurrency() == static_cast<size_t>(omp_get_max_threads()));
}
#endif

#if LACUNA_TEST_TBB
TEST_CASE("executor: oneTBB") {
  for (const int threads : {1, 2, 5}) {
    tbb::task_arena arena(threads);
    CheckExecutor(TbbExecutor(arena), static_cast<size_t>(threads));
  }
}
#endif

#if LACUNA_TEST_PTHREADPOOL
TEST_CASE("executor: pthreadpool") {
  for (const size_t threads : {1, 2, 5}) {
    const pthreadpool_t pool = pthreadpool_create(threads);
    REQUIRE(pool != nullptr);
    CheckExecutor(PthreadpoolExecutor(pool), threads);
    pthreadpool_destroy(pool);
  }
}
#endif

}  // namespace
}  // namespace lacuna
