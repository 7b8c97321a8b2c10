// Reorder policies: which rows share a panel. The pack-time axis of a policy.

#ifndef LACUNA_POLICY_REORDER_H_
#define LACUNA_POLICY_REORDER_H_

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

namespace lacuna {

// Whether Reorder does anything to weights of that format: unless it says otherwise, if it does anything at all.
template <class Reorder, class Weights>
constexpr bool Reorders() {
  if constexpr (requires { Reorder::template kAppliesTo<Weights>; }) {
    return Reorder::template kAppliesTo<Weights>;
  } else {
    return !Reorder::kIdentity;
  }
}

// Order(lists, rows) permutes `rows`, the row numbers of one group, in place; neighbours will share panels of the
// kernel. Fails only where memory runs out. Results of a plan do not depend on it beyond the rounding of sums taken in
// another order. kIdentity says that Order does nothing.
template <class R>
concept ReorderPolicy = requires(const RowLists& lists, std::span<uint32_t> rows) {
  { R::kIdentity } -> std::convertible_to<bool>;
  { R::Order(lists, rows) } -> std::same_as<Status>;
};

// Rows stay where they are: right when the scheme's blocks already fill panels.
struct KeepOrder {
  static constexpr bool kIdentity = true;
  static Status Order(const RowLists&, std::span<uint32_t>) { return Status(); }
};

// Rows with equal column lists become neighbours (the matrix reorder of GRIM, TPAMI 2021), longest lists first.
struct GroupEqualRows {
  static constexpr bool kIdentity = false;
  static Status Order(const RowLists& lists, std::span<uint32_t> rows) {
    std::sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) {
      const auto left = lists.row(a), right = lists.row(b);
      if (left.size() != right.size()) return left.size() > right.size();
      if (!std::ranges::equal(left, right)) return std::ranges::lexicographical_compare(left, right);
      return a < b;
    });
    return Status();
  }
};

namespace reorder {

// Which of some rows keep a column, and how many columns the rows share with a set of columns that grows.
class SharedColumns {
 public:
  // `rows` are numbers into `lists`; here they are called by their places in `rows`.
  static Result<SharedColumns> Make(const RowLists& lists, std::span<const uint32_t> rows) {
    uint64_t columns = 0, entries = 0;
    for (const uint32_t row : rows) {
      const auto list = lists.row(row);
      if (!list.empty()) columns = std::max(columns, uint64_t{list.back()} + 1);
      entries += list.size();
    }
    SharedColumns shared;
    LACUNA_ASSIGN_OR_RETURN(begin, Buffer<uint64_t>::Make(columns + 2));
    LACUNA_ASSIGN_OR_RETURN(row_at, Buffer<uint32_t>::Make(entries));
    LACUNA_ASSIGN_OR_RETURN(count, Buffer<uint32_t>::Make(rows.size()));
    LACUNA_ASSIGN_OR_RETURN(added, Buffer<uint8_t>::Make(columns));
    // Counting sort by column: begin[c + 2] counts, then begin[c + 1] is where the next row of column c goes.
    for (const uint32_t row : rows) {
      for (const uint32_t column : lists.row(row)) ++begin[size_t{column} + 2];
    }
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    for (size_t place = 0; place < rows.size(); ++place) {
      for (const uint32_t column : lists.row(rows[place])) {
        row_at[begin[size_t{column} + 1]++] = static_cast<uint32_t>(place);
      }
    }
    shared.begin_ = std::move(begin);
    shared.row_ = std::move(row_at);
    shared.count_ = std::move(count);
    shared.added_ = std::move(added);
    return shared;
  }

  int64_t entries() const { return static_cast<int64_t>(row_.size()); }
  int64_t columns() const { return static_cast<int64_t>(added_.size()); }

  // Columns of the row at `place` that are in the set.
  uint32_t operator[](size_t place) const { return count_[place]; }

  void Clear() {
    std::fill(count_.begin(), count_.end(), 0u);
    std::fill(added_.begin(), added_.end(), uint8_t{0});
  }
  void Add(std::span<const uint32_t> columns) {
    for (const uint32_t column : columns) {
      if (std::exchange(added_[column], uint8_t{1}) != 0) continue;
      for (uint64_t i = begin_[column]; i < begin_[size_t{column} + 1]; ++i) ++count_[row_[i]];
    }
  }

 private:
  Buffer<uint64_t> begin_;  // [columns + 1] into row_
  Buffer<uint32_t> row_;
  Buffer<uint32_t> count_;
  Buffer<uint8_t> added_;  // [columns]
};

// What the next row is compared with.
enum class Compare {
  kLastRow,  // the row before it
  kPanel,    // all rows before it of its panel of kPanelRows; each panel starts anew
};
inline constexpr size_t kPanelRows = 8;  // the tallest panel of the default tiles; half of it serves tiles of 4 rows

// Reorders `rows` greedily: starts with the first row left, then takes the one that shares most columns with those it
// is compared with; of equals the shortest, then the first. Leaves all as it is where that would take more than
// kMaxReorderSteps.
inline Status Greedy(const RowLists& lists, std::span<uint32_t> rows, Compare compare) {
  if (rows.size() < 3) return Status();
  LACUNA_ASSIGN_OR_RETURN(shared, SharedColumns::Make(lists, rows));
  const auto count = static_cast<int64_t>(rows.size());
  const Checked sets = compare == Compare::kPanel ? count / static_cast<int64_t>(kPanelRows) + 1 : count;
  const Checked steps = sets * (Checked(shared.entries()) + shared.columns() + count) + Checked(count) * count;
  if (!steps.ok() || steps.value() > kMaxReorderSteps) return Status();

  LACUNA_ASSIGN_OR_RETURN(from, Buffer<uint32_t>::CopyOf(rows));
  LACUNA_ASSIGN_OR_RETURN(left, Buffer<uint32_t>::Make(rows.size()));  // places in `from`, ascending
  std::iota(left.begin(), left.end(), 0u);
  const auto length = [&](uint32_t place) { return lists.row(from[place]).size(); };
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool starts = compare == Compare::kPanel ? i % kPanelRows == 0 : i == 0;
    uint32_t* best = left.begin();
    for (uint32_t* candidate = left.begin(); !starts && candidate != left.begin() + (rows.size() - i); ++candidate) {
      const uint32_t now = shared[*candidate], most = shared[*best];
      if (now > most || (now == most && length(*candidate) < length(*best))) best = candidate;
    }
    rows[i] = from[*best];
    if (starts || compare == Compare::kLastRow) shared.Clear();
    shared.Add(lists.row(rows[i]));
    std::copy(best + 1, left.begin() + (rows.size() - i), best);
  }
  return Status();
}

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
struct GroupSimilarRows {
  static constexpr bool kIdentity = false;
  static Status Order(const RowLists& lists, std::span<uint32_t> rows) {
    LACUNA_RETURN_IF_ERROR(GroupEqualRows::Order(lists, rows));
    return reorder::Greedy(lists, reorder::NotEmpty(lists, rows), reorder::Compare::kPanel);
  }
};

// What a format may say of itself: its rows keep columns independently of their neighbours (CsrWeights). Others have
// blocks of rows that fill panels as they are.
template <class Weights>
concept ScatteredRows = requires {
  requires Weights::kScatteredRows;
};

// GroupSimilarRows for formats of scattered rows, KeepOrder for the others. On 1x1 layers of MobileNet-V2 and ResNet-50
// at `unstructured-8x` it is worth 10 to 15 % (conv2d_bench --variants=keep), on blocks nothing.
struct GroupScatteredRows : GroupSimilarRows {
  template <class Weights>
  static constexpr bool kAppliesTo = ScatteredRows<Weights>;
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

}  // namespace lacuna

#endif  // LACUNA_POLICY_REORDER_H_
