// PatternWeights: the schemes `pattern` and `pattern_g4`, filter-kernel-weight storage (FKW; PatDNN, ASPLOS 2020).

#ifndef LACUNA_FORMAT_PATTERN_H_
#define LACUNA_FORMAT_PATTERN_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/blob_layout.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/permutation.h"
#include "lacuna/core/status.h"
#include "lacuna/format/block_grid.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/index_array.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/pattern_library.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// The arrays of PatternWeights. A filter group is `group` neighbouring filters that keep the same kernels under the
// same patterns (one filter each in FKW as published); it is clipped at the end of a convolution group. F counts filter
// groups, P patterns. Filter groups are stored in any order that stays inside convolution groups, their kernels by
// pattern, then channel.
template <class T>
struct PatternArrays {
  PatternLibrary library;
  IndexArray reorder;       // [F] stored filter group -> filter group
  IndexArray position;      // [F] filter group -> stored filter group
  Buffer<uint32_t> offset;  // [F + 1] into index: the first kernel of each stored filter group
  IndexArray index;         // the input channel, inside its convolution group, of each kernel
  IndexArray stride;        // [F][P + 1] where the run of each pattern begins, counted from offset
  // [F + 1] into weight; empty if all kernels store as many weights: if all patterns have as many cells and no filter
  // group is clipped.
  Buffer<uint32_t> weight_begin;
  Buffer<T> weight;  // [filters of the group][cells of the pattern] of every kernel
};

template <class T>
class PatternWeights {
 public:
  using value_type = T;
  using Arrays = PatternArrays<T>;

  static constexpr uint16_t kNoPattern = std::numeric_limits<uint16_t>::max();
  static constexpr int64_t kMaxGroup = std::numeric_limits<uint16_t>::max();

  // The kernels of one stored filter group under one pattern. Filter g of kernel k, begin <= k < end, has its weights
  // at weight[((k - begin) * filters + g) * cells], in the order of the pattern's cells.
  struct Run {
    int64_t pattern, cells;
    int64_t filters;    // of the filter group
    size_t begin, end;  // into arrays().index
    const T* weight;
  };

  // Takes arrays as they are (owned or viewed); fails if they break an invariant. `taps` is KD * KH * KW.
  static Result<PatternWeights> FromArrays(const MatrixShape& shape, int64_t taps, int64_t group, Arrays arrays) {
    PatternWeights weights(shape, taps, group, std::move(arrays));
    LACUNA_RETURN_IF_ERROR(weights.Validate());
    return weights;
  }

  // The smallest cover: the pattern of a kernel is the cells at which a filter of its group is not zero, the library is
  // what patterns occur. Filter groups are stored longest first. Fails if taps does not divide the columns or there
  // are more than 65535 patterns.
  static Result<PatternWeights> FromDense(const DenseWeights<T>& dense, int64_t taps, int64_t group = 1);

  // As above with a given library: each kernel takes the pattern with the fewest cells that covers it, the first of
  // equals. Fails if no pattern covers a kernel.
  static Result<PatternWeights> FromDense(const DenseWeights<T>& dense, int64_t taps, int64_t group,
                                          const PatternLibrary& library);

  // As the first, for weights that `kept(row, column)` names instead of the non-zero ones; values come from `dense`.
  template <class Kept>
  static Result<PatternWeights> FromMask(const DenseWeights<T>& dense, int64_t taps, int64_t group, const Kept& kept);

  // Filter group f keeps the kernel of channel c under pattern pattern_of[f * channels + c], or not at all if that is
  // kNoPattern; values come from `dense`, cells outside the pattern are dropped. Filter groups are stored in the given
  // order (`order[stored]` is a filter group; a permutation inside each convolution group), longest first if it is
  // empty.
  static Result<PatternWeights> FromAssignment(const DenseWeights<T>& dense, int64_t taps, int64_t group,
                                               const PatternLibrary& library, std::span<const uint16_t> pattern_of,
                                               std::span<const uint32_t> order = {});

  // The same weights with filter groups stored in another order, as in FromAssignment.
  Result<PatternWeights> Reordered(std::span<const uint32_t> order) const;

  const MatrixShape& shape() const { return grid_.shape; }
  int64_t taps() const { return grid_.block.columns; }
  int64_t group() const { return grid_.block.rows; }
  int64_t channels() const { return grid_.block_columns(); }  // of a convolution group
  int64_t filter_groups() const { return grid_.block_rows(); }
  // Rows of filter groups: first_row(f), row_extent(f), block_row_of(row), all in their original numbers.
  const BlockGrid& grid() const { return grid_; }
  const PatternLibrary& library() const { return arrays_.library; }
  const Arrays& arrays() const { return arrays_; }

  int64_t kernels() const { return static_cast<int64_t>(arrays_.index.size()); }  // kept, per filter group
  int64_t nnz() const { return static_cast<int64_t>(arrays_.weight.size()); }
  size_t StorageBytes() const { return IndexBytes() + arrays_.weight.size_bytes(); }
  // Of everything but the weights.
  size_t IndexBytes() const {
    return arrays_.library.StorageBytes() + arrays_.reorder.size_bytes() + arrays_.position.size_bytes() +
           arrays_.offset.size_bytes() + arrays_.index.size_bytes() + arrays_.stride.size_bytes() +
           arrays_.weight_begin.size_bytes();
  }
  Status Validate() const;

  Result<DenseWeights<T>> ToDense() const;

  // pattern_of[filter group][channel], see FromAssignment.
  Result<Buffer<uint16_t>> Assignment() const;

  // The filter group that stands at place `stored`.
  int64_t FilterGroupAt(int64_t stored) const { return arrays_.reorder[static_cast<size_t>(stored)]; }
  // The place at which a filter group is stored.
  int64_t PositionOf(int64_t filter_group) const { return arrays_.position[static_cast<size_t>(filter_group)]; }

  // f(run) for the patterns that a stored filter group uses, ascending.
  template <class F>
  void VisitRuns(int64_t stored, const F& f) const {
    const auto s = static_cast<size_t>(stored);
    const int64_t patterns = library().patterns(), filters = grid_.row_extent(FilterGroupAt(stored));
    const size_t first = arrays_.offset[s], stride = s * static_cast<size_t>(patterns + 1);
    const T* weight = arrays_.weight.data() + WeightBegin(s);
    for (int64_t p = 0; p < patterns; ++p) {
      const size_t at = stride + static_cast<size_t>(p);
      const size_t begin = first + arrays_.stride[at], end = first + arrays_.stride[at + 1];
      if (begin == end) continue;
      const int64_t cells = library().cells(p);
      f(Run{p, cells, filters, begin, end, weight});
      weight += static_cast<int64_t>(end - begin) * filters * cells;
    }
  }

  // f(channel, pattern, weight) for the kernels of a stored filter group, channels ascending; `weight` are the kernel's
  // [filters][cells].
  template <class F>
  void VisitKernels(int64_t stored, const F& f) const {
    // Runs are merged without allocation: kernels are dealt to their places in a window of channels, then read off.
    constexpr int64_t kWindow = 256;
    struct Place {
      int64_t pattern;
      const T* weight;
    };
    Place places[kWindow];
    for (int64_t first = 0; first < channels(); first += kWindow) {
      const int64_t end = std::min(first + kWindow, channels());
      std::fill_n(places, end - first, Place{0, nullptr});
      VisitRuns(stored, [&](const Run& run) {
        for (size_t k = FirstFrom(run, first); k < run.end && int64_t{arrays_.index[k]} < end; ++k) {
          const T* weight = run.weight + static_cast<int64_t>(k - run.begin) * run.filters * run.cells;
          places[int64_t{arrays_.index[k]} - first] = {run.pattern, weight};
        }
      });
      for (int64_t channel = first; channel < end; ++channel) {
        const auto& [pattern, weight] = places[channel - first];
        if (weight != nullptr) f(channel, pattern, weight);
      }
    }
  }

  // f(column, value) for the stored weights of a row (in its original number), columns ascending.
  template <class F>
  void VisitRow(int64_t row, const F& f) const {
    const int64_t filter_group = grid_.block_row_of(row);
    const int64_t filter = row - grid_.first_row(filter_group);
    VisitKernels(PositionOf(filter_group), [&](int64_t channel, int64_t pattern, const T* weight) {
      const int64_t cells = library().cells(pattern);
      for (int64_t i = 0; i < cells; ++i) {
        f(channel * taps() + library().cell_at(pattern, i), weight[filter * cells + i]);
      }
    });
  }

 private:
  friend struct BlobAccess;  // core/blob_layout.h
  static constexpr BlobKind kBlobKind = BlobKind::kPattern;
  PatternWeights() = default;
  template <class Self, class Fields>
  static void ListFields(Self& self, Fields& fields) {
    fields.Scalar("rows", self.grid_.shape.rows);
    fields.Scalar("columns", self.grid_.shape.columns);
    fields.Scalar("groups", self.grid_.shape.groups);
    fields.Scalar("taps", self.grid_.block.columns);
    fields.Scalar("group", self.grid_.block.rows);
    fields.Array("pattern_begin", self.arrays_.library.begin);
    fields.Array("pattern_cell", self.arrays_.library.cell);
    fields.Array("reorder", self.arrays_.reorder);
    fields.Array("position", self.arrays_.position);
    fields.Array("offset", self.arrays_.offset);
    fields.Array("index", self.arrays_.index);
    fields.Array("stride", self.arrays_.stride);
    fields.Array("weight_begin", self.arrays_.weight_begin);
    fields.Array("weight", self.arrays_.weight);
  }

  PatternWeights(const MatrixShape& shape, int64_t taps, int64_t group, Arrays arrays)
      : grid_{shape, {group, taps}}, arrays_(std::move(arrays)) {}

  static Status CheckExtents(const MatrixShape& shape, int64_t taps, int64_t group);
  template <class Kept>
  static Result<CellMasks> MasksOf(const BlockGrid& grid, const Kept& kept);
  static Result<PatternWeights> Cover(const DenseWeights<T>& dense, const BlockGrid& grid,
                                      const PatternLibrary& library, const CellMasks& masks,
                                      std::span<const uint64_t> sorted);
  static Result<Buffer<uint32_t>> LongestFirst(const BlockGrid& grid, std::span<const uint16_t> pattern_of);
  static Status CheckOrder(const BlockGrid& grid, std::span<const uint32_t> order);
  Status ValidateRuns() const;

  // Whether all kernels store the same number of weights.
  static bool Uniform(const BlockGrid& grid, const PatternLibrary& library) {
    for (int64_t p = 1; p < library.patterns(); ++p) {
      if (library.cells(p) != library.cells(0)) return false;
    }
    return grid.shape.rows_per_group() % grid.block.rows == 0;
  }

  size_t WeightBegin(size_t stored) const {
    if (arrays_.weight_begin.size() != 0) return arrays_.weight_begin[stored];
    if (library().patterns() == 0) return 0;
    return size_t{arrays_.offset[stored]} * static_cast<size_t>(group() * library().cells(0));
  }

  // The first kernel of a run whose channel is at least `channel`.
  size_t FirstFrom(const Run& run, int64_t channel) const {
    size_t begin = run.begin, end = run.end;
    while (begin < end && channel != 0) {
      const size_t middle = begin + (end - begin) / 2;
      if (int64_t{arrays_.index[middle]} < channel) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return begin;
  }

  BlockGrid grid_;  // blocks of one filter group x one channel
  Arrays arrays_;
};

template <class T>
Status PatternWeights<T>::CheckExtents(const MatrixShape& shape, int64_t taps, int64_t group) {
  if (taps < 1 || taps > PatternLibrary::kMaxTaps || shape.columns % taps != 0) {
    return Status::InvalidArgument("taps is %lld, must be in [1, %lld] and divide weights.columns, %lld",
                                   static_cast<long long>(taps), static_cast<long long>(PatternLibrary::kMaxTaps),
                                   static_cast<long long>(shape.columns));
  }
  if (group < 1 || group > kMaxGroup) {
    return Status::InvalidArgument("group is %lld, must be in [1, %lld]", static_cast<long long>(group),
                                   static_cast<long long>(kMaxGroup));
  }
  return Status();
}

// The mask of every filter group and channel: what any of its filters keeps.
template <class T>
template <class Kept>
Result<CellMasks> PatternWeights<T>::MasksOf(const BlockGrid& grid, const Kept& kept) {
  LACUNA_ASSIGN_OR_RETURN(masks, CellMasks::Make(static_cast<size_t>(grid.blocks()), grid.block.columns));
  for (int64_t f = 0; f < grid.block_rows(); ++f) {
    for (int64_t row = grid.first_row(f); row < grid.first_row(f) + grid.row_extent(f); ++row) {
      for (int64_t c = 0; c < grid.block_columns(); ++c) {
        for (int64_t cell = 0; cell < grid.block.columns; ++cell) {
          if (kept(row, c * grid.block.columns + cell)) {
            masks.Add(static_cast<size_t>(f * grid.block_columns() + c), cell);
          }
        }
      }
    }
  }
  return std::move(masks);
}

template <class T>
template <class Kept>
Result<PatternWeights<T>> PatternWeights<T>::FromMask(const DenseWeights<T>& dense, int64_t taps, int64_t group,
                                                      const Kept& kept) {
  LACUNA_RETURN_IF_ERROR(CheckExtents(dense.shape(), taps, group));
  const BlockGrid grid{dense.shape(), {group, taps}};
  LACUNA_ASSIGN_OR_RETURN(masks, MasksOf(grid, kept));
  LACUNA_ASSIGN_OR_RETURN(sorted, masks.Sorted());
  LACUNA_ASSIGN_OR_RETURN(distinct, Buffer<uint64_t>::CopyOf(std::as_const(sorted)));
  distinct.Truncate(static_cast<size_t>(
      std::unique(distinct.begin(), distinct.end(), [&](uint64_t a, uint64_t b) { return masks.Equal(a, b); }) -
      distinct.begin()));
  LACUNA_ASSIGN_OR_RETURN(library, PatternLibrary::Of(masks, std::as_const(distinct), taps));
  return Cover(dense, grid, library, masks, std::as_const(sorted));
}

template <class T>
Result<PatternWeights<T>> PatternWeights<T>::FromDense(const DenseWeights<T>& dense, int64_t taps, int64_t group) {
  return FromMask(dense, taps, group, [&](int64_t row, int64_t column) { return dense.row(row)[column] != T{}; });
}

template <class T>
Result<PatternWeights<T>> PatternWeights<T>::FromDense(const DenseWeights<T>& dense, int64_t taps, int64_t group,
                                                       const PatternLibrary& library) {
  LACUNA_RETURN_IF_ERROR(CheckExtents(dense.shape(), taps, group));
  LACUNA_RETURN_IF_ERROR(library.Validate(taps));
  const BlockGrid grid{dense.shape(), {group, taps}};
  LACUNA_ASSIGN_OR_RETURN(masks,
                          MasksOf(grid, [&](int64_t row, int64_t column) { return dense.row(row)[column] != T{}; }));
  LACUNA_ASSIGN_OR_RETURN(sorted, masks.Sorted());
  return Cover(dense, grid, library, masks, std::as_const(sorted));
}

// `sorted` is masks.Sorted().
template <class T>
Result<PatternWeights<T>> PatternWeights<T>::Cover(const DenseWeights<T>& dense, const BlockGrid& grid,
                                                   const PatternLibrary& library, const CellMasks& masks,
                                                   std::span<const uint64_t> sorted) {
  const int64_t taps = grid.block.columns;
  LACUNA_ASSIGN_OR_RETURN(patterns, library.ToMasks(taps));
  LACUNA_ASSIGN_OR_RETURN(pattern_of, Buffer<uint16_t>::Make(masks.size()));
  std::fill(pattern_of.begin(), pattern_of.end(), kNoPattern);
  size_t first = 0, chosen = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const uint64_t kernel = sorted[i];
    if (i == 0 || !masks.Equal(kernel, sorted[i - 1])) {
      // Whatever covers a mask stands at its place in the library or behind it.
      while (first < patterns.size() && patterns.Before(first, masks, kernel)) ++first;
      chosen = first;
      while (chosen < patterns.size() && !patterns.Covers(chosen, masks, kernel)) ++chosen;
      if (chosen == patterns.size()) {
        const int64_t f = static_cast<int64_t>(kernel) / grid.block_columns();
        return Status::InvalidArgument(
            "weights: no pattern of the library covers the %lld non-zero cells of rows %lld to %lld, input channel "
            "%lld",
            static_cast<long long>(masks.cells(kernel)), static_cast<long long>(grid.first_row(f)),
            static_cast<long long>(grid.first_row(f) + grid.row_extent(f) - 1),
            static_cast<long long>(static_cast<int64_t>(kernel) % grid.block_columns()));
      }
    }
    pattern_of[kernel] = static_cast<uint16_t>(chosen);
  }
  return FromAssignment(dense, taps, grid.block.rows, library, std::as_const(pattern_of));
}

// Filter groups by number of kept kernels, inside each convolution group; ties by number.
template <class T>
Result<Buffer<uint32_t>> PatternWeights<T>::LongestFirst(const BlockGrid& grid, std::span<const uint16_t> pattern_of) {
  const auto count = static_cast<size_t>(grid.block_rows()), channels = static_cast<size_t>(grid.block_columns());
  LACUNA_ASSIGN_OR_RETURN(order, Buffer<uint32_t>::Make(count));
  LACUNA_ASSIGN_OR_RETURN(dropped, Buffer<int64_t>::Make(count));
  for (size_t f = 0; f < count; ++f) {
    const auto row = pattern_of.subspan(f * channels, channels);
    dropped[f] = std::count(row.begin(), row.end(), kNoPattern);
  }
  std::iota(order.begin(), order.end(), 0u);
  const int64_t per_group = grid.block_rows_per_group();
  for (uint32_t* first = order.begin(); first != order.end(); first += per_group) {
    std::sort(first, first + per_group,
              [&](uint32_t a, uint32_t b) { return dropped[a] != dropped[b] ? dropped[a] < dropped[b] : a < b; });
  }
  return std::move(order);
}

template <class T>
Status PatternWeights<T>::CheckOrder(const BlockGrid& grid, std::span<const uint32_t> order) {
  if (static_cast<int64_t>(order.size()) != grid.block_rows()) {
    return Status::InvalidArgument("order has %zu elements, must have one per filter group, %lld", order.size(),
                                   static_cast<long long>(grid.block_rows()));
  }
  const auto per_group = static_cast<size_t>(grid.block_rows_per_group());
  for (size_t first = 0; first < order.size(); first += per_group) {
    if (!IsPermutation(order.subspan(first, per_group), first)) {
      return Status::InvalidArgument("order[%zu] to order[%zu] must be the filter groups %zu to %zu, each once", first,
                                     first + per_group - 1, first, first + per_group - 1);
    }
  }
  return Status();
}

template <class T>
Result<PatternWeights<T>> PatternWeights<T>::FromAssignment(const DenseWeights<T>& dense, int64_t taps, int64_t group,
                                                            const PatternLibrary& library,
                                                            std::span<const uint16_t> pattern_of,
                                                            std::span<const uint32_t> order) {
  LACUNA_RETURN_IF_ERROR(CheckExtents(dense.shape(), taps, group));
  LACUNA_RETURN_IF_ERROR(library.Validate(taps));
  const BlockGrid grid{dense.shape(), {group, taps}};
  const auto filter_groups = static_cast<size_t>(grid.block_rows());
  const auto channels = static_cast<size_t>(grid.block_columns()), patterns = static_cast<size_t>(library.patterns());
  if (pattern_of.size() != filter_groups * channels) {
    return Status::InvalidArgument("pattern_of has %zu elements, must have one per filter group and channel, %zu",
                                   pattern_of.size(), filter_groups * channels);
  }
  uint64_t kernels = 0, weights = 0;
  for (size_t i = 0; i < pattern_of.size(); ++i) {
    if (pattern_of[i] == kNoPattern) continue;
    if (pattern_of[i] >= patterns) {
      return Status::InvalidArgument("pattern_of[%zu] is %d, must be below %zu or kNoPattern", i, int{pattern_of[i]},
                                     patterns);
    }
    ++kernels;
    weights +=
        static_cast<uint64_t>(grid.row_extent(static_cast<int64_t>(i / channels)) * library.cells(pattern_of[i]));
  }
  if (weights > std::numeric_limits<uint32_t>::max()) {
    return Status::InvalidArgument("pattern.weight would have %llu elements, must have at most %u",
                                   static_cast<unsigned long long>(weights), std::numeric_limits<uint32_t>::max());
  }
  Buffer<uint32_t> longest_first;
  if (order.empty()) {
    LACUNA_ASSIGN_OR_RETURN(made, LongestFirst(grid, pattern_of));
    longest_first = std::move(made);
    order = std::as_const(longest_first);
  }
  LACUNA_RETURN_IF_ERROR(CheckOrder(grid, order));

  LACUNA_ASSIGN_OR_RETURN(library_copy, library.Copy(taps));
  LACUNA_ASSIGN_OR_RETURN(reorder, IndexArray::Make(filter_groups, grid.block_rows()));
  LACUNA_ASSIGN_OR_RETURN(position, IndexArray::Make(filter_groups, grid.block_rows()));
  LACUNA_ASSIGN_OR_RETURN(offset, Buffer<uint32_t>::Make(filter_groups + 1));
  LACUNA_ASSIGN_OR_RETURN(index, IndexArray::Make(kernels, grid.block_columns()));
  LACUNA_ASSIGN_OR_RETURN(stride, IndexArray::Make(filter_groups * (patterns + 1), grid.block_columns() + 1));
  LACUNA_ASSIGN_OR_RETURN(weight_begin, Buffer<uint32_t>::Make(Uniform(grid, library) ? 0 : filter_groups + 1));
  LACUNA_ASSIGN_OR_RETURN(weight, Buffer<T>::Make(weights));
  LACUNA_ASSIGN_OR_RETURN(next_kernel, Buffer<size_t>::Make(patterns + 1));  // where the next one of each pattern goes
  LACUNA_ASSIGN_OR_RETURN(next_weight, Buffer<size_t>::Make(patterns + 1));
  size_t kernel_at = 0, weight_at = 0;
  for (size_t s = 0; s < filter_groups; ++s) {
    const auto f = static_cast<int64_t>(order[s]);
    const int64_t filters = grid.row_extent(f);
    const auto assigned = pattern_of.subspan(order[s] * channels, channels);
    reorder.Set(s, order[s]);
    position.Set(order[s], static_cast<uint32_t>(s));
    std::fill(next_kernel.begin(), next_kernel.end(), size_t{0});
    for (const uint16_t p : assigned) {
      if (p != kNoPattern) ++next_kernel[p];
    }
    const size_t first = kernel_at;
    for (size_t p = 0; p < patterns; ++p) {
      const size_t count = std::exchange(next_kernel[p], kernel_at);
      next_weight[p] = weight_at;
      kernel_at += count;
      weight_at += count * static_cast<size_t>(filters * library.cells(static_cast<int64_t>(p)));
      stride.Set(s * (patterns + 1) + p + 1, static_cast<uint32_t>(kernel_at - first));
    }
    for (size_t c = 0; c < channels; ++c) {
      const uint16_t p = assigned[c];
      if (p == kNoPattern) continue;
      index.Set(next_kernel[p]++, static_cast<uint32_t>(c));
      for (int64_t g = 0; g < filters; ++g) {
        const T* from = dense.row(grid.first_row(f) + g) + static_cast<int64_t>(c) * taps;
        for (int64_t i = 0; i < library.cells(p); ++i) weight[next_weight[p]++] = from[library.cell_at(p, i)];
      }
    }
    offset[s + 1] = static_cast<uint32_t>(kernel_at);
    if (weight_begin.size() != 0) weight_begin[s + 1] = static_cast<uint32_t>(weight_at);
  }
  return PatternWeights(dense.shape(), taps, group,
                        {std::move(library_copy), std::move(reorder), std::move(position), std::move(offset),
                         std::move(index), std::move(stride), std::move(weight_begin), std::move(weight)});
}

template <class T>
Result<PatternWeights<T>> PatternWeights<T>::Reordered(std::span<const uint32_t> order) const {
  LACUNA_ASSIGN_OR_RETURN(dense, ToDense());
  LACUNA_ASSIGN_OR_RETURN(assignment, Assignment());
  return FromAssignment(dense, taps(), group(), arrays_.library, std::as_const(assignment), order);
}

template <class T>
Result<DenseWeights<T>> PatternWeights<T>::ToDense() const {
  return ExpandRows(*this);
}

template <class T>
Result<Buffer<uint16_t>> PatternWeights<T>::Assignment() const {
  LACUNA_ASSIGN_OR_RETURN(pattern_of, Buffer<uint16_t>::Make(static_cast<size_t>(filter_groups() * channels())));
  std::fill(pattern_of.begin(), pattern_of.end(), kNoPattern);
  for (int64_t stored = 0; stored < filter_groups(); ++stored) {
    uint16_t* row = pattern_of.data() + FilterGroupAt(stored) * channels();
    VisitRuns(stored, [&](const Run& run) {
      for (size_t k = run.begin; k < run.end; ++k) row[arrays_.index[k]] = static_cast<uint16_t>(run.pattern);
    });
  }
  return std::move(pattern_of);
}

template <class T>
Status PatternWeights<T>::Validate() const {
  LACUNA_RETURN_IF_ERROR(shape().Validate());
  LACUNA_RETURN_IF_ERROR(CheckExtents(shape(), taps(), group()));
  LACUNA_RETURN_IF_ERROR(library().Validate(taps()));
  const auto count = static_cast<size_t>(filter_groups());
  const auto length = [](const char* name, size_t size, size_t expected) {
    if (size == expected) return Status();
    return Status::InvalidArgument("pattern.%s has %zu elements, must have %zu", name, size, expected);
  };
  LACUNA_RETURN_IF_ERROR(length("reorder", arrays_.reorder.size(), count));
  LACUNA_RETURN_IF_ERROR(length("position", arrays_.position.size(), count));
  LACUNA_RETURN_IF_ERROR(length("offset", arrays_.offset.size(), count + 1));
  LACUNA_RETURN_IF_ERROR(
      length("stride", arrays_.stride.size(), count * (static_cast<size_t>(library().patterns()) + 1)));
  LACUNA_RETURN_IF_ERROR(
      length("weight_begin", arrays_.weight_begin.size(), Uniform(grid_, library()) ? 0 : count + 1));
  const auto per_group = static_cast<size_t>(grid_.block_rows_per_group());
  for (size_t s = 0; s < count; ++s) {
    const size_t f = arrays_.reorder[s];
    if (f / per_group != s / per_group) {
      return Status::InvalidArgument("pattern.reorder[%zu] is %zu, must be in [%zu, %zu]", s, f,
                                     s / per_group * per_group, s / per_group * per_group + per_group - 1);
    }
    if (arrays_.position[f] != s) {
      return Status::InvalidArgument("pattern.position[%zu] is %u, must be %zu, as reorder says", f,
                                     arrays_.position[f], s);
    }
  }
  return ValidateRuns();
}

template <class T>
Status PatternWeights<T>::ValidateRuns() const {
  const Buffer<uint32_t>&offset = arrays_.offset, &weight_begin = arrays_.weight_begin;
  const IndexArray &index = arrays_.index, &stride = arrays_.stride;
  const Buffer<T>& weight = arrays_.weight;
  const auto count = static_cast<size_t>(filter_groups()), patterns = static_cast<size_t>(library().patterns());
  if (offset[0] != 0 || offset[count] != index.size()) {
    return Status::InvalidArgument("pattern.offset runs from %u to %u, must run from 0 to %zu", offset[0],
                                   offset[count], index.size());
  }
  size_t weights = 0;
  const auto check_weight_begin = [&](size_t s) {
    if (weight_begin.size() == 0 || weight_begin[s] == weights) return Status();
    return Status::InvalidArgument("pattern.weight_begin[%zu] is %u, must be %zu", s, weight_begin[s], weights);
  };
  for (size_t s = 0; s < count; ++s) {
    LACUNA_RETURN_IF_ERROR(check_weight_begin(s));
    if (offset[s + 1] < offset[s] || offset[s + 1] > index.size()) {
      return Status::InvalidArgument("pattern.offset[%zu] is %u, must be in [%u, %zu]", s + 1, offset[s + 1], offset[s],
                                     index.size());
    }
    const size_t kernels = offset[s + 1] - offset[s], first = s * (patterns + 1);
    const int64_t filters = grid_.row_extent(FilterGroupAt(static_cast<int64_t>(s)));
    if (stride[first] != 0 || stride[first + patterns] != kernels) {
      return Status::InvalidArgument(
          "pattern.stride of stored filter group %zu runs from %u to %u, must run from 0 to "
          "%zu",
          s, stride[first], stride[first + patterns], kernels);
    }
    for (size_t p = 0; p < patterns; ++p) {
      const size_t begin = stride[first + p], end = stride[first + p + 1];
      if (end < begin || end > kernels) {
        return Status::InvalidArgument("pattern.stride[%zu] is %zu, must be in [%zu, %zu]", first + p + 1, end, begin,
                                       kernels);
      }
      for (size_t k = offset[s] + begin; k < offset[s] + end; ++k) {
        if (int64_t{index[k]} >= channels() || (k > offset[s] + begin && index[k] <= index[k - 1])) {
          return Status::InvalidArgument(
              "pattern.index[%zu] is %u, must ascend inside pattern %zu of stored filter "
              "group %zu and be below %lld",
              k, index[k], p, s, static_cast<long long>(channels()));
        }
      }
      // Below 2^48: channels ascend, channels * cells fit in weights.columns.
      weights += (end - begin) * static_cast<size_t>(filters * library().cells(static_cast<int64_t>(p)));
      if (weights > weight.size()) {
        return Status::InvalidArgument("pattern.weight has %zu elements, stored filter group %zu needs %zu",
                                       weight.size(), s, weights);
      }
    }
    size_t distinct = 0;
    VisitKernels(static_cast<int64_t>(s), [&](int64_t, int64_t, const T*) { ++distinct; });
    if (distinct != kernels) {
      return Status::InvalidArgument(
          "pattern.index of stored filter group %zu has %zu channels twice, must have each "
          "at most once",
          s, kernels - distinct);
    }
  }
  LACUNA_RETURN_IF_ERROR(check_weight_begin(count));
  if (weights != weight.size()) {
    return Status::InvalidArgument("pattern.weight has %zu elements, must have %zu", weight.size(), weights);
  }
  return Status();
}

LACUNA_INSTANCE(class LACUNA_API PatternWeights<float>);

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_PATTERN_H_
