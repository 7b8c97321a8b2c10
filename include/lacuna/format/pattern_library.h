// CellMasks and PatternLibrary: which cells kernels keep under the schemes `pattern` and `pattern_g4`.

#ifndef LACUNA_FORMAT_PATTERN_LIBRARY_H_
#define LACUNA_FORMAT_PATTERN_LIBRARY_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/index_array.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// The cells that each of many kernels keeps, one bit a cell.
class CellMasks {
 public:
  // `size` empty masks of kernels with `taps` cells.
  static Result<CellMasks> Make(size_t size, int64_t taps) {
    CellMasks masks;
    masks.words_ = DivideUp(static_cast<size_t>(taps), 64);
    LACUNA_ASSIGN_OR_RETURN(bits, Buffer<uint64_t>::Make(size * masks.words_));
    masks.bits_ = std::move(bits);
    return masks;
  }

  size_t size() const { return bits_.size() / words_; }
  void Add(size_t i, int64_t cell) {
    bits_[i * words_ + static_cast<size_t>(cell) / 64] |= uint64_t{1} << static_cast<size_t>(cell) % 64;
  }
  int64_t cells(size_t i) const {
    int64_t count = 0;
    for (const uint64_t word : mask(i)) count += std::popcount(word);
    return count;
  }
  // f(cell), ascending.
  template <class F>
  void VisitCells(size_t i, const F& f) const {
    for (size_t w = 0; w < words_; ++w) {
      for (uint64_t word = mask(i)[w]; word != 0; word &= word - 1) {
        f(static_cast<int64_t>(w * 64) + std::countr_zero(word));
      }
    }
  }

  // The order of a pattern library: fewer cells first, then lexicographic by the list of cells.
  bool Before(size_t i, const CellMasks& other, size_t j) const {
    if (cells(i) != other.cells(j)) return cells(i) < other.cells(j);
    for (size_t w = 0; w < words_; ++w) {
      const uint64_t differ = mask(i)[w] ^ other.mask(j)[w];
      if (differ != 0) return (mask(i)[w] & differ & (~differ + 1)) != 0;  // has the first cell that only one has
    }
    return false;
  }
  bool Equal(size_t i, size_t j) const { return std::ranges::equal(mask(i), mask(j)); }
  bool Covers(size_t i, const CellMasks& other, size_t j) const {
    for (size_t w = 0; w < words_; ++w) {
      if ((other.mask(j)[w] & ~mask(i)[w]) != 0) return false;
    }
    return true;
  }

  // The numbers of the masks that are not empty, in the order of a pattern library; equal masks by number.
  LACUNA_API Result<Buffer<uint64_t>> Sorted() const;

 private:
  std::span<const uint64_t> mask(size_t i) const { return {bits_.data() + i * words_, words_}; }

  size_t words_ = 1;  // of a mask
  Buffer<uint64_t> bits_;
};

// A pattern is the list of cells, numbered from 0 to taps - 1 (KD x KH x KW, the last axis fastest), that a kernel
// keeps: at least one. Patterns of a library are distinct and stand in a fixed order: fewer cells first, then
// lexicographic.
struct LACUNA_API PatternLibrary {
  // A pattern's number takes 16 bits, and one value is left to say "none".
  static constexpr int64_t kMaxPatterns = std::numeric_limits<uint16_t>::max();
  static constexpr int64_t kMaxTaps = std::numeric_limits<uint16_t>::max();

  Buffer<uint32_t> begin;  // [patterns + 1] into cell
  IndexArray cell;         // ascending inside a pattern

  int64_t patterns() const { return begin.size() == 0 ? 0 : static_cast<int64_t>(begin.size()) - 1; }
  int64_t cells(int64_t pattern) const {
    const auto p = static_cast<size_t>(pattern);
    return int64_t{begin[p + 1]} - int64_t{begin[p]};
  }
  int64_t cell_at(int64_t pattern, int64_t i) const {
    return cell[begin[static_cast<size_t>(pattern)] + static_cast<size_t>(i)];
  }
  size_t StorageBytes() const { return begin.size_bytes() + cell.size_bytes(); }

  // The masks number `chosen` of `masks`, which must be distinct, not empty and in order.
  static Result<PatternLibrary> Of(const CellMasks& masks, std::span<const uint64_t> chosen, int64_t taps);

  // From `masks[patterns][taps]`, in any order: a cell is kept where a byte is not zero. Fails if a mask is empty or
  // occurs twice.
  static Result<PatternLibrary> FromMasks(int64_t taps, std::span<const uint8_t> masks);

  Result<CellMasks> ToMasks(int64_t taps) const;
  Result<PatternLibrary> Copy(int64_t taps) const;
  Status Validate(int64_t taps) const;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/format/pattern_library.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_FORMAT_PATTERN_LIBRARY_H_
