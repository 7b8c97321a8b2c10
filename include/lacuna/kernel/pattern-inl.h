// The pattern micro-kernel: one output channel, rows of the output that share loads of input rows. For kernels whose
// kept cells differ from filter to filter (patterns, unstructured weights) and for depthwise layers. Compiled once per
// SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/panel-inl.h"
#include "lacuna/kernel/table.h"
#include "lacuna/policy/tile.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_PATTERN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_PATTERN_INL_H_
#undef LACUNA_KERNEL_PATTERN_INL_H_
#else
#define LACUNA_KERNEL_PATTERN_INL_H_
#endif

#include "hwy/highway.h"

// g++ does not know what the loads below take, and would begin all rows' together.
#undef LACUNA_ROW_BARRIER
#undef LACUNA_POST_INDEXED
#if LACUNA_LANE_WEIGHTS && defined(__GNUC__) && !defined(__clang__)
#define LACUNA_POST_INDEXED 1
#define LACUNA_ROW_BARRIER asm volatile("" ::: "memory")
#else
#define LACUNA_POST_INDEXED 0
#define LACUNA_ROW_BARRIER static_cast<void>(0)
#endif

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Loads a row's kWidth vectors, and moves x on to the next row.
template <int kWidth, class D, class V = hn::Vec<D>>
HWY_INLINE void LoadRow(D d, size_t pitch, const float* HWY_RESTRICT& x, V (&in)[kWidth]) {
#if LACUNA_POST_INDEXED
  // One instruction instead of two, or three of three vectors. clang makes it from intrinsics, g++ does not.
  if constexpr (kWidth == 1) {
    asm("ld1 {%0.4s}, [%1], %2" : "=w"(in[0].raw), "+r"(x) : "r"(pitch * sizeof(float)), "m"(*(const float(*)[4])x));
    return;
  } else if constexpr (kWidth == 2) {
    float32x4x2_t row;
    asm("ld1 {%S0.4s, %T0.4s}, [%1], %2" : "=w"(row), "+r"(x) : "r"(pitch * sizeof(float)), "m"(*(const float(*)[8])x));
    in[0] = V(row.val[0]);
    in[1] = V(row.val[1]);
    return;
  } else if constexpr (kWidth == 3) {
    float32x4x3_t row;
    asm("ld1 {%S0.4s, %T0.4s, %U0.4s}, [%1], %2"
        : "=w"(row), "+r"(x)
        : "r"(pitch * sizeof(float)), "m"(*(const float(*)[12])x));
    in[0] = V(row.val[0]);
    in[1] = V(row.val[1]);
    in[2] = V(row.val[2]);
    return;
  }
#endif
  const size_t lanes = hn::Lanes(d);
  HWY_UNROLL(8)
  for (int v = 0; v < kWidth; ++v) in[v] = hn::LoadU(d, x + static_cast<size_t>(v) * lanes);
  x += pitch;
}

// One step: the cells kCells of a kernel column. Every input row is loaded once and feeds all the output rows that need
// it (load redundancy elimination at kernel level, PatDNN, ASPLOS 2020). `weight` is advanced past the step's.
template <unsigned kCells, int kHeight, int kWidth, class D, class V = hn::Vec<D>>
HWY_INLINE void AccumulateStep(D d, const float* HWY_RESTRICT x, size_t pitch, const float* HWY_RESTRICT& weight,
                               V (&acc)[kHeight][kWidth]) {
  constexpr int kSpan = std::bit_width(kCells);
  V w[3];
  HWY_UNROLL(3)
  for (int i = 0; i < kSpan; ++i) {
    if (kCells >> i & 1) w[i] = hn::Set(d, *weight++);
  }
  // A row is loaded while the one before is multiplied: cores that run in order would wait.
  V in[2][kWidth];
  LoadRow<kWidth>(d, pitch, x, in[0]);
  HWY_UNROLL(34)
  for (int row = 0; row < kHeight + kSpan - 1; ++row) {
    LACUNA_ROW_BARRIER;
    if (row + 1 < kHeight + kSpan - 1) LoadRow<kWidth>(d, pitch, x, in[(row + 1) % 2]);
    HWY_UNROLL(8)
    for (int v = 0; v < kWidth; ++v) {
      HWY_UNROLL(3)
      for (int i = 0; i < kSpan; ++i) {
        const int h = row - i;
        if ((kCells >> i & 1) != 0 && h >= 0 && h < kHeight) acc[h][v] = hn::MulAdd(w[i], in[row % 2][v], acc[h][v]);
      }
    }
  }
}

// See PanelArgs. Registers: kHeight * kWidth accumulators, three weights, kWidth inputs. A switch per step costs
// little: steps of equal cells follow each other (pack/pattern.h), so the branch is predicted; loops over compile-time
// patterns instead of steps were no faster (0.45 to 0.58 of FMA peak both, 8 patterns of 4 cells on Zen 4).
template <int kHeight, int kWidth>
HWY_NOINLINE void RunPattern(const PanelArgs& args) {
  const hn::ScalableTag<float> d;
  constexpr Indices<kHeight> kRows;
  hn::Vec<decltype(d)> acc[kHeight][kWidth];
  FillRows(kRows, d, args.bias, 0, acc);
  const float* HWY_RESTRICT weight = args.weight;
  const auto pitch = static_cast<size_t>(args.pitch);
  const uint32_t count = args.count[0];
  for (uint32_t i = 0; i < count; ++i) {
    const float* x = args.x + args.offset[i];
    switch (args.cells[i]) {
      case 1: AccumulateStep<1, kHeight, kWidth>(d, x, pitch, weight, acc); break;
      case 3: AccumulateStep<3, kHeight, kWidth>(d, x, pitch, weight, acc); break;
      case 5: AccumulateStep<5, kHeight, kWidth>(d, x, pitch, weight, acc); break;
      default: AccumulateStep<7, kHeight, kWidth>(d, x, pitch, weight, acc); break;
    }
  }
  if (args.direct != nullptr) return StoreDirect(kRows, d, *args.direct, acc);
  StoreRows(kRows, d, acc, args.acc);
}

template <class Tile>
constexpr PanelKernel MakePatternKernel() {
  return {kTileInfo<Tile>,
          kTileName<Tile>.data(),
          kKeptTileName<Tile>.data(),
          {Tile::kVectors},
          {&RunPattern<Tile::kHeight, Tile::kVectors>},
          nullptr};
}

// The list of a policy's pattern tiles as an array of kernels.
template <class Tiles>
struct PatternKernels;
template <class... Tiles>
struct PatternKernels<PatternTiles<Tiles...>> {
  static constexpr std::array<PanelKernel, sizeof...(Tiles)> kKernels = {MakePatternKernel<Tiles>()...};
};

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
