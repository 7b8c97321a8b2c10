// What docs/numerics.md says, of every form of a layer on every SIMD target: how far NaN and infinity reach, scales by
// powers of two, denormals, zeros, activations at infinity.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/plans.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

bool SameBits(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }

// Half of the kernels are there, with holes: what each form makes of them differs.
struct Layer {
  ConvShape<2> shape{.in_channels = 8,
                     .out_channels = 20,
                     .input = {13, 17},
                     .kernel = {3, 3},
                     .pad_begin = {1, 1},
                     .pad_end = {1, 1}};
  std::vector<float> values = std::vector<float>(static_cast<size_t>(shape.weight_elements()));
  std::vector<float> x = std::vector<float>(static_cast<size_t>(shape.input_elements()));

  Layer() {
    FillGaussian(values, 1);
    Thin(values, 2, 0.7);
    for (size_t kernel = 0; kernel < values.size() / 9; kernel += 2) {
      for (size_t tap = 0; tap < 9; ++tap) values[kernel * 9 + tap] = 0.0f;
    }
    FillGaussian(x, 3);
  }
  DenseWeights<float> dense() const {
    auto view = DenseWeights<float>::View(MatrixShapeOf(shape), values);
    REQUIRE(view.ok());
    return *std::move(view);
  }
  std::vector<float> Run(const Convolution<2>& plan, const std::vector<float>& input) const {
    std::vector<float> y(static_cast<size_t>(shape.output_elements()));
    std::vector<std::byte> workspace(plan.WorkspaceBytes(1));
    REQUIRE(plan.Run(TensorView<const float, 4>::Planar(input.data(), shape.input_tensor()),
                     TensorView<float, 4>::Planar(y.data(), shape.output_tensor()), {.workspace = workspace})
                .ok());
    return y;
  }
};

// f(plan, name) for every form that the layer has in any format, on every target.
template <class F>
void ForEachForm(const Layer& layer, const F& f) {
  const auto dense = layer.dense();
  const auto csr = CsrWeights<float>::FromDense(dense);
  const auto bcr = BcrWeights<float>::FromDense(dense, BlockShape{4, 9});
  const auto pattern = PatternWeights<float>::FromDense(dense, 9);
  REQUIRE(csr.ok());
  REQUIRE(bcr.ok());
  REQUIRE(pattern.ok());
  ForEachTarget([&] {
    for (const LayerWeights& weights :
         {LayerWeights(dense), LayerWeights(*csr), LayerWeights(*bcr), LayerWeights(*pattern)}) {
      const auto any = PlanConvolution<2>(weights, layer.shape, {}, {.winograd_error = 1.0});
      REQUIRE(any.ok());
      const Explanation explanation = any->Explain();
      REQUIRE(explanation.option_count > 3);
      for (size_t i = 0; i < explanation.option_count; ++i) {
        const std::string name = explanation.options[i].name;
        CAPTURE(name);
        const auto plan = PlanConvolution<2>(weights, layer.shape, {}, {.algorithm = name.c_str()});
        REQUIRE(plan.ok());
        f(*plan, name);
      }
    }
  });
}

// The Winograd tile's outputs of an axis, 1 of any other form.
std::array<int64_t, 2> TileOf(const std::string& name) {
  for (const auto& named : kWinogradTiles) {
    if (name == named.name) return {named.tile.outputs[1], named.tile.outputs[2]};
  }
  return {1, 1};
}

TEST_CASE("numerics: NaN and infinity reach what keeps them, and nothing outside the kernel's or the tile's reach") {
  const Layer layer;
  constexpr int64_t kChannel = 3, kRow = 6, kColumn = 9;
  const auto at = static_cast<size_t>((kChannel * layer.shape.input[0] + kRow) * layer.shape.input[1] + kColumn);
  ForEachForm(layer, [&](const Convolution<2>& plan, const std::string& name) {
    const std::vector<float> finite = layer.Run(plan, layer.x);
    const std::array<int64_t, 2> tile = TileOf(name);
    // The tiles of an axis that read input `i`: those of outputs i - 1 to i + 1.
    const auto reads = [](int64_t output, int64_t i, int64_t outputs) {
      return output / outputs >= (i - 1) / outputs && output / outputs <= (i + 1) / outputs;
    };
    for (const float value : {kNan, kInfinity, -kInfinity}) {
      CAPTURE(value);
      std::vector<float> x = layer.x;
      x[at] = value;
      const std::vector<float> y = layer.Run(plan, x);
      size_t lost = 0, spread = 0, next = 0;
      for (int64_t oc = 0; oc < layer.shape.out_channels; ++oc) {
        for (int64_t row = 0; row < layer.shape.output(0); ++row) {
          for (int64_t column = 0; column < layer.shape.output(1); ++column, ++next) {
            const int64_t kh = kRow - row + 1, kw = kColumn - column + 1;
            const bool inside = kh >= 0 && kh < 3 && kw >= 0 && kw < 3;
            const bool kept =
                inside && layer.values[static_cast<size_t>((oc * 8 + kChannel) * 9 + kh * 3 + kw)] != 0.0f;
            if (kept) {
              lost += std::isfinite(y[next]);
            } else if (!reads(row, kRow, tile[0]) || !reads(column, kColumn, tile[1])) {
              spread += !SameBits(y[next], finite[next]);
            }
          }
        }
      }
      CHECK(lost == 0);
      CHECK(spread == 0);
    }
  });
}

TEST_CASE("numerics: a matrix product with a vector leaves NaN out where its column is pruned, whatever the form") {
  constexpr int64_t kRows = 70, kColumns = 45, kAt = 17;
  std::vector<float> values(kRows * kColumns), x(kColumns), y(kRows);
  FillGaussian(values, 1);
  Thin(values, 2, 0.3);
  FillGaussian(x, 3);
  x[kAt] = kNan;
  const auto dense = DenseWeights<float>::View({.rows = kRows, .columns = kColumns}, values);
  REQUIRE(dense.ok());
  const auto csr = CsrWeights<float>::FromDense(*dense);
  REQUIRE(csr.ok());
  ForEachTarget([&] {
    const auto any = PlanGemv(*csr);
    REQUIRE(any.ok());
    const Explanation explanation = any->Explain();
    for (size_t i = 0; i < explanation.option_count; ++i) {
      const char* name = explanation.options[i].name;
      CAPTURE(name);
      const auto plan = PlanGemv(*csr, {}, {.algorithm = name});
      REQUIRE(plan.ok());
      std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
      REQUIRE(plan->Run(MatrixView<const float>::RowMajor(x.data(), kColumns, 1),
                        MatrixView<float>::RowMajor(y.data(), kRows, 1), {.workspace = workspace})
                  .ok());
      size_t wrong = 0;
      for (int64_t row = 0; row < kRows; ++row) {
        const bool kept = values[static_cast<size_t>(row * kColumns + kAt)] != 0.0f;
        wrong += std::isnan(y[static_cast<size_t>(row)]) != kept;
      }
      CHECK(wrong == 0);
    }
  });
}

// All arithmetic scales exactly as long as nothing leaves the range of normal numbers: transforms of Winograd forms,
// too.
TEST_CASE("numerics: inputs times a power of two give outputs times it, to the bit") {
  const Layer layer;
  ForEachForm(layer, [&](const Convolution<2>& plan, const std::string&) {
    const std::vector<float> y = layer.Run(plan, layer.x);
    for (const int exponent : {100, -70}) {
      CAPTURE(exponent);
      std::vector<float> x = layer.x;
      for (float& value : x) value = std::ldexp(value, exponent);
      const std::vector<float> scaled = layer.Run(plan, x);
      size_t wrong = 0;
      for (size_t i = 0; i < y.size(); ++i) wrong += scaled[i] != std::ldexp(y[i], exponent);
      CHECK(wrong == 0);
    }
  });
}

// Each output channel copies an input channel.
TEST_CASE("numerics: denormals are kept, zeros stay zeros") {
  const ConvShape<2> shape{.in_channels = 12, .out_channels = 12, .input = {1, 19}, .kernel = {1, 1}};
  std::vector<float> identity(144);
  for (size_t i = 0; i < 12; ++i) identity[i * 13] = 1.0f;
  const auto dense = DenseWeights<float>::View(MatrixShapeOf(shape), identity);
  REQUIRE(dense.ok());
  const auto csr = CsrWeights<float>::FromDense(*dense);
  REQUIRE(csr.ok());
  std::vector<float> x(12 * 19), y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    constexpr float kValues[] = {1e-40f, -1.4e-45f, 0.0f, -0.0f, 1.1754942e-38f};
    x[i] = kValues[i % std::size(kValues)];
  }
  ForEachTarget([&] {
    for (const LayerWeights& weights : {LayerWeights(*dense), LayerWeights(*csr)}) {
      for (int tile = 0; tile < TileCount(); ++tile) {
        CAPTURE(tile);
        const auto plan = PlanConvolution<2>(weights, shape, {}, {.tile = tile});
        REQUIRE(plan.ok());
        std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
        REQUIRE(plan->Run(TensorView<const float, 4>::Planar(x.data(), shape.input_tensor()),
                          TensorView<float, 4>::Planar(y.data(), shape.output_tensor()), {.workspace = workspace})
                    .ok());
        CHECK(y == x);  // -0 equals 0: sums begin at the bias, 0
      }
    }
  });
}

TEST_CASE("numerics: sums that overflow are infinite, and activations say what infinity becomes") {
  struct Case {
    Activation activation;
    float above, below;
  };
  constexpr Case kCases[] = {
      {Activation::kNone, kInfinity, -kInfinity}, {Activation::kRelu, kInfinity, 0.0f},
      {Activation::kClamp, 6.0f, -1.0f},          {Activation::kSigmoid, 1.0f, 0.0f},
      {Activation::kTanh, 1.0f, -1.0f},           {Activation::kLeakyRelu, kInfinity, -kInfinity}};
  const std::vector<float> weights(2 * 24, 2.0f);
  const auto dense = DenseWeights<float>::View({.rows = 2, .columns = 24}, weights);
  REQUIRE(dense.ok());
  for (const Case& c : kCases) {
    CAPTURE(static_cast<int>(c.activation));
    ForEachTarget([&] {
      const auto gemm =
          PlanGemm(*dense, GemmShape{2}, {.activation = c.activation, .low = -1.0f, .high = 6.0f, .slope = 0.5f});
      REQUIRE(gemm.ok());
      std::vector<float> x, y(4);
      for (int i = 0; i < 24; ++i) x.insert(x.end(), {3e38f, -3e38f});
      std::vector<std::byte> workspace(gemm->WorkspaceBytes(1));
      REQUIRE(gemm->Run(MatrixView<const float>::RowMajor(x.data(), 24, 2), MatrixView<float>::RowMajor(y.data(), 2, 2),
                        {.workspace = workspace})
                  .ok());
      CHECK(y == std::vector<float>{c.above, c.below, c.above, c.below});
    });
  }
}

}  // namespace
}  // namespace lacuna::test
