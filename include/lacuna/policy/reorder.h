// Reorder policies: which rows share a panel. The pack-time axis of a policy.

#ifndef LACUNA_POLICY_REORDER_H_
#define LACUNA_POLICY_REORDER_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/status.h"
#include "lacuna/format/pattern.h"
#include "lacuna/format/row_lists.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// Order(lists, rows) permutes `rows`, the row numbers of one group, in place; neighbours will share panels of the
// kernel. Fails only where memory runs out. Results of a plan do not depend on it beyond the rounding of sums taken in
// another order. kIdentity says that Order does nothing; kScatteredRowsOnly, if there, whether it is asked only for
// formats of ScatteredRows (format/row_source.h).
template <class R>
concept ReorderPolicy = requires(const RowLists& lists, std::span<uint32_t> rows) {
  { R::kIdentity } -> std::convertible_to<bool>;
  { R::Order(lists, rows) } -> std::same_as<Status>;
};

// A Reorder policy as a value, so that packing is compiled once for all of them.
struct RowOrder {
  using OrderFn = Status (*)(const RowLists& lists, std::span<uint32_t> rows);

  OrderFn order = nullptr;  // null: rows stay where they are
  bool scattered_rows_only = false;

  template <ReorderPolicy R>
  static constexpr RowOrder Of() {
    RowOrder order;
    if constexpr (!R::kIdentity) order.order = &R::Order;
    if constexpr (requires { R::kScatteredRowsOnly; }) order.scattered_rows_only = R::kScatteredRowsOnly;
    return order;
  }
  // Whether it does anything to the rows of a format.
  bool AppliesTo(bool scattered_rows) const { return order != nullptr && (scattered_rows || !scattered_rows_only); }
};

// Rows stay where they are: right when the scheme's blocks already fill panels.
struct KeepOrder {
  static constexpr bool kIdentity = true;
  static Status Order(const RowLists&, std::span<uint32_t>) { return Status(); }
};

// Rows with equal column lists become neighbours (the matrix reorder of GRIM, TPAMI 2021), longest lists first.
struct LACUNA_API GroupEqualRows {
  static constexpr bool kIdentity = false;
  static Status Order(const RowLists& lists, std::span<uint32_t> rows);
};

namespace reorder {

// What the next row is compared with.
enum class Compare {
  kLastRow,  // the row before it
  kPanel,    // all rows before it of its panel of kPanelRows; each panel starts anew
};
inline constexpr size_t kPanelRows = 8;  // the tallest panel of the default tiles; half of it serves tiles of 4 rows

// Reorders `rows` greedily: starts with the first row left, then takes the one that shares most columns with those it
// is compared with; of equals the shortest, then the first. Leaves all as it is where that would take more than
// kMaxReorderSteps.
LACUNA_API Status Greedy(const RowLists& lists, std::span<uint32_t> rows, Compare compare);

// The rows of `rows`, sorted, that keep a column: those without one are last.
inline std::span<uint32_t> NotEmpty(const RowLists& lists, std::span<uint32_t> rows) {
  const auto empty = std::find_if(rows.begin(), rows.end(), [&](uint32_t row) { return lists.row(row).empty(); });
  return {rows.begin(), empty};
}

}  // namespace reorder

// Rows that share many columns become neighbours, so that panels have few columns, under full masks: a panel starts
// with the longest row left, and grows by the row that shares most columns with the panel's union, of equals by the one
// that widens it least. Rows without a column are last. Where that would take more than kMaxReorderSteps (steps are
// about rows^2 + rows / 8 * columns kept in all rows), the order is that of GroupEqualRows.
struct LACUNA_API GroupSimilarRows {
  static constexpr bool kIdentity = false;
  static Status Order(const RowLists& lists, std::span<uint32_t> rows);
};

// GroupSimilarRows for formats of scattered rows, KeepOrder for the others. On 1x1 layers of MobileNet-V2 and ResNet-50
// at `unstructured-8x` it is worth 10 to 15 % (conv2d_bench --variants=keep), on blocks nothing.
struct GroupScatteredRows : GroupSimilarRows {
  static constexpr bool kScatteredRowsOnly = true;
};

// The filter-kernel reorder of PatDNN (ASPLOS 2020, section 5.2) of what a list names: kernels under their patterns in
// ReorderFilters below, columns elsewhere. kByLength: longest lists first, and the next step inside groups of equally
// long ones. kBySimilarity: a row is followed by the one left that shares most entries with it (nearest neighbour;
// left out where it would take more than kMaxReorderSteps). Rows without an entry are last. Its third part, kernels of
// a filter by pattern, is how PatternWeights stores them.
template <bool kByLength = true, bool kBySimilarity = true>
struct FilterKernelReorder {
  static constexpr bool kIdentity = !kByLength && !kBySimilarity;
  static Status Order(const RowLists& lists, std::span<uint32_t> rows) {
    if constexpr (kIdentity) return Status();
    // Rows that compare equal are one group.
    const auto rank = [&](uint32_t row) {
      const size_t length = lists.row(row).size();
      return kByLength ? length : size_t{length != 0};
    };
    std::sort(rows.begin(), rows.end(),
              [&](uint32_t a, uint32_t b) { return rank(a) != rank(b) ? rank(a) > rank(b) : a < b; });
    if constexpr (kBySimilarity) {
      const std::span<uint32_t> sorted = reorder::NotEmpty(lists, rows);
      for (auto first = sorted.begin(); first != sorted.end();) {
        const auto end = std::find_if(first, sorted.end(), [&](uint32_t row) { return rank(row) != rank(*first); });
        LACUNA_RETURN_IF_ERROR(reorder::Greedy(lists, {first, end}, reorder::Compare::kLastRow));
        first = end;
      }
    }
    return Status();
  }
};

// The same weights with filter groups stored in the order of Reorder: it sees a list per filter group, whose entries
// are equal where two filter groups keep the same channel under the same pattern.
template <ReorderPolicy Reorder, class T>
Result<PatternWeights<T>> ReorderFilters(const PatternWeights<T>& weights) {
  const auto count = static_cast<size_t>(weights.filter_groups());
  const int64_t patterns = weights.library().patterns();
  const Checked entries = Checked(weights.channels()) * patterns;
  if (!entries.ok() || entries.value() > std::numeric_limits<uint32_t>::max()) {
    return Status::InvalidArgument("weights have %lld channels x %lld patterns, must have at most %u of these pairs",
                                   static_cast<long long>(weights.channels()), static_cast<long long>(patterns),
                                   std::numeric_limits<uint32_t>::max());
  }
  RowLists lists;
  LACUNA_ASSIGN_OR_RETURN(begin, Buffer<uint64_t>::Make(count + 1));
  LACUNA_ASSIGN_OR_RETURN(entry, Buffer<uint32_t>::Make(static_cast<size_t>(weights.kernels())));
  LACUNA_ASSIGN_OR_RETURN(order, Buffer<uint32_t>::Make(count));
  size_t used = 0;
  for (size_t f = 0; f < count; ++f) {
    weights.VisitKernels(weights.PositionOf(static_cast<int64_t>(f)), [&](int64_t channel, int64_t pattern, const T*) {
      entry[used++] = static_cast<uint32_t>(channel * patterns + pattern);
    });
    begin[f + 1] = used;
  }
  lists.begin = std::move(begin);
  lists.column = std::move(entry);
  std::iota(order.begin(), order.end(), 0u);
  const auto per_group = static_cast<size_t>(weights.grid().block_rows_per_group());
  for (size_t first = 0; first < count; first += per_group) {
    LACUNA_RETURN_IF_ERROR(Reorder::Order(lists, {order.data() + first, per_group}));
  }
  return weights.Reordered(std::as_const(order));
}

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/policy/reorder.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_POLICY_REORDER_H_
