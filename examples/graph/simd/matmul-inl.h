// Products of two matrices that are both computed, as attention has them. Weights run on lacuna's own kernels.

#include "lacuna/kernel/target-inl.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "graph/simd/loops.h"

#if defined(LACUNA_EXAMPLES_GRAPH_SIMD_MATMUL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_EXAMPLES_GRAPH_SIMD_MATMUL_INL_H_
#undef LACUNA_EXAMPLES_GRAPH_SIMD_MATMUL_INL_H_
#else
#define LACUNA_EXAMPLES_GRAPH_SIMD_MATMUL_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace graph {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The register tile: rows of a, vectors of b.
constexpr bool kManyRegisters = lacuna::HWY_NAMESPACE::Target::kRegisters >= 32;
constexpr int kTileRows = kManyRegisters ? 6 : 4, kTileVectors = kManyRegisters ? 4 : 3;

inline int64_t Panel() { return kTileVectors * static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>())); }

// kRows rows of a by one panel of b, whose rows lie b_row apart, into `tile`, whose rows are whole panels.
template <int kRows>
void Tile(const float* a, int64_t a_row, int64_t a_column, const float* b, int64_t b_row, int64_t depth, float alpha,
          float* tile) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  using V = decltype(hn::Zero(d));
  V sum[kRows][kTileVectors];
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < kTileVectors; ++v) sum[r][v] = hn::Zero(d);
  }
  for (int64_t k = 0; k < depth; ++k) {
    V row[kTileVectors];
    HWY_UNROLL(8)
    for (int v = 0; v < kTileVectors; ++v) row[v] = hn::LoadU(d, b + k * b_row + static_cast<size_t>(v) * lanes);
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      const V factor = hn::Set(d, a[r * a_row + k * a_column]);
      HWY_UNROLL(8)
      for (int v = 0; v < kTileVectors; ++v) sum[r][v] = hn::MulAdd(factor, row[v], sum[r][v]);
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < kTileVectors; ++v) {
      hn::StoreU(hn::Mul(sum[r][v], hn::Set(d, alpha)), d, tile + (r * kTileVectors + v) * static_cast<int>(lanes));
    }
  }
}

using TileFn = void (*)(const float*, int64_t, int64_t, const float*, int64_t, int64_t, float, float*);

template <size_t... kIndex>
constexpr std::array<TileFn, sizeof...(kIndex)> Tiles(std::index_sequence<kIndex...>) {
  return {&Tile<static_cast<int>(kIndex) + 1>...};
}

// Rows of `width` elements of b, completed with zeros.
inline void PackPanel(const float* b, int64_t b_row, int64_t b_column, int64_t depth, int64_t width, int64_t panel,
                      float* packed) {
  if (b_column == 1) {
    for (int64_t k = 0; k < depth; ++k) {
      std::copy_n(b + k * b_row, width, packed + k * panel);
      std::fill(packed + k * panel + width, packed + (k + 1) * panel, 0.0f);
    }
    return;
  }
  std::fill_n(packed, depth * panel, 0.0f);
  for (int64_t n = 0; n < width; ++n) {
    for (int64_t k = 0; k < depth; ++k) packed[k * panel + n] = b[k * b_row + n * b_column];
  }
}

// Panel by panel, each packed once for all rows unless it can be read where it is.
inline void MatMul(const MatMulArgs& args, int64_t first, int64_t end, float* workspace) {
  static constexpr auto kTiles = Tiles(std::make_index_sequence<kTileRows>());
  const int64_t panel = Panel();
  float* packed = workspace + kTileRows * panel;
  for (int64_t column = first; column < end; column += panel) {
    const int64_t width = std::min(panel, end - column);
    for (int64_t k = 0; k == 0 || k < args.depth; k += kMatMulDepth) {
      const int64_t depth = std::min(kMatMulDepth, args.depth - k);
      const float* b = args.b + k * args.b_row + column * args.b_column;
      int64_t b_row = args.b_row;
      // Few rows do not repay what packing costs.
      if (args.b_column != 1 || width < panel || args.rows > 2 * kTileRows) {
        PackPanel(b, args.b_row, args.b_column, depth, width, panel, packed);
        b = packed;
        b_row = panel;
      }
      for (int64_t row = 0; row < args.rows; row += kTileRows) {
        const int64_t rows = std::min<int64_t>(kTileRows, args.rows - row);
        float* y = args.y + row * args.y_row + column;
        const bool direct = k == 0 && width == panel && args.y_row == panel;
        float* tile = direct ? y : workspace;
        kTiles[static_cast<size_t>(rows - 1)](args.a + row * args.a_row + k * args.a_column, args.a_row, args.a_column,
                                              b, b_row, depth, args.alpha, tile);
        if (direct) continue;
        for (int64_t r = 0; r < rows; ++r) {
          const float* __restrict from = tile + r * panel;
          float* __restrict to = y + r * args.y_row;
          if (k == 0) {
            std::copy_n(from, width, to);
          } else {
            for (int64_t i = 0; i < width; ++i) to[i] += from[i];
          }
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace graph
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
