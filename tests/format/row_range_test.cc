#include "lacuna/format/row_range.h"

#include "lacuna/format/bcr.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

constexpr int64_t kRows = 21, kColumns = 10;

template <class Weights>
void CheckRange(const Weights& weights, const std::vector<float>& values, int64_t first, int64_t rows) {
  const auto range = RowRange<Weights>::Make(weights, first, rows);
  REQUIRE(range.ok());
  CHECK(range->Validate().ok());
  CHECK(range->shape() == MatrixShape{.rows = rows, .columns = kColumns});
  std::vector<float> visited(static_cast<size_t>(rows * kColumns));
  int64_t stored = 0;
  for (int64_t r = 0; r < rows; ++r) {
    range->VisitRow(r, [&](int64_t column, float value) {
      visited[static_cast<size_t>(r * kColumns + column)] = value;
      ++stored;
    });
  }
  CHECK(stored == range->nnz());
  CHECK(visited == std::vector<float>(values.begin() + first * kColumns, values.begin() + (first + rows) * kColumns));
}

TEST_CASE("RowRange: the rows of any format") {
  std::vector<float> values(kRows * kColumns);
  FillIntegers(values, 1);
  Thin(values, 2, 0.4);
  const auto dense = DenseWeights<float>::View({.rows = kRows, .columns = kColumns}, values);
  REQUIRE(dense.ok());
  const auto csr = CsrWeights<float>::FromDense(*dense);
  const auto bcr = BcrWeights<float>::FromDense(*dense, {8, 4});
  REQUIRE(csr.ok());
  REQUIRE(bcr.ok());
  for (const auto& [first, rows] : {std::pair<int64_t, int64_t>{0, kRows}, {0, 1}, {20, 1}, {5, 9}, {8, 8}}) {
    CheckRange(*dense, values, first, rows);
    CheckRange(*csr, values, first, rows);
    CheckRange(*bcr, values, first, rows);
  }
}

TEST_CASE("RowRange: what it refuses") {
  const std::vector<float> values(20);
  const auto dense = DenseWeights<float>::View({.rows = 4, .columns = 5}, values);
  const auto grouped = DenseWeights<float>::View({.rows = 4, .columns = 5, .groups = 2}, values);
  using Range = RowRange<DenseWeights<float>>;
  CheckInvalid(Range::Make(*dense, -1, 2).status(), "2 rows from row -1 on, must be at least one, within the 4");
  CheckInvalid(Range::Make(*dense, 0, 0).status(), "0 rows from row 0 on");
  CheckInvalid(Range::Make(*dense, 3, 2).status(), "2 rows from row 3 on");
  CheckInvalid(Range::Make(*dense, 5, 1).status(), "1 rows from row 5 on");
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  CheckInvalid(Range::Make(*dense, 2, kMost).status(), "from row 2 on");
  CheckInvalid(Range::Make(*grouped, 0, 2).status(), "weights have 2 groups, must have 1 for a range of rows");
}

}  // namespace
}  // namespace lacuna::test
