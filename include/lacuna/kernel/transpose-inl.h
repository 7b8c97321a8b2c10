// Transposition of small blocks of 32-bit elements, for activations with channels innermost. Compiled once per SIMD
// target.

#include "lacuna/core/abi.h"

#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_TRANSPOSE_INL_H_
#undef LACUNA_KERNEL_TRANSPOSE_INL_H_
#else
#define LACUNA_KERNEL_TRANSPOSE_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR
// to[j * to_stride + i] = lane j of row i for i, j < 4.
template <class D, class T = hn::TFromD<D>, class V = hn::Vec<D>>
HWY_INLINE void StoreTransposed(D d, V row0, V row1, V row2, V row3, T* HWY_RESTRICT to, int64_t to_stride) {
  const auto low02 = hn::InterleaveLower(d, row0, row2), low13 = hn::InterleaveLower(d, row1, row3);
  const auto high02 = hn::InterleaveUpper(d, row0, row2), high13 = hn::InterleaveUpper(d, row1, row3);
  hn::StoreU(hn::InterleaveLower(d, low02, low13), d, to);
  hn::StoreU(hn::InterleaveUpper(d, low02, low13), d, to + to_stride);
  hn::StoreU(hn::InterleaveLower(d, high02, high13), d, to + 2 * to_stride);
  hn::StoreU(hn::InterleaveUpper(d, high02, high13), d, to + 3 * to_stride);
}
#endif

// to[j * to_stride + i] = from[i * from_stride + j] for i, j < 4.
template <class T>
HWY_INLINE void Transpose4x4(const T* HWY_RESTRICT from, int64_t from_stride, T* HWY_RESTRICT to, int64_t to_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < 4; ++j) to[j * to_stride + i] = from[i * from_stride + j];
  }
#else
  const hn::Full128<T> d;
  StoreTransposed(d, hn::LoadU(d, from), hn::LoadU(d, from + from_stride), hn::LoadU(d, from + 2 * from_stride),
                  hn::LoadU(d, from + 3 * from_stride), to, to_stride);
#endif
}

#if HWY_TARGET != HWY_SCALAR
// The same for i, j < 8, with vectors of 8: blocks of four rows as above, four columns each, then joined.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void Transpose8x8(D d, const T* HWY_RESTRICT from, int64_t from_stride, T* HWY_RESTRICT to,
                             int64_t to_stride) {
  using V = hn::Vec<D>;
  V column[2][4];  // [rows 0..3 or 4..7][j] holds columns j and j + 4
  HWY_UNROLL(2)
  for (int half = 0; half < 2; ++half) {
    const T* row = from + 4 * half * from_stride;
    const V row0 = hn::LoadU(d, row), row1 = hn::LoadU(d, row + from_stride);
    const V row2 = hn::LoadU(d, row + 2 * from_stride), row3 = hn::LoadU(d, row + 3 * from_stride);
    const V low02 = hn::InterleaveLower(d, row0, row2), low13 = hn::InterleaveLower(d, row1, row3);
    const V high02 = hn::InterleaveUpper(d, row0, row2), high13 = hn::InterleaveUpper(d, row1, row3);
    column[half][0] = hn::InterleaveLower(d, low02, low13);
    column[half][1] = hn::InterleaveUpper(d, low02, low13);
    column[half][2] = hn::InterleaveLower(d, high02, high13);
    column[half][3] = hn::InterleaveUpper(d, high02, high13);
  }
  HWY_UNROLL(4)
  for (int j = 0; j < 4; ++j) {
    hn::StoreU(hn::ConcatLowerLower(d, column[1][j], column[0][j]), d, to + j * to_stride);
    hn::StoreU(hn::ConcatUpperUpper(d, column[1][j], column[0][j]), d, to + (j + 4) * to_stride);
  }
}

#endif

// The 8 x 8 blocks of a matrix of rows x columns, both multiples of 8.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void TransposeBlocks(D d, const T* HWY_RESTRICT from, int64_t from_stride, int64_t rows, int64_t columns,
                                T* HWY_RESTRICT to, int64_t to_stride) {
  for (int64_t i = 0; i < rows; i += 8) {
    for (int64_t j = 0; j < columns; j += 8) {
      if constexpr (hn::MaxLanes(D()) == 8) {
        Transpose8x8(d, from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
      } else {
        for (const int64_t k : {0, 4}) {
          for (const int64_t l : {0, 4}) {
            Transpose4x4(from + (i + k) * from_stride + j + l, from_stride, to + (j + l) * to_stride + i + k,
                         to_stride);
          }
        }
      }
    }
  }
}

// to[j * to_stride + i] = from[i * from_stride + j] for i < rows, j < columns; neither is touched beyond. Packing and
// storing share it: inlined into both, it was slow to compile.
template <class T>
HWY_NOINLINE void Transpose(const T* HWY_RESTRICT from, int64_t from_stride, int64_t rows, int64_t columns,
                            T* HWY_RESTRICT to, int64_t to_stride) {
  const int64_t block_rows = rows / 8 * 8, block_columns = columns / 8 * 8;
  TransposeBlocks(hn::CappedTag<T, 8>(), from, from_stride, block_rows, block_columns, to, to_stride);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < block_rows ? block_columns : 0; j < columns; ++j)
      to[j * to_stride + i] = from[i * from_stride + j];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
