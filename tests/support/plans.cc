#include "tests/support/plans.h"

#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>

namespace lacuna::test {
namespace {

// Chooses the tile or algorithm that the calling test asked for.
struct SelectAsked {
  static thread_local PlanOptions asked;
  static size_t Choose(std::span<const Candidate> candidates) {
    if (asked.algorithm == nullptr && asked.tile == kChooseTile) return SelectByCostModel::Choose(candidates);
    if (asked.algorithm == nullptr) return static_cast<size_t>(asked.tile);
    size_t i = 0;
    while (i < candidates.size() && std::strcmp(candidates[i].name, asked.algorithm) != 0) ++i;
    return i;
  }
};
thread_local PlanOptions SelectAsked::asked;

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

}  // namespace

int TileCount() { return PatternTileIndex() + 1; }
const KernelTable& DefaultKernels() { return ActiveKernels<DefaultPolicy>(); }
const VectorKernels& DefaultVectorKernels() { return ActiveVectorKernels<DefaultPolicy>(); }

int PatternTileIndex() { return static_cast<int>(ActiveKernels<DefaultPolicy>().panels.size()); }
const char* TileName(int tile) {
  if (tile == PatternTileIndex()) return "pattern";
  return ActiveKernels<DefaultPolicy>().panels[static_cast<size_t>(tile)].name;
}

template <int kRank, class Weights>
Result<Convolution<kRank>> PlanConvolution(const Weights& weights, const ConvShape<kRank>& shape,
                                           const Epilogue& epilogue, const PlanOptions& options) {
  return WithPolicy(options,
                    [&](const auto& policy) { return MakeConvolution<kRank>(weights, shape, epilogue, policy); });
}

template <class Weights>
Result<Gemm> PlanGemm(const Weights& weights, const GemmShape& shape, const Epilogue& epilogue,
                      const PlanOptions& options) {
  return WithPolicy(options, [&](const auto& policy) { return MakeGemm(weights, shape, epilogue, policy); });
}

template <class Weights>
Result<Gemv> PlanGemv(const Weights& weights, const Epilogue& epilogue, const PlanOptions& options) {
  return WithPolicy(options, [&](const auto& policy) { return MakeGemv(weights, epilogue, policy); });
}

template <RecurrentOptions Options>
Result<RecurrentCell<Options>> PlanCell(const AnyWeights<float>& input, const AnyWeights<float>& recurrent,
                                        const Options& options) {
  if constexpr (std::is_same_v<Options, RnnOptions>) return MakeRnnCell(input, recurrent, options);
  if constexpr (std::is_same_v<Options, GruOptions>) return MakeGruCell(input, recurrent, options);
  if constexpr (std::is_same_v<Options, LstmOptions>) return MakeLstmCell(input, recurrent, options);
}

template <RecurrentOptions Options>
Result<RecurrentLayer<Options>> PlanLayer(const AnyWeights<float>& input, const AnyWeights<float>& recurrent,
                                          const Options& options, const SequenceShape& shape) {
  if constexpr (std::is_same_v<Options, RnnOptions>) return MakeRnn(input, recurrent, options, shape);
  if constexpr (std::is_same_v<Options, GruOptions>) return MakeGru(input, recurrent, options, shape);
  if constexpr (std::is_same_v<Options, LstmOptions>) return MakeLstm(input, recurrent, options, shape);
}

template <RecurrentOptions Options>
Result<RecurrentLayer<Options>> PlanLayer(const AnyWeights<float>& input, const Shared<RecurrentStep<Options>>& step,
                                          const SequenceShape& shape) {
  return MakeSequence(input, step, shape);
}

template <class Weights>
Result<Shared<PackedWeights<float>>> PackDefault(const Weights& weights) {
  return PackWeights(weights);
}

Result<Shared<PackedWeights<float>>> ViewPackedDefault(std::span<const std::byte> bytes) {
  return ViewPackedWeights(bytes);
}

#define LACUNA_TEST_INSTANTIATE_CONVOLUTION(RANK, WEIGHTS)                                                          \
  template Result<Convolution<RANK>> PlanConvolution<RANK>(const WEIGHTS&, const ConvShape<RANK>&, const Epilogue&, \
                                                           const PlanOptions&)
#define LACUNA_TEST_INSTANTIATE(WEIGHTS)           \
  LACUNA_TEST_INSTANTIATE_CONVOLUTION(1, WEIGHTS); \
  LACUNA_TEST_INSTANTIATE_CONVOLUTION(2, WEIGHTS); \
  LACUNA_TEST_INSTANTIATE_CONVOLUTION(3, WEIGHTS); \
  template Result<Gemm> PlanGemm(const WEIGHTS&, const GemmShape&, const Epilogue&, const PlanOptions&)

LACUNA_TEST_INSTANTIATE(DenseWeights<float>);
LACUNA_TEST_INSTANTIATE(BcrWeights<float>);
LACUNA_TEST_INSTANTIATE(BlockWeights<float>);
LACUNA_TEST_INSTANTIATE(CsrWeights<float>);
LACUNA_TEST_INSTANTIATE(PatternWeights<float>);
LACUNA_TEST_INSTANTIATE(AnyWeights<float>);
LACUNA_TEST_INSTANTIATE(Shared<PackedWeights<float>>);

template Result<Gemv> PlanGemv(const DenseWeights<float>&, const Epilogue&, const PlanOptions&);
template Result<Gemv> PlanGemv(const BcrWeights<float>&, const Epilogue&, const PlanOptions&);
template Result<Gemv> PlanGemv(const BlockWeights<float>&, const Epilogue&, const PlanOptions&);
template Result<Gemv> PlanGemv(const CsrWeights<float>&, const Epilogue&, const PlanOptions&);
template Result<Gemv> PlanGemv(const PatternWeights<float>&, const Epilogue&, const PlanOptions&);
template Result<Gemv> PlanGemv(const AnyWeights<float>&, const Epilogue&, const PlanOptions&);
template Result<Gemv> PlanGemv(const Shared<PackedGemv<float>>&, const Epilogue&, const PlanOptions&);

#define LACUNA_TEST_INSTANTIATE_RECURRENT(OPTIONS)                                                                    \
  template Result<RecurrentCell<OPTIONS>> PlanCell(const AnyWeights<float>&, const AnyWeights<float>&,                \
                                                   const OPTIONS&);                                                   \
  template Result<RecurrentLayer<OPTIONS>> PlanLayer(const AnyWeights<float>&, const AnyWeights<float>&,              \
                                                     const OPTIONS&, const SequenceShape&);                           \
  template Result<RecurrentLayer<OPTIONS>> PlanLayer(const AnyWeights<float>&, const Shared<RecurrentStep<OPTIONS>>&, \
                                                     const SequenceShape&)
LACUNA_TEST_INSTANTIATE_RECURRENT(RnnOptions);
LACUNA_TEST_INSTANTIATE_RECURRENT(GruOptions);
LACUNA_TEST_INSTANTIATE_RECURRENT(LstmOptions);

template Result<Shared<PackedWeights<float>>> PackDefault(const DenseWeights<float>&);
template Result<Shared<PackedWeights<float>>> PackDefault(const BcrWeights<float>&);

}  // namespace lacuna::test
