// Winograd plans: every tile in 1-D, 2-D and 3-D, dense and over whole-kernel sparsity, and when plans take them.

#include <lacuna/lacuna.h>
#include <lacuna/pack/winograd_blocks.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/op/winograd_layers.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"
#include "tests/support/random.h"
#include "tests/support/threads_executor.h"

namespace lacuna::test {
namespace {

constexpr Extents<3> kCube{3, 3, 3};

// The tile on every target, on a layer of exact integers if there are any for it, and of Gaussian values.
void CheckTile(const NamedWinogradTile& tile, ConvShape<3> shape, LayerOptions options = {},
               const RunOptions& run = {}) {
  INFO(tile.name);
  shape.kernel = KernelOf(tile.tile);
  if (!shape.Validate().ok()) return;
  for (const bool exact : {true, false}) {
    if (exact && !IsExact(tile.tile)) continue;
    std::vector<float> weights;
    if (exact) weights = ExactWeights(shape, tile.tile, options.density);
    options.integers = exact;
    options.weights = weights;
    ConvLayer<3> layer(shape, options);
    layer.Allow(exact ? 0.0 : ErrorOf(shape, tile.tile, layer.data()));
    const auto dense = layer.dense();
    ForEachTarget([&] {
      const auto plan = PlanConvolution<3>(dense, shape, layer.epilogue(), {.algorithm = tile.name});
      REQUIRE(plan.ok());
      CHECK(std::string(plan->Explain().algorithm) == tile.name);
      layer.Check(plan, run);
    });
  }
}

TEST_CASE("winograd: every tile, images around a tile and a vector of tiles, ragged edges") {
  const Extents<3> inputs[] = {{1, 1, 1}, {3, 3, 3},  {4, 5, 6},   {5, 4, 17},
                               {7, 7, 7}, {9, 14, 3}, {2, 28, 30}, {6, 3, 67}};
  for (const NamedWinogradTile& tile : kWinogradTiles) {
    for (const Extents<3>& input : inputs) {
      ConvShape<3> shape{.in_channels = 3, .out_channels = 9, .input = input};
      for (size_t a = 0; a < 3; ++a) shape.pad_begin[a] = shape.pad_end[a] = KernelOf(tile.tile)[a] / 2;
      CheckTile(tile, shape, {.bias = true});
    }
  }
}

TEST_CASE("winograd: padding none, asymmetric, wider than the kernel") {
  for (const NamedWinogradTile& tile : kWinogradTiles) {
    for (const Extents<3>& begin : {Extents<3>{0, 0, 0}, {1, 0, 2}, {4, 5, 7}}) {
      for (const Extents<3>& end : {Extents<3>{0, 0, 0}, {2, 1, 0}}) {
        CheckTile(tile, {.in_channels = 2, .out_channels = 5, .input = {4, 6, 9}, .pad_begin = begin, .pad_end = end});
      }
    }
  }
}

TEST_CASE("winograd: batch, groups, channels beyond a chunk, layouts, epilogues") {
  for (const NamedWinogradTile& tile : kWinogradTiles) {
    const ConvShape<3> shape{.batch = 2,
                             .in_channels = 6,
                             .out_channels = 22,
                             .groups = 2,
                             .input = {5, 7, 10},
                             .pad_begin = {1, 1, 1},
                             .pad_end = {1, 1, 1}};
    for (const Layout layout : kLayouts) {
      INFO(LayoutName(layout));
      CheckTile(tile, shape, {.bias = true, .residual = true},
                {.x = layout, .y = layout, .residual = layout, .guard = Guard::kBefore, .workspace_misalignment = 4});
    }
    CheckTile(tile, shape, {.residual = true, .epilogue = {.activation = Activation::kRelu}}, {.residual_is_y = true});
    CheckTile(tile, shape, {.epilogue = {.activation = Activation::kClamp, .low = -2.0f, .high = 900.0f}});
  }
  CheckTile(
      kWinogradTiles[1],
      {.in_channels = 37, .out_channels = 150, .input = {1, 9, 11}, .pad_begin = {0, 1, 1}, .pad_end = {0, 1, 1}});
}

TEST_CASE("winograd: groups whose image is one tile or less") {
  for (const NamedWinogradTile& tile : kWinogradTiles) {
    for (const int64_t extent : {1, 2, 4}) {
      CheckTile(tile, {.in_channels = 16,
                       .out_channels = 32,
                       .groups = 2,
                       .input = {extent, extent, extent},
                       .pad_begin = {1, 1, 1},
                       .pad_end = {1, 1, 1}});
    }
  }
}

TEST_CASE("winograd: ranks 1 and 2") {
  const ConvLayer<2> image(
      {.in_channels = 5, .out_channels = 7, .input = {13, 18}, .kernel = {3, 3}, .pad_end = {1, 1}},
      {.integers = false});
  const ConvLayer<1> line({.in_channels = 5, .out_channels = 7, .input = {33}, .kernel = {3}, .pad_begin = {1}},
                          {.integers = false});
  const auto image_weights = image.dense(), line_weights = line.dense();
  ForEachTarget([&] {
    const auto plan = PlanConvolution<2>(image_weights, image.shape(), {}, {.algorithm = "winograd 2x2"});
    REQUIRE(plan.ok());
    CHECK(std::string(plan->Explain().algorithm) == "winograd 2x2");
    const auto other = PlanConvolution<1>(line_weights, line.shape(), {}, {.algorithm = "winograd 1x2"});
    REQUIRE(other.ok());
    CHECK(std::string(other->Explain().algorithm) == "winograd 1x2");
    for (const auto& [actual, expected] :
         {std::pair(image.Run(*plan), image.Run(*PlanConvolution<2>(image_weights, image.shape()))),
          std::pair(line.Run(*other), line.Run(*PlanConvolution<1>(line_weights, line.shape())))}) {
      for (size_t i = 0; i < actual.size(); ++i) CHECK(actual[i] == doctest::Approx(expected[i]).epsilon(1e-4));
    }
  });
}

TEST_CASE("winograd: whole-kernel sparsity of every format is skipped, other zeros are not") {
  ConvShape<3> shape{.in_channels = 32,
                     .out_channels = 24,
                     .input = {1, 10, 13},
                     .kernel = {1, 3, 3},
                     .pad_begin = {0, 1, 1},
                     .pad_end = {0, 1, 1}};
  const NamedWinogradTile& tile = kWinogradTiles[1];
  std::vector<float> values(static_cast<size_t>(shape.weight_elements()));
  FillGaussian(values, 3);
  const auto gaussian = DenseWeights<float>::View(MatrixShapeOf(shape), values);
  REQUIRE(gaussian.ok());
  for (const char* name :
       {"bcr_kernel-4x", "block_kernel_8x4-4x", "block_8x1-4x", "connectivity-4x", "bcr_col-4x", "unstructured-4x"}) {
    INFO(name);
    const auto scheme = prune::ParseScheme(name);
    REQUIRE(scheme.ok());
    const auto pruned = prune::Project(*gaussian, *scheme, 9);
    REQUIRE(pruned.ok());
    const auto dense = pruned->ToDense();
    REQUIRE(dense.ok());
    int64_t kernels = 0;
    for (int64_t k = 0; k < shape.out_channels * shape.in_channels; ++k) {
      const auto kernel = dense->values().subspan(static_cast<size_t>(9 * k), 9);
      kernels += std::any_of(kernel.begin(), kernel.end(), [](float v) { return v != 0.0f; });
    }
    ConvLayer<3> layer(shape, {.integers = false, .weights = dense->values()});
    layer.Allow(ErrorOf(shape, tile.tile, layer.data()));
    ForEachTarget([&] {
      const auto plan = PlanConvolution<3>(*pruned, shape, {}, {.algorithm = tile.name});
      REQUIRE(plan.ok());
      CHECK(plan->Explain().nnz == kernels);
      layer.Check(plan);
    });
  }
}

// The table of measurements.md times two, at 64 channels: outputs of about unit root mean square.
TEST_CASE("winograd: error at 64 channels") {
  struct Case {
    const char* tile;
    double largest;
  };
  for (const Case& c : {Case{"winograd 2x2", 9e-7},
                        {"winograd 4x4", 1.2e-5},
                        {"winograd 6x6", 2.7e-5},
                        {"winograd 2x2x2", 9e-7},
                        {"winograd 4x4x4", 5.5e-5}}) {
    INFO(c.tile);
    const bool volume = std::string(c.tile).size() > 12;
    ConvShape<3> shape{.in_channels = 64, .out_channels = 16, .input = {volume ? 12 : 1, 24, 24}, .kernel = kCube};
    if (!volume) shape.kernel[0] = 1;
    std::vector<float> values(static_cast<size_t>(shape.weight_elements()));
    FillGaussian(values, 1, 1.0f / std::sqrt(static_cast<float>(shape.depth())));
    const ConvLayer<3> layer(shape, {.integers = false, .weights = values});
    const auto dense = layer.dense();
    std::vector<float> expected(static_cast<size_t>(shape.output_elements()));
    const auto output = shape.output();
    REQUIRE(reference::Convolution<3>(
                shape, values, {},
                TensorView<const float, 5>::Planar(layer.data().x.data(), {1, 64, shape.input[0], 24, 24}),
                TensorView<float, 5>::Planar(expected.data(), {1, 16, output[0], output[1], output[2]}))
                .ok());
    ForEachTarget([&] {
      const auto plan = PlanConvolution<3>(dense, shape, {}, {.algorithm = c.tile});
      REQUIRE(plan.ok());
      const std::vector<float> actual = layer.Run(*plan);
      double largest = 0;
      for (size_t i = 0; i < actual.size(); ++i) {
        largest = std::max(largest, std::abs(double{actual[i]} - double{expected[i]}));
      }
      CHECK(largest <= 2 * c.largest);
    });
  }
}

TEST_CASE("winograd: bit-identical for any number of threads") {
  const ConvLayer<3> layer({.batch = 2,
                            .in_channels = 20,
                            .out_channels = 44,
                            .groups = 2,
                            .input = {6, 15, 19},
                            .kernel = kCube,
                            .pad_begin = {1, 1, 1},
                            .pad_end = {1, 1, 1}},
                           {.integers = false, .bias = true});
  const auto dense = layer.dense();
  ForEachTarget([&] {
    const auto plan = PlanConvolution<3>(dense, layer.shape(), layer.epilogue(), {.algorithm = "winograd 2x4x4"});
    REQUIRE(plan.ok());
    const std::vector<float> serial = layer.Run(*plan);
    for (const size_t threads : {2, 3, 5}) CHECK(layer.Run(*plan, {}, ThreadsExecutor(threads)) == serial);
  });
}

TEST_CASE("winograd: workspace that is too small is refused") {
  const ConvLayer<2> layer({.in_channels = 4, .out_channels = 4, .input = {8, 8}, .kernel = {3, 3}});
  const auto plan = PlanConvolution<2>(layer.dense(), layer.shape(), {}, {.algorithm = "winograd 4x4"});
  REQUIRE(plan.ok());
  CHECK_FALSE(static_cast<bool>(plan->weights()));
  std::vector<float> x(4 * 64), y(4 * 36);
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1) - 65);
  const Status status = plan->Run(TensorView<const float, 4>::Planar(x.data(), {1, 4, 8, 8}),
                                  TensorView<float, 4>::Planar(y.data(), {1, 4, 6, 6}), {.workspace = workspace});
  CHECK(status.code() == StatusCode::kInvalidArgument);
  CHECK(std::string(status.message()).find("args.workspace has") != std::string::npos);
}

TEST_CASE("winograd: taken where it pays and the policy accepts its error") {
  const ConvLayer<2> layer({.in_channels = 64, .out_channels = 64, .input = {28, 28}, .kernel = {3, 3}});
  const auto dense = layer.dense();
  const auto algorithm = [&](double error, size_t bytes = kWinogradWeightBytes) {
    const auto plan =
        PlanConvolution<2>(dense, layer.shape(), {}, {.winograd_error = error, .winograd_weight_bytes = bytes});
    REQUIRE(plan.ok());
    return std::string(plan->Explain().algorithm);
  };
  CHECK(algorithm(0.0) == "panel");
  CHECK(algorithm(1e-6) == "winograd 2x2");
  CHECK(algorithm(2e-5) == "winograd 4x4");
  CHECK(algorithm(kWinogradError).substr(0, 8) == "winograd");
  CHECK(algorithm(kWinogradError, 16 * 4096 * 4) == "winograd 2x2");
  CHECK(algorithm(kWinogradError, 16 * 4096 * 4 - 1) == "panel");
  // 64 of 4096 kernels left: nothing is saved that transforms would not cost.
  const auto few = prune::Project(dense, *prune::ParseScheme("bcr_kernel-64x"), 9);
  REQUIRE(few.ok());
  const auto plan = PlanConvolution<2>(*few, layer.shape(), {}, {.winograd_error = kWinogradError});
  REQUIRE(plan.ok());
  CHECK(std::string(plan->Explain().algorithm) != "winograd 6x6");
}

TEST_CASE("winograd: an error that is no number is refused") {
  const ConvLayer<2> layer({.in_channels = 4, .out_channels = 4, .input = {8, 8}, .kernel = {3, 3}});
  for (const double error : {-1.0, std::nan("")}) {
    const Status status = PlanConvolution<2>(layer.dense(), layer.shape(), {}, {.winograd_error = error}).status();
    CHECK(status.code() == StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()).find("policy.winograd_error is ") == 0);
    CHECK(std::string(status.message()).find("must be at least 0") != std::string::npos);
  }
}

TEST_CASE("winograd: channels beyond any budget still leave blocks of a tile") {
  std::array<TileAxis, 3> axis;
  for (TileAxis& a : axis) a = {.input = 100, .output = 100, .kernel = 3, .pad = 1};
  constexpr std::array<int, 2> kWidths = {2, 1};
  const WinogradBlocks blocks = ChooseWinogradBlocks(axis, {{4, 4, 4}},
                                                     {.cutting = {.lanes = 1, .widths = kWidths},
                                                      .weights_per_group = 1e4,
                                                      .channels_per_group = 1000000,
                                                      .rows_per_group = 8});
  CHECK(blocks.tiles_per_block() == 1);
  CHECK(blocks.count() == 25 * 25 * 25);
}

TEST_CASE("winograd: strides, dilations and other kernels have no such form") {
  const ConvShape<2> shapes[] = {
      {.in_channels = 8, .out_channels = 8, .input = {16, 16}, .kernel = {3, 3}, .stride = {2, 1}},
      {.in_channels = 8, .out_channels = 8, .input = {16, 16}, .kernel = {3, 3}, .dilation = {1, 2}},
      {.in_channels = 8, .out_channels = 8, .input = {16, 16}, .kernel = {5, 3}},
      {.in_channels = 8, .out_channels = 8, .input = {16, 16}, .kernel = {1, 1}}};
  for (const ConvShape<2>& shape : shapes) {
    const ConvLayer<2> layer(shape);
    const auto plan = PlanConvolution<2>(layer.dense(), shape, {}, {.winograd_error = 1.0});
    REQUIRE(plan.ok());
    CHECK(plan->Explain().ToString().find("winograd") == std::string::npos);
  }
}

}  // namespace
}  // namespace lacuna::test
