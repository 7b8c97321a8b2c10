// SupportUnits: which weights a scheme removes together, as a choice of supports by any saliency needs it.

#ifndef LACUNA_PRUNE_SUPPORT_H_
#define LACUNA_PRUNE_SUPPORT_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/block_grid.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/prune/bcr.h"
#include "lacuna/prune/pattern.h"
#include "lacuna/prune/project.h"
#include "lacuna/prune/punched.h"
#include "lacuna/prune/ranking.h"
#include "lacuna/prune/scheme.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace lacuna::inline LACUNA_ABI::prune {

// The M x K matrix is cut into strips of block.rows rows, whose rows keep the same columns unless row_keep says else,
// and into blocks of block.columns columns. In a block column j belongs to unit (j / run) % cycle; a unit lives or dies
// whole. Extents, counts and their rounding are those of Project(weights, scheme, taps).
struct SupportUnits {
  BlockShape block{};
  int64_t run = 1;
  int64_t cycle = 1;
  Budget budget = Budget::kPerLayer;
  double keep = 1.0;                      // fraction of the units of a block or of the layer
  bool by_weights = false;                // of the layer's weights instead
  int64_t block_keeps = 0;                // kPerBlock: so many units instead, if not 0
  double row_keep = 1.0;                  // every block first keeps this fraction of its rows
  std::optional<PatternSpec> patterns{};  // units are kernels, of which all columns but a pattern's go first

  int64_t Units(int64_t column_extent) const { return std::min(cycle, (column_extent + run - 1) / run); }
  int64_t UnitOf(int64_t column) const { return column / run % cycle; }
  // Columns of unit `u` in a block of `column_extent` columns.
  int64_t Columns(int64_t u, int64_t column_extent) const {
    if (cycle > 1 && run == 1) return (column_extent - u + cycle - 1) / cycle;
    return std::min(run, column_extent - u * run);
  }
  // Units that a block keeps under Budget::kPerBlock.
  int64_t Kept(int64_t column_extent) const {
    const int64_t units = Units(column_extent);
    return block_keeps > 0 ? std::min(block_keeps, units) : KeptOf(keep, units);
  }
};

// Errors: scheme dense, a scheme that cannot prune such a layer, taps that do not divide shape.columns.
inline Result<SupportUnits> SupportUnitsOf(const Scheme& scheme, const MatrixShape& shape, int64_t taps) {
  if (taps < 1 || shape.columns % taps != 0) {
    return Status::InvalidArgument("taps is %lld, must be at least 1 and divide weights.columns, %lld",
                                   static_cast<long long>(taps), static_cast<long long>(shape.columns));
  }
  SupportUnits units;
  units.keep = 1.0 / scheme.rate;
  switch (scheme.kind) {
    case SchemeKind::kDense: return Status::InvalidArgument("scheme is dense, which removes nothing");
    case SchemeKind::kUnstructured: units.block = {1, 1}; return units;
    case SchemeKind::kPattern: {
      LACUNA_ASSIGN_OR_RETURN(spec, PatternSpecOf(scheme, taps));
      LACUNA_RETURN_IF_ERROR(spec.Validate());
      units.block = {spec.group, taps};
      units.run = taps;
      units.keep = spec.connectivity_keep;
      units.by_weights = true;
      units.patterns = spec;
      return units;
    }
    case SchemeKind::kBcr:
    case SchemeKind::kBcrCol:
    case SchemeKind::kBcrKernel: {
      LACUNA_ASSIGN_OR_RETURN(spec, BcrSpecOf(scheme, taps));
      LACUNA_RETURN_IF_ERROR(spec.Validate());
      units.block = {spec.rows, spec.columns};
      units.run = spec.column_group;
      units.cycle = spec.columns / spec.column_group;
      units.budget = Budget::kPerBlock;
      units.keep = spec.column_keep;
      units.row_keep = spec.row_keep;
      return units;
    }
    case SchemeKind::kPunched: {
      const PunchedSpec spec = PunchedSpecOf(scheme, taps);
      LACUNA_RETURN_IF_ERROR(spec.Validate());
      units.block = {spec.filters, spec.channels * taps};
      units.cycle = taps;
      if (taps == 1) units.run = units.block.columns;
      units.by_weights = true;
      if (spec.balanced) {
        units.budget = Budget::kPerBlock;
        units.block_keeps = spec.cells_kept();
      }
      return units;
    }
    case SchemeKind::kBlock:
    case SchemeKind::kBlockKernel:
    case SchemeKind::kConnectivity: {
      LACUNA_ASSIGN_OR_RETURN(block, project::BlockOf(scheme, shape, taps));
      LACUNA_RETURN_IF_ERROR(block.Validate());
      units.block = block;
      units.run = block.columns;
      return units;
    }
    case SchemeKind::kFilter:
      units.block = {1, shape.columns};
      LACUNA_RETURN_IF_ERROR(units.block.Validate());
      units.run = shape.columns;
      return units;
  }
  return Status::InvalidArgument("scheme has the unknown kind %d", static_cast<int>(scheme.kind));
}

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_SUPPORT_H_
