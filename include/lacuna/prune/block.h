// ProjectBlock: block-sparse weights. ProjectBlockKernel: blocks of whole kernels. ProjectConnectivity: whole kernels.

#ifndef LACUNA_PRUNE_BLOCK_H_
#define LACUNA_PRUNE_BLOCK_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/status.h"
#include "lacuna/format/block.h"
#include "lacuna/format/dense.h"
#include "lacuna/prune/ranking.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace lacuna::inline LACUNA_ABI::prune {

// Keeps the ceil(keep * blocks) blocks of largest root mean square in the layer, keep in (0, 1]. Weights must be
// finite.
template <class T>
Result<BlockWeights<T>> ProjectBlock(const DenseWeights<T>& weights, const BlockShape& block, double keep) {
  LACUNA_RETURN_IF_ERROR(block.Validate());
  LACUNA_RETURN_IF_ERROR(CheckFraction("keep", keep));
  LACUNA_RETURN_IF_ERROR(CheckFinite(weights));
  const BlockGrid grid{weights.shape(), block};
  const auto blocks = static_cast<size_t>(grid.blocks());
  LACUNA_ASSIGN_OR_RETURN(units, Buffer<Unit>::Make(blocks));
  LACUNA_ASSIGN_OR_RETURN(flag, Buffer<uint8_t>::Make(blocks));
  for (size_t b = 0; b < blocks; ++b) {
    const int64_t strip = static_cast<int64_t>(b) / grid.block_columns(),
                  c = static_cast<int64_t>(b) % grid.block_columns();
    double sum = 0;
    for (int64_t i = 0; i < grid.row_extent(strip); ++i) {
      const T* row = weights.row(grid.first_row(strip) + i) + c * block.columns;
      for (int64_t j = 0; j < grid.column_extent(c); ++j)
        sum += static_cast<double>(row[j]) * static_cast<double>(row[j]);
    }
    units[b] = {sum / static_cast<double>(grid.row_extent(strip) * grid.column_extent(c)), b};
  }
  KeepLargest(std::span<Unit>(units.data(), blocks), KeptOf(keep, grid.blocks()), flag);
  return BlockWeights<T>::FromBlocks(weights, block, [&](int64_t strip, int64_t c) {
    return flag[static_cast<size_t>(strip * grid.block_columns() + c)] != 0;
  });
}

// `block` counted in kernels of `taps` weights, output x input channels, as a block of the OC x (IC * taps) matrix.
inline Result<BlockShape> BlockOfKernels(const BlockShape& block, int64_t taps) {
  LACUNA_RETURN_IF_ERROR(block.Validate());
  const Checked columns = Checked(block.columns) * taps;
  const BlockShape weights{block.rows, columns.value()};
  if (columns.ok() && weights.Validate().ok()) return weights;
  return Status::InvalidArgument("block is %lld x %lld kernels of %lld taps, must have 1 to %d weights in a row",
                                 static_cast<long long>(block.rows), static_cast<long long>(block.columns),
                                 static_cast<long long>(taps), std::numeric_limits<uint16_t>::max());
}

// Keeps the ceil(keep * blocks) blocks of largest root mean square in the layer, each of block.rows output x
// block.columns input channels with the `taps` weights (KH * KW) of all their kernels: blocks that a Winograd transform
// leaves whole. With 1 tap it is ProjectBlock. Weights must be finite.
template <class T>
Result<BlockWeights<T>> ProjectBlockKernel(const DenseWeights<T>& weights, const BlockShape& block, int64_t taps,
                                           double keep) {
  if (taps < 1 || weights.shape().columns % taps != 0) {
    return Status::InvalidArgument("taps is %lld, must be at least 1 and divide weights.columns, %lld",
                                   static_cast<long long>(taps), static_cast<long long>(weights.shape().columns));
  }
  LACUNA_ASSIGN_OR_RETURN(whole, BlockOfKernels(block, taps));
  return ProjectBlock(weights, whole, keep);
}

// Connectivity pruning: keeps the ceil(keep * kernels) kernels of `taps` weights (KH * KW) with the largest norm.
// Source: PatDNN, ASPLOS 2020.
template <class T>
Result<BlockWeights<T>> ProjectConnectivity(const DenseWeights<T>& weights, int64_t taps, double keep) {
  return ProjectBlockKernel(weights, {.rows = 1, .columns = 1}, taps, keep);
}

LACUNA_INSTANCE(LACUNA_API Result<BlockWeights<float>> ProjectBlock(const DenseWeights<float>&, const BlockShape&,
                                                                    double));
LACUNA_INSTANCE(LACUNA_API Result<BlockWeights<float>> ProjectBlockKernel(const DenseWeights<float>&, const BlockShape&,
                                                                          int64_t, double));

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_BLOCK_H_
