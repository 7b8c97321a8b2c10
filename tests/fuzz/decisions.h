// Decisions that several differential fuzzers take: weights in a format, an epilogue, how a layer is run.

#ifndef LACUNA_TESTS_FUZZ_DECISIONS_H_
#define LACUNA_TESTS_FUZZ_DECISIONS_H_

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/random.h"
#include "tests/support/tensor.h"

namespace lacuna::fuzz {

// As many slots as it says, one after the other on the calling thread, from a slot of the fuzzer's choice: results must
// not depend on which slot takes which tile.
class TurnsExecutor {
 public:
  TurnsExecutor(size_t concurrency, size_t first) : concurrency_(concurrency), first_(first) {}
  size_t concurrency() const { return concurrency_; }
  template <class F>
  void parallel_for(size_t slots, const F& f) const {
    for (size_t i = 0; i < slots; ++i) f((i + first_) % slots);
  }

 private:
  size_t concurrency_, first_;
};

inline TurnsExecutor PickExecutor(Input& in) {
  constexpr size_t kThreads[] = {1, 2, 3, 7, 32};
  const size_t threads = in.Pick(kThreads);
  return {threads, in.Index(32)};
}

// The SIMD target of the process until the end of the scope.
inline int64_t PickTarget(Input& in) {
  static const std::vector<int64_t> targets = test::Targets();
  return in.Pick(targets);
}

// Takes candidate `index` of those that a layer has.
struct SelectIndex {
  static inline thread_local size_t index = 0;
  static size_t Choose(std::span<const Candidate> candidates) { return index % candidates.size(); }
};
struct AnyForm : WinogradPolicy {
  using Select = SelectIndex;
};

inline AnyForm PickForm(Input& in) {
  SelectIndex::index = in.Byte();
  AnyForm policy;
  policy.winograd_error = in.Byte() % 4 == 0 ? 1.0 : 0.0;
  constexpr size_t kTileBytes[] = {kInputTileBytes, 1024, 1 << 20};
  policy.input_tile_bytes = in.Pick(kTileBytes);
  return policy;
}

inline test::RunOptions PickRun(Input& in) {
  test::RunOptions run;
  run.x = in.Pick(test::kLayouts);
  run.y = in.Pick(test::kLayouts);
  run.residual = in.Pick(test::kLayouts);
  run.residual_is_y = in.Flip();
  run.guard = in.Flip() ? test::Guard::kBefore : test::Guard::kAfter;
  run.workspace_misalignment = static_cast<size_t>(in.Range(0, 70));
  return run;
}

inline test::LayerOptions PickOptions(Input& in) {
  test::LayerOptions options;
  options.bias = in.Flip();
  options.residual = in.Flip();
  constexpr Activation kActivations[] = {Activation::kNone,      Activation::kRelu,     Activation::kClamp,
                                         Activation::kSigmoid,   Activation::kTanh,     Activation::kSilu,
                                         Activation::kHardSwish, Activation::kLeakyRelu};
  options.epilogue.activation = in.Pick(kActivations);
  options.epilogue.slope = 0.25f;
  options.epilogue.low = -3.0f;
  options.epilogue.high = 5.0f;
  const bool keeps_integers = options.epilogue.activation <= Activation::kClamp;
  options.integers = keeps_integers && in.Flip();
  constexpr double kDensities[] = {1.0, 0.5, 0.25, 0.1, 0.02, 0.0};
  options.density = in.Pick(kDensities);
  options.seed = in.Word();
  return options;
}

// `dense`, whose kernels have `taps` cells, in a format or pruned by a scheme; nothing where the scheme does not take a
// layer of that size.
inline std::optional<AnyWeights<float>> PickWeights(Input& in, const DenseWeights<float>& dense, int64_t taps) {
  const auto wrap = [](auto weights) -> std::optional<AnyWeights<float>> {
    if (!weights.ok()) return std::nullopt;
    return AnyWeights<float>(*std::move(weights));
  };
  constexpr const char* kSchemes[] = {"unstructured",     "pattern",      "pattern_g4",       "bcr",       "bcr_col",
                                      "bcr_kernel",       "punched",      "punched_balanced", "block_8x1", "block_4x4",
                                      "block_kernel_8x4", "connectivity", "filter",           "bcr_col_c4"};
  constexpr double kRates[] = {2, 4, 8, 16, 1.5, 2.25, 3.6};
  const int64_t rows = in.Range(1, 17), columns = in.Range(1, 33);
  switch (in.Range(0, 5)) {
    case 0: return wrap(DenseWeights<float>::CopyOf(dense.shape(), dense.values()));
    case 1: return wrap(CsrWeights<float>::FromDense(dense));
    case 2: return wrap(BlockWeights<float>::FromDense(dense, BlockShape{rows, columns}));
    case 3: return wrap(BcrWeights<float>::FromDense(dense, BlockShape{rows, columns}));
    case 4: return wrap(PatternWeights<float>::FromDense(dense, taps, 1 + rows % 4));
    default: break;
  }
  const auto scheme = prune::MakeScheme(in.Pick(kSchemes), in.Pick(kRates));
  REQUIRE(scheme.ok());
  return wrap(prune::Project(dense, *scheme, taps));
}

}  // namespace lacuna::fuzz

#endif  // LACUNA_TESTS_FUZZ_DECISIONS_H_
