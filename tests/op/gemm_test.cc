// Gemm plans against reference/: every register tile, on every SIMD target, in both orders of x and y.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

constexpr Layout kMatrixLayouts[] = {Layout::kPlanar, Layout::kPlanarGaps, Layout::kChannelsLast,
                                     Layout::kChannelsLastGaps};

// Every tile on every target, over dense and BCR weights. Each tile meets every order of x; the orders of y take turns.
void CheckEverywhere(const GemmLayer& layer, int64_t n, const BlockShape& block = {1, 1}) {
  const auto dense = layer.dense();
  const auto bcr = layer.bcr(block);
  ForEachTarget([&] {
    size_t turn = 0;
    for (int tile = 0; tile < TileCount(); ++tile) {
      const auto from_dense = PlanGemm(dense, {.n = n}, layer.epilogue(), {.tile = tile});
      const auto from_bcr = PlanGemm(bcr, {.n = n}, layer.epilogue(), {.tile = tile});
      for (const Layout x : kMatrixLayouts) {
        const Layout y = kMatrixLayouts[turn++ % 4];
        layer.Check(from_dense, {.x = x, .y = y, .residual = x});
        layer.Check(from_bcr, {.x = x, .y = y, .residual = y, .guard = Guard::kBefore});
      }
      ++turn;
    }
  });
}

TEST_CASE("gemm: N around lanes and register tiles") {
  for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 23, 24, 25, 47, 48, 49, 95, 96, 97, 193, 389}) {
    CheckEverywhere(GemmLayer(9, 21, n, {.density = 0.5, .bias = true}), n);
  }
}

TEST_CASE("gemm: M around panels, K of one and of primes") {
  for (int64_t m = 1; m <= 17; ++m)
    CheckEverywhere(GemmLayer(m, 13, 19, {.density = 0.5, .residual = true}), 19, {8, 16});
  for (const int64_t k : {1, 2, 3, 31, 127, 769}) CheckEverywhere(GemmLayer(10, k, 21, {.density = 0.3}), 21, {4, 7});
}

TEST_CASE("gemm: every order of x, y and residual, and the residual in place") {
  const GemmLayer layer(19, 37, 53, {.density = 0.5, .bias = true, .residual = true});
  const auto bcr = layer.bcr();
  ForEachTarget([&] {
    const auto plan = PlanGemm(bcr, {.n = 53}, layer.epilogue());
    for (const Layout x : kMatrixLayouts) {
      for (const Layout y : kMatrixLayouts) {
        for (const Layout residual : kMatrixLayouts) {
          for (const Guard guard : {Guard::kAfter, Guard::kBefore}) {
            INFO(LayoutName(x) << " to " << LayoutName(y) << ", residual " << LayoutName(residual));
            layer.Check(plan, {.x = x, .y = y, .residual = residual, .guard = guard});
          }
        }
        layer.Check(plan, {.x = x, .y = y, .residual_is_y = true});
      }
    }
  });
}

TEST_CASE("gemm: a plan serves every N up to its own") {
  for (const int64_t n : {1, 5, 16, 40, 99, 100}) {
    const GemmLayer layer(12, 30, n, {.density = 0.4, .bias = true});
    const auto bcr = layer.bcr();
    ForEachTarget([&] {
      for (const size_t bytes : {size_t{1}, size_t{4096}, kInputTileBytes}) {
        for (int tile = 0; tile < TileCount(); ++tile) {
          const auto plan = PlanGemm(bcr, {.n = 100}, layer.epilogue(), {.tile = tile, .input_tile_bytes = bytes});
          for (const Layout layout : kMatrixLayouts) layer.Check(plan, {.x = layout, .y = layout});
        }
      }
    });
  }
}

TEST_CASE("gemm: any cut of N into input tiles") {
  const GemmLayer layer(10, 45, 700, {.density = 0.3});
  const auto bcr = layer.bcr({8, 16});
  ForEachTarget([&] {
    for (const size_t bytes : {0, 1, 4096, 16384, 65536}) {
      CAPTURE(bytes);
      const auto plan = PlanGemm(bcr, {.n = 700}, {}, {.input_tile_bytes = bytes});
      layer.Check(plan);
      layer.Check(plan, {.x = Layout::kChannelsLast, .y = Layout::kChannelsLastGaps});
      if (bytes == 4096) CHECK(plan->Explain().tiles[2] > 1);
    }
  });
}

TEST_CASE("gemm: densities, Gaussian data within the bound of rounding errors") {
  for (const double density : {0.0, 0.05, 0.3, 1.0}) {
    const GemmLayer layer(33, 257, 29, {.density = density, .integers = false, .bias = true});
    const auto dense = layer.dense();
    const auto bcr = layer.bcr({8, 16});
    ForEachTarget([&] {
      for (int tile = kChooseTile; tile < TileCount(); ++tile) {
        layer.Check(PlanGemm(dense, {.n = 29}, layer.epilogue(), {.tile = tile}));
        layer.Check(PlanGemm(bcr, {.n = 29}, layer.epilogue(), {.tile = tile}));
      }
    });
  }
}

TEST_CASE("gemm: more columns than 16 bits can count") {
  constexpr int64_t kK = 65536 + 300;
  std::vector<float> weights(2 * kK);
  weights[3] = 2.0f;
  weights[65535] = -1.0f;
  weights[65536] = 3.0f;
  weights[2 * kK - 1] = 4.0f;
  const GemmLayer layer(2, kK, 5, {.weights = weights});
  const auto bcr = layer.bcr({2, 64});
  ForEachTarget([&] { layer.Check(PlanGemm(bcr, {.n = 5})); });
}

// Gaussian data: sums depend on their order, so that equality shows that it is the same.
template <class Weights>
void CheckUniform(const Weights& weights, int64_t max_n, const std::vector<float>& x, int tile) {
  const int64_t m = weights.shape().rows, k = weights.shape().columns;
  const auto run = [&](int64_t most, int64_t first, int64_t n) {
    const auto plan = PlanGemm(weights, {.n = most, .sums = SumOrder::kUniform}, {}, {.tile = tile});
    REQUIRE(plan.ok());
    std::vector<float> y(static_cast<size_t>(m * n));
    std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
    REQUIRE(plan->Run(MatrixView<const float>::ColumnMajor(x.data() + first * k, k, n),
                      MatrixView<float>::ColumnMajor(y.data(), m, n), {.workspace = workspace})
                .ok());
    return y;
  };
  const std::vector<float> all = run(max_n, 0, max_n);
  for (const int64_t n : {1, 2, 3, 5, 8, 17, 19, 50}) {
    const int64_t first = n % 3;
    const std::vector<float> expected(all.begin() + first * m, all.begin() + (first + n) * m);
    CHECK(run(max_n, first, n) == expected);
    CHECK(run(n, first, n) == expected);
  }
}

TEST_CASE("gemm: with uniform sums, a column of y depends on its column of x alone, for every tile") {
  const GemmLayer layer(37, 150, 61, {.density = 0.5, .integers = false});
  const auto dense = layer.dense();
  const auto bcr = layer.bcr();
  std::vector<float> x(150 * 61);
  FillGaussian(x, 3);
  ForEachTarget([&] {
    for (int tile = 0; tile < TileCount(); ++tile) {
      CAPTURE(TileName(tile));
      CheckUniform(dense, 61, x, tile);
      CheckUniform(bcr, 61, x, tile);
    }
  });
}

TEST_CASE("gemm: accessors") {
  const GemmLayer layer(6, 10, 4);
  const auto plan = PlanGemm(layer.dense(), {.n = 4});
  REQUIRE(plan.ok());
  CHECK(plan->m() == 6);
  CHECK(plan->k() == 10);
  CHECK(plan->max_n() == 4);
  CHECK(plan->target() == ActiveTarget());
  CHECK(plan->WorkspaceBytes(2) > plan->WorkspaceBytes(1));
}

}  // namespace
}  // namespace lacuna::test
