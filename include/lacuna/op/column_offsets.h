// ColumnOffsets: where a plan's kernels find the input of each packed column.

#ifndef LACUNA_OP_COLUMN_OFFSETS_H_
#define LACUNA_OP_COLUMN_OFFSETS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/index_array.h"
#include "lacuna/policy/defaults.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// A list a panel. Panels whose columns are those of the panel before them share its list: all of a group in dense
// weights, where lists of their own would be an eighth of the weights, and those of blocks higher than a panel.
class ColumnOffsets {
 public:
  ColumnOffsets() = default;

  // Panel p has the columns [column_begin[p], column_begin[p + 1]), none at all if that is empty; offset_of(column)
  // fits 32 bits.
  template <class OffsetOf>
  static Result<ColumnOffsets> Make(const IndexArray& column, std::span<const uint64_t> column_begin,
                                    const OffsetOf& offset_of) {
    const size_t panels = column_begin.empty() ? 0 : column_begin.size() - 1;  // dense products have no columns
    ColumnOffsets offsets;
    LACUNA_ASSIGN_OR_RETURN(begin, Buffer<uint64_t>::Make(panels));
    size_t size = 0;
    for (size_t p = 0; p < panels; ++p) {
      const bool shared = p != 0 && SameColumns(column, column_begin.subspan(p - 1, 3));
      begin[p] = shared ? begin[p - 1] : size;
      if (!shared) size += column_begin[p + 1] - column_begin[p];
    }
    LACUNA_ASSIGN_OR_RETURN(offset, Buffer<int32_t>::Make(size + kPrefetchColumns));
    size = 0;
    for (size_t p = 0; p < panels; ++p) {
      if (begin[p] != size) continue;  // shared
      for (uint64_t i = column_begin[p]; i < column_begin[p + 1]; ++i) {
        offset[size++] = static_cast<int32_t>(offset_of(column[i]));
      }
    }
    offsets.begin_ = std::move(begin);
    offsets.offset_ = std::move(offset);
    return offsets;
  }

  // One a column of the panel, in packed order; kPrefetchColumns more may be read.
  const int32_t* Of(size_t panel) const { return offset_.data() + begin_[panel]; }
  bool empty() const { return begin_.size() == 0; }
  size_t size_bytes() const { return begin_.size_bytes() + offset_.size_bytes(); }

 private:
  // Of two panels that follow each other; `begin` has their beginnings and the second one's end.
  static bool SameColumns(const IndexArray& column, std::span<const uint64_t> begin) {
    const uint64_t size = begin[1] - begin[0];
    if (begin[2] - begin[1] != size) return false;
    for (uint64_t i = 0; i < size; ++i) {
      if (column[begin[0] + i] != column[begin[1] + i]) return false;
    }
    return true;
  }

  Buffer<uint64_t> begin_;  // [panels]
  Buffer<int32_t> offset_;
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_OP_COLUMN_OFFSETS_H_
