#include "lacuna/format/block.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

// Blocks of 2 x 2 in a 3 x 3 matrix:
// [1 2 0]
// [3 4 0]
// [0 0 5]
struct ByHand {
  std::vector<uint32_t> block_begin = {0, 1, 2};
  std::vector<uint32_t> value_begin = {0, 4, 5};
  std::vector<uint16_t> block_column = {0, 1};
  std::vector<float> value = {1, 2, 3, 4, 5};

  Result<BlockWeights<float>> Make() const {
    return BlockWeights<float>::FromArrays({.rows = 3, .columns = 3}, {.rows = 2, .columns = 2},
                                           {Buffer<uint32_t>::View(block_begin), Buffer<uint32_t>::View(value_begin),
                                            IndexArray::View(block_column), Buffer<float>::View(value)});
  }
};

TEST_CASE("BlockWeights: arrays taken as they are; edge blocks store no padding") {
  const ByHand arrays;
  const auto weights = arrays.Make();
  REQUIRE(weights.ok());
  CHECK(weights->nnz() == 5);
  CHECK(weights->StorageBytes() == 2 * 3 * 4 + 2 * 2 + 5 * 4);
  const auto dense = weights->ToDense();
  REQUIRE(dense.ok());
  CHECK(std::vector<float>(dense->values().begin(), dense->values().end()) ==
        std::vector<float>{1, 2, 0, 3, 4, 0, 0, 0, 5});
}

TEST_CASE("BlockWeights: round trips with dense are exact; blocks never straddle groups") {
  for (const BlockShape block : {BlockShape{4, 1}, {8, 1}, {4, 4}, {8, 8}, {16, 1}, {1, 9}, {100, 100}}) {
    for (const double density : {0.0, 0.05, 1.0}) {
      for (const int64_t groups : {1, 2}) {
        std::vector<float> values(20 * 37);
        FillGaussian(values, 4);
        Thin(values, 9, density);
        const auto dense = DenseWeights<float>::View({.rows = 20, .columns = 37, .groups = groups}, values);
        REQUIRE(dense.ok());
        const auto weights = BlockWeights<float>::FromDense(*dense, block);
        REQUIRE(weights.ok());
        CHECK(weights->Validate().ok());
        const auto back = weights->ToDense();
        REQUIRE(back.ok());
        CHECK(std::vector<float>(back->values().begin(), back->values().end()) == values);
      }
    }
  }
  // One weight in the last row of group 0: its block keeps the two rows of that group only.
  std::vector<float> values(8 * 4);
  values[3 * 4] = 1;
  const auto dense = DenseWeights<float>::View({.rows = 8, .columns = 4, .groups = 2}, values);
  REQUIRE(dense.ok());
  const auto weights = BlockWeights<float>::FromDense(*dense, {.rows = 8, .columns = 1});
  REQUIRE(weights.ok());
  CHECK(weights->nnz() == 4);
}

TEST_CASE("BlockWeights: malformed arrays are refused") {
  const auto refuse = [](auto change, const char* message) {
    ByHand arrays;
    change(arrays);
    CheckInvalid(arrays.Make().status(), message);
  };
  refuse([](ByHand& a) { a.block_begin.pop_back(); }, "block.block_begin and value_begin have 2 and 3 elements");
  refuse([](ByHand& a) { a.block_begin[0] = 1; }, "block.block_begin runs from 1 to 2, must run from 0 to 2");
  refuse([](ByHand& a) { a.block_begin[1] = 3; }, "block.block_begin[1] is 3, must be in [0, 2]");
  refuse([](ByHand& a) { a.value_begin[1] = 3; }, "block.value_begin[1] is 3, must be 4");
  refuse([](ByHand& a) { a.block_column[1] = 2; },
         "block.block_column[1] is 2, must ascend inside strip 1 and be below 2");
  refuse(
      [](ByHand& a) {
        a.block_begin[1] = 2;
        a.block_column = {1, 0};
      },
      "block.block_column[1] is 0, must ascend inside strip 0");
  refuse([](ByHand& a) { a.value.pop_back(); }, "block.value has 4 elements and value_begin ends at 5, both must be 5");
  refuse([](ByHand& a) { a.value_begin[2] = 6; }, "block.value has 5 elements and value_begin ends at 6");
}

}  // namespace
}  // namespace lacuna::test
