// Depthwise layers of rank 3: the kernel for channels innermost, the general path for all other layouts.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/op/volumes_3d.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"
#include "tests/support/threads_executor.h"

namespace lacuna::test {
namespace {

constexpr Layout kInnermost[] = {Layout::kChannelsLast, Layout::kChannelsLastGaps};

TEST_CASE("depthwise 3-D: kernels, strides, dilations, padding, volumes and channels around vectors") {
  ForEachVolume({{1, 1, 1}, {3, 3, 3}, {16, 16, 16}, {17, 17, 17}, {35, 35, 35}},
                [](const ConvShape<3>& shape, const RunOptions& run) {
                  const ConvLayer<3> layer(shape, {.bias = true, .residual = true});
                  const auto dense = layer.dense();
                  ForEachTarget([&] {
                    const auto plan = PlanConvolution<3>(dense, shape, layer.epilogue());
                    REQUIRE(plan.ok());
                    CHECK(std::string(plan->Explain().channels_last) == (shape.groups > 1 ? "depthwise" : ""));
                    layer.Check(plan, run);
                    for (const Layout layout : kInnermost) {
                      INFO(std::string(LayoutName(layout)));
                      for (const Guard guard : {Guard::kAfter, Guard::kBefore}) {
                        layer.Check(plan, {.x = layout, .y = layout, .residual = layout, .guard = guard});
                      }
                    }
                  });
                });
}

TEST_CASE("depthwise 3-D: sparse weights of every format, and packed ones of either kernel") {
  const ConvShape<3> shape{.batch = 2,
                           .in_channels = 18,
                           .out_channels = 18,
                           .groups = 18,
                           .input = {4, 5, 9},
                           .kernel = {3, 3, 3},
                           .stride = {2, 1, 1},
                           .pad_begin = {1, 1, 1},
                           .pad_end = {1, 1, 1}};
  const ConvLayer<3> layer(shape, {.density = 0.4, .bias = true});
  const auto dense = layer.dense();
  const auto check = [&](const auto& plan) {
    REQUIRE(plan.ok());
    CHECK(std::string(plan->Explain().channels_last) == "depthwise");
    for (const Layout layout : kInnermost) layer.Check(plan, {.x = layout, .y = layout});
    layer.Check(plan);
  };
  const auto bcr = layer.bcr({1, 9});
  const auto pattern = PatternWeights<float>::FromDense(dense, 27);
  const auto csr = CsrWeights<float>::FromDense(dense);
  const auto block = BlockWeights<float>::FromDense(dense, {1, 3});
  REQUIRE((pattern.ok() && csr.ok() && block.ok()));
  ForEachTarget([&] {
    check(PlanConvolution<3>(dense, shape, layer.epilogue()));
    check(PlanConvolution<3>(*pattern, shape, layer.epilogue()));
    check(PlanConvolution<3>(*csr, shape, layer.epilogue()));
    check(PlanConvolution<3>(*block, shape, layer.epilogue()));
    for (int tile = 0; tile < TileCount(); ++tile) {
      CAPTURE(TileName(tile));
      const auto plan = PlanConvolution<3>(bcr, shape, layer.epilogue(), {.tile = tile});
      check(plan);
      check(PlanConvolution<3>(plan->weights(), shape, layer.epilogue()));
    }
  });
}

TEST_CASE("depthwise 3-D: every activation, the residual may be the output, bit-identical for any number of threads") {
  const ConvShape<3> shape{.batch = 2,
                           .in_channels = 19,
                           .out_channels = 19,
                           .groups = 19,
                           .input = {3, 5, 11},
                           .kernel = {3, 3, 3},
                           .pad_begin = {1, 1, 1},
                           .pad_end = {1, 1, 1}};
  for (const Activation activation :
       {Activation::kNone, Activation::kRelu, Activation::kClamp, Activation::kLeakyRelu, Activation::kSigmoid,
        Activation::kTanh, Activation::kSilu, Activation::kHardSwish}) {
    CAPTURE(ActivationName(activation));
    const ConvLayer<3> layer(
        shape, {.integers = false, .bias = true, .residual = true, .epilogue = {.activation = activation, .low = -3}});
    const auto dense = layer.dense();
    ForEachTarget([&] {
      const auto plan = PlanConvolution<3>(dense, shape, layer.epilogue());
      for (const Layout layout : kInnermost) {
        const RunOptions run{.x = layout, .y = layout, .residual_is_y = true};
        layer.Check(plan, run);
        const std::vector<float> serial = layer.Run(*plan, run);
        for (const size_t threads : {2, 5, 40}) CHECK(layer.Run(*plan, run, ThreadsExecutor(threads)) == serial);
      }
    });
  }
}

}  // namespace
}  // namespace lacuna::test
