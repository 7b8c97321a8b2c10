// The panel micro-kernel: everything that is "rows share columns" (dense, BCR), compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/activation-inl.h"
#include "lacuna/kernel/multiply-inl.h"
#include "lacuna/kernel/table.h"
#include "lacuna/policy/tile.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(LACUNA_KERNEL_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_PANEL_INL_H_
#undef LACUNA_KERNEL_PANEL_INL_H_
#else
#define LACUNA_KERNEL_PANEL_INL_H_
#endif

#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The accumulators of a tile are acc[rows][vectors], whose indices are constants from the start, spelt as index
// sequences: so compilers see registers in them at once. HWY_UNROLL makes them constants later, after passes that take
// acc for memory: the kernels of 70 masks took twice as long to compile.
template <int kCount>
using Indices = std::make_index_sequence<static_cast<size_t>(kCount)>;

// acc[v] += w * in[v].
template <class Multiply, class D, class W, class In, class V, int kWidth, size_t... kVector>
HWY_INLINE void AccumulateRow(std::index_sequence<kVector...>, D d, W w, const In (&in)[kWidth], V (&acc)[kWidth]) {
  ((acc[kVector] = Multiply::MultiplyAdd(d, w, in[kVector], acc[kVector])), ...);
}

// One column with weights for the rows `acc`, each V[sizeof...(kVector)]: loads so many vectors of x and feeds all of
// acc. Multiply is the types of it (multiply-inl.h): what is a column here is a group of columns for some.
template <class Multiply, class D, size_t... kVector, class... Rows>
HWY_INLINE void AccumulateColumn(std::index_sequence<kVector...> vectors, D d,
                                 const typename Multiply::Input* HWY_RESTRICT column,
                                 const typename Multiply::Weights* HWY_RESTRICT weight, Rows&... acc) {
  const size_t lanes = hn::Lanes(d);
  const ColumnWeights<Multiply, sizeof...(Rows), D> weights(d, weight);
  HWY_UNROLL(4)
  for (int part = 0; part < Multiply::kParts; ++part) {
    const typename Multiply::template In<D> in[] = {Multiply::Load(d, part, column + kVector * lanes)...};
    int k = 0;
    (AccumulateRow<Multiply>(vectors, d, weights.Row(d, part, k++), in, acc), ...);
  }
}

inline constexpr size_t kCacheLine = 64;

// Fetches the cache lines in which a column's vectors begin.
template <int kWidth, class D, class T>
HWY_INLINE void PrefetchColumn(D d, const T* column) {
  const size_t lanes = hn::Lanes(d);
  HWY_UNROLL(16)
  for (size_t v = 0; v < kWidth; ++v) {
    if (v * lanes * sizeof(T) % kCacheLine == 0) hwy::Prefetch(column + v * lanes);
  }
}

// The next `count` columns with weights for the rows `acc`, which are all of the panel or, unless kAllRows, some.
// `offset` and `weight` are advanced past them.
template <class Multiply, bool kAllRows, class D, size_t... kVector, class... Rows>
HWY_INLINE void AccumulateColumns(std::index_sequence<kVector...> vectors, D d, uint32_t count,
                                  const typename Multiply::Input* HWY_RESTRICT x, const int32_t* HWY_RESTRICT& offset,
                                  const typename Multiply::Weights* HWY_RESTRICT& weight, Rows&... acc) {
  constexpr size_t kWidth = sizeof...(kVector), kKept = sizeof...(Rows);
  uint32_t i = 0;
#if LACUNA_LANE_WEIGHTS
  if constexpr (Multiply::kLaneWeights && kAllRows) {
    // A column takes few instructions besides its multiply-adds, so that those that find it count: an address is
    // computed once, where it is prefetched.
    constexpr size_t kUnrolled = 4;
    static_assert(kPrefetchColumns == kUnrolled);
    constexpr size_t kColumnBytes = kKept * sizeof(*weight);
    const typename Multiply::Input* column[kUnrolled];
    HWY_UNROLL(4)
    for (size_t j = 0; j < kUnrolled; ++j) column[j] = x + offset[j];
    for (uint32_t n = count / kUnrolled; n != 0; --n) {
      offset += kUnrolled;
      ptrdiff_t next[kUnrolled];
      HWY_UNROLL(4)
      for (size_t j = 0; j < kUnrolled; ++j) next[j] = offset[j];
      HWY_UNROLL(4)
      for (size_t j = 0; j < kUnrolled; ++j) {
        AccumulateColumn<Multiply>(vectors, d, column[j], weight + j * kKept, acc...);
        column[j] = x + next[j];
        PrefetchColumn<kWidth>(d, column[j]);
        if (j * kColumnBytes % kCacheLine < kColumnBytes) hwy::Prefetch(weight + j * kKept + kPrefetchWeights);
        asm volatile("" ::: "memory");  // lest the loads of all four are begun together, and sums are spilled for them
      }
      weight += kUnrolled * kKept;
    }
    i = count / kUnrolled * kUnrolled;
  }
#endif
  for (; i < count; ++i) {
    hwy::Prefetch(weight + kPrefetchWeights);
    const auto* column = x + *offset;
    PrefetchColumn<kWidth>(d, x + offset[kPrefetchColumns]);
    ++offset;
    AccumulateColumn<Multiply>(vectors, d, column, weight, acc...);
    weight += kKept;
  }
}

// The row of bit number k of a mask.
constexpr size_t RowOfBit(unsigned mask, size_t k) {
  for (; k > 0; --k) mask &= mask - 1;
  return static_cast<size_t>(std::countr_zero(mask));
}

// The columns under kMask.
template <class Multiply, RowMask kMask, class D, class V, int kRows, int kWidth, size_t... kBit>
HWY_INLINE void AccumulateMask(std::index_sequence<kBit...>, D d, uint32_t count,
                               const typename Multiply::Input* HWY_RESTRICT x, const int32_t* HWY_RESTRICT& offset,
                               const typename Multiply::Weights* HWY_RESTRICT& weight, V (&acc)[kRows][kWidth]) {
  AccumulateColumns<Multiply, sizeof...(kBit) == kRows>(Indices<kWidth>(), d, count, x, offset, weight,
                                                        acc[RowOfBit(kMask, kBit)]...);
}

// All columns of a panel; Args is PanelArgs or like it.
template <class Multiply, class Tile, class Args, class D, class V, int kRows, int kWidth, size_t... kIndex>
HWY_INLINE void AccumulatePanel(std::index_sequence<kIndex...>, D d, const Args& args, V (&acc)[kRows][kWidth]) {
  const int32_t* HWY_RESTRICT offset = args.offset;
  const auto* HWY_RESTRICT weight = args.weight;
  (AccumulateMask<Multiply, Tile::kMasks[kIndex]>(Indices<std::popcount(Tile::kMasks[kIndex])>(), d, args.count[kIndex],
                                                  args.x, offset, weight, acc),
   ...);
}

// acc[r][v] = value[r * step].
template <class V, int kWidth, size_t... kVector>
HWY_INLINE void FillRow(std::index_sequence<kVector...>, V value, V (&acc)[kWidth]) {
  ((acc[kVector] = value), ...);
}
template <class D, class V, int kRows, int kWidth, size_t... kRow>
HWY_INLINE void FillRows(std::index_sequence<kRow...>, D d, const hn::TFromD<D>* value, size_t step,
                         V (&acc)[kRows][kWidth]) {
  (FillRow(Indices<kWidth>(), hn::Set(d, value[kRow * step]), acc[kRow]), ...);
}

// to[r][v * lanes + j] = lane j of acc[r][v].
template <class D, class V, int kWidth, size_t... kVector>
HWY_INLINE void StoreRow(std::index_sequence<kVector...>, D d, const V (&acc)[kWidth], hn::TFromD<D>* to) {
  (hn::Store(acc[kVector], d, to + kVector * hn::Lanes(d)), ...);
}
template <class D, class V, int kRows, int kWidth, size_t... kRow>
HWY_INLINE void StoreRows(std::index_sequence<kRow...>, D d, const V (&acc)[kRows][kWidth], hn::TFromD<D>* to) {
  (StoreRow(Indices<kWidth>(), d, acc[kRow], to + kRow * kWidth * hn::Lanes(d)), ...);
}

// Writes the valid rows to the output; see DirectOutput. False if row r is none.
template <class D, class V, int kWidth, size_t... kVector>
HWY_INLINE bool StoreRowDirect(std::index_sequence<kVector...>, D d, const DirectOutput& out, int r, V low, V high,
                               V (&acc)[kWidth]) {
  if (r >= out.rows) return false;
  const size_t lanes = hn::Lanes(d);
  float* y = out.y + out.y_offset[r];
  if (out.residual != nullptr) {
    const float* residual = out.residual + out.residual_offset[r];
    ((acc[kVector] = hn::Add(acc[kVector], hn::LoadU(d, residual + kVector * lanes))), ...);
  }
  (hn::StoreU(ClampKeepNaN(acc[kVector], low, high), d, y + kVector * lanes), ...);
  return true;
}
template <class D, class V, int kRows, int kWidth, size_t... kRow>
HWY_INLINE void StoreDirect(std::index_sequence<kRow...>, D d, const DirectOutput& out, V (&acc)[kRows][kWidth]) {
  const V low = hn::Set(d, out.low), high = hn::Set(d, out.high);
  static_cast<void>((StoreRowDirect(Indices<kWidth>(), d, out, static_cast<int>(kRow), low, high, acc[kRow]) && ...));
}

// See PanelFn. Registers: Tile::kRows * kWidth accumulators, kWidth inputs, one weight.
template <class Tile, int kWidth>
HWY_NOINLINE void RunPanel(const PanelArgs& args) {
  const hn::ScalableTag<float> d;
  constexpr Indices<Tile::kRows> kRows;
  hn::Vec<decltype(d)> acc[Tile::kRows][kWidth];
  FillRows(kRows, d, args.bias, 1, acc);
  AccumulatePanel<MultiplyF32, Tile>(std::make_index_sequence<Tile::kMasks.size()>(), d, args, acc);
  if (args.direct != nullptr) return StoreDirect(kRows, d, *args.direct, acc);
  StoreRows(kRows, d, acc, args.acc);
}

// The other orientation, for the last few positions of an image: the panel's rows across lanes, one position at a time,
// so that a 49th pixel does not cost a vector of 16. Same contract as PanelFn for the first args.positions positions,
// acc rows being one vector apart; never direct. Four sums in turn hide the latency of the multiply-add.
template <class Tile>
HWY_NOINLINE void RunPanelFew(const PanelArgs& args) {
  const hn::CappedTag<float, Tile::kRows> d;
  const size_t stride = hn::Lanes(hn::ScalableTag<float>());
  const uint32_t count = args.count[0];
  for (size_t position = 0; position < args.positions; ++position) {
    const float* HWY_RESTRICT x = args.x + position;
    auto sum0 = hn::LoadU(d, args.bias), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
    const float* HWY_RESTRICT weight = args.weight;
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4, weight += 4 * Tile::kRows) {
      sum0 = hn::MulAdd(hn::LoadU(d, weight), hn::Set(d, x[args.offset[i]]), sum0);
      sum1 = hn::MulAdd(hn::LoadU(d, weight + Tile::kRows), hn::Set(d, x[args.offset[i + 1]]), sum1);
      sum2 = hn::MulAdd(hn::LoadU(d, weight + 2 * Tile::kRows), hn::Set(d, x[args.offset[i + 2]]), sum2);
      sum3 = hn::MulAdd(hn::LoadU(d, weight + 3 * Tile::kRows), hn::Set(d, x[args.offset[i + 3]]), sum3);
    }
    for (; i < count; ++i, weight += Tile::kRows) {
      sum0 = hn::MulAdd(hn::LoadU(d, weight), hn::Set(d, x[args.offset[i]]), sum0);
    }
    alignas(kAlignment) float rows[Tile::kRows];
    hn::Store(hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3)), d, rows);
    for (size_t r = 0; r < Tile::kRows; ++r) args.acc[r * stride + position] = rows[r];
  }
}

// RunPanelFew needs every column to have a weight for every row, and a vector that holds exactly the panel's rows.
template <class Tile>
constexpr PanelFn FewKernelOf() {
  if constexpr (Tile::kMasks.size() == 1 && hn::MaxLanes(hn::CappedTag<float, Tile::kRows>()) == Tile::kRows) {
    return &RunPanelFew<Tile>;
  } else {
    return nullptr;
  }
}

// The widths a tile is compiled for. Every width costs a kernel of masks.size() loops: tiles with few masks have all
// widths, those with some the full one, its half and one vector, and those with very many no half: on five targets that
// would take a second to compile.
template <class Tile>
constexpr std::array<int, kMaxVectors> WidthsOf() {
  std::array<int, kMaxVectors> widths{};
  size_t used = 0;
  for (int width = Tile::kVectors; width >= 1; --width) {
    const bool few_masks = Tile::kMasks.size() * static_cast<size_t>(Tile::kVectors) <= 64;
    const bool half = Tile::kMasks.size() <= 32 && width == (Tile::kVectors + 1) / 2;
    if (few_masks || half || width == Tile::kVectors || width == 1) widths[used++] = width;
  }
  return widths;
}

template <class Tile, size_t... kIndex>
constexpr PanelKernel MakePanelKernel(std::index_sequence<kIndex...>) {
  constexpr std::array<int, kMaxVectors> kWidths = WidthsOf<Tile>();
  return {kTileInfo<Tile>,
          kTileName<Tile>.data(),
          kKeptTileName<Tile>.data(),
          kWidths,
          {(kWidths[kIndex] == 0 ? nullptr
                                 : &RunPanel<Tile, (kWidths[kIndex] == 0 ? Tile::kVectors : kWidths[kIndex])>)...},
          FewKernelOf<Tile>()};
}

// The list of a policy's tiles as an array of kernels.
template <class Tiles>
struct PanelKernels;
template <int kRows, int kVectors, class Masks>
struct PanelKernels<RegisterTile<kRows, kVectors, Masks>> : PanelKernels<AnyOf<RegisterTile<kRows, kVectors, Masks>>> {
};
template <class... Tiles>
struct PanelKernels<AnyOf<Tiles...>> {
  static constexpr std::array<PanelKernel, sizeof...(Tiles)> kKernels = {
      MakePanelKernel<Tiles>(std::make_index_sequence<kMaxVectors>())...};
};

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
