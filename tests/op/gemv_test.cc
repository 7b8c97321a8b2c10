// Gemv plans against reference/: every kernel, on every SIMD target, for one and for a few columns of X.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A Gemv that serves `n` columns, as RunGuarded wants a plan.
struct ColumnsOf {
  const Gemv& gemv;
  int64_t n;

  size_t WorkspaceBytes(size_t threads) const { return gemv.WorkspaceBytes(threads, n); }
  template <class... Args>
  Status Run(Args&&... args) const {
    return gemv.Run(std::forward<Args>(args)...);
  }
};

// Y = W X with its data and the result of reference/.
class GemvLayer {
 public:
  GemvLayer(int64_t m, int64_t k, int64_t n, const LayerOptions& options = {}) : m_(m), k_(k), n_(n) {
    data_.weights.resize(static_cast<size_t>(m * k));
    data_.x.resize(static_cast<size_t>(k * n));
    if (options.bias) data_.bias.resize(static_cast<size_t>(m));
    if (options.residual) data_.residual.resize(static_cast<size_t>(m * n));
    data_.Fill(options);
    epilogue_ = options.epilogue;
    epilogue_.bias = data_.bias;
    epilogue_.residual = options.residual;
    expected_.values.resize(static_cast<size_t>(m * n));
    expected_.magnitudes.resize(expected_.values.size());
    expected_.exact = options.integers;
    expected_.bound = BoundOf(k, epilogue_, data_.ResidualMagnitude());
    REQUIRE(reference::Gemm({.rows = m, .columns = k}, data_.weights, epilogue_,
                            MatrixView<const float>::RowMajor(data_.x.data(), k, n),
                            MatrixView<float>::RowMajor(expected_.values.data(), m, n),
                            MatrixView<const float>::RowMajor(data_.residual.data(), m, n),
                            MatrixView<double>::RowMajor(expected_.magnitudes.data(), m, n))
                .ok());
  }

  const Epilogue& epilogue() const { return epilogue_; }
  DenseWeights<float> dense() const {
    auto weights = DenseWeights<float>::View({.rows = m_, .columns = k_}, data_.weights);
    REQUIRE(weights.ok());
    return *std::move(weights);
  }
  BcrWeights<float> bcr(const BlockShape& block = {8, 16}) const { return BcrOf(dense(), block); }
  CsrWeights<float> csr() const {
    auto weights = CsrWeights<float>::FromDense(dense());
    REQUIRE(weights.ok());
    return *std::move(weights);
  }

  void Check(const Result<Gemv>& plan, const RunOptions& run = {}) const {
    CAPTURE(m_);
    CAPTURE(k_);
    CAPTURE(n_);
    const std::string message = plan.status().message();
    CAPTURE(message);
    REQUIRE(plan.ok());
    INFO(plan->Explain().ToString());
    expected_.Check(RunGuarded<GemvRunArgs, 2>(
        ColumnsOf{*plan, n_}, data_, {k_, n_}, {m_, n_}, run, SerialExecutor{}, [](const auto& view) {
          return MatrixView<std::remove_pointer_t<decltype(view.data)>>{view.data, view.extent[0], view.extent[1],
                                                                        view.stride[0], view.stride[1]};
        }));
  }

  // With every kernel that takes the weights, on the target that is active.
  template <class Weights>
  void CheckEveryKernel(const Weights& weights, const RunOptions& run = {}) const {
    const auto plan = PlanGemv(weights, epilogue_);
    REQUIRE(plan.ok());
    const Explanation explanation = plan->Explain();
    REQUIRE(explanation.option_count > 0);
    for (size_t i = 0; i < explanation.option_count; ++i) {
      const char* kernel = explanation.options[i].name;
      const auto asked = PlanGemv(weights, epilogue_, {.algorithm = kernel});
      REQUIRE(asked.ok());
      const Explanation asked_for = asked->Explain();
      CHECK(asked_for.tile == std::string_view(kernel));
      CHECK(asked_for.options[asked_for.chosen].name == asked_for.tile);
      CHECK(asked_for.reason[0] != '\0');
      Check(asked, run);
    }
  }

 private:
  int64_t m_, k_, n_;
  LayerData data_;
  Epilogue epilogue_;
  Expectation expected_;
};

// Dense, blocks of 8 rows, rows under masks, scattered weights.
void CheckEverywhere(const GemvLayer& layer, const RunOptions& run = {}) {
  const auto dense = layer.dense();
  const auto bcr = layer.bcr();
  const auto csr = layer.csr();
  ForEachTarget([&] {
    layer.CheckEveryKernel(dense, run);
    layer.CheckEveryKernel(bcr, run);
    layer.CheckEveryKernel(csr, run);
  });
}

TEST_CASE("gemv: M around panels, lanes and blocks") {
  for (const int64_t m :
       {1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 20, 23, 24, 25, 31, 32, 33, 47, 63, 65, 127, 128, 129, 255, 257}) {
    CheckEverywhere(GemvLayer(m, 37, 1, {.density = 0.4, .bias = true}));
  }
}

TEST_CASE("gemv: K of one, around steps, and of primes") {
  for (const int64_t k : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 127, 769}) {
    CheckEverywhere(GemvLayer(21, k, 1, {.density = 0.3}), {.guard = Guard::kBefore});
    CheckEverywhere(GemvLayer(21, k, 1));
  }
}

TEST_CASE("gemv: a few columns, in every order of x and y") {
  constexpr Layout kMatrixLayouts[] = {Layout::kPlanar, Layout::kPlanarGaps, Layout::kChannelsLast,
                                       Layout::kChannelsLastGaps, Layout::kScattered};
  for (const int64_t n : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 33}) {
    const GemvLayer layer(35, 43, n, {.density = 0.5, .bias = true, .residual = true});
    size_t turn = static_cast<size_t>(n);
    for (const Layout x : kMatrixLayouts) {
      const Layout y = kMatrixLayouts[turn++ % 5];
      CheckEverywhere(layer, {.x = x, .y = y, .residual = kMatrixLayouts[turn % 5]});
      CheckEverywhere(layer, {.x = x, .y = y, .residual_is_y = true, .guard = Guard::kBefore});
    }
  }
}

TEST_CASE("gemv: densities, Gaussian data within the bound of rounding errors") {
  for (const double density : {0.0, 0.02, 0.1, 0.5, 1.0}) {
    for (const int64_t n : {1, 6}) {
      CheckEverywhere(GemvLayer(140, 263, n, {.density = density, .integers = false, .bias = true}));
    }
  }
}

TEST_CASE("gemv: rows without a weight, and one weight alone") {
  std::vector<float> weights(200 * 50);
  for (const size_t at : {size_t{0}, size_t{7 * 50 + 49}, size_t{8 * 50 + 3}, size_t{199 * 50 + 49}}) {
    weights.assign(weights.size(), 0.0f);
    weights[at] = 3.0f;
    CheckEverywhere(GemvLayer(200, 50, 1, {.weights = weights}));
    CheckEverywhere(GemvLayer(200, 50, 5, {.bias = true, .weights = weights}));
  }
}

TEST_CASE("gemv: every activation, bias and residual") {
  for (const Activation activation :
       {Activation::kNone, Activation::kRelu, Activation::kClamp, Activation::kLeakyRelu, Activation::kSigmoid,
        Activation::kTanh, Activation::kSilu, Activation::kHardSwish}) {
    for (const int64_t n : {1, 3}) {
      const Epilogue epilogue{.activation = activation, .low = -1.0f, .high = 2.0f, .slope = 0.2f};
      const GemvLayer layer(133, 40, n,
                            {.density = 0.3, .integers = false, .bias = true, .residual = true, .epilogue = epilogue});
      CheckEverywhere(layer);
      CheckEverywhere(layer, {.x = Layout::kChannelsLast, .y = Layout::kChannelsLast, .residual_is_y = true});
    }
  }
}

// Every scheme's own format, rows and columns that blocks do not divide.
TEST_CASE("gemv: formats") {
  const GemvLayer layer(45, 70, 3, {.density = 0.3, .bias = true});
  const auto dense = layer.dense();
  for (const BlockShape& block : {BlockShape{8, 1}, BlockShape{4, 4}, BlockShape{16, 2}, BlockShape{3, 5}}) {
    const auto blocks = BlockWeights<float>::FromDense(dense, block);
    REQUIRE(blocks.ok());
    const auto bcr = layer.bcr(block);
    ForEachTarget([&] {
      layer.CheckEveryKernel(*blocks);
      layer.CheckEveryKernel(bcr);
    });
  }
  const AnyWeights<float> any = layer.csr();
  ForEachTarget([&] { layer.CheckEveryKernel(any); });
}

TEST_CASE("gemv: schemes, and the kernel that each gets") {
  std::vector<float> values(96 * 160);
  FillIntegers(values, 4);
  for (float& value : values) value += value >= 0 ? 1.0f : 0.0f;  // no zeros
  const auto dense = DenseWeights<float>::View({.rows = 96, .columns = 160}, values);
  const auto is_option = [](const Explanation& explanation, const char* kernel) {
    const auto* end = explanation.options.begin() + explanation.option_count;
    return std::any_of(explanation.options.begin(), end, [&](const auto& o) { return o.name == std::string(kernel); });
  };
  // On AVX-512, `wide` if the CPU has it.
  const auto check = [&](const char* name, const char* kernel, const char* wide = "none") {
    CAPTURE(name);
    const auto scheme = prune::ParseScheme(name);
    REQUIRE(scheme.ok());
    const auto weights = prune::Project(*dense, *scheme, 1);
    REQUIRE(weights.ok());
    const auto expanded = weights->ToDense();
    REQUIRE(expanded.ok());
    const GemvLayer layer(96, 160, 2, {.weights = expanded->values()});
    ForEachTarget([&] {
      const auto plan = PlanGemv(*weights);
      layer.Check(plan);
      const Explanation explanation = plan->Explain();
      const std::string target = hwy::TargetName(ActiveTarget());
      const bool is_wide = is_option(explanation, wide);
      if (target == "AVX3" && wide == std::string("cells 8")) CHECK(is_wide);
      if (target != "SCALAR") CHECK(explanation.tile == std::string(is_wide ? wide : kernel));
      layer.CheckEveryKernel(*weights);
    });
  };
  check("dense", "shared 16");
  check("bcr_col-8x", "shared 8");
  check("bcr_col-16x", "shared 8");
  check("bcr-8x", "masked 8", "cells 8");
  check("bcr-4x", "masked 8", "cells 8");
  check("block_8x1-8x", "shared 8");
  check("block_16x1-8x", "shared 16");
  check("block_4x4-8x", "shared 4");
  check("unstructured-16x", "scattered 8", "lookup 16");
  check("unstructured-8x", "scattered 8", "lookup 16");
  check("unstructured-2x", "filled 16", "lookup 16");
}

TEST_CASE("gemv: pattern weights") {
  std::vector<float> values(20 * 6 * 9);
  FillGaussian(values, 9);
  const auto dense = DenseWeights<float>::View({.rows = 20, .columns = 54}, values);
  const auto scheme = prune::ParseScheme("pattern-4x");
  REQUIRE(scheme.ok());
  const auto weights = prune::Project(*dense, *scheme, 9);
  REQUIRE(weights.ok());
  const auto* pattern = weights->As<PatternWeights<float>>();
  REQUIRE(pattern != nullptr);
  const auto expanded = weights->ToDense();
  REQUIRE(expanded.ok());
  const GemvLayer layer(20, 54, 1, {.integers = false, .weights = expanded->values()});
  ForEachTarget([&] { layer.CheckEveryKernel(*pattern); });
}

TEST_CASE("gemv: more columns than 16 bits can count") {
  constexpr int64_t kK = 2 * 65535 + 9;
  std::vector<float> weights(18 * kK);
  for (int64_t row = 0; row < 18; ++row) {
    for (const int64_t column : {int64_t{3}, int64_t{65534}, int64_t{65535}, int64_t{65536}, kK - 10, kK - 1}) {
      if ((row + column) % 3 != 0) weights[static_cast<size_t>(row * kK + column)] = static_cast<float>(row % 5 - 2);
    }
  }
  for (const int64_t n : {1, 2, 7}) {
    const GemvLayer layer(18, kK, n, {.bias = true, .weights = weights});
    const auto csr = layer.csr();
    const auto bcr = layer.bcr({8, 64});
    ForEachTarget([&] {
      layer.CheckEveryKernel(csr, {.x = Layout::kChannelsLast, .y = Layout::kChannelsLast});
      layer.CheckEveryKernel(bcr);
    });
  }
}

// Row r of 19 keeps a column if (r + 2 * column) % 3 is not zero, or all, and sums 2 for each; one input is `special`.
template <class Weights>
void CheckSpecial(const Weights& weights, const std::vector<float>& values, int64_t k, int64_t n, float special,
                  int64_t column) {
  std::vector<float> x(static_cast<size_t>(k * n), 1.0f), y(static_cast<size_t>(19 * n));
  x[static_cast<size_t>(column * n)] = special;  // of the first column of X
  const auto chosen = PlanGemv(weights);
  REQUIRE(chosen.ok());
  for (size_t option = 0; option < chosen->Explain().option_count; ++option) {
    const char* kernel = chosen->Explain().options[option].name;
    CAPTURE(kernel);
    const auto plan = PlanGemv(weights, {}, {.algorithm = kernel});
    REQUIRE(plan.ok());
    std::vector<std::byte> workspace(plan->WorkspaceBytes(1, n), std::byte{0xff});
    REQUIRE(plan->Run(MatrixView<const float>::RowMajor(x.data(), k, n), MatrixView<float>::RowMajor(y.data(), 19, n),
                      {.workspace = workspace})
                .ok());
    int wrong = 0;
    for (int64_t row = 0; row < 19; ++row) {
      float sum = 0;
      for (int64_t c = 0; c < k; ++c) sum += values[static_cast<size_t>(row * k + c)];
      for (int64_t j = 0; j < n; ++j) {
        const float actual = y[static_cast<size_t>(row * n + j)];
        const bool meets = j == 0 && values[static_cast<size_t>(row * k + column)] != 0.0f;
        const bool as_expected = !meets ? actual == sum : std::isnan(special) ? std::isnan(actual) : actual == special;
        wrong += !as_expected;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("gemv: infinite and NaN inputs reach the rows that keep their column, and no others") {
  ForEachTarget([] {
    for (const int64_t k : {1, 2, 5, 7, 11}) {
      CAPTURE(k);
      std::vector<float> values(static_cast<size_t>(19 * k)), shared(values.size());
      for (int64_t row = 0; row < 19; ++row) {
        for (int64_t c = 0; c < k; ++c) {
          const auto at = static_cast<size_t>(row * k + c);
          values[at] = (row + 2 * c) % 3 != 0 ? 2.0f : 0.0f;
          shared[at] = (row / 8 + c) % 2 != 0 ? 2.0f : 0.0f;  // by blocks of 8 rows
        }
      }
      const auto view = DenseWeights<float>::View({.rows = 19, .columns = k}, values);
      const auto csr = CsrWeights<float>::FromDense(*view);
      const auto shared_view = DenseWeights<float>::View({.rows = 19, .columns = k}, shared);
      const auto bcr = BcrWeights<float>::FromDense(*shared_view, {8, 1});
      REQUIRE(csr.ok());
      REQUIRE(bcr.ok());
      for (const float special : {kInfinity, kNan}) {
        for (int64_t column = 0; column < k; ++column) {
          for (const int64_t n : {1, 2, 4, 8, 16}) {
            CheckSpecial(*csr, values, k, n, special, column);
            CheckSpecial(*bcr, shared, k, n, special, column);
          }
        }
      }
    }
  });
}

TEST_CASE("gemv: weights that are infinite or NaN, and weights that are zero but stored") {
  const std::vector<float> values = {kInfinity, 1.0f, kNan, 1.0f, 0.0f, 1.0f}, x = {1.0f, 1.0f};
  const std::vector<float> far = {kInfinity, 1.0f};
  const auto dense = DenseWeights<float>::View({.rows = 3, .columns = 2}, values);
  ForEachTarget([&] {
    const auto chosen = PlanGemv(*dense);
    REQUIRE(chosen.ok());
    for (size_t option = 0; option < chosen->Explain().option_count; ++option) {
      const auto plan = PlanGemv(*dense, {}, {.algorithm = chosen->Explain().options[option].name});
      REQUIRE(plan.ok());
      std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
      std::vector<float> y(3);
      const auto run = [&](const std::vector<float>& in) {
        return plan->Run(MatrixView<const float>::ColumnMajor(in.data(), 2, 1),
                         MatrixView<float>::ColumnMajor(y.data(), 3, 1), {.workspace = workspace});
      };
      REQUIRE(run(x).ok());
      CHECK(y[0] == kInfinity);
      CHECK(std::isnan(y[1]));
      CHECK(y[2] == 1.0f);
      REQUIRE(run(far).ok());
      CHECK(y[0] == kInfinity);
      CHECK(std::isnan(y[2]));  // 0 * infinity: the zero is stored
    }
  });
}

TEST_CASE("gemv: packed weights serve other plans, on other targets too, and outlive what they were made from") {
  const GemvLayer layer(150, 60, 3, {.density = 0.3, .bias = true});
  for (const char* kernel : {"shared 16", "masked 8", "scattered 8"}) {
    CAPTURE(kernel);
    std::optional<Gemv> first;
    {
      const auto dense = layer.dense();
      auto plan = PlanGemv(dense, {}, {.algorithm = kernel});
      REQUIRE(plan.ok());
      first = *std::move(plan);
    }
    ForEachTarget([&] {
      const auto second = PlanGemv(first->weights(), layer.epilogue());
      if (kernel == std::string("masked 8") && hwy::TargetName(ActiveTarget()) == std::string("SCALAR")) {
        CheckError(second.status(), StatusCode::kUnsupported,
                   "weights are packed in form 2 for panels of 8 rows, there is no such kernel on SCALAR");
        return;
      }
      REQUIRE(second.ok());
      CHECK(&*second->weights() == &*first->weights());
      layer.Check(second);
    });
  }
}

TEST_CASE("gemv: accessors") {
  const GemvLayer layer(300, 10, 4, {.density = 0.5});
  const auto plan = PlanGemv(layer.csr());
  REQUIRE(plan.ok());
  CHECK(plan->m() == 300);
  CHECK(plan->k() == 10);
  CHECK(plan->target() == ActiveTarget());
  CHECK(plan->WorkspaceBytes(2) > plan->WorkspaceBytes(1));
  CHECK(plan->WorkspaceBytes(1, 5) > plan->WorkspaceBytes(1));
  const Explanation explanation = plan->Explain();
  CHECK(std::string(explanation.algorithm) == "gemv");
  CHECK(explanation.nnz == plan->weights()->nnz);
  CHECK(explanation.packed_bytes == plan->weights()->StorageBytes());
  CHECK(explanation.option_count > 1);
}

TEST_CASE("MakeGemv: what it refuses") {
  const std::vector<float> values(60), bias(5);
  const auto grouped = DenseWeights<float>::View({.rows = 6, .columns = 10, .groups = 2}, values);
  REQUIRE(grouped.ok());
  CheckInvalid(PlanGemv(*grouped).status(), "weights have 2 groups, must have 1 for a matrix-vector product");
  CheckInvalid(PlanGemv(Shared<PackedGemv<float>>()).status(), "weights is an empty Shared, must hold packed weights");
  const auto dense = DenseWeights<float>::View({.rows = 6, .columns = 10}, values);
  const std::pair<Epilogue, const char*> cases[] = {
      {{.bias = bias}, "epilogue.bias has 5 values, must have 6 or none"},
      {{.activation = Activation::kClamp, .low = 2, .high = 1}, "epilogue.low is 2, must not exceed epilogue.high, 1"},
      {{.activation = static_cast<Activation>(200)}, "epilogue.activation is 200, must be an Activation"},
  };
  for (const auto& [epilogue, message] : cases) CheckInvalid(PlanGemv(*dense, epilogue).status(), message);
  CheckInvalid(PlanGemv(*dense, {}, {.algorithm = "no such kernel"}).status(), "Select::Choose returned ");
}

TEST_CASE("Gemv::Run: views, workspace and residual") {
  const GemvLayer layer(6, 10, 4, {.residual = true});
  const auto plan = PlanGemv(layer.dense(), layer.epilogue());
  REQUIRE(plan.ok());
  std::vector<float> x(100), y(100, 42.0f), add(100);
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1, 4));
  using In = MatrixView<const float>;
  using Out = MatrixView<float>;
  const In good_x = In::RowMajor(x.data(), 10, 4), good_add = In::RowMajor(add.data(), 6, 4);
  const Out good_y = Out::RowMajor(y.data(), 6, 4);
  const GemvRunArgs good{.workspace = workspace, .residual = good_add};

  CheckInvalid(plan->Run(In::RowMajor(nullptr, 10, 4), good_y, good), "x.data is null, must point to the matrix");
  CheckInvalid(plan->Run(good_x, Out::RowMajor(nullptr, 6, 4), good), "y.data is null, must point to the matrix");
  CheckInvalid(plan->Run(good_x, good_y, {.workspace = workspace}), "args.residual.data is null");
  CheckInvalid(plan->Run(In::RowMajor(x.data(), 10, 0), good_y, good), "x.columns is 0, must be in [1, ");
  CheckInvalid(plan->Run(In::RowMajor(x.data(), 10, std::numeric_limits<int64_t>::max(), 1), good_y, good),
               "x.columns is 9223372036854775807, must be in [1, ");
  CheckInvalid(plan->Run(In::RowMajor(x.data(), 9, 4), good_y, good), "x is 9 x 4, must be 10 x 4");
  CheckInvalid(plan->Run(good_x, Out::RowMajor(y.data(), 7, 4), good), "y is 7 x 4, must be 6 x 4");
  CheckInvalid(plan->Run(In::RowMajor(x.data(), 10, 3), good_y, good), "y is 6 x 4, must be 6 x 3");
  CheckInvalid(plan->Run(good_x, good_y, {.workspace = workspace, .residual = In::RowMajor(add.data(), 6, 3)}),
               "args.residual is 6 x 3, must be 6 x 4");
  CheckInvalid(plan->Run({x.data(), 10, 4, 0, 1}, good_y, good), "x has strides 0 and 1, both must be at least 1");
  CheckInvalid(plan->Run(good_x, Out::RowMajor(y.data(), 6, 4, -4), good), "y has strides -4 and 1");
  CheckInvalid(plan->Run(good_x, good_y, {.workspace = std::span(workspace).first(8), .residual = good_add}),
               "args.workspace has 8 bytes, must have WorkspaceBytes(1, 4) = ");
  CheckInvalid(
      plan->Run(good_x, good_y, {.workspace = std::span(workspace).first(workspace.size() - 1), .residual = good_add}),
      "must have WorkspaceBytes(1, 4) = ");
  CHECK(y == std::vector<float>(y.size(), 42.0f));  // nothing is written when a Run is refused
  CHECK(plan->Run(good_x, good_y, good).ok());
  // Strides of extents of one are never used.
  const auto vector = PlanGemv(layer.dense());
  REQUIRE(vector.ok());
  CHECK(vector->Run({x.data(), 10, 1, 1, 0}, {y.data(), 6, 1, 1, -7}, {.workspace = workspace}).ok());
}

}  // namespace
}  // namespace lacuna::test
