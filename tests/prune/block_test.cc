#include "lacuna/prune/block.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

TEST_CASE("ProjectBlock: keeps exactly the blocks of largest root mean square") {
  std::vector<float> values(18 * 21);
  FillGaussian(values, 3);
  const auto dense = DenseWeights<float>::View({.rows = 18, .columns = 21, .groups = 2}, values);
  REQUIRE(dense.ok());
  for (const BlockShape block : {BlockShape{8, 1}, {4, 4}, {1, 1}, {16, 2}}) {
    const auto pruned = prune::ProjectBlock(*dense, block, 0.25);
    REQUIRE(pruned.ok());
    CHECK(pruned->Validate().ok());
    const BlockGrid& grid = pruned->grid();
    const auto kept = static_cast<size_t>(std::ceil(0.25 * static_cast<double>(grid.blocks())));
    REQUIRE(pruned->arrays().block_column.size() == kept);
    std::vector<double> norms;
    for (int64_t s = 0; s < grid.block_rows(); ++s) {
      for (int64_t c = 0; c < grid.block_columns(); ++c) {
        double sum = 0;
        for (int64_t i = 0; i < grid.row_extent(s); ++i) {
          for (int64_t j = 0; j < grid.column_extent(c); ++j) {
            const double w = dense->row(grid.first_row(s) + i)[c * block.columns + j];
            sum += w * w;
          }
        }
        norms.push_back(sum / static_cast<double>(grid.row_extent(s) * grid.column_extent(c)));
      }
    }
    std::vector<double> ranked = norms;
    std::sort(ranked.begin(), ranked.end(), std::greater<>());
    for (size_t s = 0; s < static_cast<size_t>(grid.block_rows()); ++s) {
      for (size_t b = pruned->arrays().block_begin[s]; b < pruned->arrays().block_begin[s + 1]; ++b) {
        const size_t place = s * static_cast<size_t>(grid.block_columns()) + pruned->arrays().block_column[b];
        CHECK(norms[place] >= ranked[kept - 1]);
      }
    }
  }
}

TEST_CASE("ProjectBlockKernel: what it refuses") {
  std::vector<float> values(6 * 90);
  const auto dense = DenseWeights<float>::View({.rows = 6, .columns = 90}, values);
  REQUIRE(dense.ok());
  const auto refused = [&](const BlockShape& block, int64_t taps, double keep, const char* message) {
    CheckInvalid(prune::ProjectBlockKernel(*dense, block, taps, keep).status(), message);
  };
  refused({8, 4}, 7, 0.5, "taps is 7, must be at least 1 and divide weights.columns, 90");
  refused({8, 4}, 0, 0.5, "taps is 0, must be at least 1");
  refused({8, 0}, 9, 0.5, "block is 8 x 0, each extent must be in [1, 65535]");
  refused({8, 65536}, 9, 0.5, "block is 8 x 65536, each extent must be in [1, 65535]");
  refused({8, 7282}, 9, 0.5, "block is 8 x 7282 kernels of 9 taps, must have 1 to 65535 weights in a row");
  refused({8, 4}, 9, 0.0, "keep is 0, must be in (0, 1]");
  CHECK(prune::ProjectBlockKernel(*dense, {8, 7281}, 9, 0.5).ok());
  CheckInvalid(prune::BlockOfKernels({8, 4}, std::numeric_limits<int64_t>::max()).status(),
               "block is 8 x 4 kernels of 9223372036854775807 taps");
}

TEST_CASE("ProjectConnectivity: whole kernels live or die") {
  std::vector<float> values(6 * 10 * 9);
  FillGaussian(values, 3);
  const auto dense = DenseWeights<float>::View({.rows = 6, .columns = 90}, values);
  REQUIRE(dense.ok());
  const auto pruned = prune::ProjectConnectivity(*dense, 9, 1 / 3.6);
  REQUIRE(pruned.ok());
  CHECK(pruned->block() == BlockShape{1, 9});
  CHECK(pruned->nnz() == 17 * 9);  // ceil(60 / 3.6) kernels
  CheckInvalid(prune::ProjectConnectivity(*dense, 7, 0.5).status(), "taps is 7, must be at least 1 and divide");
  CheckInvalid(prune::ProjectConnectivity(*dense, 0, 0.5).status(), "taps is 0");
  CheckInvalid(prune::ProjectBlock(*dense, {0, 4}, 0.5).status(), "block is 0 x 4");
  CheckInvalid(prune::ProjectBlock(*dense, {8, 1}, 1.5).status(), "keep is 1.5, must be in (0, 1]");
}

}  // namespace
}  // namespace lacuna::test
