#include "lacuna/policy/reorder.h"

#include "lacuna/format/csr.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/prune/bcr.h"
#include "lacuna/prune/pattern.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/support/random.h"

namespace lacuna::test {
namespace {

using Lists = std::vector<std::vector<uint32_t>>;

RowLists Make(const Lists& lists) {
  RowLists made;
  std::vector<uint64_t> begin = {0};
  std::vector<uint32_t> column;
  for (const auto& list : lists) {
    column.insert(column.end(), list.begin(), list.end());
    begin.push_back(column.size());
  }
  made.begin = *Buffer<uint64_t>::CopyOf(begin);
  made.column = *Buffer<uint32_t>::CopyOf(column);
  return made;
}

template <class Reorder>
std::vector<uint32_t> OrderOf(const RowLists& lists, std::vector<uint32_t> rows) {
  REQUIRE(Reorder::Order(lists, rows).ok());
  return rows;
}
template <class Reorder>
std::vector<uint32_t> OrderOf(const Lists& lists) {
  std::vector<uint32_t> rows(lists.size());
  std::iota(rows.begin(), rows.end(), 0u);
  return OrderOf<Reorder>(Make(lists), rows);
}

// Rows of `weights`, row i being row order[i].
DenseWeights<float> Permuted(const DenseWeights<float>& weights, const std::vector<uint32_t>& order) {
  auto permuted = DenseWeights<float>::Zeros(weights.shape());
  REQUIRE(permuted.ok());
  for (size_t i = 0; i < order.size(); ++i) {
    std::copy_n(weights.row(order[i]), weights.shape().columns, permuted->mutable_row(static_cast<int64_t>(i)));
  }
  return *std::move(permuted);
}

// Columns over all panels of 8 rows packed by Reorder: what loading inputs costs.
template <class Reorder>
size_t PanelColumns(const DenseWeights<float>& dense, int64_t* fill = nullptr) {
  const auto csr = CsrWeights<float>::FromDense(dense);
  REQUIRE(csr.ok());
  const auto packed = Pack<Reorder>(*csr, kTileInfo<RegisterTile<8, 3>>);
  REQUIRE(packed.ok());
  if (fill != nullptr) *fill = packed->fill();
  return packed->column.size();
}

DenseWeights<float> Gaussian(const MatrixShape& shape, uint32_t seed = 5) {
  auto dense = DenseWeights<float>::Zeros(shape);
  REQUIRE(dense.ok());
  FillGaussian(dense->mutable_values(), seed);
  return *std::move(dense);
}

std::vector<uint32_t> Shuffled(int64_t rows, int64_t groups) {
  std::vector<uint32_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), 0u);
  std::mt19937 generator(7);
  const auto per_group = rows / groups;
  for (auto first = order.begin(); first != order.end(); first += per_group) {
    std::shuffle(first, first + per_group, generator);
  }
  return order;
}

TEST_CASE("GroupSimilarRows: shuffled rows of blocks find each other again, panels are full") {
  for (const int64_t groups : {1, 2}) {
    const auto pruned =
        prune::ProjectBcr(Gaussian({.rows = 64, .columns = 160, .groups = groups}),
                          {.rows = 8, .columns = 16, .column_keep = 0.25, .budget = prune::Budget::kPerLayer});
    REQUIRE(pruned.ok());
    const auto dense = pruned->ToDense();
    REQUIRE(dense.ok());
    const DenseWeights<float> shuffled = Permuted(*dense, Shuffled(64, groups));
    int64_t fill = 0;
    CHECK(PanelColumns<KeepOrder>(shuffled, &fill) > 2 * PanelColumns<KeepOrder>(*dense));
    CHECK(fill > 0);
    CHECK(PanelColumns<GroupSimilarRows>(shuffled, &fill) == PanelColumns<KeepOrder>(*dense));
    CHECK(fill == 0);
  }
}

TEST_CASE("GroupSimilarRows: rows that are nearly equal, where GroupEqualRows finds no two") {
  const auto pruned =
      prune::ProjectBcr(Gaussian({.rows = 64, .columns = 320}), {.rows = 8, .columns = 16, .column_keep = 0.25});
  REQUIRE(pruned.ok());
  auto dense = pruned->ToDense();
  REQUIRE(dense.ok());
  Thin(dense->mutable_values(), 3, 0.8);  // every row loses a fifth of its columns
  const DenseWeights<float> shuffled = Permuted(*dense, Shuffled(64, 1));
  const size_t best = PanelColumns<KeepOrder>(*dense);
  CHECK(PanelColumns<GroupEqualRows>(shuffled) > 2 * best);
  CHECK(PanelColumns<GroupSimilarRows>(shuffled) == best);
}

TEST_CASE("GroupSimilarRows: half of the rows of every block kept (scheme bcr)") {
  const auto pruned = prune::ProjectBcr(Gaussian({.rows = 64, .columns = 320}),
                                        {.rows = 8, .columns = 16, .row_keep = 0.5, .column_keep = 0.25});
  REQUIRE(pruned.ok());
  const auto dense = pruned->ToDense();
  REQUIRE(dense.ok());
  const DenseWeights<float> shuffled = Permuted(*dense, Shuffled(64, 1));
  const size_t best = PanelColumns<KeepOrder>(*dense), similar = PanelColumns<GroupSimilarRows>(shuffled);
  CHECK(similar < PanelColumns<KeepOrder>(shuffled));
  CHECK(similar < PanelColumns<GroupEqualRows>(shuffled));
  CHECK(static_cast<double>(similar) < 1.3 * static_cast<double>(best));
}

TEST_CASE("GroupSimilarRows: by hand") {
  // A panel takes 8 rows; 9 rows share column 0, those with column 9 as well share more with the longest.
  const Lists lists = {{}, {0}, {0, 9}, {0, 9, 10}, {0, 9}, {0, 9}, {5}, {0, 9}, {0, 8}, {0, 9}, {0, 9}, {}, {0, 9}};
  const std::vector<uint32_t> order = OrderOf<GroupSimilarRows>(lists);
  // The longest, seven rows of two shared columns; then the rest, longest first; empty rows.
  CHECK(order == std::vector<uint32_t>{3, 2, 4, 5, 7, 9, 10, 12, 8, 1, 6, 0, 11});
  // Of rows that share as much the shortest.
  CHECK(OrderOf<GroupSimilarRows>({{0, 1, 2}, {0, 1, 7}, {0, 1}, {4, 5, 6}}) == std::vector<uint32_t>{0, 2, 1, 3});
}

TEST_CASE("GroupSimilarRows: beyond its limit the order of GroupEqualRows") {
  const size_t rows = 70000;  // rows^2 exceeds kMaxReorderSteps
  Lists lists(rows);
  for (size_t i = 0; i < rows; ++i) lists[i] = {static_cast<uint32_t>(i * 7 % 11), static_cast<uint32_t>(11 + i % 3)};
  CHECK(OrderOf<GroupSimilarRows>(lists) == OrderOf<GroupEqualRows>(lists));
  lists.resize(100);
  CHECK(OrderOf<GroupSimilarRows>(lists) != OrderOf<GroupEqualRows>(lists));
}

TEST_CASE("FilterKernelReorder: by length, by similarity, by both") {
  const Lists lists = {{1, 2}, {}, {3, 4, 5}, {1, 9}, {7, 8}, {3, 4, 9}, {8, 9}, {3, 4, 5}, {1}, {2, 7}};
  CHECK(OrderOf<FilterKernelReorder<false, false>>(lists) == std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(OrderOf<FilterKernelReorder<true, false>>(lists) == std::vector<uint32_t>{2, 5, 7, 0, 3, 4, 6, 9, 8, 1});
  // {3,4,5}, its equal, {3,4,9}; {1,2}, {1,9}, {8,9}, {7,8}, {2,7}; {1}; empty.
  CHECK(OrderOf<FilterKernelReorder<>>(lists) == std::vector<uint32_t>{2, 7, 5, 0, 3, 6, 4, 9, 8, 1});
  // {1,2}, {1} (shorter than {1,9}), {1,9}, ...
  CHECK(OrderOf<FilterKernelReorder<false, true>>(lists) == std::vector<uint32_t>{0, 8, 3, 6, 4, 9, 2, 7, 5, 1});
}

TEST_CASE("reorder policies: always the same permutation, empty rows last") {
  const auto check = [](auto policy, const char* name) {
    using Reorder = decltype(policy);
    CAPTURE(std::string(name));
    std::mt19937 generator(3);
    for (const uint32_t rows : {1u, 2u, 3u, 8u, 9u, 50u}) {
      for (const double density : {0.0, 0.02, 0.3, 1.0}) {
        Lists lists(rows + 5);
        std::bernoulli_distribution keep(density);
        for (auto& list : lists) {
          for (uint32_t column = 0; column < 40; ++column) {
            if (keep(generator)) list.push_back(column);
          }
        }
        std::vector<uint32_t> group(rows);  // the last rows of the matrix
        std::iota(group.begin(), group.end(), 5u);
        const RowLists made = Make(lists);
        const std::vector<uint32_t> order = OrderOf<Reorder>(made, group);
        CHECK(std::is_permutation(order.begin(), order.end(), group.begin(), group.end()));
        CHECK(OrderOf<Reorder>(made, group) == order);
        if (Reorder::kIdentity) continue;
        const auto empty = [&](uint32_t row) { return lists[row].empty(); };
        CHECK(std::all_of(std::find_if(order.begin(), order.end(), empty), order.end(), empty));
      }
    }
  };
  check(KeepOrder{}, "KeepOrder");
  check(GroupEqualRows{}, "GroupEqualRows");
  check(GroupSimilarRows{}, "GroupSimilarRows");
  check(FilterKernelReorder<>{}, "FilterKernelReorder");
  check(FilterKernelReorder<true, false>{}, "FilterKernelReorder by length");
  check(FilterKernelReorder<false, true>{}, "FilterKernelReorder by similarity");
}

// Kernels that a filter group and the one before it keep under the same pattern.
int64_t SharedWithPrevious(const PatternWeights<float>& weights) {
  int64_t shared = 0;
  std::set<std::pair<int64_t, int64_t>> before, now;
  for (int64_t s = 0; s < weights.filter_groups(); ++s) {
    now.clear();
    weights.VisitKernels(s, [&](int64_t channel, int64_t pattern, const float*) { now.emplace(channel, pattern); });
    for (const auto& kernel : now) shared += static_cast<int64_t>(before.count(kernel));
    before = now;
  }
  return shared;
}

TEST_CASE("ReorderFilters: pattern weights by length, then similarity") {
  for (const int64_t group : {1, 4}) {
    const auto pruned =
        prune::ProjectPattern(Gaussian({.rows = 256, .columns = 16 * 9, .groups = 2}), {.taps = 9, .group = group});
    REQUIRE(pruned.ok());
    const auto natural = ReorderFilters<KeepOrder>(*pruned);
    const auto by_length = ReorderFilters<FilterKernelReorder<true, false>>(*pruned);
    const auto both = ReorderFilters<FilterKernelReorder<>>(*pruned);
    const auto by_similarity = ReorderFilters<FilterKernelReorder<false, true>>(*pruned);
    REQUIRE((natural.ok() && by_length.ok() && both.ok() && by_similarity.ok()));
    const auto length = [](const PatternWeights<float>& weights, int64_t s) {
      return weights.arrays().offset[static_cast<size_t>(s) + 1] - weights.arrays().offset[static_cast<size_t>(s)];
    };
    const auto dense = pruned->ToDense();
    REQUIRE(dense.ok());
    for (const auto* weights : {&*natural, &*by_length, &*both, &*by_similarity}) {
      CHECK(weights->Validate().ok());
      const auto back = weights->ToDense();
      REQUIRE(back.ok());
      CHECK(std::equal(back->values().begin(), back->values().end(), dense->values().begin()));
    }
    for (int64_t s = 0; s < pruned->filter_groups(); ++s) {
      CHECK(natural->FilterGroupAt(s) == s);
      CHECK(by_length->FilterGroupAt(s) == pruned->FilterGroupAt(s));  // the default
      if (s % (pruned->filter_groups() / 2) == 0) continue;            // starts a convolution group
      CHECK(length(*by_length, s) <= length(*by_length, s - 1));
      CHECK(length(*both, s) <= length(*both, s - 1));
    }
    CHECK(SharedWithPrevious(*both) > SharedWithPrevious(*by_length));
    CHECK(SharedWithPrevious(*by_similarity) > SharedWithPrevious(*natural));
  }
}

}  // namespace
}  // namespace lacuna::test
