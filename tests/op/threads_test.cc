// Threads: results do not depend on their number, and one plan serves many callers at once.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/plans.h"
#include "tests/support/random.h"
#include "tests/support/threads_executor.h"

namespace lacuna::test {
namespace {

// Gaussian data: sums depend on their order, so that equality shows that no sum was cut differently.
struct Layer {
  ConvShape<2> shape{.batch = 2,
                     .in_channels = 12,
                     .out_channels = 38,
                     .groups = 2,
                     .input = {29, 31},
                     .kernel = {3, 3},
                     .pad_begin = {1, 1},
                     .pad_end = {1, 1}};
  std::vector<float> x = std::vector<float>(static_cast<size_t>(shape.input_elements()));
  std::vector<float> bias = std::vector<float>(static_cast<size_t>(shape.out_channels));
  std::optional<Convolution<2>> convolution;

  Layer() {
    std::vector<float> values(static_cast<size_t>(shape.weight_elements()));
    FillGaussian(values, 1);
    FillGaussian(x, 2);
    FillGaussian(bias, 3);
    const auto dense = DenseWeights<float>::View(MatrixShapeOf(shape), values);
    REQUIRE(dense.ok());
    const auto pruned = prune::ProjectBcr(*dense, {.rows = 8, .columns = 16, .row_keep = 0.5, .column_keep = 0.5});
    REQUIRE(pruned.ok());
    auto made = PlanConvolution<2>(*pruned, shape, {.bias = bias, .activation = Activation::kSilu});
    REQUIRE(made.ok());
    convolution = *std::move(made);
  }

  template <Executor E>
  Status Run(E&& executor, std::vector<float>& y) const {
    y.assign(static_cast<size_t>(shape.output_elements()), -1.0f);
    std::vector<std::byte> workspace(convolution->WorkspaceBytes(executor.concurrency()));
    return convolution->Run(TensorView<const float, 4>::Planar(x.data(), {2, 12, 29, 31}),
                            TensorView<float, 4>::Planar(y.data(), {2, 38, 29, 31}), {.workspace = workspace},
                            executor);
  }
};

TEST_CASE("convolution: bit-identical for any number of threads") {
  ForEachTarget([] {
    const Layer layer;
    std::vector<float> serial, threaded;
    REQUIRE(layer.Run(SerialExecutor{}, serial).ok());
    for (const size_t threads : {1, 2, 3, 7}) {
      CAPTURE(threads);
      REQUIRE(layer.Run(ThreadsExecutor(threads), threaded).ok());
      CHECK(threaded == serial);
    }
  });
}

TEST_CASE("gemm: bit-identical for any number of threads") {
  constexpr int64_t kM = 40, kK = 96, kN = 333;
  std::vector<float> w(kM * kK), x(kK * kN), serial(kM * kN), threaded(kM * kN);
  FillGaussian(w, 1);
  FillGaussian(x, 2);
  const auto dense = DenseWeights<float>::View({.rows = kM, .columns = kK}, w);
  REQUIRE(dense.ok());
  const auto gemm = PlanGemm(*dense, GemmShape{kN});
  REQUIRE(gemm.ok());
  std::vector<std::byte> workspace(gemm->WorkspaceBytes(7));
  const auto view_x = MatrixView<const float>::RowMajor(x.data(), kK, kN);
  REQUIRE(gemm->Run(view_x, MatrixView<float>::RowMajor(serial.data(), kM, kN), {.workspace = workspace}).ok());
  for (const size_t threads : {2, 3, 7}) {
    CAPTURE(threads);
    const ThreadsExecutor executor(threads);
    REQUIRE(gemm->Run(view_x, MatrixView<float>::RowMajor(threaded.data(), kM, kN), {.workspace = workspace}, executor)
                .ok());
    CHECK(threaded == serial);
  }
}

TEST_CASE("convolution: concurrent runs of one plan do not disturb each other") {
  const Layer layer;
  std::vector<float> expected;
  REQUIRE(layer.Run(SerialExecutor{}, expected).ok());
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      std::vector<float> y;
      for (int repeat = 0; repeat < 3; ++repeat) {
        if (!layer.Run(ThreadsExecutor(2), y).ok() || y != expected) ++wrong;
      }
    });
  }
  for (std::thread& thread : callers) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace lacuna::test
