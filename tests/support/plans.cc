#include "tests/support/plans.h"

#include <cstddef>
#include <span>

namespace lacuna::test {
namespace {

// Chooses the tile that the calling test asked for.
struct SelectAsked {
  static thread_local int asked;
  static size_t Choose(std::span<const Candidate>) { return static_cast<size_t>(asked); }
};
thread_local int SelectAsked::asked = 0;

struct AskedTile : DefaultPolicy {
  using Select = SelectAsked;
};

}  // namespace

int TileCount() { return PatternTileIndex() + 1; }
int PatternTileIndex() { return static_cast<int>(ActiveKernels<DefaultPolicy>().panels.size()); }
const char* TileName(int tile) {
  if (tile == PatternTileIndex()) return "pattern";
  return ActiveKernels<DefaultPolicy>().panels[static_cast<size_t>(tile)].name;
}

template <int kRank, class Weights>
Result<Convolution<kRank>> PlanConvolution(const Weights& weights, const ConvShape<kRank>& shape,
                                           const Epilogue& epilogue, const PlanOptions& options) {
  if (options.tile == kChooseTile) {
    return MakeConvolution<kRank>(weights, shape, epilogue,
                                  DefaultPolicy{.input_tile_bytes = options.input_tile_bytes});
  }
  SelectAsked::asked = options.tile;
  AskedTile policy;
  policy.input_tile_bytes = options.input_tile_bytes;
  return MakeConvolution<kRank>(weights, shape, epilogue, policy);
}

template <class Weights>
Result<Gemm> PlanGemm(const Weights& weights, const GemmShape& shape, const Epilogue& epilogue,
                      const PlanOptions& options) {
  if (options.tile == kChooseTile) {
    return MakeGemm(weights, shape, epilogue, DefaultPolicy{.input_tile_bytes = options.input_tile_bytes});
  }
  SelectAsked::asked = options.tile;
  AskedTile policy;
  policy.input_tile_bytes = options.input_tile_bytes;
  return MakeGemm(weights, shape, epilogue, policy);
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
template Result<Shared<PackedWeights<float>>> PackDefault(const DenseWeights<float>&);
template Result<Shared<PackedWeights<float>>> PackDefault(const BcrWeights<float>&);

}  // namespace lacuna::test
