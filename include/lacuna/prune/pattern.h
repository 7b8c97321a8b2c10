// ProjectPattern: pattern and connectivity pruning, and the library of patterns that it takes.

#ifndef LACUNA_PRUNE_PATTERN_H_
#define LACUNA_PRUNE_PATTERN_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/block_grid.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/pattern.h"
#include "lacuna/prune/ranking.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI::prune {

// PatternSpec::required_cell: the centre of the kernel if taps is odd, else none.
inline constexpr int64_t kCentreCell = -1;

// Defaults are those of PatDNN: 8 patterns of the centre and 3 more of 9 cells, 1 / 3.6 of the kernels; 8.1x in all.
struct PatternSpec {
  int64_t taps = 0;                                    // cells of a kernel: KH * KW, or KD * KH * KW
  int64_t cells = 4;                                   // of an extracted pattern; kernels of one tap keep that one
  int64_t patterns = 8;                                // of an extracted library, at most
  int64_t rounds = 0;                                  // in which an extracted library is refined, at most
  std::optional<int64_t> required_cell = kCentreCell;  // of every extracted pattern; empty for none
  int64_t group = 1;                                   // neighbouring filters that keep the same kernels and patterns
  double connectivity_keep = 1.0 / 3.6;                // fraction of the kernels, in (0, 1]

  static constexpr int64_t kMaxRounds = 1000;

  int64_t cells_kept() const { return taps == 1 ? 1 : cells; }
  std::optional<int64_t> required() const {
    if (required_cell != kCentreCell) return required_cell;
    return taps % 2 == 1 ? std::optional<int64_t>(taps / 2) : std::nullopt;
  }

  Status Validate() const {
    LACUNA_RETURN_IF_ERROR(CheckRange("spec.taps", taps, 1, PatternLibrary::kMaxTaps));
    LACUNA_RETURN_IF_ERROR(CheckRange("spec.cells", cells_kept(), 1, taps));
    LACUNA_RETURN_IF_ERROR(CheckRange("spec.patterns", patterns, 1, PatternLibrary::kMaxPatterns));
    LACUNA_RETURN_IF_ERROR(CheckRange("spec.rounds", rounds, 0, kMaxRounds));
    LACUNA_RETURN_IF_ERROR(CheckRange("spec.required_cell", required().value_or(0), 0, taps - 1));
    LACUNA_RETURN_IF_ERROR(CheckRange("spec.group", group, 1, PatternWeights<float>::kMaxGroup));
    return CheckFraction("spec.connectivity_keep", connectivity_keep);
  }

  // Ok if the spec is valid and fits `weights`, which are finite.
  template <class T>
  Status Check(const DenseWeights<T>& weights) const {
    LACUNA_RETURN_IF_ERROR(Validate());
    if (weights.shape().columns % taps != 0) {
      return Status::InvalidArgument("spec.taps is %lld, must divide weights.columns, %lld",
                                     static_cast<long long>(taps), static_cast<long long>(weights.shape().columns));
    }
    return CheckFinite(weights);
  }

 private:
  static Status CheckRange(const char* name, int64_t value, int64_t low, int64_t high) {
    if (value >= low && value <= high) return Status();
    return Status::InvalidArgument("%s is %lld, must be in [%lld, %lld]", name, static_cast<long long>(value),
                                   static_cast<long long>(low), static_cast<long long>(high));
  }
};

namespace pattern {

// energy[cell] = sum of squares over the filters of filter group `f`, channel `c`.
template <class T>
void CellEnergies(const DenseWeights<T>& weights, const BlockGrid& grid, int64_t f, int64_t c,
                  std::span<double> energy) {
  std::fill(energy.begin(), energy.end(), 0.0);
  for (int64_t g = 0; g < grid.row_extent(f); ++g) {
    const T* kernel = weights.row(grid.first_row(f) + g) + c * grid.block.columns;
    for (size_t cell = 0; cell < energy.size(); ++cell) {
      energy[cell] += static_cast<double>(kernel[cell]) * static_cast<double>(kernel[cell]);
    }
  }
}

// f(kernel, energy) for the kernels (of filter groups) of `layers`, numbered over all of them, that are not zeros; see
// CellEnergies.
template <class T, class F>
void VisitEnergies(std::span<const DenseWeights<T>* const> layers, const PatternSpec& spec, std::span<double> energy,
                   const F& f) {
  size_t kernel = 0;
  for (const DenseWeights<T>* layer : layers) {
    const BlockGrid grid{layer->shape(), {spec.group, spec.taps}};
    for (int64_t filter_group = 0; filter_group < grid.block_rows(); ++filter_group) {
      for (int64_t c = 0; c < grid.block_columns(); ++c, ++kernel) {
        CellEnergies(*layer, grid, filter_group, c, energy);
        if (std::any_of(energy.begin(), energy.end(), [](double e) { return e != 0.0; })) f(kernel, energy);
      }
    }
  }
}

struct Best {
  int64_t pattern = 0;
  double energy = -1.0;  // of its cells
};

// The pattern under which most energy survives, the first of equals.
inline Best BestPattern(const PatternLibrary& library, std::span<const double> energy) {
  Best best;
  for (int64_t p = 0; p < library.patterns(); ++p) {
    double sum = 0;
    for (int64_t i = 0; i < library.cells(p); ++i) sum += energy[static_cast<size_t>(library.cell_at(p, i))];
    if (sum > best.energy) best = {p, sum};
  }
  return best;
}

// Makes masks of a spec's number of cells: the required one and those of most energy, the first of equals.
class StrongestCells {
 public:
  static Result<StrongestCells> Make(const PatternSpec& spec) {
    StrongestCells cells(spec);
    LACUNA_ASSIGN_OR_RETURN(units, Buffer<Unit>::Make(static_cast<size_t>(spec.taps)));
    LACUNA_ASSIGN_OR_RETURN(kept, Buffer<uint8_t>::Make(static_cast<size_t>(spec.taps)));
    cells.units_ = std::move(units);
    cells.kept_ = std::move(kept);
    return cells;
  }

  void AddTo(CellMasks& masks, size_t mask, std::span<const double> energy) {
    for (size_t cell = 0; cell < energy.size(); ++cell) units_[cell] = {energy[cell], cell};
    if (const auto required = spec_.required()) {
      units_[static_cast<size_t>(*required)].norm2 = std::numeric_limits<double>::infinity();
    }
    std::fill(kept_.begin(), kept_.end(), uint8_t{0});
    KeepLargest(std::span<Unit>(units_.data(), units_.size()), spec_.cells_kept(), kept_);
    for (size_t cell = 0; cell < kept_.size(); ++cell) {
      if (kept_[cell] != 0) masks.Add(mask, static_cast<int64_t>(cell));
    }
  }

 private:
  explicit StrongestCells(const PatternSpec& spec) : spec_(spec) {}

  PatternSpec spec_;
  Buffer<Unit> units_;
  Buffer<uint8_t> kept_;
};

inline bool Equal(const PatternLibrary& a, const PatternLibrary& b) {
  bool equal = std::ranges::equal(a.begin, b.begin);
  for (size_t i = 0; equal && i < a.cell.size(); ++i) equal = a.cell[i] == b.cell[i];
  return equal;
}

// One round of k-means: every kernel goes to its best pattern, then a pattern becomes the strongest cells of the sum of
// its kernels; one that no kernel likes best stays. Never less energy survives. Patterns that become equal are one.
template <class T>
Result<PatternLibrary> Refined(std::span<const DenseWeights<T>* const> layers, const PatternSpec& spec,
                               const PatternLibrary& library, std::span<double> energy, StrongestCells& strongest) {
  const auto patterns = static_cast<size_t>(library.patterns()), taps = static_cast<size_t>(spec.taps);
  LACUNA_ASSIGN_OR_RETURN(sums, Buffer<double>::Make(patterns * taps));
  VisitEnergies(layers, spec, energy, [&](size_t, std::span<const double> of_kernel) {
    double* sum = sums.data() + static_cast<size_t>(BestPattern(library, of_kernel).pattern) * taps;
    for (size_t cell = 0; cell < taps; ++cell) sum[cell] += of_kernel[cell];
  });
  LACUNA_ASSIGN_OR_RETURN(masks, CellMasks::Make(patterns, spec.taps));
  for (size_t p = 0; p < patterns; ++p) {
    const std::span<const double> sum(sums.data() + p * taps, taps);
    if (std::any_of(sum.begin(), sum.end(), [](double e) { return e != 0.0; })) {
      strongest.AddTo(masks, p, sum);
      continue;
    }
    const auto number = static_cast<int64_t>(p);
    for (int64_t i = 0; i < library.cells(number); ++i) masks.Add(p, library.cell_at(number, i));
  }
  LACUNA_ASSIGN_OR_RETURN(sorted, masks.Sorted());
  const auto equal = [&](uint64_t a, uint64_t b) { return masks.Equal(a, b); };
  const auto distinct = static_cast<size_t>(std::unique(sorted.begin(), sorted.end(), equal) - sorted.begin());
  return PatternLibrary::Of(masks, {sorted.data(), distinct}, spec.taps);
}

}  // namespace pattern

// The patterns that occur most among the kernels of `layers` (those of a network that have `taps` cells): the mask of a
// kernel is its required cell and its strongest others, `cells` in all; the `patterns` most frequent masks are kept,
// of equals the one whose kernels have the larger sum of squares, then the first in library order. With a group, its
// filters count as one kernel, by their sum of squares. Kernels of zeros do not vote, unless there is nothing else.
// Weights must be finite. Source: PatDNN, ASPLOS 2020, section 4. Of kernels with many cells hardly two have the same
// mask (27 cells: 7.7 million masks of 12 with the centre), so that counting tells little: `rounds` of k-means follow,
// fewer if nothing changes any more.
template <class T>
Result<PatternLibrary> ExtractPatternLibrary(std::span<const DenseWeights<T>* const> layers, const PatternSpec& spec) {
  LACUNA_RETURN_IF_ERROR(spec.Validate());
  if (layers.empty()) return Status::InvalidArgument("layers has 0 elements, must have at least 1");
  size_t kernels = 0;
  for (const DenseWeights<T>* layer : layers) {
    LACUNA_RETURN_IF_ERROR(spec.Check(*layer));
    kernels += static_cast<size_t>(BlockGrid{layer->shape(), {spec.group, spec.taps}}.blocks());
  }
  LACUNA_ASSIGN_OR_RETURN(masks, CellMasks::Make(kernels, spec.taps));
  LACUNA_ASSIGN_OR_RETURN(energy, Buffer<double>::Make(static_cast<size_t>(spec.taps)));
  LACUNA_ASSIGN_OR_RETURN(strongest, pattern::StrongestCells::Make(spec));
  LACUNA_ASSIGN_OR_RETURN(square, Buffer<double>::Make(kernels));
  double total = 0;
  pattern::VisitEnergies(layers, spec, {energy.data(), energy.size()},
                         [&](size_t kernel, std::span<const double> of_kernel) {
                           total += square[kernel] = std::accumulate(of_kernel.begin(), of_kernel.end(), 0.0);
                           strongest.AddTo(masks, kernel, of_kernel);
                         });
  if (total == 0) strongest.AddTo(masks, 0, {energy.data(), energy.size()});

  // Runs of equal masks are what is counted; `first` is the place of each run's first mask. Squares of all kernels
  // count less than one vote: they decide between equals.
  LACUNA_ASSIGN_OR_RETURN(sorted, masks.Sorted());
  LACUNA_ASSIGN_OR_RETURN(runs, Buffer<Unit>::Make(sorted.size()));
  LACUNA_ASSIGN_OR_RETURN(first, Buffer<uint64_t>::Make(sorted.size()));
  LACUNA_ASSIGN_OR_RETURN(chosen, Buffer<uint8_t>::Make(sorted.size()));
  size_t count = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i == 0 || !masks.Equal(sorted[i], sorted[i - 1])) {
      runs[count] = {0.0, count};
      first[count++] = sorted[i];
    }
    runs[count - 1].norm2 += 1.0 + (total == 0 ? 0.0 : square[sorted[i]] / (2 * total));
  }
  KeepLargest(std::span<Unit>(runs.data(), count), spec.patterns, chosen);
  size_t used = 0;
  for (size_t run = 0; run < count; ++run) {
    if (chosen[run] != 0) first[used++] = first[run];
  }
  LACUNA_ASSIGN_OR_RETURN(library, PatternLibrary::Of(masks, {first.data(), used}, spec.taps));
  for (int64_t round = 0; round < spec.rounds; ++round) {
    LACUNA_ASSIGN_OR_RETURN(refined,
                            pattern::Refined(layers, spec, library, {energy.data(), energy.size()}, strongest));
    const bool same = pattern::Equal(refined, library);
    library = std::move(refined);
    if (same) break;
  }
  return std::move(library);
}

template <class T>
Result<PatternLibrary> ExtractPatternLibrary(const DenseWeights<T>& weights, const PatternSpec& spec) {
  const DenseWeights<T>* layer = &weights;
  return ExtractPatternLibrary(std::span<const DenseWeights<T>* const>(&layer, 1), spec);
}

// The pattern of every filter group and channel, as PatternWeights::FromAssignment takes it: the pattern under which
// most of the kernel's sum of squares survives, the first of equals. Connectivity: of the layer's kernels (of filter
// groups), those survive whose weights under their patterns have the largest L2 norm, the fewest that are
// connectivity_keep of the single filters' kernels; the norm of a filter group is divided by the square root of its
// filters, so that clipped ones compete fairly.
template <class T>
Result<Buffer<uint16_t>> AssignPatterns(const DenseWeights<T>& weights, const PatternSpec& spec,
                                        const PatternLibrary& library) {
  LACUNA_RETURN_IF_ERROR(spec.Check(weights));
  LACUNA_RETURN_IF_ERROR(library.Validate(spec.taps));
  if (library.patterns() == 0) return Status::InvalidArgument("library has 0 patterns, must have at least 1");
  const BlockGrid grid{weights.shape(), {spec.group, spec.taps}};
  const auto kernels = static_cast<size_t>(grid.blocks());
  LACUNA_ASSIGN_OR_RETURN(pattern_of, Buffer<uint16_t>::Make(kernels));
  LACUNA_ASSIGN_OR_RETURN(energy, Buffer<double>::Make(static_cast<size_t>(spec.taps)));
  LACUNA_ASSIGN_OR_RETURN(units, Buffer<Unit>::Make(kernels));
  LACUNA_ASSIGN_OR_RETURN(kept, Buffer<uint8_t>::Make(kernels));
  for (size_t kernel = 0; kernel < kernels; ++kernel) {
    const int64_t f = static_cast<int64_t>(kernel) / grid.block_columns();
    const int64_t c = static_cast<int64_t>(kernel) % grid.block_columns();
    pattern::CellEnergies(weights, grid, f, c, {energy.data(), energy.size()});
    const pattern::Best best = pattern::BestPattern(library, {energy.data(), energy.size()});
    pattern_of[kernel] = static_cast<uint16_t>(best.pattern);
    units[kernel] = {best.energy / static_cast<double>(grid.row_extent(f)), kernel};
  }
  const auto filters_of = [&](size_t kernel) {
    return grid.row_extent(static_cast<int64_t>(kernel) / grid.block_columns());
  };
  KeepLargest(std::span<Unit>(units.data(), kernels),
              spec.connectivity_keep * static_cast<double>(grid.shape.rows * grid.block_columns()), filters_of, kept);
  for (size_t kernel = 0; kernel < kernels; ++kernel) {
    if (kept[kernel] == 0) pattern_of[kernel] = PatternWeights<T>::kNoPattern;
  }
  return std::move(pattern_of);
}

// Keeps the kernels, and of each the cells, that AssignPatterns names. Kernels of one tap lose nothing but connections.
// Source: PatDNN, ASPLOS 2020.
template <class T>
Result<PatternWeights<T>> ProjectPattern(const DenseWeights<T>& weights, const PatternSpec& spec,
                                         const PatternLibrary& library) {
  LACUNA_ASSIGN_OR_RETURN(pattern_of, AssignPatterns(weights, spec, library));
  return PatternWeights<T>::FromAssignment(weights, spec.taps, spec.group, library, std::as_const(pattern_of));
}

// As above with the library of the layer itself.
template <class T>
Result<PatternWeights<T>> ProjectPattern(const DenseWeights<T>& weights, const PatternSpec& spec) {
  LACUNA_ASSIGN_OR_RETURN(library, ExtractPatternLibrary(weights, spec));
  return ProjectPattern(weights, spec, library);
}

LACUNA_INSTANCE(LACUNA_API Result<PatternLibrary> ExtractPatternLibrary(std::span<const DenseWeights<float>* const>,
                                                                        const PatternSpec&));
LACUNA_INSTANCE(LACUNA_API Result<Buffer<uint16_t>> AssignPatterns(const DenseWeights<float>&, const PatternSpec&,
                                                                   const PatternLibrary&));
LACUNA_INSTANCE(LACUNA_API Result<PatternWeights<float>> ProjectPattern(const DenseWeights<float>&, const PatternSpec&,
                                                                        const PatternLibrary&));
LACUNA_INSTANCE(LACUNA_API Result<PatternWeights<float>> ProjectPattern(const DenseWeights<float>&,
                                                                        const PatternSpec&));

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_PATTERN_H_
