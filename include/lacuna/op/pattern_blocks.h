// The blocks of outputs that a target's pattern kernels compute.

#ifndef LACUNA_OP_PATTERN_BLOCKS_H_
#define LACUNA_OP_PATTERN_BLOCKS_H_

#include "lacuna/core/abi.h"
#include "lacuna/kernel/table.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/row_blocks.h"

namespace lacuna::inline LACUNA_ABI {

inline RowBlocks RowBlocksOf(const KernelTable& kernels, const KernelAxes& kernel) {
  RowBlocks blocks{.lanes = kernels.lanes, .one_row = kernel[1].kernel == 1};
  for (const PanelKernel& pattern : kernels.patterns) {
    if (blocks.blocks < RowBlocks::kMost) blocks.block[blocks.blocks++] = {pattern.tile.height, pattern.tile.vectors};
  }
  return blocks;
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_OP_PATTERN_BLOCKS_H_
