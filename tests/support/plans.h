// Plans of the default policy, or of one that takes what a test asks for.

#ifndef LACUNA_TESTS_SUPPORT_PLANS_H_
#define LACUNA_TESTS_SUPPORT_PLANS_H_

#include <lacuna/lacuna.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>

namespace lacuna::test {

inline constexpr int kChooseTile = -1;

struct PlanOptions {
  int tile =
      kChooseTile;  // index of a register tile of the policy, PatternTileIndex(), or kChooseTile: the policy selects
  size_t input_tile_bytes = kInputTileBytes;
  const char* algorithm = nullptr;  // name of the option to take, whatever `tile` says
  double winograd_error = 0.0;      // most tests want sums that are exact for integers
  size_t winograd_weight_bytes = kWinogradWeightBytes;
};

namespace plans {

// Chooses the tile or algorithm that the calling test asked for.
struct SelectAsked {
  static inline thread_local PlanOptions asked;
  static size_t Choose(std::span<const Candidate> candidates) {
    if (asked.algorithm == nullptr && asked.tile == kChooseTile) return SelectByCostModel::Choose(candidates);
    if (asked.algorithm == nullptr) return static_cast<size_t>(asked.tile);
    size_t i = 0;
    while (i < candidates.size() && std::strcmp(candidates[i].name, asked.algorithm) != 0) ++i;
    return i;
  }
};
struct AskedTile : WinogradPolicy {
  using Select = SelectAsked;
};

// f(policy) with the policy that `options` describe.
template <class F>
auto WithPolicy(const PlanOptions& options, const F& f) {
  const auto with = [&](auto policy) {
    policy.input_tile_bytes = options.input_tile_bytes;
    policy.winograd_weight_bytes = options.winograd_weight_bytes;
    policy.winograd_error = options.algorithm == nullptr ? options.winograd_error : 1.0;
    return f(policy);
  };
  const bool direct = options.algorithm == nullptr && options.winograd_error == 0.0;
  if (options.tile == kChooseTile && direct) return with(DefaultPolicy());
  SelectAsked::asked = options;
  return with(AskedTile());
}

}  // namespace plans

inline const KernelTable& DefaultKernels() { return ActiveKernels<DefaultPolicy>(); }
inline const VectorKernels& DefaultVectorKernels() { return ActiveVectorKernels(); }

inline int PatternTileIndex() { return static_cast<int>(ActiveKernels<DefaultPolicy>().panels.size()); }
inline int TileCount() { return PatternTileIndex() + 1; }
inline const char* TileName(int tile) {
  if (tile == PatternTileIndex()) return "pattern";
  return ActiveKernels<DefaultPolicy>().panels[static_cast<size_t>(tile)].name;
}

template <int kRank, class Weights>
Result<Convolution<kRank>> PlanConvolution(const Weights& weights, const ConvShape<kRank>& shape,
                                           const Epilogue& epilogue = {}, const PlanOptions& options = {}) {
  return plans::WithPolicy(
      options, [&](const auto& policy) { return MakeConvolution<kRank>(weights, shape, epilogue, policy); });
}

template <class Weights>
Result<Gemm> PlanGemm(const Weights& weights, const GemmShape& shape, const Epilogue& epilogue = {},
                      const PlanOptions& options = {}) {
  return plans::WithPolicy(options, [&](const auto& policy) { return MakeGemm(weights, shape, epilogue, policy); });
}

template <class Weights>
Result<Gemv> PlanGemv(const Weights& weights, const Epilogue& epilogue = {}, const PlanOptions& options = {}) {
  return plans::WithPolicy(options, [&](const auto& policy) { return MakeGemv(weights, epilogue, policy); });
}

template <RecurrentOptions Options>
Result<RecurrentCell<Options>> PlanCell(const AnyWeights<float>& input, const AnyWeights<float>& recurrent,
                                        const Options& options = {}) {
  if constexpr (std::is_same_v<Options, RnnOptions>) return MakeRnnCell(input, recurrent, options);
  if constexpr (std::is_same_v<Options, GruOptions>) return MakeGruCell(input, recurrent, options);
  if constexpr (std::is_same_v<Options, LstmOptions>) return MakeLstmCell(input, recurrent, options);
}

template <RecurrentOptions Options>
Result<RecurrentLayer<Options>> PlanLayer(const AnyWeights<float>& input, const AnyWeights<float>& recurrent,
                                          const Options& options = {}, const SequenceShape& shape = {}) {
  if constexpr (std::is_same_v<Options, RnnOptions>) return MakeRnn(input, recurrent, options, shape);
  if constexpr (std::is_same_v<Options, GruOptions>) return MakeGru(input, recurrent, options, shape);
  if constexpr (std::is_same_v<Options, LstmOptions>) return MakeLstm(input, recurrent, options, shape);
}

template <RecurrentOptions Options>
Result<RecurrentLayer<Options>> PlanLayer(const AnyWeights<float>& input, const Shared<RecurrentStep<Options>>& step,
                                          const SequenceShape& shape = {}) {
  return MakeSequence(input, step, shape);
}

template <class Weights>
Result<Shared<PackedWeights<float>>> PackDefault(const Weights& weights) {
  return PackWeights(weights);
}

inline Result<Shared<PackedWeights<float>>> ViewPackedDefault(std::span<const std::byte> bytes) {
  return ViewPackedWeights(bytes);
}

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_PLANS_H_
