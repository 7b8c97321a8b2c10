#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/index_array.h"
#include "lacuna/format/pattern_library.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

LACUNA_COLD_FUNC Result<Buffer<uint64_t>> CellMasks::Sorted() const {
  LACUNA_ASSIGN_OR_RETURN(order, Buffer<uint64_t>::Make(size()));
  size_t used = 0;
  for (size_t i = 0; i < size(); ++i) {
    if (cells(i) != 0) order[used++] = i;
  }
  order.Truncate(used);
  std::sort(order.begin(), order.end(), [&](uint64_t a, uint64_t b) {
    if (Before(a, *this, b)) return true;
    return !Before(b, *this, a) && a < b;
  });
  return std::move(order);
}

LACUNA_COLD_FUNC Result<PatternLibrary> PatternLibrary::Of(const CellMasks& masks, std::span<const uint64_t> chosen,
                                                           int64_t taps) {
  if (static_cast<int64_t>(chosen.size()) > kMaxPatterns) {
    return Status::InvalidArgument("pattern.library would have %zu patterns, must have at most %lld", chosen.size(),
                                   static_cast<long long>(kMaxPatterns));
  }
  PatternLibrary library;
  LACUNA_ASSIGN_OR_RETURN(begin, Buffer<uint32_t>::Make(chosen.size() + 1));
  for (size_t p = 0; p < chosen.size(); ++p) begin[p + 1] = begin[p] + static_cast<uint32_t>(masks.cells(chosen[p]));
  LACUNA_ASSIGN_OR_RETURN(cell, IndexArray::Make(begin[chosen.size()], taps));
  size_t used = 0;
  for (const uint64_t i : chosen) {
    masks.VisitCells(i, [&](int64_t c) { cell.Set(used++, static_cast<uint32_t>(c)); });
  }
  library.begin = std::move(begin);
  library.cell = std::move(cell);
  return library;
}

LACUNA_COLD_FUNC Result<PatternLibrary> PatternLibrary::FromMasks(int64_t taps, std::span<const uint8_t> masks) {
  if (taps < 1 || taps > kMaxTaps || masks.size() % static_cast<size_t>(taps) != 0) {
    return Status::InvalidArgument("taps is %lld, must be in [1, %lld] and divide the %zu elements of masks",
                                   static_cast<long long>(taps), static_cast<long long>(kMaxTaps), masks.size());
  }
  const size_t patterns = masks.size() / static_cast<size_t>(taps);
  LACUNA_ASSIGN_OR_RETURN(bits, CellMasks::Make(patterns, taps));
  for (size_t i = 0; i < masks.size(); ++i) {
    const size_t p = i / static_cast<size_t>(taps);
    if (masks[i] != 0) bits.Add(p, static_cast<int64_t>(i - p * static_cast<size_t>(taps)));
  }
  LACUNA_ASSIGN_OR_RETURN(sorted, bits.Sorted());
  if (sorted.size() != patterns) {
    return Status::InvalidArgument("masks has %zu masks without a cell, must have none", patterns - sorted.size());
  }
  for (size_t p = 1; p < patterns; ++p) {
    if (bits.Equal(sorted[p - 1], sorted[p])) {
      return Status::InvalidArgument("masks %llu and %llu are equal, must be distinct",
                                     static_cast<unsigned long long>(sorted[p - 1]),
                                     static_cast<unsigned long long>(sorted[p]));
    }
  }
  return Of(bits, std::as_const(sorted), taps);
}

LACUNA_COLD_FUNC Result<CellMasks> PatternLibrary::ToMasks(int64_t taps) const {
  LACUNA_ASSIGN_OR_RETURN(masks, CellMasks::Make(static_cast<size_t>(patterns()), taps));
  for (int64_t p = 0; p < patterns(); ++p) {
    for (int64_t i = 0; i < cells(p); ++i) masks.Add(static_cast<size_t>(p), cell_at(p, i));
  }
  return std::move(masks);
}

LACUNA_COLD_FUNC Result<PatternLibrary> PatternLibrary::Copy(int64_t taps) const {
  PatternLibrary copy;
  LACUNA_ASSIGN_OR_RETURN(begin_copy, Buffer<uint32_t>::CopyOf(begin));
  LACUNA_ASSIGN_OR_RETURN(cell_copy, IndexArray::Make(cell.size(), taps));
  for (size_t i = 0; i < cell.size(); ++i) cell_copy.Set(i, cell[i]);
  copy.begin = std::move(begin_copy);
  copy.cell = std::move(cell_copy);
  return copy;
}

LACUNA_COLD_FUNC Status PatternLibrary::Validate(int64_t taps) const {
  if (begin.size() == 0 || patterns() > kMaxPatterns) {
    return Status::InvalidArgument("pattern.library.begin has %zu elements, must have 1 to %lld", begin.size(),
                                   static_cast<long long>(kMaxPatterns + 1));
  }
  if (begin[0] != 0 || begin[begin.size() - 1] != cell.size()) {
    return Status::InvalidArgument("pattern.library.begin runs from %u to %u, must run from 0 to %zu", begin[0],
                                   begin[begin.size() - 1], cell.size());
  }
  for (size_t p = 0; p + 1 < begin.size(); ++p) {
    if (begin[p + 1] <= begin[p] || begin[p + 1] > cell.size()) {
      return Status::InvalidArgument("pattern.library.begin[%zu] is %u, must be in [%llu, %zu]", p + 1, begin[p + 1],
                                     static_cast<unsigned long long>(begin[p]) + 1, cell.size());
    }
    for (size_t i = begin[p]; i < begin[p + 1]; ++i) {
      if (int64_t{cell[i]} >= taps || (i > begin[p] && cell[i] <= cell[i - 1])) {
        return Status::InvalidArgument(
            "pattern.library.cell[%zu] is %u, must ascend inside pattern %zu and be below "
            "%lld",
            i, cell[i], p, static_cast<long long>(taps));
      }
    }
    if (p == 0) continue;
    const auto last = static_cast<int64_t>(p) - 1, now = static_cast<int64_t>(p);
    bool ascends = cells(last) < cells(now);
    for (int64_t i = 0; !ascends && cells(last) == cells(now) && i < cells(now); ++i) {
      if (cell_at(last, i) > cell_at(now, i)) break;
      ascends = cell_at(last, i) < cell_at(now, i);
    }
    if (!ascends) {
      return Status::InvalidArgument(
          "pattern.library: pattern %zu must differ from and follow pattern %zu: fewer cells "
          "first, then lexicographic",
          p, p - 1);
    }
  }
  return Status();
}

}  // namespace lacuna::inline LACUNA_ABI
