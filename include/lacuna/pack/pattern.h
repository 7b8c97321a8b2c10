// PackPattern: any format in the order the pattern kernel reads it.

#ifndef LACUNA_PACK_PATTERN_H_
#define LACUNA_PACK_PATTERN_H_

#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/index_array.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/tile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna {

namespace pack {

// Which rows of a convolution kernel can be one step: those whose inputs lie one and two rows of a plane below.
class StepRows {
  using RowsBelow = std::array<int32_t, 2>;

 public:
  static Result<StepRows> Make(const KernelAxis& height) {
    TileAxis axis;
    axis.kernel = height.kernel;
    axis.stride = height.stride;
    axis.dilation = height.dilation;
    StepRows rows;
    LACUNA_ASSIGN_OR_RETURN(below, Buffer<RowsBelow>::Make(static_cast<size_t>(height.kernel)));
    for (int64_t tap = 0; tap < height.kernel; ++tap) {
      below[static_cast<size_t>(tap)] = {-1, -1};
      // Taps of one phase are phases() apart, their shifts at least 1.
      for (int64_t other = tap + axis.phases(), n = 0; other < height.kernel && n < 2; other += axis.phases(), ++n) {
        const int64_t rows_below = axis.Shift(other) - axis.Shift(tap);
        if (rows_below == 1 || rows_below == 2) {
          below[static_cast<size_t>(tap)][static_cast<size_t>(rows_below - 1)] = static_cast<int32_t>(other);
        }
      }
    }
    rows.below_ = std::move(below);
    return rows;
  }
  // The row `distance` (1 or 2) input rows below row `tap`, or -1.
  int32_t Below(int64_t tap, int distance) const {
    return below_[static_cast<size_t>(tap)][static_cast<size_t>(distance - 1)];
  }

 private:
  Buffer<RowsBelow> below_;
};

// A kernel of one filter: its steps, and the key that kernels of equal cells share.
template <class T>
struct FilterSteps {
  struct Step {
    uint64_t key;    // of the kernel: filters keep equal kernels together, so that the kernel's branches are predicted
    uint32_t first;  // column of the first cell
    uint8_t cells;
    T weight[3];  // in cell order

    friend bool operator<(const Step& a, const Step& b) { return a.key != b.key ? a.key < b.key : a.first < b.first; }
  };

  // f(step) for the steps of `row`, in the order they are packed; columns of the merged group begin at `column_begin`.
  template <class Weights>
  size_t Load(const Weights& weights, int64_t row, const KernelAxes& kernel, const StepRows& rows) {
    const int64_t taps = kernel[0].kernel * kernel[1].kernel * kernel[2].kernel;
    size_t used = 0;
    int64_t channel = -1;
    size_t kept = 0;  // cells of the channel
    const auto finish = [&] {
      if (kept == 0) return;
      const size_t begin = used;
      uint64_t key = 0;
      for (size_t i = 0; i < kept; ++i) {
        const auto tap = static_cast<size_t>(cell[i].tap);
        if (!present[tap]) continue;  // taken by an earlier step
        Step& step = steps[used++];
        step.first = static_cast<uint32_t>(channel * taps + cell[i].tap);
        step.cells = 1;
        step.weight[0] = cell[i].value;
        present[tap] = 0;
        int weight = 1;
        const int64_t h = cell[i].tap / kernel[2].kernel % kernel[1].kernel;
        for (const int distance : {1, 2}) {
          const int64_t other = rows.Below(h, distance);
          if (other < 0) continue;
          const int64_t at = cell[i].tap + (other - h) * kernel[2].kernel;
          if (!present[static_cast<size_t>(at)]) continue;
          step.cells = static_cast<uint8_t>(step.cells | 1u << distance);
          step.weight[weight++] = value[static_cast<size_t>(at)];
          present[static_cast<size_t>(at)] = 0;
        }
        key = key * 8 + step.cells;
      }
      for (size_t i = begin; i < used; ++i) steps[i].key = key;
      kept = 0;
    };
    weights.VisitRow(row, [&](int64_t column, const T& v) {
      if (column / taps != channel) {
        finish();
        channel = column / taps;
      }
      const int64_t tap = column % taps;
      cell[kept++] = {tap, v};
      present[static_cast<size_t>(tap)] = 1;
      value[static_cast<size_t>(tap)] = v;
    });
    finish();
    std::sort(steps.begin(), steps.begin() + used);
    return used;
  }

  static Result<FilterSteps> Make(int64_t columns, int64_t taps) {
    FilterSteps filter;
    LACUNA_ASSIGN_OR_RETURN(steps, Buffer<Step>::Make(static_cast<size_t>(columns)));
    LACUNA_ASSIGN_OR_RETURN(cell, Buffer<Cell>::Make(static_cast<size_t>(taps)));
    LACUNA_ASSIGN_OR_RETURN(present, Buffer<uint8_t>::Make(static_cast<size_t>(taps)));
    LACUNA_ASSIGN_OR_RETURN(value, Buffer<T>::Make(static_cast<size_t>(taps)));
    filter.steps = std::move(steps);
    filter.cell = std::move(cell);
    filter.present = std::move(present);
    filter.value = std::move(value);
    return filter;
  }

  struct Cell {
    int64_t tap;
    T value;
  };
  Buffer<Step> steps;
  Buffer<Cell> cell;  // of the current channel
  Buffer<uint8_t> present;
  Buffer<T> value;
};

inline int64_t TapsOf(const KernelAxes& kernel) { return kernel[0].kernel * kernel[1].kernel * kernel[2].kernel; }

// Groups of a layer that the pattern kernel takes as one.
inline int64_t MergedGroups(const MatrixShape& shape) {
  // Groups of many rows are enough work by themselves.
  if (shape.rows_per_group() >= kMergedGroups) return 1;
  for (int64_t merged = std::min(shape.groups, kMergedGroups); merged > 1; --merged) {
    const bool divides = shape.groups % merged == 0;
    // A merged matrix must keep to the limits of one.
    if (divides && MatrixShape{shape.rows, shape.columns * merged, shape.groups / merged}.Validate().ok())
      return merged;
  }
  return 1;
}

}  // namespace pack

// The cost of `weights` in the pattern kernel, in multiply-adds of one vector per vector of outputs, as
// PredictPanelCost. Up to 64 rows, evenly spaced, stand for all.
template <class Weights>
Result<double> PredictPatternCost(const Weights& weights, const KernelAxes& kernel) {
  using T = typename Weights::value_type;
  constexpr int64_t kSample = 64;
  const MatrixShape& shape = weights.shape();
  LACUNA_ASSIGN_OR_RETURN(rows, pack::StepRows::Make(kernel[1]));
  LACUNA_ASSIGN_OR_RETURN(filter, pack::FilterSteps<T>::Make(shape.columns, pack::TapsOf(kernel)));
  const int64_t step = std::max<int64_t>(1, shape.rows / kSample);
  double cost = 0;
  int64_t sampled = 0;
  for (int64_t row = 0; row < shape.rows; row += step, ++sampled) {
    const size_t steps = filter.Load(weights, row, kernel, rows);
    for (size_t i = 0; i < steps; ++i) {
      // A kernel of one cell has no load that another step finds in L1.
      const bool lone = filter.steps[i].key == 1;
      cost += std::popcount(filter.steps[i].cells) + (lone ? kLoneStepCost : kStepCost);
    }
  }
  cost *= static_cast<double>(shape.rows) / static_cast<double>(sampled);
  return pack::MergedGroups(shape) > 1 ? cost : cost + kPatternOutputCost * static_cast<double>(shape.rows);
}

// Packs `weights` for the pattern kernels of a layer with those kernel axes. `tile` is that of any of them. Kernels of
// a filter are ordered by their cells (the last part of the filter-kernel reorder of PatDNN, ASPLOS 2020), filters by
// `order`.
template <class Weights>
Result<PackedWeights<typename Weights::value_type>> PackPattern(const Weights& weights, const TileInfo& tile,
                                                                const KernelAxes& kernel, Buffer<uint32_t> order) {
  using T = typename Weights::value_type;
  const MatrixShape& shape = weights.shape();
  PackedWeights<T> packed;
  packed.tile = tile;
  packed.nnz = weights.nnz();
  packed.kernel = kernel;
  packed.merged_groups = pack::MergedGroups(shape);
  packed.shape = {shape.rows, shape.columns * packed.merged_groups, shape.groups / packed.merged_groups};
  const int64_t taps = pack::TapsOf(kernel);
  if (shape.columns % taps != 0) {
    return Status::InvalidArgument("weights have %lld columns, must be a multiple of the kernel's %lld cells",
                                   static_cast<long long>(shape.columns), static_cast<long long>(taps));
  }
  LACUNA_ASSIGN_OR_RETURN(step_rows, pack::StepRows::Make(kernel[1]));
  LACUNA_ASSIGN_OR_RETURN(filter, pack::FilterSteps<T>::Make(shape.columns, taps));
  const auto rows = static_cast<size_t>(shape.rows);
  LACUNA_ASSIGN_OR_RETURN(count, Buffer<uint32_t>::Make(rows));
  LACUNA_ASSIGN_OR_RETURN(column_begin, Buffer<uint64_t>::Make(rows + 1));
  LACUNA_ASSIGN_OR_RETURN(weight_begin, Buffer<uint64_t>::Make(rows + 1));
  for (size_t row = 0; row < rows; ++row) {
    const size_t steps = filter.Load(weights, order[row], kernel, step_rows);
    uint64_t values = 0;
    for (size_t i = 0; i < steps; ++i) values += static_cast<uint64_t>(std::popcount(filter.steps[i].cells));
    count[row] = static_cast<uint32_t>(steps);
    column_begin[row + 1] = column_begin[row] + steps;
    weight_begin[row + 1] = weight_begin[row] + values;
  }
  LACUNA_ASSIGN_OR_RETURN(column, IndexArray::Make(column_begin[rows], packed.shape.columns));
  LACUNA_ASSIGN_OR_RETURN(cells, Buffer<uint8_t>::Make(column_begin[rows]));
  LACUNA_ASSIGN_OR_RETURN(weight, Buffer<T>::Make(weight_begin[rows]));
  uint64_t weight_at = 0;
  for (size_t row = 0; row < rows; ++row) {
    const size_t steps = filter.Load(weights, order[row], kernel, step_rows);
    const int64_t group = static_cast<int64_t>(order[row]) / shape.rows_per_group();
    const auto first = static_cast<uint32_t>(group % packed.merged_groups * shape.columns);
    for (size_t i = 0; i < steps; ++i) {
      const auto& step = filter.steps[i];
      column.Set(column_begin[row] + i, first + step.first);
      cells[column_begin[row] + i] = step.cells;
      for (int w = 0; w < std::popcount(step.cells); ++w) weight[weight_at++] = step.weight[w];
    }
  }
  packed.count = std::move(count);
  packed.column_begin = std::move(column_begin);
  packed.weight_begin = std::move(weight_begin);
  packed.column = std::move(column);
  packed.cells = std::move(cells);
  packed.weight = std::move(weight);
  if (!pack::IsIdentity(order)) packed.row_order = std::move(order);
  return packed;
}

// The same, filters ordered by Reorder.
template <class Reorder, class Weights>
Result<PackedWeights<typename Weights::value_type>> PackPattern(const Weights& weights, const TileInfo& tile,
                                                                const KernelAxes& kernel) {
  LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows<Reorder>(weights));
  return PackPattern(weights, tile, kernel, std::move(order));
}

}  // namespace lacuna

#endif  // LACUNA_PACK_PATTERN_H_
