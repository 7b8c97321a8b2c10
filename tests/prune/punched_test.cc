#include "lacuna/prune/punched.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

TEST_CASE("ProjectPunched: in a block every kernel keeps the same cells") {
  for (const int64_t taps : {9, 27}) {
    for (const bool balanced : {true, false}) {
      const int64_t rows = 20, channels = 10;  // neither a multiple of the block
      std::vector<float> values(static_cast<size_t>(rows * channels * taps));
      FillGaussian(values, 5);
      const auto dense = DenseWeights<float>::View({.rows = rows, .columns = channels * taps}, values);
      REQUIRE(dense.ok());
      const auto pruned = prune::ProjectPunched(
          *dense, {.filters = 8, .channels = 4, .taps = taps, .keep = 1.0 / 3, .balanced = balanced});
      REQUIRE(pruned.ok());
      CHECK(pruned->Validate().ok());
      const auto back = pruned->ToDense();
      REQUIRE(back.ok());
      size_t kept_cells = 0;
      for (int64_t first_row = 0; first_row < rows; first_row += 8) {
        for (int64_t first_channel = 0; first_channel < channels; first_channel += 4) {
          std::set<std::set<int64_t>> kept;  // one set of cells a kernel; all must be equal
          for (int64_t r = first_row; r < std::min(rows, first_row + 8); ++r) {
            for (int64_t c = first_channel; c < std::min(channels, first_channel + 4); ++c) {
              std::set<int64_t> cells;
              for (int64_t t = 0; t < taps; ++t) {
                if (back->row(r)[c * taps + t] != 0.0f) cells.insert(t);
              }
              kept.insert(cells);
            }
          }
          REQUIRE(kept.size() == 1);
          if (balanced) CHECK(static_cast<int64_t>(kept.begin()->size()) == taps / 3);
          kept_cells += kept.begin()->size();
        }
      }
      CHECK(kept_cells == static_cast<size_t>(3 * 3 * taps / 3));
    }
  }
}

TEST_CASE("ProjectPunched: what the spec may not be") {
  const std::vector<float> values(8 * 36, 1.0f);
  const auto dense = DenseWeights<float>::View({.rows = 8, .columns = 36}, values);
  REQUIRE(dense.ok());
  CheckInvalid(prune::ProjectPunched(*dense, {.taps = 0}).status(), "spec.taps is 0, must be at least 1");
  CheckInvalid(prune::ProjectPunched(*dense, {.taps = 5}).status(), "spec.taps is 5, must divide weights.columns, 36");
  CheckInvalid(prune::ProjectPunched(*dense, {.channels = 0, .taps = 9}).status(), "spec.channels is 0");
  CheckInvalid(prune::ProjectPunched(*dense, {.taps = 9, .keep = 0}).status(), "keep is 0, must be in (0, 1]");
}

}  // namespace
}  // namespace lacuna::test
