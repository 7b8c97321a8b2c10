// Packing, and the policies that it asks.

#include "lacuna/core/target.ipp"
#include "lacuna/core/value_traits.h"
#include "lacuna/op/explain.ipp"
#include "lacuna/pack/gemv.ipp"
#include "lacuna/pack/input_tile.ipp"
#include "lacuna/pack/packed_weights.ipp"
#include "lacuna/pack/pattern.ipp"
#include "lacuna/pack/row_blocks.h"
#include "lacuna/pack/winograd.ipp"
#include "lacuna/pack/winograd_blocks.ipp"
#include "lacuna/policy/choices.ipp"
#include "lacuna/policy/reorder.ipp"
#include "lacuna/policy/select.ipp"

#include <array>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

template struct LACUNA_API PackedWeights<float>;
template struct LACUNA_API GemvCount<float>;
template class LACUNA_API KernelMatrix<float>;
template LACUNA_API Result<Buffer<uint32_t>> pack::OrderRows(const RowSource<float>&, const RowOrder&);
template LACUNA_API Result<double> PredictPanelCost(const RowSource<float>&, const TileInfo&,
                                                    std::span<const uint32_t>);
template LACUNA_API Result<PackedWeights<float>> Pack(const RowSource<float>&, const TileInfo&, Buffer<uint32_t>);
template LACUNA_API Result<Buffer<uint32_t>> pack::OrderRows(const RowSource<WeightGroup<Int8Traits>>&,
                                                             const RowOrder&);
template LACUNA_API Result<double> PredictPanelCost(const RowSource<WeightGroup<Int8Traits>>&, const TileInfo&,
                                                    std::span<const uint32_t>);
template LACUNA_API Result<PackedWeights<WeightGroup<Int8Traits>>> Pack(const RowSource<WeightGroup<Int8Traits>>&,
                                                                        const TileInfo&, Buffer<uint32_t>);
template LACUNA_API Result<double> PredictPatternCost(const RowSource<float>&, const KernelAxes&);
template LACUNA_API Result<PackedWeights<float>> PackPattern(const RowSource<float>&, const TileInfo&,
                                                             const KernelAxes&, Buffer<uint32_t>);
template LACUNA_API Result<WinogradWeights<float>> PackWinograd(const KernelMatrix<float>&,
                                                                const std::array<int64_t, 3>&, const NamedWinogradTile&,
                                                                const TileInfo&, Buffer<uint32_t>);
template LACUNA_API Result<WinogradWeights<float>> PackWinograd(const KernelMatrix<float>&,
                                                                const std::array<int64_t, 3>&, const NamedWinogradTile&,
                                                                const DenseProduct&);
template LACUNA_API Result<PackedGemv<float>> PackGemv(const RowSource<float>&, GemvCount<float>);
template LACUNA_API Result<InputTile> ChooseInputTile(const std::array<TileAxis, 3>&, int64_t,
                                                      const TileBudget<SubTiling>&);
template LACUNA_API Result<InputTile> ChooseInputTile(const std::array<TileAxis, 3>&, int64_t,
                                                      const TileBudget<RowBlocks>&);
template double pack::TileCost(const InputTile&, const TileBudget<SubTiling>&);
template double pack::TileCost(const InputTile&, const TileBudget<RowBlocks>&);

}  // namespace lacuna::inline LACUNA_ABI
