#include "lacuna/format/convert.h"

#include "lacuna/format/pattern.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

using Dense = DenseWeights<float>;
using Csr = CsrWeights<float>;
using Block = BlockWeights<float>;
using Bcr = BcrWeights<float>;
using Pattern = PatternWeights<float>;

std::vector<float> Values(const Dense& dense) { return {dense.values().begin(), dense.values().end()}; }

struct Layer {
  std::vector<float> values;
  Dense dense;

  explicit Layer(double density) : values(20 * 45), dense(Fill(values, density)) {}

  static Dense Fill(std::vector<float>& values, double density) {
    FillGaussian(values, 4);
    Thin(values, 9, density);
    auto dense = Dense::View({.rows = 20, .columns = 45, .groups = 2}, values);
    REQUIRE(dense.ok());
    return *std::move(dense);
  }
};

// `from` as a To is the same matrix with `nnz` stored weights.
template <class To, class From, class... Arguments>
To Check(const Layer& layer, const From& from, int64_t nnz, const Arguments&... arguments) {
  auto to = Convert<To>(from, arguments...);
  REQUIRE(to.ok());
  CHECK(to->Validate().ok());
  CHECK(to->shape() == layer.dense.shape());
  CHECK(to->nnz() == nnz);
  const auto back = ExpandRows(*to);
  REQUIRE(back.ok());
  CHECK(Values(*back) == layer.values);
  return *std::move(to);
}

TEST_CASE("Convert: from every format to every other") {
  for (const double density : {0.0, 0.1, 1.0}) {
    const Layer layer(density);
    const BlockShape block{4, 3};
    const auto csr = Csr::FromDense(layer.dense);
    const auto blocks = Block::FromDense(layer.dense, block);
    const auto bcr = Bcr::FromDense(layer.dense, block);
    const auto pattern = Pattern::FromDense(layer.dense, 9, 4);
    REQUIRE((csr.ok() && blocks.ok() && bcr.ok() && pattern.ok()));
    const auto check_all = [&](const auto& from) {
      Check<Dense>(layer, from, layer.dense.nnz());
      Check<Bcr>(layer, from, bcr->nnz(), block);
      Check<Pattern>(layer, from, pattern->nnz(), int64_t{9}, int64_t{4});
    };
    check_all(layer.dense);
    check_all(*csr);
    check_all(*bcr);
    check_all(*pattern);
    Check<Block>(layer, layer.dense, blocks->nnz(), block);
    Check<Block>(layer, *csr, blocks->nnz(), block);
    Check<Block>(layer, *pattern, blocks->nnz(), block);
    Check<Block>(layer, *blocks, blocks->nnz(), block);
    Check<Dense>(layer, *blocks, layer.dense.nnz());
    Check<Csr>(layer, layer.dense, csr->nnz());
    // Stored zeros stay stored.
    Check<Csr>(layer, *csr, csr->nnz());
    Check<Csr>(layer, *bcr, bcr->nnz());
    Check<Csr>(layer, *pattern, pattern->nnz());
    Check<Csr>(layer, *blocks, blocks->nnz());
  }
}

TEST_CASE("Convert: blocks stay what they are in BCR weights of the same blocks") {
  const Layer layer(0.1);
  const auto blocks = Block::FromDense(layer.dense, {.rows = 4, .columns = 4});
  const auto cover = Bcr::FromDense(layer.dense, {.rows = 4, .columns = 4});
  const auto smaller = Bcr::FromDense(layer.dense, {.rows = 2, .columns = 2});
  REQUIRE((blocks.ok() && cover.ok() && smaller.ok()));
  REQUIRE(cover->nnz() < blocks->nnz());
  const Bcr same = Check<Bcr>(layer, *blocks, blocks->nnz());
  CHECK(same.block() == blocks->block());
  CHECK(same.arrays().row.size() == 0);
  CHECK(same.arrays().column.size() == 0);
  Check<Bcr>(layer, *blocks, blocks->nnz(), BlockShape{4, 4});
  Check<Bcr>(layer, *blocks, smaller->nnz(), BlockShape{2, 2});
}

TEST_CASE("Convert: what the target cannot be is its error") {
  const Layer layer(0.5);
  const auto csr = Csr::FromDense(layer.dense);
  REQUIRE(csr.ok());
  CheckInvalid(Convert<Pattern>(*csr, 7).status(), "taps is 7, must be in [1, 65535] and divide weights.columns, 45");
  CheckInvalid(Convert<Bcr>(*csr, BlockShape{0, 1}).status(), "block is 0 x 1");
  CheckInvalid(Convert<Block>(layer.dense, BlockShape{1, 0}).status(), "block is 1 x 0");
}

}  // namespace
}  // namespace lacuna::test
