#include <lacuna/formats.h>
#include <lacuna/prune.h>
#include <lacuna/quantized.h>
#include <lacuna/reference.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"
#include "tests/support/tensor.h"
#include "tests/support/threads_executor.h"

namespace lacuna {
namespace {

using test::ForEachTarget;
using test::GuardedBuffer;
using test::GuardedTensor;
using test::Layout;

// A layer with data and what the reference makes of it.
template <int kRank>
struct QuantizedLayer {
  ConvShape<kRank> shape{};
  QuantizedEpilogue epilogue{};
  std::vector<int8_t> weights{};
  std::vector<float> scale{};
  std::vector<int32_t> bias{};
  std::vector<int32_t> x{};
  std::vector<float> residual{};
  std::vector<float> expected{};

  DenseWeights<int8_t> dense() const {
    auto view = DenseWeights<int8_t>::View(MatrixShapeOf(shape), weights);
    REQUIRE(view.ok());
    return *std::move(view);
  }

  void Fill(uint32_t seed, int lowest_weight = -128, int highest_weight = 127) {
    std::mt19937 generator(seed);
    const auto integers = [&](int32_t low, int32_t high) {
      return
          [&generator, pick = std::uniform_int_distribution<int32_t>(low, high)]() mutable { return pick(generator); };
    };
    weights.resize(static_cast<size_t>(shape.weight_elements()));
    auto weight = integers(lowest_weight, highest_weight);
    for (int8_t& w : weights) w = static_cast<int8_t>(weight());
    x.resize(static_cast<size_t>(shape.input_elements()));
    std::generate(x.begin(), x.end(), integers(epilogue.x.lowest(), epilogue.x.highest()));
    residual.resize(epilogue.has_residual ? static_cast<size_t>(shape.output_elements()) : 0);
    auto integer = integers(epilogue.residual.lowest(), epilogue.residual.highest());
    for (float& r : residual) r = static_cast<float>(integer()) * (epilogue.y.type == ValueType::kF32 ? 0.37f : 1.0f);
  }
  void Expect() {
    epilogue.weight_scale = scale;
    epilogue.bias = bias;
    expected.resize(static_cast<size_t>(shape.output_elements()));
    const Status status = reference::QuantizedConvolution<kRank>(shape, weights, epilogue, x, expected, residual);
    const std::string message = status.message();
    CAPTURE(message);
    REQUIRE(status.ok());
  }
  // Scales by which outputs spread over their type, some saturated.
  void Scale(double spread = 150.0) {
    const double deviation = std::sqrt(static_cast<double>(shape.depth())) * 74.0 * 74.0;
    epilogue.x.scale = 0.02f;
    epilogue.y.scale = 0.05f;
    scale.assign(static_cast<size_t>(shape.out_channels), 0.0f);
    for (size_t r = 0; r < scale.size(); ++r) {
      scale[r] = static_cast<float>(spread / deviation * double{epilogue.y.scale} / double{epilogue.x.scale} *
                                    (0.5 + 0.13 * static_cast<double>(r % 7)));
    }
  }
};

template <class T>
std::vector<T> As(const std::vector<int32_t>& values) {
  return {values.begin(), values.end()};
}
template <class T>
std::vector<T> As(const std::vector<float>& values) {
  std::vector<T> as;
  for (const float value : values) as.push_back(static_cast<T>(value));
  return as;
}

struct Layouts {
  Layout x = Layout::kPlanar, y = Layout::kPlanar, residual = Layout::kPlanar;
};

template <int kRank, class X, class Y>
void RunAndCompare(const QuantizedLayer<kRank>& layer, const QuantizedConvolution<kRank>& plan, const Layouts& layouts,
                   size_t threads) {
  const ConvShape<kRank>& shape = layer.shape;
  GuardedTensor<kRank + 2, X> x(shape.input_tensor(), layouts.x);
  GuardedTensor<kRank + 2, Y> y(shape.output_tensor(), layouts.y), residual(shape.output_tensor(), layouts.residual);
  x.Load(As<X>(layer.x));
  QuantizedRunArgs<kRank> args;
  if (layer.epilogue.has_residual) {
    residual.Load(As<Y>(layer.residual));
    args.residual = std::as_const(residual).view();
  }
  const test::ThreadsExecutor executor(threads);
  GuardedBuffer<std::byte> workspace(plan.WorkspaceBytes(threads));
  std::fill(workspace.begin(), workspace.end(), std::byte{0xff});
  args.workspace = workspace.span();
  const Status status = plan.Run(std::as_const(x).view(), y.view(), args, executor);
  const std::string message = status.message();
  CAPTURE(message);
  REQUIRE(status.ok());
  CHECK(y.GapsUntouched());
  const std::vector<Y> actual = y.Values();
  const std::vector<Y> expected = As<Y>(layer.expected);
  size_t wrong = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    if (actual[i] == expected[i]) continue;
    if (wrong++ < 3) FAIL_CHECK("output " << i << " is " << +actual[i] << ", must be " << +expected[i]);
  }
  CHECK(wrong == 0);
}

template <int kRank>
void Check(const QuantizedLayer<kRank>& layer, const Result<QuantizedConvolution<kRank>>& plan,
           const Layouts& layouts = {}, size_t threads = 1) {
  const std::string message = plan.status().message();
  CAPTURE(message);
  REQUIRE(plan.ok());
  INFO(plan->instruction(), " ", plan->Explain().ToString());
  CAPTURE(LayoutName(layouts.x));
  CAPTURE(LayoutName(layouts.y));
  const auto with_x = [&]<class X>(X) {
    switch (layer.epilogue.y.type) {
      case ValueType::kU8: return RunAndCompare<kRank, X, uint8_t>(layer, *plan, layouts, threads);
      case ValueType::kS8: return RunAndCompare<kRank, X, int8_t>(layer, *plan, layouts, threads);
      default: return RunAndCompare<kRank, X, float>(layer, *plan, layouts, threads);
    }
  };
  layer.epilogue.x.type == ValueType::kU8 ? with_x(uint8_t{}) : with_x(int8_t{});
}

// On every target, with its dot product and without.
template <int kRank, class Weights>
void CheckEverywhere(const QuantizedLayer<kRank>& layer, const Weights& weights, const Layouts& layouts = {},
                     size_t threads = 1) {
  ForEachTarget([&] {
    for (const Int8Kernels* kernels = &ActiveInt8Kernels(); kernels != nullptr; kernels = kernels->without_dot) {
      Check(layer, QuantizedConvolution<kRank>::Make(*kernels, weights, layer.shape, layer.epilogue, DefaultPolicy()),
            layouts, threads);
    }
  });
}

constexpr ConvShape<2> kSmall{
    .in_channels = 19, .out_channels = 21, .input = {5, 9}, .kernel = {3, 3}, .pad_begin = {1, 1}, .pad_end = {1, 1}};

TEST_CASE("quantized: every type of input, output and residual") {
  for (const ValueType x : {ValueType::kU8, ValueType::kS8}) {
    for (const ValueType y : {ValueType::kU8, ValueType::kS8, ValueType::kF32}) {
      for (const int residual : {0, 1, 2}) {
        QuantizedLayer<2> layer{.shape = kSmall};
        layer.epilogue.x = {.type = x, .zero_point = 7};
        layer.epilogue.y = {.type = y, .zero_point = y == ValueType::kU8 ? 120 : -5};
        layer.epilogue.has_residual = residual != 0;
        layer.epilogue.residual = {.type = y, .scale = 0.021f, .zero_point = 3};
        if (residual == 2 && y != ValueType::kF32) {
          layer.epilogue.residual.type = y;
          layer.epilogue.residual.scale = 1e20f;  // all saturate
        }
        layer.Fill(1 + static_cast<uint32_t>(residual));
        layer.Scale();
        for (int i = 0; i < 21; ++i) layer.bias.push_back(1000 * i - 7000);
        layer.Expect();
        CheckEverywhere(layer, layer.dense());
      }
    }
  }
}

TEST_CASE("quantized: layouts") {
  QuantizedLayer<2> layer{.shape = kSmall};
  layer.shape.batch = 2;
  layer.epilogue.x.zero_point = 200;
  layer.epilogue.y.zero_point = 100;
  layer.epilogue.has_residual = true;
  layer.epilogue.residual = {.scale = 0.03f, .zero_point = 128};
  layer.Fill(3);
  layer.Scale();
  layer.Expect();
  for (const Layout x : test::kLayouts) {
    CheckEverywhere(layer, layer.dense(), {x, Layout::kPlanar, Layout::kChannelsLast});
    CheckEverywhere(layer, layer.dense(), {Layout::kPlanar, x, x});
  }
  // Channels in whole groups, whose pixels are read as 32-bit elements.
  layer.shape.in_channels = 20;
  layer.shape.stride = {2, 1};
  layer.Fill(4);
  layer.Expect();
  for (const Layout x : test::kLayouts) CheckEverywhere(layer, layer.dense(), {x, x, x});
}

TEST_CASE("quantized: extreme values") {
  for (const ValueType type : {ValueType::kU8, ValueType::kS8}) {
    for (const bool lowest : {false, true}) {
      for (const int weight : {-128, 127, 0}) {
        QuantizedLayer<2> layer{.shape = kSmall};
        layer.shape.in_channels = 64;
        layer.epilogue.x.type = layer.epilogue.y.type = type;
        layer.epilogue.x.zero_point = lowest ? layer.epilogue.x.lowest() : layer.epilogue.x.highest();
        layer.epilogue.y.zero_point = lowest ? layer.epilogue.y.highest() : layer.epilogue.y.lowest();
        layer.Fill(5, weight, weight);
        // The other end of the range everywhere: products are as large as they can be.
        for (int32_t& x : layer.x) x = lowest ? layer.epilogue.x.highest() : layer.epilogue.x.lowest();
        layer.Scale(/*spread=*/0.05);
        layer.Expect();
        CheckEverywhere(layer, layer.dense());
        layer.Scale(/*spread=*/1e30);  // terms are held
        layer.Expect();
        CheckEverywhere(layer, layer.dense());
      }
    }
  }
}

TEST_CASE("quantized: sums are modulo 2^32") {
  QuantizedLayer<1> layer{.shape = {.in_channels = 40, .out_channels = 5, .input = {33}, .kernel = {1}}};
  layer.Fill(6);
  layer.scale = {1.0f};
  layer.epilogue.y.type = ValueType::kF32;
  layer.bias = {2147483647, -2147483647 - 1, 2147483000, 0, -2147483000};
  layer.Expect();
  CheckEverywhere(layer, layer.dense());
}

TEST_CASE("quantized: halves are rounded to even, and the number before a half down") {
  QuantizedLayer<1> layer{.shape = {.in_channels = 1, .out_channels = 3, .input = {256}, .kernel = {1}}};
  layer.Fill(7);
  for (size_t i = 0; i < 256; ++i) layer.x[i] = static_cast<int32_t>(i);
  layer.weights = {1, -1, 1};
  layer.scale = {0.5f, 0.5f, 0.49999997f};
  layer.epilogue.y = {.type = ValueType::kS8, .zero_point = 0};
  layer.Expect();
  CHECK(layer.expected[1] == 0.0f);
  CHECK(layer.expected[3] == 2.0f);
  CHECK(layer.expected[256 + 3] == -2.0f);
  CHECK(layer.expected[512 + 1] == 0.0f);
  CheckEverywhere(layer, layer.dense());
}

TEST_CASE("quantized: activations") {
  for (const ValueType y : {ValueType::kU8, ValueType::kS8, ValueType::kF32}) {
    for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kClamp}) {
      QuantizedLayer<2> layer{.shape = kSmall};
      layer.epilogue.x.zero_point = 9;
      layer.epilogue.y = {.type = y, .zero_point = 11};
      layer.epilogue.activation = activation;
      layer.epilogue.low = -1.03f;
      layer.epilogue.high = 2.71f;
      layer.Fill(8);
      layer.Scale();
      layer.Expect();
      CheckEverywhere(layer, layer.dense());
    }
  }
}

TEST_CASE("quantized: one scale for all rows") {
  QuantizedLayer<2> layer{.shape = kSmall};
  layer.Fill(9);
  layer.Scale();
  layer.scale.resize(1);
  layer.Expect();
  CheckEverywhere(layer, layer.dense());
}

// A random layer.
template <int kRank>
QuantizedLayer<kRank> RandomLayer(uint32_t seed) {
  std::mt19937 generator(seed);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(generator);
  };
  QuantizedLayer<kRank> layer;
  ConvShape<kRank>& shape = layer.shape;
  do {
    shape = {};
    shape.batch = pick(1, 2);
    shape.groups = pick(0, 3) == 0 ? pick(2, 3) : 1;
    shape.in_channels = shape.groups * pick(1, 21);
    shape.out_channels = shape.groups * pick(1, 19);
    for (size_t a = 0; a < kRank; ++a) {
      shape.input[a] = pick(1, kRank == 3 ? 6 : kRank == 2 ? 15 : 120);
      shape.kernel[a] = pick(1, kRank == 3 ? 3 : 5);
      shape.stride[a] = pick(1, 3);
      shape.dilation[a] = pick(1, 2);
      shape.pad_begin[a] = pick(0, 3);
      shape.pad_end[a] = pick(0, 3);
    }
  } while (!shape.Validate().ok());
  QuantizedEpilogue& epilogue = layer.epilogue;
  constexpr ValueType kTypes[] = {ValueType::kU8, ValueType::kS8, ValueType::kF32};
  epilogue.x.type = kTypes[pick(0, 1)];
  epilogue.x.zero_point = static_cast<int32_t>(pick(epilogue.x.lowest(), epilogue.x.highest()));
  epilogue.y.type = kTypes[pick(0, 2)];
  epilogue.y.zero_point = static_cast<int32_t>(pick(epilogue.y.lowest(), epilogue.y.highest()));
  epilogue.has_residual = pick(0, 1) != 0;
  epilogue.residual.type = epilogue.y.type == ValueType::kF32 ? ValueType::kF32 : epilogue.y.type;
  epilogue.residual.scale = 0.04f;
  epilogue.residual.zero_point = static_cast<int32_t>(pick(epilogue.residual.lowest(), epilogue.residual.highest()));
  epilogue.activation = pick(0, 1) != 0 ? Activation::kRelu : Activation::kNone;
  layer.Fill(seed + 1000);
  layer.Scale();
  if (pick(0, 1) != 0) {
    for (int64_t r = 0; r < shape.out_channels; ++r) layer.bias.push_back(static_cast<int32_t>(pick(-9000, 9000)));
  }
  // Some weights go, so that masks and empty groups of columns occur.
  for (int8_t& w : layer.weights) w = pick(0, 2) == 0 ? int8_t{0} : w;
  layer.Expect();
  return layer;
}

template <int kRank>
void CheckRandomLayers(uint32_t first, uint32_t count) {
  for (uint32_t seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    const QuantizedLayer<kRank> layer = RandomLayer<kRank>(seed);
    const Layouts layouts{test::kLayouts[seed % 5], test::kLayouts[seed / 5 % 5], test::kLayouts[seed / 7 % 5]};
    const auto csr = CsrWeights<int8_t>::FromDense(layer.dense());
    REQUIRE(csr.ok());
    CheckEverywhere(layer, *csr, layouts, 1 + seed % 3);
  }
}

TEST_CASE("quantized: random layers of rank 1") { CheckRandomLayers<1>(1, 8); }
TEST_CASE("quantized: random layers of rank 2") { CheckRandomLayers<2>(100, 12); }
TEST_CASE("quantized: random layers of rank 3") { CheckRandomLayers<3>(200, 5); }

TEST_CASE("quantized: every format, pruned in f32 and rounded") {
  const ConvShape<2> shape{.in_channels = 32,
                           .out_channels = 24,
                           .input = {4, 11},
                           .kernel = {3, 3},
                           .pad_begin = {1, 1},
                           .pad_end = {1, 1}};
  std::vector<float> real(static_cast<size_t>(shape.weight_elements()));
  test::FillGaussian(real, 10);
  const auto dense = DenseWeights<float>::View(MatrixShapeOf(shape), real);
  REQUIRE(dense.ok());
  for (const char* name : {"dense", "bcr_col-4x", "bcr_kernel-4x", "bcr-4x", "punched-4x", "block_8x4-4x",
                           "block_kernel_8x4-4x", "unstructured-4x", "pattern-4x", "connectivity-4x", "filter-2x"}) {
    CAPTURE(name);
    const auto scheme = prune::ParseScheme(name);
    REQUIRE(scheme.ok());
    const auto pruned = prune::Project(*dense, *scheme, shape.taps());
    REQUIRE(pruned.ok());
    for (const auto scales : {QuantizedRows::Scales::kPerRow, QuantizedRows::Scales::kPerTensor}) {
      const auto rows = QuantizedRows::Of(*pruned, scales);
      REQUIRE(rows.ok());
      QuantizedLayer<2> layer{.shape = shape};
      layer.epilogue.x.zero_point = 100;
      layer.epilogue.y.zero_point = 130;
      layer.Fill(11);
      const auto values = ExpandRows(*rows);
      REQUIRE(values.ok());
      layer.weights.assign(values->values().begin(), values->values().end());
      layer.Scale();
      layer.Expect();
      CheckEverywhere(layer, *rows);
    }
  }
}

TEST_CASE("quantized rows: the largest weight of a row is 127, rows of zeros stay zero") {
  const std::vector<float> real = {0.5f, -1.0f, 0.25f, 0.0f, 0.0f, 0.0f, 3.0f, 1.5f, -3.0f};
  const auto dense = DenseWeights<float>::View({.rows = 3, .columns = 3}, real);
  REQUIRE(dense.ok());
  const auto rows = QuantizedRows::Of(*dense);
  REQUIRE(rows.ok());
  const auto values = ExpandRows(*rows);
  REQUIRE(values.ok());
  CHECK(std::vector<int8_t>(values->values().begin(), values->values().end()) ==
        std::vector<int8_t>{64, -127, 32, 0, 0, 0, 127, 64, -127});
  CHECK(rows->scale()[0] == 1.0f / 127.0f);
  CHECK(rows->scale()[1] == 1.0f);
  const auto tensor = QuantizedRows::Of(*dense, QuantizedRows::Scales::kPerTensor);
  REQUIRE(tensor.ok());
  CHECK(tensor->scale()[0] == 3.0f / 127.0f);
}

// Filters of one channel each.
template <int kRank>
void CheckDepthwise(const ConvShape<kRank>& shape, uint32_t seed) {
  for (const ValueType type : {ValueType::kU8, ValueType::kS8}) {
    for (const bool residual : {false, true}) {
      QuantizedLayer<kRank> layer{.shape = shape};
      layer.epilogue.x = {.type = type, .zero_point = type == ValueType::kU8 ? 255 : -128};
      layer.epilogue.y = {.type = type, .zero_point = 3};
      layer.epilogue.has_residual = residual;
      layer.epilogue.residual = {.type = type, .scale = 0.04f, .zero_point = -1 + 2 * (type == ValueType::kU8)};
      layer.Fill(seed);
      layer.Scale();
      for (int64_t i = 0; i < shape.out_channels; ++i) layer.bias.push_back(static_cast<int32_t>(900 * i - 4000));
      layer.Expect();
      CheckEverywhere(layer, layer.dense());
      CheckEverywhere(layer, layer.dense(), {Layout::kChannelsLast, Layout::kScattered, Layout::kPlanarGaps}, 3);
    }
  }
}

TEST_CASE("quantized: depthwise, of every stride, dilation and number of filters a channel") {
  for (const int64_t stride : {1, 2, 3}) {
    for (const int64_t dilation : {1, 2}) {
      for (const int64_t filters : {1, 2}) {
        ConvShape<2> shape{.in_channels = 5,
                           .out_channels = 5 * filters,
                           .groups = 5,
                           .input = {9, 13},
                           .kernel = {3, 3},
                           .stride = {stride, stride},
                           .dilation = {dilation, dilation},
                           .pad_begin = {1, 2},
                           .pad_end = {2, 1}};
        CheckDepthwise(shape, static_cast<uint32_t>(31 + stride));
      }
    }
  }
}

TEST_CASE("quantized: depthwise, of every rank, rows longer than a chunk, kernels larger than the input") {
  CheckDepthwise<1>({.in_channels = 3, .out_channels = 3, .groups = 3, .input = {200}, .kernel = {5}, .pad_begin = {2}},
                    41);
  CheckDepthwise<1>({.in_channels = 3, .out_channels = 3, .groups = 3, .input = {131}, .kernel = {4}, .stride = {2}},
                    42);
  CheckDepthwise<2>({.batch = 2,
                     .in_channels = 4,
                     .out_channels = 4,
                     .groups = 4,
                     .input = {7, 7},
                     .kernel = {3, 3},
                     .pad_begin = {1, 1},
                     .pad_end = {1, 1}},
                    43);
  CheckDepthwise<2>({.in_channels = 2,
                     .out_channels = 2,
                     .groups = 2,
                     .input = {2, 3},
                     .kernel = {5, 7},
                     .pad_begin = {4, 5},
                     .pad_end = {4, 5}},
                    44);
  CheckDepthwise<3>({.in_channels = 3,
                     .out_channels = 3,
                     .groups = 3,
                     .input = {4, 5, 70},
                     .kernel = {3, 2, 3},
                     .stride = {2, 1, 1},
                     .pad_begin = {1, 0, 1},
                     .pad_end = {1, 1, 1}},
                    45);
  CheckDepthwise<3>(
      {.in_channels = 3, .out_channels = 6, .groups = 3, .input = {3, 6, 9}, .kernel = {1, 3, 3}, .stride = {1, 2, 2}},
      46);
}

TEST_CASE("quantized: depthwise, extreme weights and float outputs") {
  for (const int weight : {-128, 127}) {
    QuantizedLayer<2> layer{.shape = kSmall};
    layer.shape.in_channels = layer.shape.out_channels = layer.shape.groups = 6;
    layer.epilogue.x = {.type = ValueType::kU8, .zero_point = 0};
    layer.epilogue.y.type = ValueType::kF32;
    layer.Fill(47, weight, weight);
    for (int32_t& x : layer.x) x = 255;
    layer.Scale();
    layer.Expect();
    CheckEverywhere(layer, layer.dense());
  }
}

TEST_CASE("quantized: bad input is named") {
  QuantizedLayer<2> layer{.shape = kSmall};
  layer.Fill(12);
  layer.Scale();
  layer.Expect();
  const auto message = [&](QuantizedEpilogue epilogue) {
    return std::string(MakeQuantizedConvolution<2>(layer.dense(), layer.shape, epilogue).status().message());
  };
  QuantizedEpilogue epilogue = layer.epilogue;
  epilogue.x.zero_point = 256;
  CHECK(message(epilogue) == "epilogue.x.zero_point is 256, must be in [0, 255] for u8");
  epilogue = layer.epilogue;
  epilogue.x.type = ValueType::kF32;
  CHECK(message(epilogue) == "epilogue.x.type is f32, must be u8 or s8");
  epilogue = layer.epilogue;
  epilogue.y.scale = 0.0f;
  CHECK(message(epilogue) == "epilogue.y.scale is 0, must be positive and normal");
  epilogue = layer.epilogue;
  epilogue.weight_scale = epilogue.weight_scale.first(3);
  CHECK(message(epilogue) == "epilogue.weight_scale has 3 values, must have 1 or 21");
  epilogue = layer.epilogue;
  epilogue.activation = Activation::kTanh;
  CHECK(message(epilogue) == "epilogue.activation is tanh, must be none, relu or clamp");
  epilogue = layer.epilogue;
  epilogue.has_residual = true;
  epilogue.residual.type = ValueType::kF32;
  CHECK(message(epilogue) == "epilogue.residual.type is f32, must be f32 exactly if y.type is, which is u8");
  ConvShape<2> other = layer.shape;
  other.in_channels = 20;
  CHECK(std::string(MakeQuantizedConvolution<2>(layer.dense(), other, layer.epilogue).status().message()) ==
        "weights are 21 x 171 in 1 groups, shape needs 21 x 180 in 1");
}

TEST_CASE("quantized: a run's views are checked") {
  QuantizedLayer<1> layer{.shape = {.in_channels = 8, .out_channels = 4, .input = {10}, .kernel = {1}}};
  layer.Fill(13);
  layer.Scale();
  layer.Expect();
  const auto plan = MakeQuantizedConvolution<1>(layer.dense(), layer.shape, layer.epilogue);
  REQUIRE(plan.ok());
  GuardedTensor<3, uint8_t> x(layer.shape.input_tensor(), Layout::kPlanar),
      y(layer.shape.output_tensor(), Layout::kPlanar);
  GuardedTensor<3, int8_t> s(layer.shape.input_tensor(), Layout::kPlanar);
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
  CHECK(std::string(plan->Run(s.view(), y.view(), {.workspace = workspace}).message()) == "x is of s8, must be of u8");
  CHECK(std::string(plan->Run(y.view(), y.view(), {.workspace = workspace}).message()) ==
        "x.extent[1] is 4, must be 8");
  CHECK(std::string(plan->Run(x.view(), y.view(), {}).message()).find("args.workspace has 0 bytes") == 0);
}

}  // namespace
}  // namespace lacuna
