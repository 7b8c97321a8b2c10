// Random convolutions of 8-bit integers against reference/, to the bit: every type, zero point, scale, format, layout
// and SIMD target, with its dot product and without, for any number of slots.

#include "lacuna/reference/quantized.h"

#include <bit>
#include <cmath>
#include <random>
#include <type_traits>

#include "tests/fuzz/decisions.h"

namespace lacuna::fuzz::quantized_fuzzer {
namespace {

using test::GuardedBuffer;
using test::GuardedTensor;
using test::Layout;
using test::ScopedTarget;

struct Layer {
  ConvShape<2> shape{};
  QuantizedEpilogue epilogue{};
  std::vector<int8_t> weights{};
  std::vector<float> scale{};
  std::vector<int32_t> bias{}, x{};
  std::vector<float> residual{}, expected{};
};

bool PickShape(Input& in, ConvShape<2>& shape) {
  shape.batch = in.Byte() % 8 == 0 ? 2 : 1;
  constexpr int64_t kGroups[] = {1, 1, 1, 2, 3, 8};
  shape.groups = in.Pick(kGroups);
  const bool depthwise = in.Byte() % 8 == 0;
  shape.in_channels = shape.groups * (depthwise ? 1 : in.Range(1, 40));
  shape.out_channels = shape.groups * (depthwise ? 1 : in.Range(1, 40));
  for (size_t axis = 0; axis < 2; ++axis) {
    constexpr int64_t kKernels[] = {1, 3, 2, 5};
    shape.kernel[axis] = in.Pick(kKernels);
    shape.stride[axis] = in.Byte() % 4 == 0 ? in.Range(1, 4) : 1;
    shape.dilation[axis] = in.Byte() % 8 == 0 ? in.Range(1, 3) : 1;
    shape.pad_begin[axis] = in.Range(0, 3);
    shape.pad_end[axis] = in.Range(0, 3);
    shape.input[axis] = in.Range(1, 40);
  }
  while (shape.Validate().ok() && shape.dense_flops() > 120000.0) {
    int64_t& largest = shape.input[0] > shape.input[1] ? shape.input[0] : shape.input[1];
    largest = largest * 2 / 3;
  }
  return shape.Validate().ok() && shape.weight_elements() <= 20000;
}

// Of any magnitude that Validate accepts: saturation and underflow are results like others.
float PickScale(Input& in) {
  constexpr float kScales[] = {0.02f, 1.0f, 1e-3f, 7.5f, 1e-20f, 1e20f, 0x1p-126f, 0.1f};
  return in.Pick(kScales);
}

Quantization PickQuantization(Input& in, bool may_be_real) {
  Quantization quantization{.type = in.Flip() ? ValueType::kS8 : ValueType::kU8};
  quantization.scale = PickScale(in);
  quantization.zero_point = quantization.lowest() + in.Byte();
  if (may_be_real && in.Byte() % 4 == 0) quantization.type = ValueType::kF32;
  return quantization;
}

template <class T, class From>
std::vector<T> As(const std::vector<From>& values) {
  std::vector<T> as;
  for (const From value : values) as.push_back(static_cast<T>(value));
  return as;
}

struct Layouts {
  Layout x, y, residual;
  bool residual_is_y;
};

template <class X, class Y, class R>
void CheckPlan(const Layer& layer, const QuantizedConvolution<2>& plan, const Layouts& layouts,
               const TurnsExecutor& executor) {
  GuardedTensor<4, X> x(layer.shape.input_tensor(), layouts.x);
  GuardedTensor<4, Y> y(layer.shape.output_tensor(), layouts.y);
  GuardedTensor<4, R> residual(layer.shape.output_tensor(), layouts.residual);
  x.Load(As<X>(layer.x));
  QuantizedRunArgs<2> args;
  if (layer.epilogue.has_residual) {
    residual.Load(As<R>(layer.residual));
    args.residual = std::as_const(residual).view();
    if constexpr (std::is_same_v<R, Y>) {
      if (layouts.residual_is_y) {
        y.Load(As<Y>(layer.residual));
        args.residual = std::as_const(y).view();
      }
    }
  }
  GuardedBuffer<std::byte> workspace(plan.WorkspaceBytes(executor.concurrency()));
  std::fill(workspace.begin(), workspace.end(), std::byte{0xff});
  args.workspace = workspace.span();
  const Status status = plan.Run(std::as_const(x).view(), y.view(), args, executor);
  const std::string message = status.message();
  CAPTURE(message);
  REQUIRE(status.ok());
  CHECK(y.GapsUntouched());
  const std::vector<Y> actual = y.Values(), expected = As<Y>(layer.expected);
  for (size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CAPTURE(+expected[i]);
    CAPTURE(+actual[i]);
    if constexpr (std::is_same_v<Y, float>) {
      // NaN of infinity less infinity has no sign to rely on; zeros are equal.
      REQUIRE((actual[i] == expected[i] || (std::isnan(actual[i]) && std::isnan(expected[i]))));
    } else {
      REQUIRE(actual[i] == expected[i]);
    }
  }
}

void Run(std::span<const uint8_t> bytes) {
  Input in(bytes);
  Layer layer;
  if (!PickShape(in, layer.shape)) return;
  QuantizedEpilogue& epilogue = layer.epilogue;
  epilogue.x = PickQuantization(in, false);
  epilogue.y = PickQuantization(in, true);
  epilogue.has_residual = in.Flip();
  epilogue.residual = PickQuantization(in, false);
  if (epilogue.y.type == ValueType::kF32) epilogue.residual.type = ValueType::kF32;
  constexpr Activation kActivations[] = {Activation::kNone, Activation::kRelu, Activation::kClamp};
  epilogue.activation = in.Pick(kActivations);
  epilogue.low = -2.5f;
  epilogue.high = 4.0f;
  layer.scale.resize(in.Flip() ? 1 : static_cast<size_t>(layer.shape.out_channels));
  const float scale = PickScale(in);
  for (size_t i = 0; i < layer.scale.size(); ++i) layer.scale[i] = scale * (1.0f + static_cast<float>(i % 7));
  const bool extreme = in.Byte() % 8 == 0;
  const int density = static_cast<int>(in.Range(0, 4));
  std::mt19937 random(in.Word());
  if (in.Flip()) {
    for (int64_t i = 0; i < layer.shape.out_channels; ++i) {
      layer.bias.push_back(extreme ? static_cast<int32_t>(random()) : static_cast<int32_t>(random() % 20001) - 10000);
    }
  }
  for (int64_t i = 0; i < layer.shape.weight_elements(); ++i) {
    const auto value =
        static_cast<int8_t>(extreme ? (random() % 2 != 0 ? -128 : 127) : static_cast<int>(random() % 256) - 128);
    layer.weights.push_back(static_cast<int>(random() % 4) < density ? value : int8_t{0});
  }
  for (int64_t i = 0; i < layer.shape.input_elements(); ++i) {
    layer.x.push_back(extreme ? (random() % 8 != 0 ? epilogue.x.highest() : epilogue.x.lowest())
                              : epilogue.x.lowest() + static_cast<int32_t>(random() % 256));
  }
  if (epilogue.has_residual) {
    const bool real = epilogue.residual.type == ValueType::kF32;
    for (int64_t i = 0; i < layer.shape.output_elements(); ++i) {
      const auto integer = epilogue.residual.lowest() + static_cast<int32_t>(random() % 256);
      layer.residual.push_back(static_cast<float>(integer) * (real ? 0.37f : 1.0f));
    }
  }
  epilogue.weight_scale = layer.scale;
  epilogue.bias = layer.bias;
  if (!epilogue.Validate(layer.shape.out_channels).ok()) return;
  layer.expected.resize(static_cast<size_t>(layer.shape.output_elements()));
  REQUIRE(
      reference::QuantizedConvolution<2>(layer.shape, layer.weights, epilogue, layer.x, layer.expected, layer.residual)
          .ok());

  const auto dense = DenseWeights<int8_t>::View(MatrixShapeOf(layer.shape), layer.weights);
  REQUIRE(dense.ok());
  const BlockShape block{in.Range(1, 17), in.Range(1, 33)};
  const auto csr = CsrWeights<int8_t>::FromDense(*dense);
  const auto bcr = BcrWeights<int8_t>::FromDense(*dense, block);
  const auto blocks = BlockWeights<int8_t>::FromDense(*dense, block);
  REQUIRE(csr.ok());
  REQUIRE(bcr.ok());
  REQUIRE(blocks.ok());
  const RowSource<int8_t> formats[] = {*dense, *csr, *bcr, *blocks};
  const RowSource<int8_t>& weights = in.Pick(formats);

  const ScopedTarget scope(PickTarget(in));
  const Int8Kernels* kernels = &ActiveInt8Kernels();
  if (in.Flip() && kernels->without_dot != nullptr) kernels = kernels->without_dot;
  const Layouts layouts{in.Pick(test::kLayouts), in.Pick(test::kLayouts), in.Pick(test::kLayouts), in.Flip()};
  const TurnsExecutor executor = PickExecutor(in);
  DefaultPolicy policy;
  constexpr size_t kTileBytes[] = {kInputTileBytes, 1024, 1 << 20};
  policy.input_tile_bytes = in.Pick(kTileBytes);
  const auto plan = QuantizedConvolution<2>::Make(*kernels, weights, layer.shape, epilogue, policy);
  const std::string message = plan.status().message();
  CAPTURE(message);
  REQUIRE(plan.ok());
  const auto with_y = [&]<class X, class R>(X, R) {
    switch (epilogue.y.type) {
      case ValueType::kU8: return CheckPlan<X, uint8_t, R>(layer, *plan, layouts, executor);
      case ValueType::kS8: return CheckPlan<X, int8_t, R>(layer, *plan, layouts, executor);
      default: return CheckPlan<X, float, float>(layer, *plan, layouts, executor);
    }
  };
  const auto with_x = [&](auto x) {
    epilogue.residual.type == ValueType::kS8 ? with_y(x, int8_t{}) : with_y(x, uint8_t{});
  };
  epilogue.x.type == ValueType::kU8 ? with_x(uint8_t{}) : with_x(int8_t{});
}

const Registration kRegistration({.name = "quantized", .run = &Run, .test_runs = 150});

}  // namespace
}  // namespace lacuna::fuzz::quantized_fuzzer
