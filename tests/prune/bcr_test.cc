#include "lacuna/prune/bcr.h"

#include "lacuna/prune/scheme.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

using prune::BcrSpec;
using prune::Budget;
using prune::ProjectBcr;

DenseWeights<float> Gaussian(const MatrixShape& shape, uint32_t seed = 1) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  FillGaussian(values, seed);
  auto dense = DenseWeights<float>::CopyOf(shape, values);
  REQUIRE(dense.ok());
  return *std::move(dense);
}

BcrWeights<float> Project(const DenseWeights<float>& dense, const BcrSpec& spec) {
  auto pruned = ProjectBcr(dense, spec);
  REQUIRE(pruned.ok());
  REQUIRE(pruned->Validate().ok());
  return *std::move(pruned);
}

int64_t CeilOf(int64_t numerator, int64_t denominator, int64_t extent) {
  return (numerator * extent + denominator - 1) / denominator;
}

TEST_CASE("ProjectBcr: every block keeps ceil(fraction * extent) rows and columns, clipped blocks too") {
  const MatrixShape shapes[] = {{8, 16, 1}, {20, 45, 2}, {13, 100, 1}, {9, 7, 3}};
  const std::pair<int64_t, int64_t> fractions[] = {{1, 8}, {1, 3}, {1, 2}, {2, 3}, {1, 1}, {1, 1000}};
  for (const MatrixShape& shape : shapes) {
    for (const auto& row : fractions) {
      for (const auto& column : fractions) {
        const DenseWeights<float> dense = Gaussian(shape);
        const BcrWeights<float> pruned =
            Project(dense, {.rows = 8,
                            .columns = 16,
                            .row_keep = static_cast<double>(row.first) / static_cast<double>(row.second),
                            .column_keep = static_cast<double>(column.first) / static_cast<double>(column.second)});
        CHECK(pruned.block() == BlockShape{8, 16});
        const BlockGrid& grid = pruned.grid();
        for (int64_t s = 0; s < grid.block_rows(); ++s) {
          pruned.VisitBlockRow(s, [&](const auto& block) {
            CHECK(block.rows == CeilOf(row.first, row.second, grid.row_extent(s)));
            CHECK(block.columns == CeilOf(column.first, column.second, grid.column_extent(block.block_column)));
          });
        }
        // What is kept has its value.
        for (int64_t r = 0; r < shape.rows; ++r) {
          pruned.VisitRow(r, [&](int64_t c, float value) {
            if (value != dense.row(r)[c]) FAIL_CHECK("row ", r, ", column ", c);
          });
        }
      }
    }
  }
}

// The best sum of squares over all choices of `kept` of `extent` units, unit u weighing norm2(u), by trying all.
template <class Norm2>
double BestOf(int64_t extent, int64_t kept, const Norm2& norm2) {
  double best = 0;
  for (unsigned chosen = 0; chosen < (1u << extent); ++chosen) {
    if (std::popcount(chosen) != kept) continue;
    double sum = 0;
    for (int64_t u = 0; u < extent; ++u) sum += chosen >> u & 1 ? norm2(u) : 0.0;
    best = std::max(best, sum);
  }
  return best;
}

double Norm2(const BcrWeights<float>& weights) {
  double sum = 0;
  for (const float value : weights.arrays().value) sum += double{value} * double{value};
  return sum;
}

TEST_CASE("ProjectBcr: kept rows, and columns over kept rows, have the largest norm of all choices") {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    const DenseWeights<float> dense = Gaussian({.rows = 5, .columns = 7}, seed);
    const auto square = [&](int64_t r, int64_t c) { return double{dense.row(r)[c]} * double{dense.row(r)[c]}; };
    const auto row_norm2 = [&](int64_t r) {
      double sum = 0;
      for (int64_t c = 0; c < 7; ++c) sum += square(r, c);
      return sum;
    };
    const BcrWeights<float> rows = Project(dense, {.rows = 5, .columns = 7, .row_keep = 0.4});
    CHECK(Norm2(rows) == doctest::Approx(BestOf(5, 2, row_norm2)));
    const BcrWeights<float> columns = Project(dense, {.rows = 5, .columns = 7, .column_keep = 3.0 / 7});
    CHECK(Norm2(columns) == doctest::Approx(BestOf(7, 3, [&](int64_t c) {
            double sum = 0;
            for (int64_t r = 0; r < 5; ++r) sum += square(r, c);
            return sum;
          })));

    const BcrWeights<float> both = Project(dense, {.rows = 5, .columns = 7, .row_keep = 0.4, .column_keep = 3.0 / 7});
    std::vector<int64_t> kept_rows;
    rows.VisitBlockRow(0, [&](const auto& block) {
      for (int64_t i = 0; i < block.rows; ++i) kept_rows.push_back(block.RowAt(i));
    });
    both.VisitBlockRow(0, [&](const auto& block) {
      REQUIRE(block.rows == 2);
      for (int64_t i = 0; i < 2; ++i) CHECK(block.RowAt(i) == kept_rows[static_cast<size_t>(i)]);
    });
    CHECK(Norm2(both) == doctest::Approx(BestOf(7, 3, [&](int64_t c) {
            double sum = 0;
            for (const int64_t r : kept_rows) sum += square(r, c);
            return sum;
          })));
  }
}

TEST_CASE("ProjectBcr: column_group keeps whole kernels") {
  constexpr int64_t kTaps = 9;
  const MatrixShape shape{.rows = 12, .columns = 20 * kTaps, .groups = 1};
  for (const Budget budget : {Budget::kPerBlock, Budget::kPerLayer}) {
    const BcrWeights<float> pruned =
        Project(Gaussian(shape),
                {.rows = 8, .columns = 16 * kTaps, .column_group = kTaps, .column_keep = 0.25, .budget = budget});
    int64_t kernels = 0;
    for (int64_t r = 0; r < shape.rows; ++r) {
      std::vector<int64_t> taps(20);
      pruned.VisitRow(r, [&](int64_t column, float) { ++taps[static_cast<size_t>(column / kTaps)]; });
      for (const int64_t count : taps) {
        CHECK((count == 0 || count == kTaps));
        kernels += count / kTaps;
      }
    }
    // Blocks of 16 and of 4 channels keep 4 and 1 in each of 12 rows.
    if (budget == Budget::kPerBlock) CHECK(kernels == 12 * 5);
  }
}

TEST_CASE("ProjectBcr: groups are pruned on their own") {
  const DenseWeights<float> dense = Gaussian({.rows = 20, .columns = 32, .groups = 2});
  const BcrWeights<float> pruned = Project(dense, {.rows = 8, .columns = 16, .column_keep = 0.25});
  for (const int64_t group : {0, 1}) {
    const auto half = DenseWeights<float>::View({.rows = 10, .columns = 32},
                                                dense.values().subspan(static_cast<size_t>(group) * 320, 320));
    const BcrWeights<float> alone = Project(*half, {.rows = 8, .columns = 16, .column_keep = 0.25});
    for (int64_t r = 0; r < 10; ++r) {
      std::vector<std::pair<int64_t, float>> expected, actual;
      alone.VisitRow(r, [&](int64_t c, float v) { expected.emplace_back(c, v); });
      pruned.VisitRow(group * 10 + r, [&](int64_t c, float v) { actual.emplace_back(c, v); });
      CHECK(actual == expected);
    }
  }
}

TEST_CASE("ProjectBcr: a budget per layer moves weights to the blocks that have the norm") {
  std::vector<float> values(16 * 32);
  FillGaussian(values, 1);
  // The second strip of blocks is ten times as strong.
  for (size_t i = 8 * 32; i < values.size(); ++i) values[i] *= 10.0f;
  const auto dense = DenseWeights<float>::View({.rows = 16, .columns = 32}, values);
  const BcrSpec spec{.rows = 8, .columns = 16, .column_keep = 0.25, .budget = Budget::kPerLayer};
  const BcrWeights<float> pruned = Project(*dense, spec);
  CHECK(pruned.nnz() == 16 * 32 / 4);
  for (int64_t r = 0; r < 8; ++r) {
    pruned.VisitRow(r, [&](int64_t column, float) { FAIL_CHECK("weak row ", r, " keeps column ", column); });
  }
  BcrSpec per_block = spec;
  per_block.budget = Budget::kPerBlock;
  const BcrWeights<float> even = Project(*dense, per_block);
  CHECK(even.nnz() == pruned.nnz());
  CHECK(Norm2(even) < Norm2(pruned));
}

TEST_CASE(
    "ProjectBcr: a budget per layer counts rows and columns of the layer, clipped blocks compete by mean squares") {
  // All weights equal: the sum of squares of a clipped row would always lose.
  const std::vector<float> values(10 * 20, 1.0f);
  const auto dense = DenseWeights<float>::View({.rows = 10, .columns = 20}, values);
  const BcrWeights<float> pruned =
      Project(*dense, {.rows = 8, .columns = 16, .row_keep = 0.5, .budget = Budget::kPerLayer});
  // 8 + 8 + 2 + 2 rows of blocks compete; ties keep the first places.
  std::vector<int> rows;
  for (const uint16_t count : pruned.arrays().row_count) rows.push_back(count);
  CHECK(rows == std::vector{8, 2, 0, 0});
}

TEST_CASE("ProjectBcr: of equals the first are kept, and projecting again changes nothing") {
  const std::vector<float> ones(8 * 16, 1.0f);
  const auto dense = DenseWeights<float>::View({.rows = 8, .columns = 16}, ones);
  const BcrSpec spec{.rows = 8, .columns = 16, .row_keep = 0.5, .column_keep = 0.25};
  const BcrWeights<float> pruned = Project(*dense, spec);
  pruned.VisitBlockRow(0, [](const auto& block) {
    for (int64_t i = 0; i < block.rows; ++i) CHECK(block.RowAt(i) == i);
    for (int64_t j = 0; j < block.columns; ++j) CHECK(block.ColumnAt(j) == j);
  });
  const BcrWeights<float> once = Project(Gaussian({.rows = 24, .columns = 50}), spec);
  const auto expanded = once.ToDense();
  REQUIRE(expanded.ok());
  const BcrWeights<float> twice = Project(*expanded, spec);
  CHECK(std::ranges::equal(once.arrays().value, twice.arrays().value));
}

TEST_CASE("ProjectBcr: what it refuses") {
  const DenseWeights<float> dense = Gaussian({.rows = 8, .columns = 16});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::pair<BcrSpec, const char*> cases[] = {
      {{.rows = 0, .columns = 16}, "block is 0 x 16"},
      {{.rows = 8, .columns = 0}, "block is 8 x 0"},
      {{.rows = 8, .columns = 70000}, "block is 8 x 70000"},
      {{.rows = 8, .columns = 16, .column_group = 0},
       "spec.column_group is 0, must be at least 1 and divide spec.columns, 16"},
      {{.rows = 8, .columns = 16, .column_group = 9}, "spec.column_group is 9"},
      {{.rows = 8, .columns = 16, .row_keep = 0}, "spec.row_keep is 0, must be in (0, 1]"},
      {{.rows = 8, .columns = 16, .row_keep = 1.5}, "spec.row_keep is 1.5, must be in (0, 1]"},
      {{.rows = 8, .columns = 16, .row_keep = nan}, "spec.row_keep is nan, must be in (0, 1]"},
      {{.rows = 8, .columns = 16, .column_keep = -0.5}, "spec.column_keep is -0.5, must be in (0, 1]"},
      {{.rows = 8, .columns = 16, .column_keep = nan}, "spec.column_keep is nan, must be in (0, 1]"},
  };
  for (const auto& [spec, message] : cases) CheckInvalid(ProjectBcr(dense, spec).status(), message);

  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(128, 1.0f);
    values[77] = bad;
    const auto weights = DenseWeights<float>::View({.rows = 8, .columns = 16}, values);
    CheckInvalid(ProjectBcr(*weights, {.rows = 8, .columns = 16}).status(),
                 std::isnan(bad) ? "weights[77] is nan, must be finite" : "weights[77] is inf, must be finite");
  }
}

TEST_CASE("ProjectBcr: bcr_col-8x of 512 x 4608 is stored in at most 1.15 times the bytes of its weights") {
  const auto scheme = prune::ParseScheme("bcr_col-8x");
  REQUIRE(scheme.ok());
  const auto spec = prune::BcrSpecOf(*scheme, 9);
  REQUIRE(spec.ok());
  const BcrWeights<float> pruned = Project(Gaussian({.rows = 512, .columns = 4608}), *spec);
  CHECK(pruned.nnz() == 512 * 4608 / 8);
  CHECK(static_cast<double>(pruned.StorageBytes()) <= 1.15 * 4.0 * static_cast<double>(pruned.nnz()));
}

}  // namespace
}  // namespace lacuna::test
