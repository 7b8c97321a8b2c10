// Threads over layers of many tiles and of few, with residuals in place and shared weights.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"
#include "tests/support/threads_executor.h"

namespace lacuna::test {
namespace {

constexpr size_t kThreads[] = {1, 2, 3, 5};

TEST_CASE("threads: bit-identical outputs for input tiles of any size, more threads than tiles, residual in place") {
  const ConvShape<2> shapes[] = {
      {.batch = 2,
       .in_channels = 6,
       .out_channels = 18,
       .groups = 2,
       .input = {19, 23},
       .kernel = {3, 3},
       .pad_end = {2, 2}},
      {.in_channels = 20, .out_channels = 33, .input = {3, 5}, .kernel = {1, 1}},
      {.in_channels = 3, .out_channels = 1, .input = {1, 1}, .kernel = {1, 1}},
  };
  for (const ConvShape<2>& shape : shapes) {
    const ConvLayer<2> layer(shape, {.density = 0.5,
                                     .integers = false,
                                     .bias = true,
                                     .residual = true,
                                     .epilogue = {.activation = Activation::kTanh}});
    const auto bcr = layer.bcr({8, 16});
    for (const size_t bytes : {size_t{1}, size_t{8192}, kInputTileBytes}) {
      const auto plan = PlanConvolution<2>(bcr, shape, layer.epilogue(), {.input_tile_bytes = bytes});
      REQUIRE(plan.ok());
      const std::vector<float> serial = layer.Run(*plan);
      layer.Check(plan);
      for (const size_t threads : kThreads) {
        CAPTURE(threads);
        for (const Layout layout : {Layout::kPlanar, Layout::kChannelsLastGaps}) {
          CHECK(layer.Run(*plan, {.y = layout, .residual_is_y = true}, ThreadsExecutor(threads)) == serial);
        }
      }
    }
  }
}

// Runs the slots on the calling thread, the last first: order must not matter.
struct BackwardExecutor {
  size_t slots;
  size_t concurrency() const { return slots; }
  template <class F>
  void parallel_for(size_t count, const F& f) const {
    while (count > 0) f(--count);
  }
};

TEST_CASE("threads: slots in any order") {
  const GemmLayer layer(40, 70, 300, {.density = 0.3});
  const auto plan = PlanGemm(layer.bcr(), {.n = 300}, {}, {.input_tile_bytes = 16384});
  for (const size_t slots : kThreads) {
    layer.Check(plan, {}, BackwardExecutor{slots});
    layer.Check(plan, {.x = Layout::kChannelsLast, .y = Layout::kChannelsLast}, ThreadsExecutor(slots));
  }
}

TEST_CASE("threads: workspace for fewer threads than the executor's is refused") {
  const GemmLayer layer(64, 70, 300);
  const auto plan = PlanGemm(layer.dense(), {.n = 300}, {}, {.input_tile_bytes = 16384});
  REQUIRE(plan.ok());
  std::vector<std::byte> workspace(plan->WorkspaceBytes(2));
  std::vector<float> y(64 * 300);
  const auto x = MatrixView<const float>::RowMajor(layer.data().x.data(), 70, 300);
  const auto out = MatrixView<float>::RowMajor(y.data(), 64, 300);
  CHECK(plan->Run(x, out, {.workspace = workspace}, ThreadsExecutor(2)).ok());
  CheckInvalid(plan->Run(x, out, {.workspace = workspace}, ThreadsExecutor(3)), "must have WorkspaceBytes(3) = ");
}

TEST_CASE("threads: concurrent callers make plans from shared packed weights, and run one plan together") {
  const GemmLayer layer(24, 50, 60, {.density = 0.4, .bias = true});
  const auto packed = PackDefault(layer.bcr());
  REQUIRE(packed.ok());
  const auto common = PlanGemm(*packed, {.n = 60}, layer.epilogue());
  REQUIRE(common.ok());
  const auto x = MatrixView<const float>::RowMajor(layer.data().x.data(), 50, 60);
  const auto run = [&](const Gemm& plan) {
    std::vector<float> y(24 * 60);
    std::vector<std::byte> workspace(plan.WorkspaceBytes(2));
    const auto out = MatrixView<float>::RowMajor(y.data(), 24, 60);
    return plan.Run(x, out, {.workspace = workspace}, ThreadsExecutor(2)).ok() ? y : std::vector<float>();
  };
  const std::vector<float> expected = run(*common);
  layer.Check(common);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 4; ++repeat) {
        const auto own = PlanGemm(*packed, {.n = 60}, layer.epilogue());
        if (!own.ok() || run(*own) != expected || run(*common) != expected) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace lacuna::test
