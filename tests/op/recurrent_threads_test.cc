// Threads and recurrent layers: results do not depend on their number, and one plan serves many callers at once.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "tests/support/sequence.h"
#include "tests/support/threads_executor.h"

namespace lacuna::test {
namespace {

// More units than a thread takes at a time, so that gates are cut too.
template <RecurrentOptions Options>
SequenceSetup<Options> Large() {
  return {.input = 30, .hidden = kGateUnits + 70, .batch = 3, .steps = 3, .density = 0.02, .seed = 5};
}

template <RecurrentOptions Options>
void CheckThreads() {
  CAPTURE(Options::kName);
  const SequenceProblem<Options> problem(Large<Options>());
  const auto w = problem.input("csr"), r = problem.recurrent("csr");
  ForEachTarget([&] {
    const auto layer = PlanLayer(w, r, problem.options(), problem.shape(2));
    const auto cell = PlanCell(w, r, problem.options());
    const SequenceOutputs sequence = problem.Run(problem.Ok(layer), 3), stepped = problem.Run(problem.Ok(cell));
    problem.Check(sequence);
    for (const size_t threads : {2, 3, 9}) {
      CAPTURE(threads);
      CHECK(problem.Run(*layer, 3, ThreadsExecutor(threads)) == sequence);
      CHECK(problem.Run(*cell, ThreadsExecutor(threads)) == stepped);
    }
  });
}

TEST_CASE("recurrent layers: bit-identical for any number of threads") {
  CheckThreads<RnnOptions>();
  CheckThreads<GruOptions>();
  CheckThreads<LstmOptions>();
}

TEST_CASE("recurrent layers: concurrent runs of one plan do not disturb each other") {
  const SequenceProblem<GruOptions> problem(
      {.input = 30, .hidden = 150, .batch = 2, .steps = 6, .density = 0.2, .seed = 7});
  const auto layer = PlanLayer(problem.input("bcr"), problem.recurrent("bcr"), problem.options(), problem.shape(4));
  REQUIRE(layer.ok());
  const SequenceOutputs expected = problem.Run(*layer, 6);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 3; ++repeat) {
        if (!(problem.Run(*layer, 6, ThreadsExecutor(2)) == expected)) ++wrong;
      }
    });
  }
  for (std::thread& thread : callers) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace lacuna::test
