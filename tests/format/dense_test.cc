#include "lacuna/format/dense.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"

namespace lacuna::test {
namespace {

TEST_CASE("MatrixShape: what Validate refuses") {
  CHECK(MatrixShape{.rows = 6, .columns = 4, .groups = 3}.Validate().ok());
  CheckInvalid(MatrixShape{.rows = 0, .columns = 4}.Validate(), "weights.rows is 0, must be in [1, 2147483647]");
  CheckInvalid(MatrixShape{.rows = 4, .columns = -1}.Validate(), "weights.columns is -1, must be in [1, 2147483647]");
  CheckInvalid(MatrixShape{.rows = int64_t{1} << 31, .columns = 1}.Validate(), "weights.rows is 2147483648");
  CheckInvalid(MatrixShape{.rows = 1, .columns = std::numeric_limits<int64_t>::max()}.Validate(),
               "weights.columns is ");
  CheckInvalid(MatrixShape{.rows = 6, .columns = 4, .groups = 0}.Validate(), "weights.groups is 0, must be at least 1");
  CheckInvalid(MatrixShape{.rows = 6, .columns = 4, .groups = 4}.Validate(),
               "weights.groups is 4, must be at least 1 and divide rows, 6");
  CheckInvalid(MatrixShape{.rows = 1 << 21, .columns = 1 << 21}.Validate(), "more than the limit of ");
}

TEST_CASE("MatrixShapeOf: rows are output channels, columns input channels of a group times taps") {
  const ConvShape<2> shape{.in_channels = 6, .out_channels = 4, .groups = 2, .input = {5, 5}, .kernel = {3, 2}};
  CHECK(MatrixShapeOf(shape) == MatrixShape{.rows = 4, .columns = 18, .groups = 2});
}

TEST_CASE("DenseWeights: views, copies and zeros") {
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const MatrixShape shape{.rows = 2, .columns = 3};
  const auto view = DenseWeights<float>::View(shape, values);
  REQUIRE(view.ok());
  const auto copy = DenseWeights<float>::CopyOf(shape, values);
  REQUIRE(copy.ok());
  values[4] = 50;
  CHECK(view->row(1)[1] == 50);
  CHECK(copy->row(1)[1] == 5);
  CHECK(view->values().data() == values.data());
  CHECK(view->nnz() == 6);
  CHECK(view->StorageBytes() == 24);
  CHECK(view->Validate().ok());

  auto zeros = DenseWeights<float>::Zeros(shape);
  REQUIRE(zeros.ok());
  zeros->mutable_row(1)[2] = 7;
  CHECK(zeros->values()[5] == 7);
  std::vector<std::pair<int64_t, float>> visited;
  zeros->VisitRow(1, [&](int64_t column, float value) { visited.emplace_back(column, value); });
  CHECK(visited == std::vector<std::pair<int64_t, float>>{{0, 0.0f}, {1, 0.0f}, {2, 7.0f}});
}

TEST_CASE("DenseWeights: the wrong number of values is refused") {
  const std::vector<float> values(5);
  CheckInvalid(DenseWeights<float>::View({.rows = 2, .columns = 3}, values).status(),
               "values has 5 elements, must have rows * columns = 6");
  CheckInvalid(DenseWeights<float>::CopyOf({.rows = 2, .columns = 2}, values).status(),
               "values has 5 elements, must have rows * columns = 4");
  CheckInvalid(DenseWeights<float>::View({.rows = 0, .columns = 3}, {}).status(), "weights.rows is 0");
  CheckInvalid(DenseWeights<float>::Zeros({.rows = 3, .columns = 0}).status(), "weights.columns is 0");
}

}  // namespace
}  // namespace lacuna::test
