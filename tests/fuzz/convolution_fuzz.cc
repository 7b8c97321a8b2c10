// Random convolutions of every rank, format, scheme, form, layout, epilogue and SIMD target against reference/; the
// same bits for any number of slots; a plan of packed weights, and one of their blob, compute the bits of the first.

#include <cstring>
#include <string_view>

#include "tests/fuzz/decisions.h"
#include "tests/op/winograd_layers.h"
#include "tests/support/blob_damage.h"

namespace lacuna::fuzz::convolution_fuzzer {
namespace {

using test::ConvLayer;
using test::RunOptions;
using test::ScopedTarget;

constexpr int64_t kMostProducts = 60000;  // of the reference
constexpr int64_t kMostWeights = 20000;

template <int kRank>
std::optional<ConvShape<kRank>> PickShape(Input& in) {
  ConvShape<kRank> shape;
  shape.batch = in.Byte() % 8 == 0 ? 2 : 1;
  constexpr int64_t kGroups[] = {1, 1, 1, 1, 2, 3, 5, 16};
  shape.groups = in.Pick(kGroups);
  const bool depthwise = in.Byte() % 8 == 0;
  shape.in_channels = shape.groups * (depthwise ? 1 : in.Range(1, 40));
  shape.out_channels = shape.groups * (depthwise ? 1 : in.Range(1, 40));
  for (int axis = 0; axis < kRank; ++axis) {
    constexpr int64_t kKernels[] = {1, 3, 3, 3, 2, 5, 4, 7};
    shape.kernel[axis] = in.Pick(kKernels);
    shape.stride[axis] = in.Byte() % 4 == 0 ? in.Range(1, 4) : 1;
    shape.dilation[axis] = in.Byte() % 8 == 0 ? in.Range(1, 3) : 1;
    shape.pad_begin[axis] = in.Range(0, 3);
    shape.pad_end[axis] = in.Range(0, 3);
    shape.input[axis] = in.Range(1, kRank == 1 ? 200 : 40);
  }
  // Too large ones shrink until the reference takes a millisecond.
  while (true) {
    if (!shape.Validate().ok() || shape.weight_elements() > kMostWeights) return std::nullopt;
    if (shape.dense_flops() <= 2.0 * static_cast<double>(kMostProducts)) return shape;
    const auto largest = std::max_element(shape.input.begin(), shape.input.end());
    *largest = *largest * 2 / 3;
    if (*largest < 1) return std::nullopt;
  }
}

// The tile whose name a plan's algorithm is; null if it is no Winograd form.
const WinogradTile* TileOf(const char* algorithm) {
  for (const auto& named : kWinogradTiles) {
    if (std::strcmp(named.name, algorithm) == 0) return &named.tile;
  }
  return nullptr;
}

template <int kRank>
void RunRank(Input& in) {
  const auto shape = PickShape<kRank>(in);
  if (!shape) return;
  const AnyForm policy = PickForm(in);
  test::LayerOptions options = PickOptions(in);
  if (policy.winograd_error > 0) options.integers = false;  // transforms round
  std::vector<float> values(static_cast<size_t>(shape->weight_elements()));
  options.integers ? test::FillIntegers(values, options.seed) : test::FillGaussian(values, options.seed);
  test::Thin(values, options.seed + 1, options.density);
  const auto dense = DenseWeights<float>::View(MatrixShapeOf(*shape), values);
  REQUIRE(dense.ok());
  const auto weights = PickWeights(in, *dense, shape->taps());
  if (!weights) return;
  const auto kept = weights->ToDense();
  REQUIRE(kept.ok());
  options.weights = kept->values();
  ConvLayer<kRank> layer(*shape, options);

  const ScopedTarget scope(PickTarget(in));
  const RunOptions run = PickRun(in);
  const TurnsExecutor executor = PickExecutor(in);
  const auto plan = MakeConvolution<kRank>(*weights, *shape, layer.epilogue(), policy);
  REQUIRE(plan.ok());
  if (const WinogradTile* tile = TileOf(plan->Explain().algorithm)) {
    layer.Allow(test::ErrorOf(AsVolume(*shape), *tile, layer.data()));
  }
  layer.Check(plan, run, executor);

  const std::vector<float> bits = layer.Run(*plan, run);
  CHECK(layer.Run(*plan, run, executor) == bits);
  if (!plan->weights()) return;  // a Winograd form's cannot be kept
  const auto shared = MakeConvolution<kRank>(plan->weights(), *shape, layer.epilogue(), policy);
  REQUIRE(shared.ok());
  CHECK(layer.Run(*shared, run) == bits);
  const test::Blob blob = test::BlobOf(*plan->weights(), ActiveTargetName());
  const auto viewed = ViewPackedWeights(blob);
  REQUIRE(viewed.ok());
  const auto mapped = MakeConvolution<kRank>(*viewed, *shape, layer.epilogue(), policy);
  REQUIRE(mapped.ok());
  CHECK(layer.Run(*mapped, run) == bits);
}

void Run(std::span<const uint8_t> bytes) {
  Input in(bytes);
  switch (in.Range(0, 3)) {
    case 0: return RunRank<1>(in);
    case 1: return RunRank<3>(in);
    default: return RunRank<2>(in);
  }
}

const Registration kRegistration({.name = "convolution", .run = &Run, .test_runs = 150});

}  // namespace
}  // namespace lacuna::fuzz::convolution_fuzzer
