#include "lacuna/prune/filter.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

DenseWeights<float> View(const std::vector<float>& values, const MatrixShape& shape) {
  auto dense = DenseWeights<float>::View(shape, values);
  REQUIRE(dense.ok());
  return *std::move(dense);
}
std::vector<uint32_t> Kept(const Buffer<uint32_t>& kept) { return {kept.begin(), kept.end()}; }
std::vector<float> Values(const DenseWeights<float>& dense) { return {dense.values().begin(), dense.values().end()}; }

// One position of a convolution with 1 x 1 kernels: group by group.
std::vector<float> Apply(const DenseWeights<float>& weights, std::span<const float> bias, std::vector<float> x) {
  const MatrixShape& shape = weights.shape();
  REQUIRE(static_cast<int64_t>(x.size()) == shape.columns * shape.groups);
  std::vector<float> y(static_cast<size_t>(shape.rows));
  for (int64_t row = 0; row < shape.rows; ++row) {
    float sum = bias.empty() ? 0.0f : bias[static_cast<size_t>(row)];
    const float* group = x.data() + row / shape.rows_per_group() * shape.columns;
    for (int64_t c = 0; c < shape.columns; ++c) sum += weights.row(row)[c] * group[c];
    y[static_cast<size_t>(row)] = std::max(sum, 0.0f);
  }
  return y;
}

TEST_CASE("PruneFilters: the rows of largest norm, as many in every group") {
  const std::vector<float> values = {1, 1, -9, 0, 2, 2, 3, 3, 0, 1, 1, 0};
  const auto one = prune::PruneFilters(View(values, {.rows = 6, .columns = 2}), 0.5);
  REQUIRE(one.ok());
  CHECK(one->weights.shape() == MatrixShape{.rows = 3, .columns = 2});
  CHECK(Kept(one->kept) == std::vector<uint32_t>{1, 2, 3});
  CHECK(Values(one->weights) == std::vector<float>{-9, 0, 2, 2, 3, 3});
  const auto two = prune::PruneFilters(View(values, {.rows = 6, .columns = 2, .groups = 2}), 0.5);
  REQUIRE(two.ok());
  CHECK(two->weights.shape() == MatrixShape{.rows = 4, .columns = 2, .groups = 2});
  CHECK(Kept(two->kept) == std::vector<uint32_t>{1, 2, 3, 4});  // of equals the first
  const auto depthwise = prune::PruneFilters(View(values, {.rows = 6, .columns = 2, .groups = 6}), 0.1);
  REQUIRE(depthwise.ok());
  CHECK(depthwise->weights.shape().rows == 6);
}

TEST_CASE("PruneChannels: the input channels of largest norm, with all taps, as many in every group") {
  // Two filters, 3 channels of 2 taps.
  const std::vector<float> values = {1, 0, 2, 2, 0, 3, 0, 1, 2, 2, 0, 0};
  const auto one = prune::PruneChannels(View(values, {.rows = 2, .columns = 6}), 2, 0.5);
  REQUIRE(one.ok());
  CHECK(one->weights.shape() == MatrixShape{.rows = 2, .columns = 4});
  CHECK(Kept(one->kept) == std::vector<uint32_t>{1, 2});
  CHECK(Values(one->weights) == std::vector<float>{2, 2, 0, 3, 2, 2, 0, 0});
  // In two groups, each filter reads channels of its own: 0 to 2 and 3 to 5.
  const auto two = prune::PruneChannels(View(values, {.rows = 2, .columns = 6, .groups = 2}), 2, 0.3);
  REQUIRE(two.ok());
  CHECK(two->weights.shape() == MatrixShape{.rows = 2, .columns = 2, .groups = 2});
  CHECK(Kept(two->kept) == std::vector<uint32_t>{2, 4});
  CHECK(Values(two->weights) == std::vector<float>{0, 3, 2, 2});
}

TEST_CASE("filter pruning: a chain of smaller layers computes what the layers with zeroed filters do") {
  for (const int64_t groups : {int64_t{1}, int64_t{2}}) {
    std::vector<float> first(12 * 5), depthwise(12), second(static_cast<size_t>(8 * 12 / groups)), bias(12), x(5);
    FillIntegers(first, 1);
    FillIntegers(depthwise, 2);
    FillIntegers(second, 3);
    FillIntegers(bias, 4);
    FillIntegers(x, 5);
    // The pruned filters of the first layer are to be balanced over the groups of the last: 3 of each 6.
    const DenseWeights<float> w1 = View(first, {.rows = 12, .columns = 5});
    const std::vector<uint32_t> kept = {0, 2, 5, 6, 10, 11};
    const DenseWeights<float> w2 = View(depthwise, {.rows = 12, .columns = 1, .groups = 12});
    const DenseWeights<float> w3 = View(second, {.rows = 8, .columns = 12 / groups, .groups = groups});

    const auto small1 = prune::KeepFilters(w1, kept);
    const auto small_bias = prune::KeepValues<float>(bias, kept);
    const auto small2 = prune::KeepChannels(w2, 1, kept);
    REQUIRE((small1.ok() && small_bias.ok() && small2.ok()));
    CHECK(small2->weights.shape() == MatrixShape{.rows = 6, .columns = 1, .groups = 6});
    CHECK(Kept(small2->kept) == kept);
    const auto small3 = prune::KeepChannels(w3, 1, std::as_const(small2->kept));
    REQUIRE(small3.ok());
    CHECK(small3->weights.shape() == MatrixShape{.rows = 8, .columns = 6 / groups, .groups = groups});
    CHECK(Kept(small3->kept) == std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6, 7});

    std::vector<float> zeroed = first, zeroed_bias = bias;
    for (uint32_t row = 0; row < 12; ++row) {
      if (std::count(kept.begin(), kept.end(), row) != 0) continue;
      std::fill_n(zeroed.begin() + 5 * row, 5, 0.0f);
      zeroed_bias[row] = 0;
    }
    const auto expected = Apply(w3, {}, Apply(w2, {}, Apply(View(zeroed, w1.shape()), zeroed_bias, x)));
    CHECK(Apply(small3->weights, {}, Apply(small2->weights, {}, Apply(*small1, *small_bias, x))) == expected);
  }
}

TEST_CASE("KeepChannels: taps stay with their channel; a group without channels goes with its filters") {
  // Three groups of 2 filters x 2 channels x 2 taps.
  std::vector<float> values(24);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const DenseWeights<float> weights = View(values, {.rows = 6, .columns = 4, .groups = 3});
  const auto smaller = prune::KeepChannels(weights, 2, std::vector<uint32_t>{1, 4});
  REQUIRE(smaller.ok());
  CHECK(smaller->weights.shape() == MatrixShape{.rows = 4, .columns = 2, .groups = 2});
  CHECK(Kept(smaller->kept) == std::vector<uint32_t>{0, 1, 4, 5});
  CHECK(Values(smaller->weights) == std::vector<float>{2, 3, 6, 7, 16, 17, 20, 21});
}

TEST_CASE("filter pruning: what cannot be done") {
  const std::vector<float> values(24, 1.0f);
  const DenseWeights<float> weights = View(values, {.rows = 6, .columns = 4, .groups = 3});
  using List = std::vector<uint32_t>;
  CheckInvalid(prune::PruneFilters(weights, 0.0).status(), "keep is 0, must be in (0, 1]");
  CheckInvalid(prune::PruneChannels(weights, 3, 0.5).status(), "taps is 3, must be at least 1 and divide");
  CheckInvalid(prune::PruneChannels(weights, 0, 0.5).status(), "taps is 0, must be at least 1");
  CheckInvalid(prune::KeepFilters(weights, {}).status(), "kept has 0 elements, must have at least 1");
  CheckInvalid(prune::KeepFilters(weights, List{0, 6}).status(),
               "kept[1] is 6, must ascend and be below the number of filters, 6");
  CheckInvalid(prune::KeepFilters(weights, List{2, 1}).status(), "kept[1] is 1, must ascend");
  for (const List& kept : {List{0}, List{0, 1, 2, 4}, List{0, 1, 2}, List{2, 3, 4, 5}}) {
    CheckError(prune::KeepFilters(weights, kept).status(), StatusCode::kUnsupported,
               "filters of 3 groups, must have as many of each group");
  }
  CheckInvalid(prune::KeepChannels(weights, 2, List{0, 6}).status(),
               "kept[1] is 6, must ascend and be below the number of input channels, 6");
  for (const List& kept : {List{0, 1, 2}, List{0, 2, 3}, List{0, 1, 3, 4}}) {
    CheckError(prune::KeepChannels(weights, 2, kept).status(), StatusCode::kUnsupported,
               "input channels of group 0, must have as many, or none, of each of the 3 groups");
  }
  CheckInvalid(prune::KeepValues<float>(values, List{24}).status(),
               "kept[0] is 24, must ascend and be below the number of values, 24");
}

}  // namespace
}  // namespace lacuna::test
