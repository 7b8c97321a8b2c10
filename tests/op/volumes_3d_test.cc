#include "tests/op/volumes_3d.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <set>
#include <tuple>
#include <vector>

namespace lacuna::test {
namespace {

TEST_CASE("Pairwise: any two values of any two factors meet, in far fewer rows than there are combinations") {
  for (const std::vector<size_t>& sizes :
       {std::vector<size_t>{7, 5, 4, 5, 5, 5, 2, 5, 5}, {2, 3}, {1, 1, 1}, {4, 1, 6}}) {
    const auto rows = Pairwise(sizes);
    std::set<std::tuple<size_t, size_t, size_t, size_t>> met;
    for (const auto& row : rows) {
      REQUIRE(row.size() == sizes.size());
      for (size_t i = 0; i < sizes.size(); ++i) {
        CHECK(row[i] < sizes[i]);
        for (size_t j = 0; j < i; ++j) met.emplace(i, row[i], j, row[j]);
      }
    }
    size_t pairs = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      for (size_t j = 0; j < i; ++j) pairs += sizes[i] * sizes[j];
    }
    CHECK(met.size() == pairs);
    CHECK(rows.size() <= 60);
  }
}

TEST_CASE("ForEachVolume: layers that are valid, with every kernel and every layout") {
  std::set<Extents<3>> kernels;
  std::set<Layout> layouts;
  ForEachVolume([&](const ConvShape<3>& shape, const RunOptions& run) {
    CHECK(shape.Validate().ok());
    kernels.insert(shape.kernel);
    layouts.insert(run.y);
  });
  CHECK(kernels.size() == std::size(kVolumeKernels));
  CHECK(layouts.size() == std::size(kLayouts));
}

}  // namespace
}  // namespace lacuna::test
