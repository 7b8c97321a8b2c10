// Threads and Gemv: sums do not depend on their number, and one plan serves many callers at once.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/plans.h"
#include "tests/support/random.h"
#include "tests/support/threads_executor.h"

namespace lacuna::test {
namespace {

constexpr int64_t kM = 1000, kK = 210;

// Gaussian data: sums depend on their order, so that equality shows that no sum was cut differently.
struct Product {
  std::vector<float> x = std::vector<float>(kK * 5), bias = std::vector<float>(kM);
  std::vector<Gemv> plans;  // one a scheme

  Product() {
    std::vector<float> values(kM * kK);
    FillGaussian(values, 1);
    FillGaussian(x, 2);
    FillGaussian(bias, 3);
    const auto dense = DenseWeights<float>::View({.rows = kM, .columns = kK}, values);
    for (const char* name : {"dense", "bcr_col-4x", "bcr-4x", "unstructured-2x", "unstructured-8x"}) {
      const auto scheme = prune::ParseScheme(name);
      REQUIRE(scheme.ok());
      const auto weights = prune::Project(*dense, *scheme, 1);
      REQUIRE(weights.ok());
      auto plan = PlanGemv(*weights, {.bias = bias, .activation = Activation::kTanh});
      REQUIRE(plan.ok());
      plans.push_back(*std::move(plan));
    }
  }

  template <Executor E>
  Status Run(const Gemv& plan, int64_t n, E&& executor, std::vector<float>& y) const {
    y.assign(static_cast<size_t>(kM * n), -1.0f);
    std::vector<std::byte> workspace(plan.WorkspaceBytes(executor.concurrency(), n));
    return plan.Run(MatrixView<const float>::ColumnMajor(x.data(), kK, n),
                    MatrixView<float>::ColumnMajor(y.data(), kM, n), {.workspace = workspace}, executor);
  }
};

TEST_CASE("gemv: bit-identical for any number of threads") {
  ForEachTarget([] {
    const Product product;
    for (const Gemv& plan : product.plans) {
      INFO(plan.Explain().ToString());
      for (const int64_t n : {1, 5}) {
        CAPTURE(n);
        std::vector<float> serial, threaded;
        REQUIRE(product.Run(plan, n, SerialExecutor{}, serial).ok());
        for (const size_t threads : {2, 3, 7, 20}) {
          CAPTURE(threads);
          REQUIRE(product.Run(plan, n, ThreadsExecutor(threads), threaded).ok());
          CHECK(threaded == serial);
        }
      }
    }
  });
}

TEST_CASE("gemv: concurrent runs of one plan do not disturb each other") {
  const Product product;
  for (const Gemv& plan : product.plans) {
    std::vector<float> expected;
    REQUIRE(product.Run(plan, 5, SerialExecutor{}, expected).ok());
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        std::vector<float> y;
        for (int repeat = 0; repeat < 3; ++repeat) {
          if (!product.Run(plan, 5, ThreadsExecutor(2), y).ok() || y != expected) ++wrong;
        }
      });
    }
    for (std::thread& thread : callers) thread.join();
    CHECK(wrong == 0);
  }
}

}  // namespace
}  // namespace lacuna::test
