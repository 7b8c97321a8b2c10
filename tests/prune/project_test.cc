// Project and Cover: every scheme by name, its rate kept, its format recognised from zeros alone.

#include "lacuna/prune/project.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

constexpr const char* kNames[] = {
    "dense",         "unstructured-8x",     "pattern-8x",          "pattern_g4-8x",        "bcr-8x",
    "bcr_col-8x",    "bcr_kernel-8x",       "punched-8x",          "block_8x1-8x",         "block_4x4-8x",
    "block_16x1-8x", "connectivity-8x",     "block_kernel_8x4-8x", "block_kernel_16x2-2x", "block_kernel_1x1-8x",
    "filter-8x",     "pattern-2x",          "punched-2x",          "unstructured-3x",      "connectivity-2x",
    "pattern-4x",    "punched_balanced-3x", "bcr_col_c4-8x",       "bcr_kernel_c4-8x",     "block_8x4_c4-8x"};

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

TEST_CASE("Project: channels of a group live or die together at every tap, in all rows of a block") {
  // 30 channels: the last group has two.
  const auto dense = Gaussian({.rows = 16, .columns = 30 * 9});
  for (const std::string name : {"bcr_col_c4-4x", "bcr_kernel_c4-4x", "block_8x4_c4-4x"}) {
    CAPTURE(name);
    const auto scheme = prune::ParseScheme(name);
    REQUIRE(scheme.ok());
    CHECK(scheme->channel_group == 4);
    CHECK(scheme->Name() == name);
    const auto pruned = prune::Project(dense, *scheme, 9);
    REQUIRE(pruned.ok());
    const auto expanded = pruned->ToDense();
    REQUIRE(expanded.ok());
    for (int64_t row = 0; row < 16; ++row) {
      for (int64_t column = 0; column < 28 * 9; ++column) {
        const int64_t first = column / 36 * 36 + column % 9;  // that tap of the group's first channel
        const bool kept = expanded->row(row)[column] != 0.0f;
        if (kept != (expanded->row(row / 8 * 8)[first] != 0.0f)) FAIL("row " << row << ", column " << column);
      }
    }
  }
  CheckInvalid(prune::ParseScheme("pattern_c4-8x").status(), "scheme is \"pattern_c4\", must be one of");
  CheckInvalid(prune::ParseScheme("bcr_col_c1-8x").status(), "scheme is \"bcr_col_c1\", must be one of");
}

// Kernels of 1x1x1, 3x1x1, 3x3, 5x5, 3x3x3 and 7x7, also where the last filter group and the last block are clipped.
TEST_CASE("Project: the rate is met whatever the kernel") {
  for (const MatrixShape& layer : {MatrixShape{.rows = 64, .columns = 32},
                                   {.rows = 45, .columns = 18},
                                   {.rows = 46, .columns = 27, .groups = 2}}) {
    for (const int64_t taps : {1, 3, 9, 25, 27, 49}) {
      MatrixShape shape = layer;
      shape.columns *= taps;
      const auto dense = Gaussian(shape);
      for (const char* kind : {"pattern", "pattern_g4", "punched"}) {
        for (const double rate : {1.0, 1.5, 2.0, 3.6, 8.0, 16.0}) {
          CAPTURE(shape.rows);
          CAPTURE(taps);
          CAPTURE(kind);
          CAPTURE(rate);
          const auto scheme = prune::MakeScheme(kind, rate);
          REQUIRE(scheme.ok());
          const auto pruned = prune::Project(dense, *scheme, taps);
          REQUIRE(pruned.ok());
          // One unit too many at most: a kernel of a filter group under its pattern, a cell of a block.
          const auto pattern = prune::PatternSpecOf(*scheme, taps);
          REQUIRE(pattern.ok());
          const int64_t unit = scheme->kind == prune::SchemeKind::kPunched ? 8 * 4 : scheme->group * pattern->cells;
          const double kept = static_cast<double>(pruned->nnz()), wanted = static_cast<double>(dense.nnz()) / rate;
          CHECK(kept >= wanted * (1 - 1e-9));
          CHECK(kept < wanted + static_cast<double>(unit));
          const auto expanded = pruned->ToDense();
          REQUIRE(expanded.ok());
          const auto covered = prune::Cover(*expanded, *scheme, taps);
          REQUIRE(covered.ok());
          CHECK(covered->nnz() == pruned->nnz());
        }
      }
    }
  }
}

TEST_CASE("Project: punched_balanced keeps as many cells in every block, of any kernel") {
  struct Row {
    int64_t taps;
    double rate, reached;
  };
  for (const Row& row : {Row{27, 3.6, 27.0 / 8},
                         {27, 8, 9},
                         {27, 2.1, 27.0 / 13},
                         {9, 3.6, 3},
                         {3, 3.6, 3},
                         {49, 8, 49.0 / 6},
                         {1, 8, 1}}) {
    const int64_t taps = row.taps;
    CAPTURE(taps);
    const auto dense = Gaussian({.rows = 21, .columns = 10 * taps});
    const auto scheme = prune::MakeScheme("punched_balanced", row.rate);
    REQUIRE(scheme.ok());
    const auto pruned = prune::Project(dense, *scheme, taps);
    REQUIRE(pruned.ok());
    CHECK(static_cast<double>(dense.nnz()) / static_cast<double>(pruned->nnz()) == doctest::Approx(row.reached));
    const auto* bcr = pruned->As<BcrWeights<float>>();
    REQUIRE(bcr != nullptr);
    CHECK(bcr->block() == BlockShape{8, 4 * taps});
    const auto covered = prune::Cover(*pruned->ToDense(), *scheme, taps);
    REQUIRE(covered.ok());
    CHECK(covered->nnz() == pruned->nnz());
  }
}

// Also with groups, and where blocks are clipped.
TEST_CASE("Project: block_kernel keeps and removes whole blocks of kernels, the largest; without taps it is block") {
  const MatrixShape shape{.rows = 2 * 21, .columns = 10 * 9, .groups = 2};
  const auto dense = Gaussian(shape);
  const auto pruned = prune::Project(dense, *prune::ParseScheme("block_kernel_8x4-3x"), 9);
  REQUIRE(pruned.ok());
  const auto expanded = pruned->ToDense();
  REQUIRE(expanded.ok());
  const BlockGrid grid{{.rows = shape.rows, .columns = 10, .groups = 2}, {8, 4}};  // in kernels
  int64_t kept = 0;
  double least_kept = 1e9, most_removed = 0;
  for (int64_t s = 0; s < grid.block_rows(); ++s) {
    for (int64_t c = 0; c < grid.block_columns(); ++c) {
      int64_t weights = 0, left = 0;
      double sum = 0;
      for (int64_t i = 0; i < grid.row_extent(s); ++i) {
        for (int64_t j = 0; j < grid.column_extent(c) * 9; ++j, ++weights) {
          const int64_t row = grid.first_row(s) + i, column = c * 4 * 9 + j;
          const double weight = dense.row(row)[column];
          sum += weight * weight;
          left += expanded->row(row)[column] != 0.0f;
        }
      }
      CHECK((left == 0 || left == weights));
      kept += left != 0;
      const double norm = sum / static_cast<double>(weights);
      left != 0 ? least_kept = std::min(least_kept, norm) : most_removed = std::max(most_removed, norm);
    }
  }
  CHECK(kept == 6);  // ceil(18 / 3)
  CHECK(least_kept >= most_removed);

  const auto matrix = Gaussian({.rows = 30, .columns = 22});
  const auto of_kernels = prune::Project(matrix, *prune::ParseScheme("block_kernel_8x4-4x"), 1);
  const auto of_weights = prune::Project(matrix, *prune::ParseScheme("block_8x4-4x"), 1);
  REQUIRE(of_kernels.ok());
  REQUIRE(of_weights.ok());
  CHECK(std::ranges::equal(of_kernels->ToDense()->values(), of_weights->ToDense()->values()));
}

TEST_CASE("PatternSpecOf: 4 of 9 cells of any kernel, more where the rate asks for more, connectivity for the rest") {
  struct Row {
    int64_t taps;
    double rate;
    int64_t cells;
    double keep;
  };
  for (const Row& row : {Row{1, 8, 1, 1.0 / 8},
                         {3, 8, 1, 3.0 / 8},
                         {9, 8, 4, 9.0 / 32},
                         {25, 8, 11, 25.0 / 88},
                         {27, 8, 12, 27.0 / 96},
                         {49, 8, 22, 49.0 / 176},
                         {27, 2, 14, 27.0 / 28},
                         {27, 1, 27, 1},
                         {3, 2, 2, 0.75},
                         {27, 3.6, 12, 27 / 43.2}}) {
    CAPTURE(row.taps);
    CAPTURE(row.rate);
    const auto spec =
        prune::PatternSpecOf({.kind = prune::SchemeKind::kPattern, .rate = row.rate, .group = 4}, row.taps);
    REQUIRE(spec.ok());
    CHECK(spec->Validate().ok());
    CHECK(spec->taps == row.taps);
    CHECK(spec->cells == row.cells);
    CHECK(spec->patterns == 8);
    CHECK(spec->group == 4);
    CHECK((spec->rounds > 0) == (row.taps > 9));
    CHECK(spec->connectivity_keep == doctest::Approx(row.keep));
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
  const auto kernels = made("block_kernel_4x2-2x");
  REQUIRE(kernels.As<BlockWeights<float>>() != nullptr);
  CHECK(kernels.As<BlockWeights<float>>()->block() == BlockShape{4, 2 * 9});
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
  const auto kernels = prune::ParseScheme("block_kernel_8x4-4x");
  CheckInvalid(prune::Project(dense, *kernels, 9).status(),
               "taps is 9, must be at least 1 and divide weights.columns, 64");
  CheckInvalid(prune::Cover(dense, *kernels, 0).status(),
               "block is 8 x 4 kernels of 0 taps, must have 1 to 65535 weights in a row");
}

}  // namespace
}  // namespace lacuna::test
