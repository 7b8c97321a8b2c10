// PackPattern: what the pattern kernel would compute from the packed steps is what the weights say.

#include "lacuna/pack/pattern.h"

#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/policy/reorder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

constexpr TileInfo kTile = kTileInfo<PatternTile<14, 1>>;

DenseWeights<float> Sparse(const MatrixShape& shape, double density) {
  auto dense = DenseWeights<float>::Zeros(shape);
  REQUIRE(dense.ok());
  FillGaussian(dense->mutable_values(), /*seed=*/3);
  Thin(dense->mutable_values(), /*seed=*/4, density);
  return *std::move(dense);
}

// The matrix back from its steps. A cell i rows of input below the first is found by the geometry of InputTile.
std::vector<float> Unpack(const PackedWeights<float>& packed) {
  const MatrixShape layer = packed.LayerShape();
  TileAxis height;
  height.kernel = packed.kernel[1].kernel;
  height.stride = packed.kernel[1].stride;
  height.dilation = packed.kernel[1].dilation;
  std::vector<float> values(static_cast<size_t>(layer.elements()), 0.0f);
  size_t weight = 0;
  for (size_t panel = 0; panel < packed.panels(); ++panel) {
    const size_t row = packed.row_order.size() == 0 ? panel : packed.row_order[panel];
    const auto group = static_cast<int64_t>(row) / layer.rows_per_group();
    for (uint64_t i = packed.column_begin[panel]; i < packed.column_begin[panel + 1]; ++i) {
      const int64_t first = int64_t{packed.column[i]} - group % packed.merged_groups * layer.columns;
      REQUIRE(first >= 0);
      REQUIRE(first < layer.columns);
      CHECK((packed.cells[i] & 1) == 1);
      const int64_t tap = first / packed.kernel[2].kernel % height.kernel;
      for (int64_t below = 0; below < 3; ++below) {
        if ((packed.cells[i] >> below & 1) == 0) continue;
        int64_t other = tap;  // of the same phase, so many rows of the plane further down
        while (other < height.kernel &&
               (height.Phase(other) != height.Phase(tap) || height.Shift(other) - height.Shift(tap) != below)) {
          ++other;
        }
        REQUIRE(other < height.kernel);
        const int64_t column = first + (other - tap) * packed.kernel[2].kernel;
        float& value = values[row * static_cast<size_t>(layer.columns) + static_cast<size_t>(column)];
        CHECK(value == 0.0f);  // stored once
        value = packed.weight[weight++];
      }
    }
    CHECK(weight == packed.weight_begin[panel + 1]);
  }
  return values;
}

void CheckPacking(const DenseWeights<float>& dense, const KernelAxes& kernel) {
  const auto csr = CsrWeights<float>::FromDense(dense);
  REQUIRE(csr.ok());
  for (const bool reorder : {false, true}) {
    const auto packed =
        reorder ? PackPattern<GroupSimilarRows>(*csr, kTile, kernel) : PackPattern<KeepOrder>(*csr, kTile, kernel);
    REQUIRE(packed.ok());
    CHECK(packed->Validate().ok());
    CHECK(packed->LayerShape() == dense.shape());
    CHECK(packed->nnz == csr->nnz());
    CHECK(packed->fill() == 0);
    CHECK(std::ranges::equal(Unpack(*packed), dense.values()));
  }
}

TEST_CASE("PackPattern: the weights can be read back, for every kernel, stride, dilation, group and density") {
  for (const int64_t height : {1, 2, 3, 5, 7}) {
    for (const int64_t width : {1, 3}) {
      for (const int64_t stride : {1, 2, 3}) {
        for (const int64_t dilation : {1, 2, 3}) {
          for (const double density : {0.0, 0.2, 1.0}) {
            const KernelAxes kernel = {KernelAxis{}, {height, stride, dilation}, {width, stride, dilation}};
            CheckPacking(Sparse({12, 5 * height * width, 1}, density), kernel);
            CheckPacking(Sparse({12, 2 * height * width, 4}, density), kernel);
          }
        }
      }
    }
  }
  CheckPacking(Sparse({6, 2 * 27, 2}, 0.3), {KernelAxis{3, 1, 1}, {3, 1, 1}, {3, 1, 1}});
}

TEST_CASE("PackPattern: rows of a kernel that lie one and two below each other are one step") {
  const auto steps_of = [](std::vector<float> cells, const KernelAxis& height) {
    const auto columns = static_cast<int64_t>(cells.size());
    const auto dense = DenseWeights<float>::View({1, columns, 1}, cells);
    REQUIRE(dense.ok());
    const auto csr = CsrWeights<float>::FromDense(*dense);
    REQUIRE(csr.ok());
    const auto packed = PackPattern<KeepOrder>(*csr, kTile, {KernelAxis{}, height, {columns / height.kernel, 1, 1}});
    REQUIRE(packed.ok());
    std::vector<int> steps;
    for (size_t i = 0; i < packed->column.size(); ++i) {
      steps.push_back(static_cast<int>(packed->column[i]) * 10 + packed->cells[i]);
    }
    return steps;
  };
  const KernelAxis three{3, 1, 1};
  CHECK(steps_of({1, 0, 0, 1, 0, 0, 1, 0, 0}, three) == std::vector<int>{7});       // a whole column
  CHECK(steps_of({0, 1, 0, 1, 1, 0, 0, 0, 0}, three) == std::vector<int>{13, 31});  // a pair, and a cell to its left
  CHECK(steps_of({1, 0, 0, 0, 0, 0, 1, 0, 0}, three) == std::vector<int>{5});       // first and last
  CHECK(steps_of({1, 1, 1, 1, 1}, {5, 1, 1}) == std::vector<int>{7, 33});           // 3 + 2
  CHECK(steps_of({1, 1, 1}, {3, 2, 1}) == std::vector<int>{3, 11});      // stride 2: taps 0 and 2 share a phase
  CHECK(steps_of({1, 1, 1}, {3, 1, 2}) == std::vector<int>{5, 21});      // dilation 2: two rows apart
  CHECK(steps_of({1, 1, 1}, {3, 1, 3}) == std::vector<int>{1, 11, 21});  // too far apart
}

TEST_CASE("PackPattern: small groups are merged, large ones are not") {
  const KernelAxes kernel = {KernelAxis{}, {3, 1, 1}, {3, 1, 1}};
  const auto merged = [&](const MatrixShape& shape) {
    const auto packed = PackPattern<KeepOrder>(Sparse(shape, 1.0), kTile, kernel);
    REQUIRE(packed.ok());
    return packed->merged_groups;
  };
  CHECK(merged({96, 9, 96}) == 32);
  CHECK(merged({7, 9, 7}) == 7);
  CHECK(merged({37, 9, 37}) == 1);  // a prime above the most
  CHECK(merged({64, 9, 2}) == 1);
  CheckInvalid(PackPattern<KeepOrder>(Sparse({4, 10, 1}, 1.0), kTile, kernel).status(),
               "weights have 10 columns, must be a multiple of the kernel's 9 cells");
}

TEST_CASE("PredictPatternCost: cells of a column are cheaper together, no cells cost only the output") {
  const KernelAxes kernel = {KernelAxis{}, {3, 1, 1}, {3, 1, 1}};
  const auto cost = [&](std::vector<float> cells) {
    const auto dense = DenseWeights<float>::View({1, 9, 1}, cells);
    REQUIRE(dense.ok());
    const auto csr = CsrWeights<float>::FromDense(*dense);
    REQUIRE(csr.ok());
    const auto predicted = PredictPatternCost(RowSource<float>(*csr), kernel);
    REQUIRE(predicted.ok());
    return *predicted;
  };
  CHECK(cost({1, 0, 0, 1, 0, 0, 1, 0, 0}) < cost({1, 1, 1, 0, 0, 0, 0, 0, 0}));
  CHECK(cost({0, 0, 0, 0, 0, 0, 0, 0, 0}) == kPatternOutputCost);
}

}  // namespace
}  // namespace lacuna::test
