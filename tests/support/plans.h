// Plans of the default policy behind ordinary functions, so that its kernels are compiled once for all tests.

#ifndef LACUNA_TESTS_SUPPORT_PLANS_H_
#define LACUNA_TESTS_SUPPORT_PLANS_H_

#include <lacuna/lacuna.h>

#include <cstddef>
#include <span>

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

// ActiveKernels and ActiveVectorKernels.
const KernelTable& DefaultKernels();
const VectorKernels& DefaultVectorKernels();

// Register tiles of the default policy on the active target: what PlanOptions::tile counts. The last one stands for the
// pattern kernel with all its tiles.
int TileCount();
int PatternTileIndex();
const char* TileName(int tile);

// MakeConvolution and MakeGemm for every format and for Shared<PackedWeights<float>>, ranks 1 to 3; MakeGemv for every
// format and for Shared<PackedGemv<float>>; PackWeights for DenseWeights<float> and BcrWeights<float>.
template <int kRank, class Weights>
Result<Convolution<kRank>> PlanConvolution(const Weights& weights, const ConvShape<kRank>& shape,
                                           const Epilogue& epilogue = {}, const PlanOptions& options = {});
template <class Weights>
Result<Gemm> PlanGemm(const Weights& weights, const GemmShape& shape, const Epilogue& epilogue = {},
                      const PlanOptions& options = {});
template <class Weights>
Result<Gemv> PlanGemv(const Weights& weights, const Epilogue& epilogue = {}, const PlanOptions& options = {});
// MakeRnnCell, MakeGruCell, MakeLstmCell; MakeRnn, MakeGru, MakeLstm; MakeSequence.
template <RecurrentOptions Options>
Result<RecurrentCell<Options>> PlanCell(const AnyWeights<float>& input, const AnyWeights<float>& recurrent,
                                        const Options& options = {});
template <RecurrentOptions Options>
Result<RecurrentLayer<Options>> PlanLayer(const AnyWeights<float>& input, const AnyWeights<float>& recurrent,
                                          const Options& options = {}, const SequenceShape& shape = {});
template <RecurrentOptions Options>
Result<RecurrentLayer<Options>> PlanLayer(const AnyWeights<float>& input, const Shared<RecurrentStep<Options>>& step,
                                          const SequenceShape& shape = {});
template <class Weights>
Result<Shared<PackedWeights<float>>> PackDefault(const Weights& weights);
Result<Shared<PackedWeights<float>>> ViewPackedDefault(std::span<const std::byte> bytes);

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_PLANS_H_
