#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/checked.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/reorder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

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

LACUNA_FUNC Status Greedy(const RowLists& lists, std::span<uint32_t> rows, Compare compare) {
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

}  // namespace reorder

LACUNA_FUNC Status GroupEqualRows::Order(const RowLists& lists, std::span<uint32_t> rows) {
  std::sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) {
    const auto left = lists.row(a), right = lists.row(b);
    if (left.size() != right.size()) return left.size() > right.size();
    if (!std::ranges::equal(left, right)) return std::ranges::lexicographical_compare(left, right);
    return a < b;
  });
  return Status();
}

LACUNA_FUNC Status GroupSimilarRows::Order(const RowLists& lists, std::span<uint32_t> rows) {
  LACUNA_RETURN_IF_ERROR(GroupEqualRows::Order(lists, rows));
  return reorder::Greedy(lists, reorder::NotEmpty(lists, rows), reorder::Compare::kPanel);
}

}  // namespace lacuna::inline LACUNA_ABI
