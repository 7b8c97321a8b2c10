// Reorder policies: which rows share a panel. The pack-time axis of a policy.

#ifndef LACUNA_POLICY_REORDER_H_
#define LACUNA_POLICY_REORDER_H_

#include "lacuna/format/row_lists.h"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>

namespace lacuna {

// Order(lists, rows) permutes `rows`, the row numbers of one group, in place; neighbours will share panels of the
// kernel. Results of a plan do not depend on it beyond the rounding of sums taken in another order. kIdentity says that
// Order does nothing.
template <class R>
concept ReorderPolicy = requires(const RowLists& lists, std::span<uint32_t> rows) {
  { R::kIdentity } -> std::convertible_to<bool>;
  R::Order(lists, rows);
};

// Rows stay where they are: right when the scheme's blocks already fill panels.
struct KeepOrder {
  static constexpr bool kIdentity = true;
  static void Order(const RowLists&, std::span<uint32_t>) {}
};

// Rows with equal column lists become neighbours (the matrix reorder of GRIM, TPAMI 2021), longest lists first.
struct GroupEqualRows {
  static constexpr bool kIdentity = false;
  static void Order(const RowLists& lists, std::span<uint32_t> rows) {
    std::sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) {
      const auto left = lists.row(a), right = lists.row(b);
      if (left.size() != right.size()) return left.size() > right.size();
      if (!std::ranges::equal(left, right)) return std::ranges::lexicographical_compare(left, right);
      return a < b;
    });
  }
};

}  // namespace lacuna

#endif  // LACUNA_POLICY_REORDER_H_
