// ColumnGroups: weights of any format with neighbouring input channels joined, for kernels that multiply several at
// once.

#ifndef LACUNA_FORMAT_COLUMN_GROUPS_H_
#define LACUNA_FORMAT_COLUMN_GROUPS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/row_source.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// Input channels [g * kGroup, (g + 1) * kGroup) at one tap are one column, g * taps + tap, whose "weight" for a row is
// the array of theirs; absent ones are zero. A column is stored for a row if any of its weights is. Itself a format,
// with compressed rows, of which packing sees nothing but columns and weights.
template <class T, int kGroup>
class ColumnGroups {
 public:
  using value_type = std::array<T, kGroup>;

  // Of kernels with `taps` cells. `weights` are valid.
  static Result<ColumnGroups> Of(const RowSource<T>& weights, int64_t taps) {
    ColumnGroups groups(weights);
    groups.shape_ = weights.shape();
    groups.shape_.columns = DivideUp(weights.shape().columns / taps, kGroup) * taps;
    const auto rows = static_cast<size_t>(groups.shape_.rows);
    LACUNA_ASSIGN_OR_RETURN(begin, Buffer<uint64_t>::Make(rows + 1));
    LACUNA_ASSIGN_OR_RETURN(value, Buffer<value_type>::Make(static_cast<size_t>(taps)));  // of one group of channels
    LACUNA_ASSIGN_OR_RETURN(present, Buffer<uint8_t>::Make(static_cast<size_t>(taps)));
    // Twice: to count, and to fill.
    for (const bool fill : {false, true}) {
      uint64_t used = 0;
      for (size_t row = 0; row < rows; ++row) {
        int64_t group = 0;
        const auto finish = [&] {
          for (size_t tap = 0; tap < static_cast<size_t>(taps); ++tap) {
            if (present[tap] == 0) continue;
            if (fill) {
              groups.column_[used] = static_cast<uint32_t>(group * taps + static_cast<int64_t>(tap));
              groups.value_[used] = value[tap];
            }
            ++used;
            present[tap] = 0;
            value[tap] = {};
          }
        };
        weights.VisitRow(static_cast<int64_t>(row), [&](int64_t column, const T& v) {
          const int64_t channel = column / taps;
          if (channel / kGroup != group) {
            finish();
            group = channel / kGroup;
          }
          const auto tap = static_cast<size_t>(column % taps);
          present[tap] = 1;
          value[tap][static_cast<size_t>(channel % kGroup)] = v;
        });
        finish();
        begin[row + 1] = used;
      }
      if (fill) break;
      LACUNA_ASSIGN_OR_RETURN(columns, Buffer<uint32_t>::Make(used));
      LACUNA_ASSIGN_OR_RETURN(values, Buffer<value_type>::Make(used));
      groups.column_ = std::move(columns);
      groups.value_ = std::move(values);
    }
    groups.begin_ = std::move(begin);
    return groups;
  }

  const MatrixShape& shape() const { return shape_; }
  int64_t nnz() const { return static_cast<int64_t>(column_.size()); }
  // The weights one by one. What they were made from must still exist to be read through it.
  const RowSource<T>& source() const { return source_; }
  Status Validate() const { return shape_.Validate(); }
  template <class F>
  void VisitRow(int64_t row, const F& f) const {
    for (uint64_t i = begin_[static_cast<size_t>(row)]; i < begin_[static_cast<size_t>(row) + 1]; ++i) {
      f(int64_t{column_[i]}, value_[i]);
    }
  }
  // The sum of a row's weights.
  int64_t RowSum(int64_t row) const {
    int64_t sum = 0;
    VisitRow(row, [&](int64_t, const value_type& group) {
      for (const T& weight : group) sum += weight;
    });
    return sum;
  }

 private:
  explicit ColumnGroups(const RowSource<T>& weights) : source_(weights) {}

  RowSource<T> source_;
  MatrixShape shape_;
  Buffer<uint64_t> begin_;  // [rows + 1] into column and value
  Buffer<uint32_t> column_;
  Buffer<value_type> value_;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_FORMAT_COLUMN_GROUPS_H_
