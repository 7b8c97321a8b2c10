// Project and Cover: every scheme by name, its rate kept, its format recognised from zeros alone.

#include "lacuna/prune/project.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

constexpr const char* kNames[] = {"dense",           "unstructured-8x", "pattern-8x", "pattern_g4-8x", "bcr-8x",
                                  "bcr_col-8x",      "bcr_kernel-8x",   "punched-8x", "block_8x1-8x",  "block_4x4-8x",
                                  "block_16x1-8x",   "connectivity-8x", "filter-8x",  "pattern-2x",    "punched-2x",
                                  "unstructured-3x", "connectivity-2x", "pattern-4x"};

DenseWeights<float> Gaussian(const MatrixShape& shape) {
  auto dense = DenseWeights<float>::Zeros(shape);
  REQUIRE(dense.ok());
  FillGaussian(dense->mutable_values(), /*seed=*/7);
  return *std::move(dense);
}

TEST_CASE("Project: every scheme keeps 1 / rate of the weights, unchanged, and Cover finds them again") {
  const auto dense = Gaussian({.rows = 64, .columns = 32 * 9});
  for (const std::string name : kNames) {
    CAPTURE(name);
    const auto scheme = prune::ParseScheme(name);
    REQUIRE(scheme.ok());
    const auto pruned = prune::Project(dense, *scheme, 9);
    REQUIRE(pruned.ok());
    CHECK(pruned->Validate().ok());
    const double kept = static_cast<double>(pruned->nnz()) / static_cast<double>(dense.nnz());
    CHECK(kept * scheme->rate == doctest::Approx(1.0).epsilon(0.02));
    const auto expanded = pruned->ToDense();
    REQUIRE(expanded.ok());
    for (size_t i = 0; i < dense.values().size(); ++i) {
      const float value = expanded->values()[i];
      if (value != 0.0f && value != dense.values()[i]) FAIL("a kept weight was changed");
    }
    const auto covered = prune::Cover(*expanded, *scheme, 9);
    REQUIRE(covered.ok());
    CHECK(covered->nnz() == pruned->nnz());
    const auto again = covered->ToDense();
    REQUIRE(again.ok());
    CHECK(std::ranges::equal(again->values(), expanded->values()));
  }
}

TEST_CASE("Project: the format of each scheme") {
  const auto dense = Gaussian({.rows = 16, .columns = 36});
  const auto made = [&](const char* name) {
    auto pruned = prune::Project(dense, *prune::ParseScheme(name), 9);
    REQUIRE(pruned.ok());
    return *std::move(pruned);
  };
  CHECK(made("dense").As<DenseWeights<float>>() != nullptr);
  CHECK(made("unstructured-8x").As<CsrWeights<float>>() != nullptr);
  CHECK(made("punched-4x").As<BcrWeights<float>>() != nullptr);
  const auto block = made("block_4x2-4x");
  REQUIRE(block.As<BlockWeights<float>>() != nullptr);
  CHECK(block.As<BlockWeights<float>>()->block() == BlockShape{4, 2});
  const auto pattern = made("pattern_g4-8x");
  REQUIRE(pattern.As<PatternWeights<float>>() != nullptr);
  CHECK(pattern.As<PatternWeights<float>>()->group() == 4);
  CHECK(pattern.As<PatternWeights<float>>()->taps() == 9);
}

TEST_CASE("Project: layers without taps, and what it refuses") {
  const auto dense = Gaussian({.rows = 32, .columns = 64});
  const auto connectivity = prune::Project(dense, *prune::ParseScheme("pattern-8x"), 1);
  REQUIRE(connectivity.ok());
  CHECK(connectivity->nnz() == 32 * 64 / 8);
  CheckInvalid(prune::Project(dense, *prune::ParseScheme("pattern-8x"), 0).status(), "taps is 0");
  CheckInvalid(prune::Project(dense, *prune::ParseScheme("connectivity-8x"), 9).status(),
               "taps is 9, must be at least 1 and divide weights.columns, 64");
  CheckInvalid(prune::Project(dense, *prune::ParseScheme("bcr-1.5x"), 1).status(), "rate is 1.5");
}

}  // namespace
}  // namespace lacuna::test
