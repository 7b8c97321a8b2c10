#include "lacuna/prune/unstructured.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

TEST_CASE("ProjectUnstructured: keeps exactly the largest magnitudes") {
  std::vector<float> values(13 * 29);
  FillGaussian(values, 7);
  const auto dense = DenseWeights<float>::View({.rows = 13, .columns = 29}, values);
  REQUIRE(dense.ok());
  for (const double keep : {1.0 / 8, 0.5, 1.0, 1e-6}) {
    const auto pruned = prune::ProjectUnstructured(*dense, keep);
    REQUIRE(pruned.ok());
    const auto kept = static_cast<size_t>(std::ceil(keep * 13 * 29));
    CHECK(pruned->nnz() == static_cast<int64_t>(kept));
    std::vector<float> magnitudes;
    for (const float value : values) magnitudes.push_back(std::abs(value));
    std::sort(magnitudes.rbegin(), magnitudes.rend());
    for (const float value : pruned->arrays().value) CHECK(std::abs(value) >= magnitudes[kept - 1]);
  }
}

TEST_CASE("ProjectUnstructured: fractions out of range and weights that are not finite are refused") {
  std::vector<float> values(6, 1.0f);
  const auto dense = DenseWeights<float>::View({.rows = 2, .columns = 3}, values);
  REQUIRE(dense.ok());
  CheckInvalid(prune::ProjectUnstructured(*dense, 0.0).status(), "keep is 0, must be in (0, 1]");
  CheckInvalid(prune::ProjectUnstructured(*dense, std::nan("")).status(), "must be in (0, 1]");
  values[4] = std::numeric_limits<float>::infinity();
  CheckInvalid(prune::ProjectUnstructured(*dense, 0.5).status(), "weights[4] is inf, must be finite");
}

}  // namespace
}  // namespace lacuna::test
