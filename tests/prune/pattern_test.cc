#include "lacuna/prune/pattern.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

using Cells = std::set<int64_t>;

DenseWeights<float> Gaussian(std::vector<float>& values, const MatrixShape& shape) {
  values.resize(static_cast<size_t>(shape.elements()));
  FillGaussian(values, 5);
  auto dense = DenseWeights<float>::View(shape, values);
  REQUIRE(dense.ok());
  return *std::move(dense);
}

std::set<Cells> Patterns(const PatternLibrary& library) {
  std::set<Cells> patterns;
  for (int64_t p = 0; p < library.patterns(); ++p) {
    Cells cells;
    for (int64_t i = 0; i < library.cells(p); ++i) cells.insert(library.cell_at(p, i));
    patterns.insert(cells);
  }
  return patterns;
}

// Sum of squares of the cells of a kernel, over the filters of a group.
double Energy(const DenseWeights<float>& dense, const BlockGrid& grid, int64_t f, int64_t c, const Cells& cells) {
  double sum = 0;
  for (int64_t g = 0; g < grid.row_extent(f); ++g) {
    for (const int64_t cell : cells) {
      const double w = dense.row(grid.first_row(f) + g)[c * grid.block.columns + cell];
      sum += w * w;
    }
  }
  return sum;
}

struct Case {
  int64_t taps, cells, group;
  std::optional<int64_t> required;
};
const Case kCases[] = {{9, 4, 1, prune::kCentreCell},
                       {9, 5, 1, std::nullopt},
                       {9, 4, 4, prune::kCentreCell},
                       {27, 8, 1, 13},
                       {4, 2, 2, 0},
                       {1, 4, 1, prune::kCentreCell},
                       {70, 33, 8, std::nullopt},
                       {9, 9, 3, std::nullopt}};

TEST_CASE("ExtractPatternLibrary: the masks that occur most, with the required cell") {
  for (const Case& c : kCases) {
    std::vector<float> values;
    const DenseWeights<float> dense = Gaussian(values, {.rows = 22, .columns = 11 * c.taps, .groups = 2});
    const prune::PatternSpec spec{
        .taps = c.taps, .cells = c.cells, .patterns = 6, .required_cell = c.required, .group = c.group};
    const auto library = prune::ExtractPatternLibrary(dense, spec);
    REQUIRE(library.ok());
    CHECK(library->Validate(c.taps).ok());
    CAPTURE(c.taps);
    CAPTURE(c.group);

    const BlockGrid grid{dense.shape(), {c.group, c.taps}};
    std::map<Cells, int> votes;
    std::map<Cells, double> squares;
    for (int64_t f = 0; f < grid.block_rows(); ++f) {
      for (int64_t channel = 0; channel < grid.block_columns(); ++channel) {
        std::vector<std::pair<double, int64_t>> strength;
        for (int64_t cell = 0; cell < c.taps; ++cell) {
          const bool required = spec.required() == cell;
          strength.emplace_back(required ? -1e9 : -Energy(dense, grid, f, channel, {cell}), cell);
        }
        std::sort(strength.begin(), strength.end());
        Cells cells;
        for (int64_t i = 0; i < spec.cells_kept(); ++i) cells.insert(strength[static_cast<size_t>(i)].second);
        ++votes[cells];
        for (int64_t cell = 0; cell < c.taps; ++cell) squares[cells] += Energy(dense, grid, f, channel, {cell});
      }
    }
    std::vector<int> counts;
    for (const auto& [cells, count] : votes) counts.push_back(-count);
    std::sort(counts.begin(), counts.end());
    const size_t expected = std::min<size_t>(6, votes.size());
    CHECK(static_cast<size_t>(library->patterns()) == expected);
    int least = 1 << 30;
    for (const Cells& cells : Patterns(*library)) {
      CHECK(static_cast<int64_t>(cells.size()) == spec.cells_kept());
      if (spec.required()) CHECK(cells.count(*spec.required()) == 1);
      CHECK(votes[cells] > 0);
      least = std::min(least, votes[cells]);
    }
    CHECK(least == -counts[expected - 1]);
    if (expected == votes.size()) continue;
    // Of equals at the end of the list, those whose kernels have the larger sum of squares.
    const std::set<Cells> kept = Patterns(*library);
    double weakest = std::numeric_limits<double>::infinity(), strongest = 0;  // kept and left out
    for (const auto& [cells, count] : votes) {
      if (count != least) continue;
      if (kept.count(cells) == 1) {
        weakest = std::min(weakest, squares[cells]);
      } else {
        strongest = std::max(strongest, squares[cells]);
      }
    }
    CHECK(weakest >= strongest * (1 - 1e-12));
  }
}

TEST_CASE("ExtractPatternLibrary: rounds lose no energy, end by themselves and keep the required cell") {
  for (const int64_t taps : {9, 15, 27, 49, 70}) {
    for (const int64_t group : {1, 4}) {
      CAPTURE(taps);
      CAPTURE(group);
      std::vector<float> values;
      const DenseWeights<float> dense = Gaussian(values, {.rows = 22, .columns = 16 * taps, .groups = 2});
      prune::PatternSpec spec{
          .taps = taps, .cells = taps * 4 / 9, .rounds = 0, .group = group, .connectivity_keep = 1.0};
      const auto survives = [&] {
        const auto library = prune::ExtractPatternLibrary(dense, spec);
        REQUIRE(library.ok());
        CHECK(library->Validate(taps).ok());
        CHECK(library->patterns() <= 8);
        for (const Cells& cells : Patterns(*library)) {
          CHECK(static_cast<int64_t>(cells.size()) == spec.cells);
          if (taps % 2 == 1) CHECK(cells.count(taps / 2) == 1);
        }
        const auto pruned = prune::ProjectPattern(dense, spec, *library);
        REQUIRE(pruned.ok());
        double sum = 0;
        for (const float w : pruned->arrays().weight) sum += static_cast<double>(w) * static_cast<double>(w);
        return sum;
      };
      double before = survives();
      const double counted = before;
      for (spec.rounds = 1; spec.rounds <= 6; ++spec.rounds) {
        const double now = survives();
        CHECK(now >= before * (1 - 1e-12));
        before = now;
      }
      spec.rounds = 1000;
      CHECK(survives() >= before * (1 - 1e-12));
      if (taps == 49) CHECK(before > counted);
    }
  }
}

// Kernels of 3 x 3 x 3 that were made of three patterns, under noise: hardly two have the same mask of 12 cells.
TEST_CASE("ExtractPatternLibrary: rounds find patterns that counting does not") {
  const Cells planted[] = {{0, 2, 4, 6, 9, 11, 13, 15, 18, 20, 22, 24},
                           {1, 3, 5, 7, 10, 12, 13, 16, 19, 21, 23, 25},
                           {8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 25, 26}};
  std::vector<float> values;
  const MatrixShape shape{.rows = 48, .columns = 40 * 27};
  REQUIRE(Gaussian(values, shape).Validate().ok());
  for (size_t i = 0; i < values.size(); ++i) {
    if (planted[i / 27 * 7919 % 3].count(static_cast<int64_t>(i % 27)) == 1) values[i] *= 2.0f;
  }
  const auto dense = DenseWeights<float>::View(shape, values);
  REQUIRE(dense.ok());
  const auto found = [&](int64_t rounds) {
    const auto library = prune::ExtractPatternLibrary(*dense, {.taps = 27, .cells = 12, .rounds = rounds});
    REQUIRE(library.ok());
    const std::set<Cells> patterns = Patterns(*library);
    int count = 0;
    for (const Cells& cells : planted) count += static_cast<int>(patterns.count(cells));
    return count;
  };
  CHECK(found(0) == 0);
  CHECK(found(10) == 3);
}

TEST_CASE("ExtractPatternLibrary: over several layers, kernels of zeros do not vote") {
  // Two layers of 1 x 3 cells. The first votes {1, 2} twice; the second {0, 1} three times. Zeros would vote {0, 1}.
  const std::vector<float> first = {0, 1, 2, 0, 3, 4, 0, 0, 0, 0, 0, 0}, second = {2, 1, 0, 3, 1, 0, 5, 1, 0};
  const auto a = DenseWeights<float>::View({.rows = 2, .columns = 6}, first);
  const auto b = DenseWeights<float>::View({.rows = 3, .columns = 3}, second);
  REQUIRE((a.ok() && b.ok()));
  const prune::PatternSpec spec{.taps = 3, .cells = 2, .patterns = 1};
  CHECK(Patterns(*prune::ExtractPatternLibrary(*a, spec)) == std::set<Cells>{{1, 2}});
  CHECK(Patterns(*prune::ExtractPatternLibrary(*b, spec)) == std::set<Cells>{{0, 1}});
  const DenseWeights<float>* const both[] = {&*a, &*b};
  const auto library = prune::ExtractPatternLibrary<float>(both, spec);
  REQUIRE(library.ok());
  CHECK(Patterns(*library) == std::set<Cells>{{0, 1}});
  CheckInvalid(prune::ExtractPatternLibrary(std::span<const DenseWeights<float>* const>(), spec).status(),
               "layers has 0 elements, must have at least 1");
  const auto zeros = DenseWeights<float>::Zeros({.rows = 2, .columns = 6});
  REQUIRE(zeros.ok());
  CHECK(Patterns(*prune::ExtractPatternLibrary(*zeros, spec)) == std::set<Cells>{{0, 1}});
  CHECK(prune::ProjectPattern(*zeros, spec).ok());
}

TEST_CASE("ProjectPattern: best pattern of each kernel, strongest kernels of the layer, groups share both") {
  for (const Case& c : kCases) {
    for (const double keep : {1.0 / 3.6, 0.01, 1.0}) {
      CAPTURE(c.taps);
      CAPTURE(c.group);
      CAPTURE(keep);
      std::vector<float> values;
      const DenseWeights<float> dense = Gaussian(values, {.rows = 22, .columns = 11 * c.taps, .groups = 2});
      const prune::PatternSpec spec{
          .taps = c.taps, .cells = c.cells, .required_cell = c.required, .group = c.group, .connectivity_keep = keep};
      const auto library = prune::ExtractPatternLibrary(dense, spec);
      REQUIRE(library.ok());
      CHECK(library->patterns() <= 8);
      const auto pruned = prune::ProjectPattern(dense, spec);
      REQUIRE(pruned.ok());
      CHECK(pruned->Validate().ok());
      CHECK(pruned->group() == c.group);
      const std::set<Cells> patterns = Patterns(*library);
      CHECK(Patterns(pruned->library()) == patterns);
      const BlockGrid& grid = pruned->grid();
      const double wanted = keep * 22 * 11;  // kernels of single filters
      if (22 / 2 % c.group == 0) {
        CHECK(pruned->kernels() * c.group == static_cast<int64_t>(std::ceil(wanted / c.group)) * c.group);
      }

      const auto back = pruned->ToDense();
      REQUIRE(back.ok());
      int64_t kept = 0, kept_filters = 0, last_filters = 0;  // the last: of the weakest kernel that was kept
      double weakest = std::numeric_limits<double>::infinity(), strongest = 0;  // kept and removed
      for (int64_t f = 0; f < grid.block_rows(); ++f) {
        for (int64_t channel = 0; channel < grid.block_columns(); ++channel) {
          Cells cells;  // that any filter of the group has; Gaussian weights are not zero
          int64_t non_zero = 0;
          for (int64_t g = 0; g < grid.row_extent(f); ++g) {
            const int64_t row = grid.first_row(f) + g;
            for (int64_t cell = 0; cell < c.taps; ++cell) {
              const float w = back->row(row)[channel * c.taps + cell];
              if (w == 0.0f) continue;
              CHECK(w == dense.row(row)[channel * c.taps + cell]);
              cells.insert(cell);
              ++non_zero;
            }
          }
          double best = 0;
          for (const Cells& pattern : patterns) best = std::max(best, Energy(dense, grid, f, channel, pattern));
          const double per_filter = best / static_cast<double>(grid.row_extent(f));
          if (cells.empty()) {
            strongest = std::max(strongest, per_filter);
            continue;
          }
          ++kept;
          kept_filters += grid.row_extent(f);
          if (per_filter < weakest) {
            weakest = per_filter;
            last_filters = grid.row_extent(f);
          }
          CHECK(patterns.count(cells) == 1);
          CHECK(non_zero == static_cast<int64_t>(cells.size()) * grid.row_extent(f));
          CHECK(Energy(dense, grid, f, channel, cells) == doctest::Approx(best));
        }
      }
      CHECK(kept == pruned->kernels());
      CHECK(static_cast<double>(kept_filters) >= wanted * (1 - 1e-9));
      CHECK(static_cast<double>(kept_filters - last_filters) < wanted);
      CHECK(weakest >= strongest * (1 - 1e-12));

      // Projecting once more changes nothing.
      const auto again = prune::ProjectPattern(*back, spec, *library);
      REQUIRE(again.ok());
      const auto same = again->ToDense();
      REQUIRE(same.ok());
      CHECK(std::equal(same->values().begin(), same->values().end(), back->values().begin()));
    }
  }
}

TEST_CASE("ProjectPattern: pattern-8x of a 3x3 layer keeps 1 of 8.1 weights") {
  std::vector<float> values;
  const DenseWeights<float> dense = Gaussian(values, {.rows = 64, .columns = 64 * 9});
  const auto pruned = prune::ProjectPattern(dense, {.taps = 9});
  REQUIRE(pruned.ok());
  CHECK(pruned->library().patterns() == 8);
  CHECK(pruned->kernels() == 1138);  // ceil(4096 / 3.6)
  CHECK(pruned->nnz() == 4 * 1138);
  const double csr = 4.0 * 4 * 1138 + 4.0 * 65;
  CHECK(static_cast<double>(pruned->IndexBytes()) <= 0.22 * csr);
}

TEST_CASE("AssignPatterns: the first of equal patterns, and a library of one's own") {
  const std::vector<float> values = {1, 1, 1, 0, 2, 2, 3, 0, 0};
  const auto dense = DenseWeights<float>::View({.rows = 3, .columns = 3}, values);
  REQUIRE(dense.ok());
  const auto library = PatternLibrary::FromMasks(3, std::vector<uint8_t>{1, 1, 0, 0, 1, 1, 1, 0, 1});
  REQUIRE(library.ok());  // in order: {0, 1}, {0, 2}, {1, 2}
  const auto all = prune::AssignPatterns(*dense, {.taps = 3, .cells = 2, .connectivity_keep = 1.0}, *library);
  REQUIRE(all.ok());
  CHECK(std::vector<uint16_t>(all->begin(), all->end()) == std::vector<uint16_t>{0, 2, 0});
  const auto two = prune::AssignPatterns(*dense, {.taps = 3, .cells = 2, .connectivity_keep = 0.5}, *library);
  REQUIRE(two.ok());
  const uint16_t none = PatternWeights<float>::kNoPattern;
  CHECK(std::vector<uint16_t>(two->begin(), two->end()) == std::vector<uint16_t>{none, 2, 0});
}

TEST_CASE("ProjectPattern: what the spec, the library and the weights may not be") {
  std::vector<float> values(4 * 18, 1.0f);
  const auto dense = DenseWeights<float>::View({.rows = 4, .columns = 18}, values);
  REQUIRE(dense.ok());
  const auto refuse = [&](const prune::PatternSpec& spec, const char* message) {
    CheckInvalid(prune::ProjectPattern(*dense, spec).status(), message);
  };
  refuse({}, "spec.taps is 0, must be in [1, 65535]");
  refuse({.taps = 4}, "spec.taps is 4, must divide weights.columns, 18");
  refuse({.taps = 9, .cells = 10}, "spec.cells is 10, must be in [1, 9]");
  refuse({.taps = 9, .cells = 0}, "spec.cells is 0, must be in [1, 9]");
  refuse({.taps = 9, .patterns = 0}, "spec.patterns is 0, must be in [1, 65535]");
  refuse({.taps = 9, .rounds = -1}, "spec.rounds is -1, must be in [0, 1000]");
  refuse({.taps = 9, .rounds = 1001}, "spec.rounds is 1001, must be in [0, 1000]");
  refuse({.taps = 9, .required_cell = 9}, "spec.required_cell is 9, must be in [0, 8]");
  refuse({.taps = 9, .required_cell = -2}, "spec.required_cell is -2, must be in [0, 8]");
  refuse({.taps = 9, .group = 0}, "spec.group is 0, must be in [1, 65535]");
  refuse({.taps = 9, .connectivity_keep = 0}, "spec.connectivity_keep is 0, must be in (0, 1]");
  refuse({.taps = 9, .connectivity_keep = 1.5}, "spec.connectivity_keep is 1.5, must be in (0, 1]");
  const auto library = PatternLibrary::FromMasks(18, std::vector<uint8_t>(18, 1));
  REQUIRE(library.ok());
  CheckInvalid(prune::ProjectPattern(*dense, {.taps = 9}, *library).status(), "pattern.library.cell[9] is 9");
  const auto empty = PatternLibrary::FromMasks(9, {});
  REQUIRE(empty.ok());
  CheckInvalid(prune::ProjectPattern(*dense, {.taps = 9}, *empty).status(),
               "library has 0 patterns, must have at least 1");
  values[5] = std::numeric_limits<float>::quiet_NaN();
  refuse({.taps = 9}, "weights[5] is ");
}

}  // namespace
}  // namespace lacuna::test
