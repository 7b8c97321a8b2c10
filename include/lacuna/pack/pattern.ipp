#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/format/index_array.h"
#include "lacuna/pack/filter_steps.h"
#include "lacuna/pack/pattern.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace pack {

LACUNA_COLD_FUNC int64_t MergedGroups(const MatrixShape& shape) {
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

template <class T>
Result<double> PredictPatternCost(const RowSource<T>& weights, const KernelAxes& kernel) {
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

template <class T>
Result<PackedWeights<T>> PackPattern(const RowSource<T>& weights, const TileInfo& tile, const KernelAxes& kernel,
                                     Buffer<uint32_t> order) {
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

}  // namespace lacuna::inline LACUNA_ABI
