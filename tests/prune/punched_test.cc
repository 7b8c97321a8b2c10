#include "lacuna/prune/punched.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
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
      if (balanced) CHECK(kept_cells == static_cast<size_t>(3 * 3 * taps / 3));
    }
  }
}

// Blocks of 8 filters x 4 channels are padded with zeros where the layer ends, as the papers define the score: the L2
// norm of a cell's weights over the square root of the weights that are none of the padding.
struct Scores {
  std::vector<double> score, weights;  // [blocks][taps]
};
Scores ScoresOf(const DenseWeights<float>& dense, int64_t taps) {
  const MatrixShape& shape = dense.shape();
  const int64_t channels = shape.columns / taps, per_group = shape.rows_per_group();
  Scores scores;
  for (int64_t group = 0; group < shape.groups; ++group) {
    for (int64_t row = 0; row < per_group; row += 8) {
      for (int64_t channel = 0; channel < channels; channel += 4) {
        for (int64_t cell = 0; cell < taps; ++cell) {
          double sum = 0, count = 0;
          for (int64_t i = row; i < row + 8; ++i) {
            for (int64_t c = channel; c < channel + 4; ++c) {
              const bool real = i < per_group && c < channels;
              const double w = real ? static_cast<double>(dense.row(group * per_group + i)[c * taps + cell]) : 0.0;
              sum += w * w;
              count += real ? 1 : 0;
            }
          }
          scores.score.push_back(std::sqrt(sum) / std::sqrt(count));
          scores.weights.push_back(count);
        }
      }
    }
  }
  return scores;
}

struct Layer {
  int64_t rows, channels, taps, groups;
};
// 3x3x3, 1x3x3, 3x1x1, 7x7, 1x1x1, 5x3x1; the last blocks are whole, clipped on one side, on both.
const Layer kLayers[] = {{16, 8, 27, 1}, {20, 10, 27, 1}, {10, 5, 27, 1}, {22, 6, 27, 2}, {45, 3, 9, 1}, {64, 33, 3, 1},
                         {17, 9, 49, 1}, {40, 24, 1, 1},  {21, 7, 1, 3},  {9, 4, 15, 1},  {7, 1, 27, 7}, {1, 1, 27, 1}};

TEST_CASE("ProjectPunched: the cells of largest score survive, in each block or in the layer, the rate is met") {
  for (const Layer& layer : kLayers) {
    std::vector<float> values(static_cast<size_t>(layer.rows * layer.channels * layer.taps));
    FillGaussian(values, 5);
    const auto dense = DenseWeights<float>::View(
        {.rows = layer.rows, .columns = layer.channels * layer.taps, .groups = layer.groups}, values);
    REQUIRE(dense.ok());
    const Scores scores = ScoresOf(*dense, layer.taps);
    for (const double rate : {1.0, 2.0, 2.5, 3.6, 8.0, 100.0}) {
      for (const bool balanced : {true, false}) {
        CAPTURE(layer.rows);
        CAPTURE(layer.channels);
        CAPTURE(layer.taps);
        CAPTURE(rate);
        CAPTURE(balanced);
        const prune::PunchedSpec spec{.taps = layer.taps, .keep = 1 / rate, .balanced = balanced};
        const auto pruned = prune::ProjectPunched(*dense, spec);
        REQUIRE(pruned.ok());
        CHECK(pruned->Validate().ok());
        const auto back = pruned->ToDense();
        REQUIRE(back.ok());
        const Scores left = ScoresOf(*back, layer.taps);
        REQUIRE(left.score.size() == scores.score.size());

        double kept_weights = 0, last = 0;  // the last: of the weakest cell that was kept
        double weakest = std::numeric_limits<double>::infinity(), strongest = 0;
        const auto compare = [&] { CHECK(weakest >= strongest * (1 - 1e-12)); };
        int64_t cells = 0;
        for (size_t u = 0; u < left.score.size(); ++u) {
          const bool kept = left.score[u] != 0;
          // All weights of a cell or none.
          if (kept) CHECK(left.score[u] == doctest::Approx(scores.score[u]).epsilon(1e-12));
          if (kept && scores.score[u] < weakest) {
            weakest = scores.score[u];
            last = scores.weights[u];
          }
          if (!kept) strongest = std::max(strongest, scores.score[u]);
          kept_weights += kept ? scores.weights[u] : 0;
          cells += kept ? 1 : 0;
          if (balanced && static_cast<int64_t>(u + 1) % layer.taps == 0) {
            CHECK(cells == spec.cells_kept());
            compare();
            cells = 0;
            weakest = std::numeric_limits<double>::infinity();
            strongest = 0;
          }
        }
        CHECK(static_cast<double>(pruned->nnz()) == kept_weights);
        const double all = static_cast<double>(values.size());
        if (balanced) {
          CHECK(kept_weights * static_cast<double>(layer.taps) == all * static_cast<double>(spec.cells_kept()));
        } else {
          compare();
          CHECK(kept_weights >= all / rate * (1 - 1e-9));
          CHECK(kept_weights - last < all / rate);
        }
      }
    }
  }
}

TEST_CASE("PunchedSpec: the cells of a balanced block come nearest to the rate") {
  const auto cells = [](int64_t taps, double rate) {
    return prune::PunchedSpec{.taps = taps, .keep = 1 / rate}.cells_kept();
  };
  CHECK(cells(27, 3.6) == 8);  // 3.375x; 7 would be 3.857x
  CHECK(cells(27, 8) == 3);    // 9x; 4 would be 6.75x
  CHECK(cells(27, 3) == 9);
  CHECK(cells(27, 27) == 1);
  CHECK(cells(27, 10000) == 1);
  CHECK(cells(9, 3.6) == 3);
  CHECK(cells(9, 2) == 5);
  CHECK(cells(3, 3.6) == 1);
  CHECK(cells(1, 8) == 1);
  CHECK(cells(49, 1) == 49);
  for (int64_t taps = 1; taps <= 64; ++taps) {
    for (double rate = 1; rate < 70; rate *= 1.037) {
      const int64_t best = cells(taps, rate);
      REQUIRE((best >= 1 && best <= taps));
      const auto off = [&](int64_t kept) {
        return std::abs(std::log(static_cast<double>(taps) / static_cast<double>(kept) / rate));
      };
      for (int64_t other = 1; other <= taps; ++other) CHECK(off(best) <= off(other) + 1e-12);
    }
    for (int64_t kept = 1; kept <= taps; ++kept) {
      CHECK(cells(taps, static_cast<double>(taps) / static_cast<double>(kept)) == kept);
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
