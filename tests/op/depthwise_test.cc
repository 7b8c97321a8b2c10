// Depthwise layers: activations with channels innermost, and planar ones, have kernels of their own, all others and
// mixtures the general path.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"
#include "tests/support/random.h"
#include "tests/support/threads_executor.h"

namespace lacuna::test {
namespace {

constexpr Layout kInnermost[] = {Layout::kChannelsLast, Layout::kChannelsLastGaps};
constexpr Layout kOwn[] = {Layout::kChannelsLast, Layout::kChannelsLastGaps, Layout::kPlanar, Layout::kPlanarGaps};

template <int kRank>
ConvShape<kRank> Depthwise(int64_t channels, ConvShape<kRank> shape) {
  shape.in_channels = shape.out_channels = shape.groups = channels;
  return shape;
}

// In the layouts with own kernels on every target, up to a protected page before and behind each tensor.
template <int kRank>
void CheckEverywhere(const ConvLayer<kRank>& layer) {
  const auto dense = layer.dense();
  ForEachTarget([&] {
    const auto plan = PlanConvolution<kRank>(dense, layer.shape(), layer.epilogue());
    for (const Layout layout : kOwn) {
      INFO(LayoutName(layout));
      for (const Guard guard : {Guard::kAfter, Guard::kBefore}) {
        layer.Check(plan, {.x = layout, .y = layout, .residual = layout, .guard = guard});
      }
    }
  });
}

TEST_CASE("depthwise: channels around vectors, kernels, strides and dilations") {
  const Extents<2> kernels[] = {{3, 3}, {5, 5}, {1, 3}, {3, 1}, {7, 7}, {1, 1}, {2, 5}};
  for (const int64_t channels : {1, 3, 16, 17, 33, 96}) {
    for (const Extents<2>& kernel : kernels) {
      for (int64_t stride = 1; stride <= 3; ++stride) {
        for (int64_t dilation = 1; dilation <= 2; ++dilation) {
          CheckEverywhere(ConvLayer<2>(Depthwise<2>(channels, {.input = {14, 15},
                                                               .kernel = kernel,
                                                               .stride = {stride, stride},
                                                               .dilation = {dilation, dilation},
                                                               .pad_begin = {kernel[0] / 2, kernel[1] / 2},
                                                               .pad_end = {kernel[0] / 2, kernel[1] / 2}}),
                                       {.bias = true}));
        }
      }
    }
  }
}

TEST_CASE("depthwise: planes of square kernels, widths around vectors, heights around the rows of a step") {
  for (const int64_t kernel : {3, 5}) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t height : {1, 5, 8}) {
        for (const int64_t width : {1, 2, 7, 16, 17, 18, 33, 36, 70}) {
          ConvShape<2> shape = Depthwise<2>(3, {.input = {height, width}, .kernel = {kernel, kernel}});
          shape.stride = {stride, stride};
          shape.pad_begin = {kernel / 2, kernel / 2};
          shape.pad_end = {kernel / 2, kernel / 2 - 1};
          if (!shape.Validate().ok()) continue;
          const ConvLayer<2> layer(shape, {.bias = true});
          CheckEverywhere(layer);
          const auto plan = PlanConvolution<2>(layer.dense(), shape, layer.epilogue());
          if (kernel == 3) CHECK(std::string(plan->Explain().planar) == "depthwise");
        }
      }
    }
  }
}

TEST_CASE("depthwise: widths around the columns that are computed at a time") {
  for (int64_t width = 1; width <= 45; ++width) {
    for (const int64_t kernel : {1, 3, 5}) {
      for (const int64_t stride : {1, 2}) {
        CheckEverywhere(ConvLayer<2>(Depthwise<2>(19, {.input = {2, width},
                                                       .kernel = {1, kernel},
                                                       .stride = {1, stride},
                                                       .pad_begin = {0, kernel / 2},
                                                       .pad_end = {0, kernel / 2}})));
      }
    }
  }
}

TEST_CASE("depthwise: asymmetric padding, none, wider than the kernel; images smaller than the kernel") {
  const Extents<2> inputs[] = {{9, 11}, {1, 12}, {12, 1}, {1, 1}, {2, 2}};
  for (const Extents<2>& input : inputs) {
    for (const Extents<2>& kernel : {Extents<2>{3, 3}, {5, 5}, {4, 2}}) {
      for (const Extents<2>& begin : {Extents<2>{0, 0}, {1, 0}, {0, 2}, {4, 6}, {9, 40}}) {
        for (const Extents<2>& end : {Extents<2>{0, 0}, {0, 1}, {3, 2}, {7, 33}}) {
          ConvShape<2> shape =
              Depthwise<2>(21, {.batch = 2, .input = input, .kernel = kernel, .pad_begin = begin, .pad_end = end});
          for (const int64_t stride : {1, 2}) {
            shape.stride = {stride, stride};
            if (shape.Validate().ok()) CheckEverywhere(ConvLayer<2>(shape, {.bias = true}));
          }
        }
      }
    }
  }
}

TEST_CASE("depthwise: strides and dilations that differ between axes") {
  for (const Extents<2>& stride : {Extents<2>{1, 2}, {2, 1}, {3, 4}}) {
    for (const Extents<2>& dilation : {Extents<2>{1, 1}, {2, 1}, {1, 3}}) {
      CheckEverywhere(ConvLayer<2>(Depthwise<2>(20, {.input = {13, 31},
                                                     .kernel = {3, 3},
                                                     .stride = stride,
                                                     .dilation = dilation,
                                                     .pad_begin = {1, 2},
                                                     .pad_end = {2, 0}})));
    }
  }
}

TEST_CASE("depthwise: images that are fetched ahead") {
  for (const int64_t stride : {1, 2}) {
    const ConvLayer<2> layer(Depthwise<2>(
        40, {.input = {64, 65}, .kernel = {3, 3}, .stride = {stride, stride}, .pad_begin = {1, 1}, .pad_end = {1, 1}}));
    CheckEverywhere(layer);
  }
}

TEST_CASE("depthwise: rank 1 and rank 3") {
  for (const int64_t stride : {1, 2}) {
    for (const int64_t dilation : {1, 2}) {
      CheckEverywhere(ConvLayer<1>(Depthwise<1>(18, {.batch = 2,
                                                     .input = {29},
                                                     .kernel = {5},
                                                     .stride = {stride},
                                                     .dilation = {dilation},
                                                     .pad_begin = {3},
                                                     .pad_end = {1}})));
      CheckEverywhere(ConvLayer<3>(Depthwise<3>(18, {.batch = 2,
                                                     .input = {4, 5, 9},
                                                     .kernel = {3, 2, 3},
                                                     .stride = {stride, 1, stride},
                                                     .dilation = {dilation, dilation, 1},
                                                     .pad_begin = {1, 0, 2},
                                                     .pad_end = {2, 1, 1}}),
                                   {.bias = true, .residual = true}));
    }
  }
}

TEST_CASE("depthwise: every activation, with and without residual, which may be the output") {
  const ConvShape<2> shape =
      Depthwise<2>(35, {.batch = 2, .input = {5, 17}, .kernel = {3, 3}, .pad_begin = {1, 1}, .pad_end = {1, 1}});
  for (const Activation activation :
       {Activation::kNone, Activation::kRelu, Activation::kClamp, Activation::kLeakyRelu, Activation::kSigmoid,
        Activation::kTanh, Activation::kSilu, Activation::kHardSwish}) {
    CAPTURE(ActivationName(activation));
    const bool exact = ClampRange::Of({.activation = activation}).is_clamp;
    for (const bool residual : {false, true}) {
      const ConvLayer<2> layer(
          shape,
          {.integers = exact, .bias = true, .residual = residual, .epilogue = {.activation = activation, .low = -3}});
      CheckEverywhere(layer);
      const auto dense = layer.dense();
      ForEachTarget([&] {
        const auto plan = PlanConvolution<2>(dense, shape, layer.epilogue());
        for (const Layout layout : kOwn) layer.Check(plan, {.x = layout, .y = layout, .residual_is_y = true});
      });
    }
  }
}

TEST_CASE("depthwise: mixed layouts and others fall back") {
  const ConvLayer<2> layer(
      Depthwise<2>(19, {.input = {6, 10}, .kernel = {3, 3}, .pad_begin = {1, 1}, .pad_end = {1, 1}}),
      {.bias = true, .residual = true});
  const auto dense = layer.dense();
  ForEachTarget([&] {
    const auto plan = PlanConvolution<2>(dense, layer.shape(), layer.epilogue());
    for (const Layout x : kLayouts) {
      for (const Layout y : kLayouts) {
        for (const Layout residual : {Layout::kPlanar, Layout::kChannelsLast}) {
          INFO(LayoutName(x) << " to " << LayoutName(y) << ", residual " << LayoutName(residual));
          layer.Check(plan, {.x = x, .y = y, .residual = residual});
        }
      }
    }
  });
}

TEST_CASE("depthwise: sparse weights of any format, and packed ones of either kernel") {
  for (const int64_t dilation : {1, 2}) {
    const ConvShape<2> shape = Depthwise<2>(
        34, {.input = {6, 9}, .kernel = {5, 3}, .dilation = {dilation, 1}, .pad_begin = {4, 1}, .pad_end = {4, 1}});
    const ConvLayer<2> layer(shape, {.density = 0.4, .bias = true});
    const auto bcr = layer.bcr({1, 3});
    const AnyWeights<float> any = layer.bcr({2, 5});
    const auto check = [&](const auto& plan) {
      REQUIRE(plan.ok());
      CHECK(std::string(plan->Explain().channels_last) == "depthwise");
      for (const Layout layout : kInnermost) layer.Check(plan, {.x = layout, .y = layout});
      layer.Check(plan, {});
    };
    ForEachTarget([&] {
      check(PlanConvolution<2>(bcr, shape, layer.epilogue()));
      check(PlanConvolution<2>(any, shape, layer.epilogue()));
      for (int tile = 0; tile < TileCount(); ++tile) {
        CAPTURE(TileName(tile));
        const auto plan = PlanConvolution<2>(bcr, shape, layer.epilogue(), {.tile = tile});
        check(plan);
        check(PlanConvolution<2>(plan->weights(), shape, layer.epilogue()));
      }
    });
  }
}

TEST_CASE("depthwise: only layers that are, and plans that say so") {
  const ConvShape<2> shape = Depthwise<2>(8, {.input = {4, 4}, .kernel = {3, 3}});
  const ConvLayer<2> layer(shape);
  const auto plan = PlanConvolution<2>(layer.dense(), shape);
  REQUIRE(plan.ok());
  CHECK(plan->Explain().ToString().find("depthwise") != std::string::npos);
  ConvShape<2> two_filters = shape, two_channels = shape;
  two_filters.out_channels = 16;
  two_channels.groups = 4;
  for (const ConvShape<2>& other : {two_filters, two_channels}) {
    const ConvLayer<2> general(other);
    const auto general_plan = PlanConvolution<2>(general.dense(), other);
    REQUIRE(general_plan.ok());
    CHECK(std::string(general_plan->Explain().channels_last).empty());
    for (const Layout layout : kInnermost) general.Check(general_plan, {.x = layout, .y = layout});
  }
}

TEST_CASE("depthwise: planar activations are for the pattern kernel, however small the image") {
  for (const int64_t extent : {1, 3, 7, 14, 28}) {
    for (const int64_t stride : {1, 2}) {
      CAPTURE(extent);
      const ConvLayer<2> layer(Depthwise<2>(64, {.input = {extent, extent},
                                                 .kernel = {3, 3},
                                                 .stride = {stride, stride},
                                                 .pad_begin = {1, 1},
                                                 .pad_end = {1, 1}}));
      ForEachTarget([&] {
        const auto plan = PlanConvolution<2>(layer.dense(), layer.shape());
        REQUIRE(plan.ok());
        INFO(plan->Explain().ToString());
        CHECK(std::string(plan->Explain().algorithm) == "pattern");
        layer.Check(plan);
      });
    }
  }
}

TEST_CASE("depthwise: bit-identical for any number of threads") {
  for (const int64_t batch : {1, 3}) {
    const ConvLayer<2> layer(
        Depthwise<2>(37, {.batch = batch, .input = {13, 18}, .kernel = {3, 3}, .pad_begin = {1, 1}, .pad_end = {1, 1}}),
        {.integers = false, .bias = true, .epilogue = {.activation = Activation::kSilu}});
    const auto dense = layer.dense();
    ForEachTarget([&] {
      const auto plan = PlanConvolution<2>(dense, layer.shape(), layer.epilogue());
      const RunOptions run{.x = Layout::kChannelsLast, .y = Layout::kChannelsLastGaps};
      layer.Check(plan, run);
      const std::vector<float> serial = layer.Run(*plan, run);
      for (const size_t threads : {2, 3, 7, 60}) {
        CAPTURE(threads);
        CHECK(layer.Run(*plan, run, ThreadsExecutor(threads)) == serial);
      }
    });
  }
}

}  // namespace
}  // namespace lacuna::test
