// Gemv plans of weights stored in 16, 8 and 4 bits: every kernel, on every SIMD target, against sums in double of the
// weights rounded here, by the description in pack/narrow_gemv.h.

#include "lacuna/core/half.h"
#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"
#include "tests/support/random.h"
#include "tests/support/threads_executor.h"

namespace lacuna::test {
namespace {

constexpr std::array kStorages = {ValueType::kF16, ValueType::kBf16, ValueType::kS8, ValueType::kS4};

// `value` with a significand of so many bits above 2^least_exponent, to nearest, ties to even.
double RoundTo(double value, int bits, int least_exponent) {
  if (value == 0.0) return value;
  const int unit = std::max(std::ilogb(value) + 1 - bits, least_exponent);
  return std::ldexp(std::nearbyint(std::ldexp(value, -unit)), unit);
}
double AsF16(double value) { return RoundTo(value, 11, -24); }
double AsBf16(double value) { return RoundTo(value, 8, -133); }

// The stored weights of a row, rounded in place.
void RoundRow(ValueType storage, std::vector<std::pair<int64_t, double>>& row) {
  if (storage == ValueType::kF16 || storage == ValueType::kBf16) {
    for (auto& [column, w] : row) w = storage == ValueType::kF16 ? AsF16(w) : AsBf16(w);
    return;
  }
  const size_t group = storage == ValueType::kS8 ? row.size() : 32;
  for (size_t first = 0; first < row.size(); first += group) {
    const auto begin = row.begin() + static_cast<ptrdiff_t>(first);
    const auto end = row.begin() + static_cast<ptrdiff_t>(std::min(row.size(), first + group));
    const double most = std::max_element(begin, end, [](const auto& a, const auto& b) {
                          return std::abs(a.second) < std::abs(b.second);
                        })->second;
    if (most == 0.0) continue;
    const float scale = storage == ValueType::kS8 ? std::abs(static_cast<float>(most)) / 127.0f
                                                  : static_cast<float>(AsBf16(most / -8.0));
    const double low = storage == ValueType::kS8 ? -127.0 : -8.0, high = storage == ValueType::kS8 ? 127.0 : 7.0;
    for (auto at = begin; at != end; ++at) {
      const double q = std::nearbyint(static_cast<double>(static_cast<float>(at->second) / scale));
      at->second = std::clamp(q, low, high) * double{scale};
    }
  }
}

// A Gemv that serves `n` columns, as RunGuarded wants a plan.
struct Columns {
  const Gemv& gemv;
  int64_t n;

  size_t WorkspaceBytes(size_t threads) const { return gemv.WorkspaceBytes(threads, n); }
  template <class... Args>
  Status Run(Args&&... args) const {
    return gemv.Run(std::forward<Args>(args)...);
  }
};

struct Options {
  double density = 1.0;
  bool integers = true;  // results are equal, not close
  Epilogue epilogue{};
  RunOptions run{};
};

class NarrowLayer {
 public:
  NarrowLayer(int64_t m, int64_t k, int64_t n, uint32_t seed, const Options& options)
      : m_(m), k_(k), n_(n), options_(options) {
    data_.weights.resize(static_cast<size_t>(m * k));
    data_.x.resize(static_cast<size_t>(k * n));
    data_.bias.resize(static_cast<size_t>(m));
    if (options.epilogue.residual) data_.residual.resize(static_cast<size_t>(m * n));
    data_.Fill({.density = options.density, .integers = options.integers, .seed = seed});
    epilogue_ = options.epilogue;
    epilogue_.bias = data_.bias;
  }
  // What the weights are, in place of random ones.
  std::vector<float>& weights() { return data_.weights; }

  // A scale of 1 for kS8: the first weight of every row is 127.
  void MakeScalesOne() {
    for (int64_t row = 0; row < m_; ++row) {
      float* begin = data_.weights.data() + row * k_;
      float* first = std::find_if(begin, begin + k_, [](float w) { return w != 0.0f; });
      if (first != begin + k_) *first = 127.0f;
    }
  }

  DenseWeights<float> dense() const {
    auto weights = DenseWeights<float>::View({.rows = m_, .columns = k_}, data_.weights);
    REQUIRE(weights.ok());
    return *std::move(weights);
  }

  // With every kernel that takes the weights, on every target.
  template <class Weights>
  void Check(const Weights& weights, ValueType storage) const {
    const std::string type = ValueTypeName(storage);
    CAPTURE(type);
    CAPTURE(m_);
    CAPTURE(k_);
    CAPTURE(n_);
    const Expectation expected = Expect(weights, storage);
    ForEachTarget([&] {
      const auto chosen = MakeNarrowGemv(weights, storage, epilogue_);
      const std::string message = chosen.status().message();
      CAPTURE(message);
      REQUIRE(chosen.ok());
      CHECK(chosen->weights()->layout.storage == storage);
      const Explanation explanation = chosen->Explain();
      REQUIRE(explanation.option_count > 0);
      for (size_t i = 0; i < explanation.option_count; ++i) {
        const std::string kernel = explanation.options[i].name;
        CAPTURE(kernel);
        const auto plan = plans::WithPolicy({.algorithm = explanation.options[i].name}, [&](const auto& policy) {
          return MakeNarrowGemv(weights, storage, epilogue_, policy);
        });
        REQUIRE(plan.ok());
        expected.Check(RunGuarded<GemvRunArgs, 2>(
            Columns{*plan, n_}, data_, {k_, n_}, {m_, n_}, options_.run, SerialExecutor{}, [](const auto& view) {
              return MatrixView<std::remove_pointer_t<decltype(view.data)>>{view.data, view.extent[0], view.extent[1],
                                                                            view.stride[0], view.stride[1]};
            }));
      }
    });
  }

 private:
  template <class Weights>
  Expectation Expect(const Weights& weights, ValueType storage) const {
    Expectation expected;
    expected.exact = options_.integers;
    // K products and scales, in any order of the sums.
    expected.bound = BoundOf(k_ + k_ / 32 + 3, epilogue_, data_.ResidualMagnitude());
    expected.values.resize(static_cast<size_t>(m_ * n_));
    expected.magnitudes.resize(expected.values.size());
    const RowSource<float> rows(weights);
    for (int64_t row = 0; row < m_; ++row) {
      std::vector<std::pair<int64_t, double>> stored;
      rows.VisitRow(row, [&](int64_t column, const float& w) { stored.emplace_back(column, double{w}); });
      RoundRow(storage, stored);
      for (int64_t j = 0; j < n_; ++j) {
        double sum = 0.0, magnitude = 0.0;
        for (const auto& [column, w] : stored) {
          const double product = w * double{data_.x[static_cast<size_t>(column * n_ + j)]};
          sum += product;
          magnitude += std::abs(product);
        }
        const auto at = static_cast<size_t>(row * n_ + j);
        sum += double{data_.bias[static_cast<size_t>(row)]};
        if (epilogue_.residual) sum += double{data_.residual[at]};
        expected.values[at] = static_cast<float>(reference::Activate(epilogue_, sum));
        expected.magnitudes[at] = magnitude;
      }
    }
    return expected;
  }

  int64_t m_, k_, n_;
  Options options_;
  LayerData data_;
  Epilogue epilogue_;
};

// Dense weights, blocks of rows, rows under masks, scattered ones, of every type.
void CheckAll(int64_t m, int64_t k, int64_t n, const Options& options, uint32_t seed = 1) {
  for (const ValueType storage : kStorages) {
    NarrowLayer layer(m, k, n, seed, options);
    if (options.integers && storage == ValueType::kS8) layer.MakeScalesOne();
    const auto dense = layer.dense();
    const auto csr = CsrWeights<float>::FromDense(dense);
    const auto blocks = BlockWeights<float>::FromDense(dense, {8, 1});
    REQUIRE(csr.ok());
    REQUIRE(blocks.ok());
    layer.Check(dense, storage);
    layer.Check(BcrOf(dense, {8, 16}), storage);
    layer.Check(*csr, storage);
    layer.Check(*blocks, storage);
  }
}

TEST_CASE("half: every f16 and bf16 there and back, and rounding") {
  int wrong = 0;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float f16 = F32OfF16Bits(half), bf16 = F32OfBf16Bits(half);
    wrong += std::isnan(f16) ? !std::isnan(F32OfF16Bits(F16BitsOf(f16))) : F16BitsOf(f16) != half;
    wrong += std::isnan(bf16) ? !std::isnan(F32OfBf16Bits(Bf16BitsOf(bf16))) : Bf16BitsOf(bf16) != half;
  }
  std::mt19937 generator(3);
  for (int i = 0; i < 100000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(generator()));
    if (!std::isfinite(value)) continue;
    const double f16 = AsF16(double{value});
    const double in_range = std::abs(f16) > 65504.0 ? std::copysign(std::numeric_limits<double>::infinity(), f16) : f16;
    wrong += double{F32OfF16Bits(F16BitsOf(value))} != in_range;
    const double bf16 = AsBf16(double{value});
    if (std::abs(bf16) < 3.39e38) wrong += double{F32OfBf16Bits(Bf16BitsOf(value))} != bf16;
  }
  CHECK(wrong == 0);
  CHECK(F16BitsOf(1.0f + 0x1p-11f) == F16BitsOf(1.0f));  // ties to even
  CHECK(F16BitsOf(1.0f + 0x3p-11f) == F16BitsOf(1.0f + 0x2p-10f));
  CHECK(F16BitsOf(65519.0f) == 0x7bff);
  CHECK(F16BitsOf(65520.0f) == 0x7c00);
  CHECK(F16BitsOf(-0x1p-25f) == 0x8000);
  CHECK(F16BitsOf(0x1.8p-25f) == 1);
}

TEST_CASE("narrow gemv: M around panels, lanes and blocks") {
  for (const int64_t m : {1, 3, 4, 7, 8, 9, 15, 16, 17, 33, 127, 128, 129, 257}) {
    CheckAll(m, 37, 1, {.density = 0.4});
  }
}

TEST_CASE("narrow gemv: K of one, around steps, and around groups of 32") {
  for (const int64_t k : {1, 2, 4, 5, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 769}) {
    CheckAll(21, k, 1, {.run = {.guard = Guard::kBefore}});
    CheckAll(21, k, 1, {.density = 0.3});
  }
}

TEST_CASE("narrow gemv: a few columns, in every order of x and y") {
  size_t turn = 0;
  constexpr Layout kLayouts[] = {Layout::kPlanar, Layout::kPlanarGaps, Layout::kChannelsLast, Layout::kScattered};
  for (const int64_t n : {2, 3, 4, 5, 9}) {
    const RunOptions run{.x = kLayouts[turn % 4], .y = kLayouts[(turn + 1) % 4], .residual = kLayouts[(turn + 2) % 4]};
    CheckAll(35, 75, n, {.density = 0.5, .epilogue = {.residual = true}, .run = run});
    ++turn;
  }
}

TEST_CASE("narrow gemv: Gaussian data within the bound of rounding errors, every activation") {
  for (const double density : {0.0, 0.05, 0.3, 1.0}) {
    for (const int64_t n : {1, 6}) CheckAll(140, 263, n, {.density = density, .integers = false});
  }
  for (const Activation activation : {Activation::kRelu, Activation::kClamp, Activation::kSigmoid, Activation::kSilu}) {
    CheckAll(40, 100, 1,
             {.density = 0.5,
              .integers = false,
              .epilogue = {.activation = activation, .low = -1.0f, .high = 2.0f, .residual = true}});
  }
}

TEST_CASE("narrow gemv: shapes and densities at random") {
  std::mt19937 generator(7);
  const auto up_to = [&](int most) { return 1 + static_cast<int64_t>(generator() % static_cast<unsigned>(most)); };
  for (uint32_t turn = 0; turn < 12; ++turn) {
    const double density = static_cast<double>(up_to(100)) / 100.0;
    CheckAll(up_to(200), up_to(300), up_to(5), {.density = density, .integers = turn % 2 == 0}, turn);
  }
}

TEST_CASE("narrow gemv: schemes") {
  for (const char* name : {"bcr_col-8x", "bcr-8x", "bcr-4x", "block_8x1-8x", "block_16x1-8x", "block_4x4-8x",
                           "unstructured-8x", "unstructured-2x"}) {
    CAPTURE(name);
    NarrowLayer layer(96, 320, 1, 5, {.integers = false});
    const auto scheme = prune::ParseScheme(name);
    REQUIRE(scheme.ok());
    const auto weights = prune::Project(layer.dense(), *scheme, 1);
    REQUIRE(weights.ok());
    for (const ValueType storage : kStorages) layer.Check(*weights, storage);
  }
}

TEST_CASE("narrow gemv: more columns than 16 bits can count") {
  constexpr int64_t kK = 65535 + 70;
  for (const ValueType storage : {ValueType::kF16, ValueType::kBf16, ValueType::kS8}) {
    NarrowLayer layer(18, kK, 1, 1, {.integers = false});
    for (size_t i = 0; i < layer.weights().size(); ++i) layer.weights()[i] *= i % 61 == 0 ? 1.0f : 0.0f;
    const auto csr = CsrWeights<float>::FromDense(layer.dense());
    REQUIRE(csr.ok());
    layer.Check(*csr, storage);
  }
  // A band begins a group: of eight weights in the first and eight in the second, each has a scale of its own.
  std::vector<float> values(16 * kK), x(kK, 1.0f), y(16);
  for (int64_t row = 0; row < 16; ++row) {
    for (int64_t i = 0; i < 8; ++i) {
      values[static_cast<size_t>(row * kK + 40 + i)] = -8.0f;
      values[static_cast<size_t>(row * kK + 65540 + i)] = -0.125f;
    }
  }
  const auto dense = DenseWeights<float>::View({.rows = 16, .columns = kK}, values);
  const auto csr = CsrWeights<float>::FromDense(*dense);
  REQUIRE(csr.ok());
  ForEachTarget([&] {
    for (const char* kernel : {"shared 16", "scattered 8"}) {
      const auto plan = plans::WithPolicy(
          {.algorithm = kernel}, [&](const auto& policy) { return MakeNarrowGemv(*csr, ValueType::kS4, {}, policy); });
      REQUIRE(plan.ok());
      std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
      REQUIRE(plan->Run(MatrixView<const float>::ColumnMajor(x.data(), kK, 1),
                        MatrixView<float>::ColumnMajor(y.data(), 16, 1), {.workspace = workspace})
                  .ok());
      for (const float sum : y) CHECK(sum == -65.0f);
    }
  });
}

TEST_CASE("narrow gemv: an infinite input reaches the rows that keep its column, and no others") {
  std::vector<float> values(19 * 40), x(40, 1.0f), y(19);
  for (size_t i = 0; i < values.size(); ++i) values[i] = (i / 40 + 2 * (i % 40)) % 3 != 0 ? 2.0f : 0.0f;
  const auto dense = DenseWeights<float>::View({.rows = 19, .columns = 40}, values);
  const auto csr = CsrWeights<float>::FromDense(*dense);
  REQUIRE(csr.ok());
  x[5] = std::numeric_limits<float>::infinity();
  for (const ValueType storage : kStorages) {
    ForEachTarget([&] {
      const auto chosen = MakeNarrowGemv(*csr, storage);
      REQUIRE(chosen.ok());
      for (size_t option = 0; option < chosen->Explain().option_count; ++option) {
        const auto plan =
            plans::WithPolicy({.algorithm = chosen->Explain().options[option].name},
                              [&](const auto& policy) { return MakeNarrowGemv(*csr, storage, {}, policy); });
        REQUIRE(plan.ok());
        std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
        REQUIRE(plan->Run(MatrixView<const float>::ColumnMajor(x.data(), 40, 1),
                          MatrixView<float>::ColumnMajor(y.data(), 19, 1), {.workspace = workspace})
                    .ok());
        for (size_t row = 0; row < 19; ++row) CHECK(std::isinf(y[row]) == (values[row * 40 + 5] != 0.0f));
      }
    });
  }
}

TEST_CASE("narrow gemv: the same bits for any number of threads; packed weights are shared") {
  NarrowLayer layer(1000, 210, 1, 3, {.density = 0.5, .integers = false});
  const auto csr = CsrWeights<float>::FromDense(layer.dense());
  REQUIRE(csr.ok());
  std::vector<float> x(210), once(1000), again(1000);
  FillGaussian(x, 9);
  const auto run = [&](const Gemv& plan, auto&& executor, std::vector<float>& y) {
    std::vector<std::byte> workspace(plan.WorkspaceBytes(executor.concurrency()));
    REQUIRE(plan.Run(MatrixView<const float>::ColumnMajor(x.data(), 210, 1),
                     MatrixView<float>::ColumnMajor(y.data(), 1000, 1), {.workspace = workspace}, executor)
                .ok());
  };
  for (const ValueType storage : kStorages) {
    const auto plan = MakeNarrowGemv(*csr, storage);
    REQUIRE(plan.ok());
    run(*plan, SerialExecutor{}, once);
    const auto shared = MakeNarrowGemv(plan->weights(), storage);
    REQUIRE(shared.ok());
    run(*shared, ThreadsExecutor(3), again);
    CHECK(once == again);
    CHECK(shared->weights()->StorageBytes() < 4 * static_cast<size_t>(csr->nnz()) * 3 / 2);
    CheckError(MakeGemv(plan->weights()).status(), StatusCode::kUnsupported, "there is no such kernel");
  }
}

TEST_CASE("narrow gemv: errors") {
  const std::vector<float> large = {1.0f, 65520.0f}, infinite = {1.0f, std::numeric_limits<float>::infinity()};
  const auto of = [](const std::vector<float>& values) {
    return DenseWeights<float>::View({.rows = 1, .columns = 2}, values);
  };
  CheckError(MakeNarrowGemv(*of(large), ValueType::kF16).status(), StatusCode::kInvalidArgument,
             "must be finite as f16");
  CHECK(MakeNarrowGemv(*of(large), ValueType::kBf16).ok());
  for (const ValueType storage : kStorages) {
    CheckError(MakeNarrowGemv(*of(infinite), storage).status(), StatusCode::kInvalidArgument, "finite");
  }
  CheckError(MakeNarrowGemv(*of(large), ValueType::kU8).status(), StatusCode::kInvalidArgument,
             "storage is u8, must be f16");
  CheckError(MakeNarrowGemv(*of(large), ValueType::kF32).status(), StatusCode::kInvalidArgument, "storage is f32");
}

}  // namespace
}  // namespace lacuna::test
