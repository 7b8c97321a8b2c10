#include "lacuna/format/pattern.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

using Weights = PatternWeights<float>;

std::vector<float> Values(const DenseWeights<float>& dense) { return {dense.values().begin(), dense.values().end()}; }

template <class Array>
std::vector<uint32_t> Indices(const Array& array) {
  std::vector<uint32_t> indices;
  for (size_t i = 0; i < array.size(); ++i) indices.push_back(array[i]);
  return indices;
}

// Three filters of 3 channels x 4 cells; patterns {1} and {0, 3}; filter 2 is stored first, filter 1 is empty:
// filter 0:  0 1 0 0   0 0 0 0   2 0 0 3
// filter 1:  0
// filter 2:  4 0 0 5   0 6 0 0   7 0 0 8
struct ByHand {
  int64_t rows = 3, columns = 12, groups = 1, taps = 4, group = 1;
  std::vector<uint32_t> begin = {0, 1, 3};
  std::vector<uint16_t> cell = {1, 0, 3};
  std::vector<uint16_t> reorder = {2, 0, 1};
  std::vector<uint16_t> position = {1, 2, 0};
  std::vector<uint32_t> offset = {0, 3, 5, 5};
  std::vector<uint16_t> index = {1, 0, 2, 0, 2};
  std::vector<uint16_t> stride = {0, 1, 3, 0, 1, 2, 0, 0, 0};
  std::vector<uint32_t> weight_begin = {0, 5, 8, 8};
  std::vector<float> weight = {6, 4, 5, 7, 8, 1, 2, 3};

  Result<Weights> Make() const {
    return Weights::FromArrays({.rows = rows, .columns = columns, .groups = groups}, taps, group,
                               {{Buffer<uint32_t>::View(begin), IndexArray::View(cell)},
                                IndexArray::View(reorder),
                                IndexArray::View(position),
                                Buffer<uint32_t>::View(offset),
                                IndexArray::View(index),
                                IndexArray::View(stride),
                                Buffer<uint32_t>::View(weight_begin),
                                Buffer<float>::View(weight)});
  }
};
const std::vector<float> kByHandDense = {0, 1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0,
                                         0, 0, 0, 0, 0, 0, 4, 0, 0, 5, 0, 6, 0, 0, 7, 0, 0, 8};

TEST_CASE("PatternWeights: arrays taken as they are") {
  const ByHand arrays;
  const auto weights = arrays.Make();
  REQUIRE(weights.ok());
  CHECK(weights->arrays().weight.data() == arrays.weight.data());
  CHECK(weights->nnz() == 8);
  CHECK(weights->kernels() == 5);
  CHECK(weights->channels() == 3);
  CHECK(weights->filter_groups() == 3);
  CHECK(weights->IndexBytes() == 3 * 4 + 3 * 2 + 3 * 2 + 3 * 2 + 4 * 4 + 5 * 2 + 9 * 2 + 4 * 4);
  CHECK(weights->StorageBytes() == weights->IndexBytes() + 8 * 4);
  const auto dense = weights->ToDense();
  REQUIRE(dense.ok());
  CHECK(Values(*dense) == kByHandDense);

  std::vector<std::tuple<int64_t, int64_t, int64_t, size_t, size_t, float>> runs;
  for (int64_t s = 0; s < 3; ++s) {
    weights->VisitRuns(s, [&](const Weights::Run& run) {
      CHECK(run.filters == 1);
      runs.emplace_back(weights->FilterGroupAt(s), run.pattern, run.cells, run.begin, run.end, *run.weight);
    });
  }
  CHECK(runs ==
        decltype(runs){{2, 0, 1, 0, 1, 6.0f}, {2, 1, 2, 1, 3, 4.0f}, {0, 0, 1, 3, 4, 1.0f}, {0, 1, 2, 4, 5, 2.0f}});
  std::vector<std::pair<int64_t, float>> row;
  weights->VisitRow(2, [&](int64_t column, float value) { row.emplace_back(column, value); });
  CHECK(row == decltype(row){{0, 4.0f}, {3, 5.0f}, {5, 6.0f}, {8, 7.0f}, {11, 8.0f}});
}

TEST_CASE("PatternWeights: the arrays of FromDense are those of the paper, longest filter first") {
  const auto dense = DenseWeights<float>::View({.rows = 3, .columns = 12}, kByHandDense);
  REQUIRE(dense.ok());
  const auto weights = Weights::FromDense(*dense, 4);
  REQUIRE(weights.ok());
  const ByHand expected;
  const auto& arrays = weights->arrays();
  CHECK(Indices(arrays.library.begin) == expected.begin);
  CHECK(Indices(arrays.library.cell) == std::vector<uint32_t>{1, 0, 3});
  CHECK(Indices(arrays.reorder) == std::vector<uint32_t>{2, 0, 1});
  CHECK(Indices(arrays.position) == std::vector<uint32_t>{1, 2, 0});
  CHECK(Indices(arrays.offset) == expected.offset);
  CHECK(Indices(arrays.index) == std::vector<uint32_t>{1, 0, 2, 0, 2});
  CHECK(Indices(arrays.stride) == std::vector<uint32_t>{0, 1, 3, 0, 1, 2, 0, 0, 0});
  CHECK(Indices(arrays.weight_begin) == expected.weight_begin);
  CHECK(std::vector<float>(arrays.weight.begin(), arrays.weight.end()) == expected.weight);
}

TEST_CASE("PatternWeights: round trips with dense are exact, columns ascend, groups share and never straddle") {
  struct Kernels {
    int64_t taps, channels;
  };
  for (const auto& kernels : {Kernels{1, 37}, {9, 5}, {4, 600}, {27, 3}, {100, 2}}) {
    const int64_t taps = kernels.taps;
    for (const int64_t group : {1, 2, 3, 4, 8, 100}) {
      for (const int64_t groups : {1, 2}) {
        for (const double density : {0.0, 0.03, 0.5, 1.0}) {
          CAPTURE(taps);
          CAPTURE(group);
          CAPTURE(groups);
          CAPTURE(density);
          const MatrixShape shape{.rows = 22, .columns = kernels.channels * taps, .groups = groups};
          std::vector<float> values(static_cast<size_t>(shape.elements()));
          FillGaussian(values, 4);
          Thin(values, 9, density);
          const auto dense = DenseWeights<float>::View(shape, values);
          REQUIRE(dense.ok());
          const auto weights = Weights::FromDense(*dense, taps, group);
          REQUIRE(weights.ok());
          CHECK(weights->Validate().ok());
          const auto back = weights->ToDense();
          REQUIRE(back.ok());
          CHECK(Values(*back) == values);
          const auto stored = std::count_if(values.begin(), values.end(), [](float v) { return v != 0.0f; });
          CHECK(weights->nnz() >= stored);
          if (group == 1) CHECK(weights->nnz() == stored);

          int64_t visited = 0;
          for (int64_t row = 0; row < shape.rows; ++row) {
            int64_t last = -1;
            const int64_t f = weights->grid().block_row_of(row), first = weights->grid().first_row(f);
            CHECK(first / shape.rows_per_group() == row / shape.rows_per_group());
            weights->VisitRow(row, [&](int64_t column, float value) {
              ++visited;
              CHECK(column > last);
              last = column;
              CHECK(value == dense->row(row)[column]);
              // A cell is stored because a filter of the group needs it.
              bool needed = false;
              for (int64_t r = first; r < first + weights->grid().row_extent(f); ++r) {
                needed = needed || dense->row(r)[column] != 0.0f;
              }
              CHECK(needed);
            });
          }
          CHECK(visited == weights->nnz());
        }
      }
    }
  }
}

TEST_CASE("PatternWeights: channels and filters take 32 bits when they must") {
  for (const int64_t channels : {65536, 65537}) {
    std::vector<float> values(static_cast<size_t>(2 * channels));
    FillGaussian(values, 4);
    Thin(values, 9, 0.01);
    values.back() = 1.0f;
    const auto dense = DenseWeights<float>::View({.rows = 2, .columns = channels}, values);
    REQUIRE(dense.ok());
    const auto weights = Weights::FromDense(*dense, 1);
    REQUIRE(weights.ok());
    CHECK(weights->Validate().ok());
    const auto kernels = static_cast<size_t>(weights->kernels());
    CHECK(weights->arrays().index.size_bytes() == kernels * (channels <= 65536 ? 2 : 4));
    CHECK(weights->arrays().stride.size_bytes() == 2 * 2 * 4);  // up to `channels` itself
    const auto back = weights->ToDense();
    REQUIRE(back.ok());
    CHECK(Values(*back) == values);
  }
}

// pattern-8x of Gaussian weights: 8 patterns of 4 of 9 cells, 1 / 3.6 of the kernels.
TEST_CASE("PatternWeights: index bytes at pattern-8x are a fraction of CSR's") {
  for (const int64_t extent : {256, 64}) {
    const double limit = extent == 256 ? 0.16 : 0.22;
    const auto kernels = static_cast<size_t>(extent * extent), kept = (kernels * 10 + 35) / 36;
    std::vector<uint8_t> masks(8 * 9);
    for (size_t p = 0; p < 8; ++p) {
      for (const size_t cell : {size_t{4}, p % 4, (p % 4 + 1) % 4, p / 4 + 5}) masks[p * 9 + cell] = 1;
    }
    const auto library = PatternLibrary::FromMasks(9, masks);
    REQUIRE(library.ok());
    std::vector<uint16_t> pattern_of(kernels, Weights::kNoPattern);
    for (size_t i = 0; i < kept; ++i) pattern_of[i] = static_cast<uint16_t>(i % 8);
    std::mt19937 generator(3);
    std::shuffle(pattern_of.begin(), pattern_of.end(), generator);
    const auto dense = DenseWeights<float>::Zeros({.rows = extent, .columns = extent * 9});
    REQUIRE(dense.ok());
    const auto weights = Weights::FromAssignment(*dense, 9, 1, *library, pattern_of);
    REQUIRE(weights.ok());
    CHECK(weights->nnz() == static_cast<int64_t>(kept) * 4);
    const double csr = 4.0 * static_cast<double>(weights->nnz()) + 4.0 * static_cast<double>(extent + 1);
    CAPTURE(extent);
    CHECK(static_cast<double>(weights->IndexBytes()) <= limit * csr);
    CHECK(weights->StorageBytes() - weights->IndexBytes() == static_cast<size_t>(weights->nnz()) * sizeof(float));
  }
}

TEST_CASE("PatternWeights: a given library covers each kernel with its smallest pattern, the first of equals") {
  // Patterns in library order: {2}, {0, 1}, {1, 2}, {0, 1, 2}.
  const auto library = PatternLibrary::FromMasks(3, std::vector<uint8_t>{1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 1, 1});
  REQUIRE(library.ok());
  CHECK(Indices(library->begin) == std::vector<uint32_t>{0, 1, 3, 5, 8});
  CHECK(Indices(library->cell) == std::vector<uint32_t>{2, 0, 1, 1, 2, 0, 1, 2});
  CHECK(library->Validate(3).ok());
  const std::vector<float> values = {0, 0, 1, 2, 0, 0, 0, 3, 0, 4, 0, 5, 0, 0, 0, 0, 6, 7};
  const auto dense = DenseWeights<float>::View({.rows = 1, .columns = 18}, values);
  REQUIRE(dense.ok());
  const auto weights = Weights::FromDense(*dense, 3, 1, *library);
  REQUIRE(weights.ok());
  CHECK(weights->Validate().ok());
  const auto assignment = weights->Assignment();
  REQUIRE(assignment.ok());
  CHECK(Indices(*assignment) == std::vector<uint32_t>{0, 1, 1, 3, Weights::kNoPattern, 2});
  CHECK(weights->nnz() == 1 + 2 + 2 + 3 + 2);
  const auto back = weights->ToDense();
  REQUIRE(back.ok());
  CHECK(Values(*back) == values);

  // Filters of a group share: {2} of the first and {0} of the second are covered by {0, 1, 2} alone.
  std::vector<float> two(36);
  two[2] = 1;
  two[18] = 2;
  const auto pair = DenseWeights<float>::View({.rows = 2, .columns = 18}, two);
  REQUIRE(pair.ok());
  const auto shared = Weights::FromDense(*pair, 3, 2, *library);
  REQUIRE(shared.ok());
  CHECK(shared->kernels() == 1);
  CHECK(shared->nnz() == 6);
  const auto shared_back = shared->ToDense();
  REQUIRE(shared_back.ok());
  CHECK(Values(*shared_back) == two);

  const auto small = PatternLibrary::FromMasks(3, std::vector<uint8_t>{1, 1, 0});
  REQUIRE(small.ok());
  CheckInvalid(Weights::FromDense(*dense, 3, 1, *small).status(),
               "no pattern of the library covers the 1 non-zero cells of rows 0 to 0, input channel 0");
  CheckInvalid(Weights::FromDense(*dense, 2, 1, *library).status(), "pattern.library.cell[0] is 2, must ascend");
  const PatternLibrary none;
  CheckInvalid(Weights::FromDense(*dense, 3, 1, none).status(), "pattern.library.begin has 0 elements, must have 1 to");
}

TEST_CASE("PatternWeights: what an assignment may not be, and that it drops cells outside the pattern") {
  const auto library = PatternLibrary::FromMasks(2, std::vector<uint8_t>{1, 0});
  REQUIRE(library.ok());
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto dense = DenseWeights<float>::View({.rows = 2, .columns = 4, .groups = 2}, values);
  REQUIRE(dense.ok());
  const auto make = [&](std::vector<uint16_t> pattern_of, std::vector<uint32_t> order = {}) {
    return Weights::FromAssignment(*dense, 2, 1, *library, pattern_of, order);
  };
  const auto weights = make({0, Weights::kNoPattern, 0, 0});
  REQUIRE(weights.ok());
  const auto back = weights->ToDense();
  REQUIRE(back.ok());
  CHECK(Values(*back) == std::vector<float>{1, 0, 0, 0, 5, 0, 7, 0});
  CHECK(weights->arrays().weight_begin.size() == 0);
  CheckInvalid(make({0, 0, 0}).status(), "pattern_of has 3 elements, must have one per filter group and channel, 4");
  CheckInvalid(make({0, 0, 1, 0}).status(), "pattern_of[2] is 1, must be below 1 or kNoPattern");
  CheckInvalid(make({0, 0, 0, 0}, {0}).status(), "order has 1 elements, must have one per filter group, 2");
  CheckInvalid(make({0, 0, 0, 0}, {1, 0}).status(), "order[0] to order[0] must be the filter groups 0 to 0, each once");
  CheckInvalid(Weights::FromDense(*dense, 3).status(),
               "taps is 3, must be in [1, 65535] and divide weights.columns, 4");
  CheckInvalid(Weights::FromDense(*dense, 0).status(), "taps is 0, must be in [1, 65535]");
  CheckInvalid(Weights::FromDense(*dense, 2, 0).status(), "group is 0, must be in [1, 65535]");
  CheckInvalid(Weights::FromDense(*dense, 2, 65536).status(), "group is 65536, must be in [1, 65535]");
}

TEST_CASE("PatternWeights: filter groups in a given order, inside convolution groups") {
  const MatrixShape shape{.rows = 14, .columns = 3 * 9, .groups = 2};  // 4 filter groups of 2, 2, 2 and 1 filters each
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  FillGaussian(values, 4);
  Thin(values, 9, 0.1);
  const auto dense = DenseWeights<float>::View(shape, values);
  REQUIRE(dense.ok());
  const auto weights = Weights::FromDense(*dense, 9, 2);
  REQUIRE(weights.ok());
  for (const std::vector<uint32_t>& order :
       {std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6, 7}, {3, 1, 0, 2, 5, 7, 6, 4}, {3, 2, 1, 0, 7, 6, 5, 4}}) {
    const auto reordered = weights->Reordered(order);
    REQUIRE(reordered.ok());
    CHECK(reordered->Validate().ok());
    CHECK(Indices(reordered->arrays().reorder) == order);
    CHECK(reordered->StorageBytes() == weights->StorageBytes());
    const auto back = reordered->ToDense();
    REQUIRE(back.ok());
    CHECK(Values(*back) == values);
  }
  CheckInvalid(weights->Reordered(std::vector<uint32_t>{0, 1, 2, 4, 3, 5, 6, 7}).status(),
               "order[0] to order[3] must be the filter groups 0 to 3, each once");
  CheckInvalid(weights->Reordered(std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6, 6}).status(),
               "order[4] to order[7] must be the filter groups 4 to 7, each once");
}

TEST_CASE("PatternWeights: more patterns than 16 bits can number are refused") {
  const int64_t taps = 20, kernels = 65536;
  std::vector<float> values(static_cast<size_t>(taps * kernels));
  for (int64_t kernel = 0; kernel < kernels; ++kernel) {
    for (int64_t cell = 0; cell < taps; ++cell) {
      values[static_cast<size_t>(kernel * taps + cell)] = static_cast<float>((kernel + 1) >> cell & 1);
    }
  }
  const auto all = DenseWeights<float>::View({.rows = 256, .columns = taps * 256}, values);
  REQUIRE(all.ok());
  CheckInvalid(Weights::FromDense(*all, taps).status(),
               "pattern.library would have 65536 patterns, must have at most 65535");
  std::fill_n(values.end() - taps, taps, 0.0f);
  const auto fits = DenseWeights<float>::View({.rows = 256, .columns = taps * 256}, values);
  REQUIRE(fits.ok());
  const auto weights = Weights::FromDense(*fits, taps);
  REQUIRE(weights.ok());
  CHECK(weights->library().patterns() == 65535);
  CHECK(weights->Validate().ok());
  const auto back = weights->ToDense();
  REQUIRE(back.ok());
  CHECK(Values(*back) == values);
}

TEST_CASE("PatternLibrary: masks that are no library") {
  CheckInvalid(PatternLibrary::FromMasks(3, std::vector<uint8_t>{1, 0, 0, 1}).status(),
               "taps is 3, must be in [1, 65535] and divide the 4 elements of masks");
  CheckInvalid(PatternLibrary::FromMasks(0, std::vector<uint8_t>{1}).status(), "taps is 0, must be in [1, 65535]");
  CheckInvalid(PatternLibrary::FromMasks(2, std::vector<uint8_t>{1, 0, 0, 0}).status(),
               "masks has 1 masks without a cell, must have none");
  CheckInvalid(PatternLibrary::FromMasks(2, std::vector<uint8_t>{1, 0, 1, 1, 1, 0}).status(),
               "masks 0 and 2 are equal, must be distinct");
}

TEST_CASE("PatternWeights: malformed arrays are refused") {
  const auto refuse = [](auto change, const char* message) {
    ByHand arrays;
    change(arrays);
    CheckInvalid(arrays.Make().status(), message);
  };
  refuse([](ByHand& a) { a.rows = 0; }, "weights.rows is 0");
  refuse([](ByHand& a) { a.taps = 5; }, "taps is 5, must be in [1, 65535] and divide weights.columns, 12");
  refuse([](ByHand& a) { a.taps = int64_t{1} << 62; }, "taps is 4611686018427387904, must be in [1, 65535]");
  refuse([](ByHand& a) { a.group = int64_t{1} << 62; }, "group is 4611686018427387904, must be in [1, 65535]");
  refuse([](ByHand& a) { a.taps = 3; }, "pattern.library.cell[2] is 3, must ascend inside pattern 1 and be below 3");
  refuse([](ByHand& a) { a.begin.clear(); }, "pattern.library.begin has 0 elements, must have 1 to 65536");
  refuse([](ByHand& a) { a.begin[0] = 1; }, "pattern.library.begin runs from 1 to 3, must run from 0 to 3");
  refuse([](ByHand& a) { a.cell.pop_back(); }, "pattern.library.begin runs from 0 to 3, must run from 0 to 2");
  refuse([](ByHand& a) { a.begin[1] = 0; }, "pattern.library.begin[1] is 0, must be in [1, 3]");
  refuse([](ByHand& a) { a.begin[1] = 4; }, "pattern.library.begin[1] is 4, must be in [1, 3]");
  refuse([](ByHand& a) { a.cell[2] = 0; }, "pattern.library.cell[2] is 0, must ascend inside pattern 1");
  refuse(
      [](ByHand& a) {
        a.begin = {0, 2, 3};
        a.cell = {0, 3, 1};
      },
      "pattern 1 must differ from and follow pattern 0: fewer cells first");
  for (const std::vector<uint16_t>& cell : {std::vector<uint16_t>{1, 2, 0, 3}, {0, 3, 0, 3}, {0, 3, 0, 2}}) {
    refuse(
        [&](ByHand& a) {
          a.begin = {0, 2, 4};
          a.cell = cell;
        },
        "pattern 1 must differ from and follow pattern 0: fewer cells first, then lexicographic");
  }
  refuse([](ByHand& a) { a.reorder.pop_back(); }, "pattern.reorder has 2 elements, must have 3");
  refuse([](ByHand& a) { a.position.push_back(0); }, "pattern.position has 4 elements, must have 3");
  refuse([](ByHand& a) { a.offset.pop_back(); }, "pattern.offset has 3 elements, must have 4");
  refuse([](ByHand& a) { a.stride.pop_back(); }, "pattern.stride has 8 elements, must have 9");
  refuse([](ByHand& a) { a.weight_begin.clear(); }, "pattern.weight_begin has 0 elements, must have 4");
  refuse([](ByHand& a) { a.reorder[1] = 3; }, "pattern.reorder[1] is 3, must be in [0, 2]");
  refuse([](ByHand& a) { a.reorder[1] = 2; }, "pattern.position[2] is 0, must be 1, as reorder says");
  refuse([](ByHand& a) { a.position[0] = 9; }, "pattern.position[0] is 9, must be 1, as reorder says");
  refuse([](ByHand& a) { a.groups = 3; }, "pattern.reorder[0] is 2, must be in [0, 0]");
  refuse([](ByHand& a) { a.offset[0] = 1; }, "pattern.offset runs from 1 to 5, must run from 0 to 5");
  refuse([](ByHand& a) { a.offset[3] = 6; }, "pattern.offset runs from 0 to 6, must run from 0 to 5");
  refuse([](ByHand& a) { a.offset[1] = 6; }, "pattern.offset[1] is 6, must be in [0, 5]");
  refuse([](ByHand& a) { a.offset[2] = 2; }, "pattern.offset[2] is 2, must be in [3, 5]");
  refuse([](ByHand& a) { a.stride[3] = 1; },
         "pattern.stride of stored filter group 1 runs from 1 to 2, must run from 0 to 2");
  refuse([](ByHand& a) { a.stride[2] = 2; }, "pattern.stride of stored filter group 0 runs from 0 to 2");
  refuse([](ByHand& a) { a.stride[1] = 4; }, "pattern.stride[1] is 4, must be in [0, 3]");
  refuse(
      [](ByHand& a) {
        a.begin = {0, 1, 3, 6};
        a.cell = {1, 0, 3, 0, 1, 2};
        a.stride = {0, 2, 1, 3, 0, 1, 2, 2, 0, 0, 0, 0};
        a.index = {0, 1, 2, 0, 2};
      },
      "pattern.stride[2] is 1, must be in [2, 3]");
  refuse([](ByHand& a) { a.index[0] = 3; },
         "pattern.index[0] is 3, must ascend inside pattern 0 of stored filter group 0 and be below 3");
  refuse([](ByHand& a) { a.index[2] = 0; }, "pattern.index[2] is 0, must ascend inside pattern 1");
  refuse([](ByHand& a) { a.index[0] = 2; }, "pattern.index of stored filter group 0 has 1 channels twice");
  refuse([](ByHand& a) { a.weight_begin[1] = 4; }, "pattern.weight_begin[1] is 4, must be 5");
  refuse([](ByHand& a) { a.weight_begin[3] = 9; }, "pattern.weight_begin[3] is 9, must be 8");
  refuse([](ByHand& a) { a.weight.pop_back(); }, "pattern.weight has 7 elements, stored filter group 1 needs 8");
  refuse([](ByHand& a) { a.weight.push_back(1); }, "pattern.weight has 9 elements, must have 8");
}

// Arrays of random content never cause a read outside of them: what passes is visited, and the sanitizers watch.
TEST_CASE("PatternWeights: damaged arrays are refused or harmless") {
  std::mt19937 generator(8);
  const auto below = [&](size_t limit) { return std::uniform_int_distribution<size_t>(0, limit - 1)(generator); };
  size_t passed = 0;
  for (int round = 0; round < 20000; ++round) {
    ByHand arrays;
    const auto damage = [&](auto& array) {
      using Element = typename std::remove_reference_t<decltype(array)>::value_type;
      if (below(4) == 0) array.resize(below(array.size() + 3));
      if (array.empty()) return;
      const uint32_t value = below(5) == 0 ? ~uint32_t{0} : static_cast<uint32_t>(below(9));
      array[below(array.size())] = static_cast<Element>(value);
    };
    for (size_t times = below(3) + 1; times > 0; --times) {
      switch (below(10)) {
        case 0: damage(arrays.begin); break;
        case 1: damage(arrays.cell); break;
        case 2: damage(arrays.reorder); break;
        case 3: damage(arrays.position); break;
        case 4: damage(arrays.offset); break;
        case 5: damage(arrays.index); break;
        case 6: damage(arrays.stride); break;
        case 7: damage(arrays.weight_begin); break;
        case 8: damage(arrays.weight); break;
        default: arrays.taps = static_cast<int64_t>(below(13)); arrays.group = static_cast<int64_t>(below(5));
      }
    }
    const auto weights = arrays.Make();
    if (!weights.ok()) {
      CHECK(std::string(weights.status().message()) != "");
      continue;
    }
    ++passed;
    const auto dense = weights->ToDense();
    REQUIRE(dense.ok());
    CHECK(weights->Assignment().ok());
  }
  CHECK(passed > 0);
  CHECK(passed < 20000);
}

}  // namespace
}  // namespace lacuna::test
