// FilterSteps: a filter as the steps of the pattern kernel.

#ifndef LACUNA_PACK_FILTER_STEPS_H_
#define LACUNA_PACK_FILTER_STEPS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/row_source.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/packed_weights.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

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
  size_t Load(const RowSource<T>& weights, int64_t row, const KernelAxes& kernel, const StepRows& rows) {
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

}  // namespace pack

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_PACK_FILTER_STEPS_H_
