// ProjectPunched: block-punched (2-D) and kernel-group-structured (3-D) weights.

#ifndef LACUNA_PRUNE_PUNCHED_H_
#define LACUNA_PRUNE_PUNCHED_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/dense.h"
#include "lacuna/prune/ranking.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI::prune {

struct PunchedSpec {
  int64_t filters = 8;  // of a block
  int64_t channels = 4;
  int64_t taps = 0;      // cells of a kernel: KH * KW, or KD * KH * KW
  double keep = 1.0;     // fraction of the weights, in (0, 1]
  bool balanced = true;  // every block keeps cells_kept() cells; else the layer's strongest cells survive

  // Cells that every block keeps if balanced: 1 <= cells <= taps, taps / cells as near to 1 / keep as their ratio can
  // be. 27 cells at 3.6x keep 8 (3.375x), at 8x 3 (9x); a kernel of one tap keeps it at any rate.
  int64_t cells_kept() const {
    const double wanted = keep * static_cast<double>(taps), below = std::floor(wanted);
    const double kept = wanted * wanted > below * (below + 1.0) ? below + 1.0 : below;
    return std::clamp<int64_t>(static_cast<int64_t>(kept), 1, taps);
  }

  Status Validate() const {
    if (taps < 1) return Status::InvalidArgument("spec.taps is %lld, must be at least 1", static_cast<long long>(taps));
    if (channels < 1) {
      return Status::InvalidArgument("spec.channels is %lld, must be at least 1", static_cast<long long>(channels));
    }
    LACUNA_RETURN_IF_ERROR((BlockShape{filters, channels}.Validate()));
    LACUNA_RETURN_IF_ERROR((BlockShape{filters, channels * taps}.Validate()));
    return CheckFraction("spec.keep", keep);
  }
};

// In every block of filters x channels all kernels keep the same cells: those with the largest norm over the block,
// divided by the square root of the weights in it: blocks are clipped at the edges, which ranks them as zero-padded
// blocks do whose padding is not counted. If not balanced, the cells of all blocks compete: the fewest survive that
// have keep * weights together. The result is a BCR matrix whose blocks are filters x (channels *
// taps). Weights must be finite. Sources: RT3D, AAAI 2021 (KGS); "Achieving real-time mobile acceleration"
// (block-punched).
template <class T>
Result<BcrWeights<T>> ProjectPunched(const DenseWeights<T>& weights, const PunchedSpec& spec) {
  LACUNA_RETURN_IF_ERROR(spec.Validate());
  LACUNA_RETURN_IF_ERROR(CheckFinite(weights));
  if (weights.shape().columns % spec.taps != 0) {
    return Status::InvalidArgument("spec.taps is %lld, must divide weights.columns, %lld",
                                   static_cast<long long>(spec.taps), static_cast<long long>(weights.shape().columns));
  }
  const BlockShape block{spec.filters, spec.channels * spec.taps};
  const BlockGrid grid{weights.shape(), block};
  const auto cells = static_cast<size_t>(grid.blocks() * spec.taps);
  LACUNA_ASSIGN_OR_RETURN(units, Buffer<Unit>::Make(cells));
  LACUNA_ASSIGN_OR_RETURN(flag, Buffer<uint8_t>::Make(cells));
  // Kernels of the block that cell u belongs to: the weights it stands for.
  const auto kernels_of = [&](size_t u) {
    const int64_t b = static_cast<int64_t>(u) / spec.taps;
    const int64_t columns = grid.column_extent(b % grid.block_columns());
    return grid.row_extent(b / grid.block_columns()) * (columns / spec.taps);
  };
  for (size_t u = 0; u < cells; ++u) {
    const int64_t b = static_cast<int64_t>(u) / spec.taps, cell = static_cast<int64_t>(u) % spec.taps;
    const int64_t strip = b / grid.block_columns(), c = b % grid.block_columns();
    double sum = 0;
    for (int64_t i = 0; i < grid.row_extent(strip); ++i) {
      const T* row = weights.row(grid.first_row(strip) + i) + c * block.columns;
      for (int64_t j = cell; j < grid.column_extent(c); j += spec.taps) {
        sum += static_cast<double>(row[j]) * static_cast<double>(row[j]);
      }
    }
    units[u] = {sum / static_cast<double>(kernels_of(u)), u};
  }
  if (spec.balanced) {
    const auto taps = static_cast<size_t>(spec.taps);
    for (size_t first = 0; first < cells; first += taps) {
      KeepLargest(std::span<Unit>(units.data() + first, taps), spec.cells_kept(), flag);
    }
  } else {
    KeepLargest(std::span<Unit>(units.data(), cells), spec.keep * static_cast<double>(weights.shape().elements()),
                kernels_of, flag);
  }
  return BcrWeights<T>::FromMask(weights, block, [&](int64_t row, int64_t column) {
    const int64_t b = grid.block_row_of(row) * grid.block_columns() + column / block.columns;
    return flag[static_cast<size_t>(b * spec.taps + column % spec.taps)] != 0;
  });
}

LACUNA_INSTANCE(LACUNA_API Result<BcrWeights<float>> ProjectPunched(const DenseWeights<float>&, const PunchedSpec&));

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_PUNCHED_H_
