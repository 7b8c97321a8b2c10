#include "lacuna/format/csr.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

// [1 0 2]
// [0 0 0]
// [0 3 0]
struct ByHand {
  std::vector<uint32_t> row_begin = {0, 2, 2, 3};
  std::vector<uint16_t> column = {0, 2, 1};
  std::vector<float> value = {1, 2, 3};

  Result<CsrWeights<float>> Make() const {
    return CsrWeights<float>::FromArrays(
        {.rows = 3, .columns = 3},
        {Buffer<uint32_t>::View(row_begin), IndexArray::View(column), Buffer<float>::View(value)});
  }
};

TEST_CASE("CsrWeights: arrays taken as they are") {
  const ByHand arrays;
  const auto weights = arrays.Make();
  REQUIRE(weights.ok());
  CHECK(weights->nnz() == 3);
  CHECK(weights->StorageBytes() == 4 * 4 + 3 * 2 + 3 * 4);
  CHECK(weights->arrays().value.data() == arrays.value.data());
  const auto dense = weights->ToDense();
  REQUIRE(dense.ok());
  CHECK(std::vector<float>(dense->values().begin(), dense->values().end()) ==
        std::vector<float>{1, 0, 2, 0, 0, 0, 0, 3, 0});
}

TEST_CASE("CsrWeights: round trips with dense are exact, and 32-bit columns appear when they must") {
  for (const int64_t columns : {1, 7, 65536, 65537}) {
    for (const double density : {0.0, 0.1, 1.0}) {
      std::vector<float> values(static_cast<size_t>(3 * columns));
      FillGaussian(values, 4);
      Thin(values, 9, density);
      const auto dense = DenseWeights<float>::View({.rows = 3, .columns = columns}, values);
      REQUIRE(dense.ok());
      const auto csr = CsrWeights<float>::FromDense(*dense);
      REQUIRE(csr.ok());
      CHECK(csr->Validate().ok());
      const size_t index_bytes = columns <= 65536 ? 2 : 4;
      CHECK(csr->StorageBytes() == 16 + static_cast<size_t>(csr->nnz()) * (4 + index_bytes));
      const auto back = csr->ToDense();
      REQUIRE(back.ok());
      CHECK(std::vector<float>(back->values().begin(), back->values().end()) == values);
    }
  }
}

TEST_CASE("CsrWeights: malformed arrays are refused") {
  const auto refuse = [](auto change, const char* message) {
    ByHand arrays;
    change(arrays);
    CheckInvalid(arrays.Make().status(), message);
  };
  refuse([](ByHand& a) { a.row_begin.pop_back(); }, "csr.row_begin, column and value have 3, 3 and 3 elements");
  refuse([](ByHand& a) { a.value.push_back(1); }, "csr.row_begin, column and value have 4, 3 and 4 elements");
  refuse([](ByHand& a) { a.row_begin[0] = 1; }, "csr.row_begin runs from 1 to 3, must run from 0 to 3");
  refuse([](ByHand& a) { a.row_begin[3] = 4; }, "csr.row_begin runs from 0 to 4");
  refuse([](ByHand& a) { a.row_begin[1] = 4; }, "csr.row_begin[1] is 4, must be in [0, 3]");
  refuse([](ByHand& a) { a.row_begin[2] = 1; }, "csr.row_begin[2] is 1, must be in [2, 3]");
  refuse([](ByHand& a) { a.column[2] = 3; }, "csr.column[2] is 3, must ascend inside row 2 and be below 3");
  refuse([](ByHand& a) { a.column[1] = 0; }, "csr.column[1] is 0, must ascend inside row 0");
  refuse([](ByHand& a) { std::swap(a.column[0], a.column[1]); }, "csr.column[1] is 0, must ascend inside row 0");
}

}  // namespace
}  // namespace lacuna::test
