// The input of matrix-vector kernels. Compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/transpose-inl.h"
#include "lacuna/kernel/vector_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(LACUNA_KERNEL_GEMV_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_GEMV_PACK_INL_H_
#undef LACUNA_KERNEL_GEMV_PACK_INL_H_
#else
#define LACUNA_KERNEL_GEMV_PACK_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// to[i * to_stride + j] = column[j][i] for i < rows, j < 4.
HWY_INLINE void InterleaveFour(const std::array<const float*, 4>& column, int64_t rows, float* HWY_RESTRICT to,
                               int64_t to_stride) {
  int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::Full128<float> d;
  for (; i + 4 <= rows; i += 4, to += 4 * to_stride) {
    StoreTransposed(d, hn::LoadU(d, column[0] + i), hn::LoadU(d, column[1] + i), hn::LoadU(d, column[2] + i),
                    hn::LoadU(d, column[3] + i), to, to_stride);
  }
#endif
  for (; i < rows; ++i, to += to_stride) {
    for (size_t j = 0; j < 4; ++j) to[j] = column[j][i];
  }
}

// See PackVectorsArgs.
inline void PackVectors(const PackVectorsArgs& args) {
  const auto bytes = [](int64_t count) { return static_cast<size_t>(count) * sizeof(float); };
  std::memset(args.to + args.rows * args.width, 0, bytes((args.packed_rows - args.rows) * args.width));
  const auto column = [&](int64_t j) { return args.x + std::min(j, args.columns - 1) * args.column_stride; };
  if (args.width == 1 && args.row_stride == 1) {
    std::memcpy(args.to, args.x, bytes(args.rows));
  } else if (args.width >= 4 && args.row_stride == 1) {
    for (int64_t j = 0; j < args.width; j += 4) {
      InterleaveFour({column(j), column(j + 1), column(j + 2), column(j + 3)}, args.rows, args.to + j, args.width);
    }
  } else {
    for (int64_t j = 0; j < args.width; ++j) {
      const float* x = column(j);
      for (int64_t i = 0; i < args.rows; ++i) args.to[i * args.width + j] = x[i * args.row_stride];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
