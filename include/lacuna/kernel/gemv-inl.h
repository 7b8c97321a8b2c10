// Matrix-vector kernels: output rows across lanes, weights read as vectors and once. Compiled once per SIMD target.
// Nothing is fetched ahead: the hardware sees these streams, and prefetches of weights cost 5 to 20 % from L2 and L3
// alike (Zen 4).

#include "lacuna/core/abi.h"
#include "lacuna/kernel/gemv_lookup-inl.h"
#include "lacuna/kernel/gemv_pack-inl.h"
#include "lacuna/kernel/gemv_weights-inl.h"
#include "lacuna/kernel/lookup-inl.h"
#include "lacuna/kernel/target-inl.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(LACUNA_KERNEL_GEMV_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_GEMV_INL_H_
#undef LACUNA_KERNEL_GEMV_INL_H_
#else
#define LACUNA_KERNEL_GEMV_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Where the inputs of four columns are. Read as one word: four loads of 16 bits take a tenth longer on Zen 4.
struct FourColumns {
  size_t at[4];
};
template <int kWidth>
HWY_INLINE FourColumns LoadFourColumns(const uint16_t* HWY_RESTRICT index) {
  uint64_t word;
  std::memcpy(&word, index, sizeof(word));
  FourColumns columns;
  HWY_UNROLL(4)
  for (int j = 0; j < 4; ++j) {
    const int shift = std::endian::native == std::endian::little ? 16 * j : 48 - 16 * j;
    columns.at[j] = static_cast<size_t>(word >> shift & 0xffff) * kWidth;
  }
  return columns;
}

// The inputs at `at[0]` to `at[kColumns - 1]`, each in an equal part of the vector.
template <int kColumns, class D>
HWY_INLINE hn::Vec<D> SetColumns(D d, const float* HWY_RESTRICT x, const size_t* at) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kColumns > 1) {
    const hn::Half<D> half;
    return hn::Combine(d, SetColumns<kColumns / 2>(half, x, at + kColumns / 2), SetColumns<kColumns / 2>(half, x, at));
  }
#endif
  return hn::Set(d, x[at[0]]);
}

// Adds the kRows rows that the vector holds once or several times to to[0], ...
template <int kRows, class D, class V = hn::Vec<D>>
HWY_INLINE void AddRows(D d, V sum, float* HWY_RESTRICT to) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (hn::MaxLanes(d) > kRows) {
    const hn::Half<D> half;
    return AddRows<kRows>(half, hn::Add(hn::LowerHalf(half, sum), hn::UpperHalf(half, sum)), to);
  }
#endif
  hn::StoreU(hn::Add(hn::LoadU(d, to), sum), d, to);
}

// acc + weight * in where bit r of `stored` says that row r's weight is; `vector` counts from row 0.
template <bool kFilled, class D, class V = hn::Vec<D>>
HWY_INLINE V MulAddStored(D d, V weight, V in, V acc, const uint8_t* stored, int vector) {
  const V sum = hn::MulAdd(weight, in, acc);
  if constexpr (!kFilled) {
    return sum;
  } else {
    const size_t first = static_cast<size_t>(vector) * hn::MaxLanes(d);
    if constexpr (hn::MaxLanes(d) >= 8) {
      return hn::IfThenElse(hn::LoadMaskBits(d, stored + first / 8), sum, acc);
    } else {
      const auto bits = static_cast<uint8_t>(stored[first / 8] >> first % 8);
      return hn::IfThenElse(hn::LoadMaskBits(d, &bits), sum, acc);
    }
  }
}

// How rows and columns of kShared and kFilled lie in vectors.
template <int kRows, int kWidth>
struct SharedTile {
  static constexpr int kLanes = static_cast<int>(hn::MaxLanes(hn::ScalableTag<float>()));
  static constexpr int kColumns = std::max(1, kLanes / kRows);  // of a vector
  static constexpr int kVectors = std::max(1, kRows / kLanes);  // of a column
  static constexpr int kGroups = 4 / kColumns;                  // of a step, each kColumns columns
  static constexpr int kMaskBytes = kRows * kColumns / 8;       // of a group
  // Sums in turn, to hide the latency of the multiply-add.
  static constexpr int kSums = std::max(1, 4 / (kVectors * kWidth));
  static constexpr int kSteps = std::max(1, kSums / kGroups);  // before the first sum's turn comes again
  // Sums, a column's weights and an input fit into registers. One column of X is always there.
  static constexpr bool kFits = kWidth == 1 || kWidth * kSums * kVectors + kVectors + 1 <= Target::kRegisters;
};

template <class W, int kRows, int kWidth, bool kFilled, int kFirst, class D, class Tile = SharedTile<kRows, kWidth>,
          class V = hn::Vec<D>>
HWY_INLINE void AccumulateStep(D d, const float* HWY_RESTRICT x, const uint16_t* HWY_RESTRICT index,
                               const uint8_t* HWY_RESTRICT mask, const typename W::Stored* HWY_RESTRICT weight,
                               V (&acc)[kWidth][Tile::kSums][Tile::kVectors]) {
  const FourColumns columns = LoadFourColumns<kWidth>(index);
  constexpr int kMaskBytes = kFilled ? Tile::kMaskBytes : 0;  // without masks the pointer is null
  HWY_UNROLL(4)
  for (int g = 0; g < Tile::kGroups; ++g) {
    constexpr int kSums = Tile::kSums;
    V w[Tile::kVectors];
    HWY_UNROLL(16)
    for (int v = 0; v < Tile::kVectors; ++v) {
      w[v] = W::Load(d, weight + g * Tile::kColumns * kRows + v * Tile::kLanes);
    }
    HWY_UNROLL(16)
    for (int j = 0; j < kWidth; ++j) {
      const V in = SetColumns<Tile::kColumns>(d, x + j, columns.at + g * Tile::kColumns);
      HWY_UNROLL(16)
      for (int v = 0; v < Tile::kVectors; ++v) {
        V& sum = acc[j][(kFirst + g) % kSums][v];
        sum = MulAddStored<kFilled>(d, w[v], in, sum, mask + g * kMaskBytes, v);
      }
    }
  }
}

// See GemvArgs; layouts kShared and kFilled.
template <class W, int kRows, int kWidth, bool kFilled>
HWY_NOINLINE void RunGemvShared(const GemvArgs& args) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  using Tile = SharedTile<kRows, kWidth>;
  constexpr int kSums = Tile::kSums;
  const uint16_t* HWY_RESTRICT index = args.index;
  const uint8_t* HWY_RESTRICT mask = args.mask;
  const auto* HWY_RESTRICT weight = static_cast<const typename W::Stored*>(args.weight);
  constexpr size_t kMasks = kFilled ? 4 * kRows / 8 : 0;  // bytes of a step
  const auto advance = [&](size_t steps) HWY_ATTR {
    index += 4 * steps;
    mask += kMasks * steps;
    weight += 4 * kRows * steps;
  };
  for (size_t panel = 0; panel < args.panels; ++panel) {
    V acc[kWidth][kSums][Tile::kVectors];
    HWY_UNROLL(16)
    for (int j = 0; j < kWidth; ++j) {
      HWY_UNROLL(4)
      for (int s = 0; s < kSums; ++s) {
        HWY_UNROLL(16)
        for (int v = 0; v < Tile::kVectors; ++v) acc[j][s][v] = hn::Zero(d);
      }
    }
    uint32_t left = args.steps[panel];
    if constexpr (Tile::kSteps > 1) {
      for (; left >= Tile::kSteps; left -= Tile::kSteps, advance(Tile::kSteps)) {
        AccumulateStep<W, kRows, kWidth, kFilled, 0>(d, args.x, index, mask, weight, acc);
        AccumulateStep<W, kRows, kWidth, kFilled, Tile::kGroups>(d, args.x, index + 4, mask + kMasks,
                                                                 weight + 4 * kRows, acc);
        if constexpr (Tile::kSteps == 4) {
          AccumulateStep<W, kRows, kWidth, kFilled, 2>(d, args.x, index + 8, mask + 2 * kMasks, weight + 8 * kRows,
                                                       acc);
          AccumulateStep<W, kRows, kWidth, kFilled, 3>(d, args.x, index + 12, mask + 3 * kMasks, weight + 12 * kRows,
                                                       acc);
        }
      }
    }
    for (; left > 0; --left, advance(1))
      AccumulateStep<W, kRows, kWidth, kFilled, 0>(d, args.x, index, mask, weight, acc);
    HWY_UNROLL(16)
    for (int j = 0; j < kWidth; ++j) {
      HWY_UNROLL(16)
      for (int v = 0; v < Tile::kVectors; ++v) {
        V sum = acc[j][0][v];
        HWY_UNROLL(4)
        for (int s = 1; s < kSums; ++s) sum = hn::Add(sum, acc[j][s][v]);
        AddRows<kRows>(d, sum,
                       args.sum + static_cast<size_t>(j) * args.sum_stride + panel * kRows +
                           static_cast<size_t>(v * Tile::kLanes));
      }
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
// The sums of a step's four rows in every 128 bits of the result. `w` are its weights.
template <class D, int kVectors, class V = hn::Vec<D>>
HWY_INLINE V SumFourColumns(D d, const float* HWY_RESTRICT x, const size_t* at, const V (&w)[kVectors]) {
  if constexpr (kVectors == 2) {
    const V sum = hn::MulAdd(w[1], SetColumns<2>(d, x, at + 2), hn::Mul(w[0], SetColumns<2>(d, x, at)));
    return hn::Add(sum, hn::ConcatLowerUpper(d, sum, sum));
  } else {
    const V even = hn::MulAdd(w[2], hn::Set(d, x[at[2]]), hn::Mul(w[0], hn::Set(d, x[at[0]])));
    const V odd = hn::MulAdd(w[3], hn::Set(d, x[at[3]]), hn::Mul(w[1], hn::Set(d, x[at[1]])));
    return hn::Add(even, odd);
  }
}

// See GemvArgs; layout kMasked. A step's columns are summed before its rows are spread, so that a weight costs no more
// than where all rows are kept, and lanes of rows that are not kept never meet an input.
template <class W, int kWidth>
HWY_NOINLINE void RunGemvMasked(const GemvArgs& args) {
  const hn::CappedTag<float, 8> d;
  const hn::Repartition<uint8_t, decltype(d)> d8;
  using V = hn::Vec<decltype(d)>;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));
  constexpr int kVectors = 8 / kLanes;   // of a panel's sums
  constexpr int kWeights = 16 / kLanes;  // vectors of a step's weights
  const uint16_t* HWY_RESTRICT index = args.index;
  const uint8_t* HWY_RESTRICT mask = args.mask;
  const auto* HWY_RESTRICT weight = static_cast<const typename W::Stored*>(args.weight);
  for (size_t panel = 0; panel < args.panels; ++panel) {
    V acc[kWidth][kVectors];
    HWY_UNROLL(16)
    for (int j = 0; j < kWidth; ++j) {
      HWY_UNROLL(2)
      for (int v = 0; v < kVectors; ++v) acc[j][v] = hn::Zero(d);
    }
    for (uint32_t left = args.steps[panel]; left > 0; --left, index += 4, weight += 16) {
      const FourColumns columns = LoadFourColumns<kWidth>(index);
      const uint8_t* spread = kSpreadRows<uint8_t>[*mask++].data();
      V w[kWeights];
      HWY_UNROLL(4)
      for (int i = 0; i < kWeights; ++i) w[i] = W::Load(d, weight + i * kLanes);
      HWY_UNROLL(16)
      for (int j = 0; j < kWidth; ++j) {
        const auto sum = hn::BitCast(d8, SumFourColumns(d, args.x + j, columns.at, w));
        HWY_UNROLL(2)
        for (int v = 0; v < kVectors; ++v) {
          const auto rows = hn::TableLookupBytesOr0(sum, hn::LoadU(d8, spread + 16 * v));
          acc[j][v] = hn::Add(acc[j][v], hn::BitCast(d, rows));
        }
      }
    }
    HWY_UNROLL(16)
    for (int j = 0; j < kWidth; ++j) {
      HWY_UNROLL(2)
      for (int v = 0; v < kVectors; ++v) {
        AddRows<8>(d, acc[j][v],
                   args.sum + static_cast<size_t>(j) * args.sum_stride + panel * 8 + static_cast<size_t>(v * kLanes));
      }
    }
  }
}
#endif  // HWY_SCALAR

// Sums of the 8 rows of a panel in packed order, to where they belong.
HWY_INLINE void AddScattered(const float* HWY_RESTRICT from, const uint8_t* HWY_RESTRICT row, float* HWY_RESTRICT to) {
  for (size_t r = 0; r < 8; ++r) to[row[r]] += from[r];
}

// The inputs of a vector of rows, each with a column of its own. Four at a time through an array that the compiler
// keeps in registers: gather instructions take 1.6 times as long on Zen 4, more where they are slowed down for safety.
template <class D>
HWY_INLINE hn::Vec<D> GatherRows(D d, const float* HWY_RESTRICT x, const uint16_t* HWY_RESTRICT index) {
  if constexpr (hn::MaxLanes(d) == 4) {
    const FourColumns columns = LoadFourColumns<1>(index);
    alignas(16) const float in[4] = {x[columns.at[0]], x[columns.at[1]], x[columns.at[2]], x[columns.at[3]]};
    return hn::Load(d, in);
  } else {
    return hn::Set(d, x[*index]);
  }
}

// See GemvArgs; layout kScattered, one column of X.
template <class W, class D = hn::CappedTag<float, 4>>
HWY_NOINLINE void RunGemvScattered(const GemvArgs& args) {
  const D d;
  using V = hn::Vec<decltype(d)>;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));
  constexpr int kVectors = 8 / kLanes;
  const uint16_t* HWY_RESTRICT index = args.index;
  const auto* HWY_RESTRICT weight = static_cast<const typename W::Stored*>(args.weight);
  for (size_t panel = 0; panel < args.panels; ++panel) {
    V even[kVectors], odd[kVectors];
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) even[v] = odd[v] = hn::Zero(d);
    const auto add = [&](int v, size_t at, V acc) HWY_ATTR {
      at += static_cast<size_t>(v * kLanes);
      return hn::MulAdd(W::Load(d, weight + at), GatherRows(d, args.x, index + at), acc);
    };
    uint32_t left = args.steps[panel];
    for (; left >= 2; left -= 2, index += 16, weight += 16) {
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) even[v] = add(v, 0, even[v]);
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) odd[v] = add(v, 8, odd[v]);
    }
    if (left != 0) {
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) even[v] = add(v, 0, even[v]);
      index += 8;
      weight += 8;
    }
    alignas(kAlignment) float sums[8];
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) hn::Store(hn::Add(even[v], odd[v]), d, sums + v * kLanes);
    AddScattered(sums, args.row + panel * 8, args.sum);
  }
}

// Vectors of the sums of 8 rows with kWidth columns of X across lanes.
template <int kWidth>
struct ScatteredTile {
  static constexpr int kLanes = static_cast<int>(hn::MaxLanes(hn::CappedTag<float, kWidth>()));
  static constexpr int kVectors = kWidth / kLanes;
  static constexpr bool kFits = 8 * kVectors + 2 <= Target::kRegisters;
};

// The same for several columns of X, which are across lanes here: rows have no column of W in common, but the columns
// of X do.
template <class W, int kWidth>
HWY_NOINLINE void RunGemvScatteredColumns(const GemvArgs& args) {
  const hn::CappedTag<float, kWidth> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int kLanes = ScatteredTile<kWidth>::kLanes, kVectors = ScatteredTile<kWidth>::kVectors;
  const uint16_t* HWY_RESTRICT index = args.index;
  const auto* HWY_RESTRICT weight = static_cast<const typename W::Stored*>(args.weight);
  for (size_t panel = 0; panel < args.panels; ++panel) {
    V acc[8][kVectors];
    HWY_UNROLL(8)
    for (int r = 0; r < 8; ++r) {
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::Zero(d);
    }
    for (uint32_t left = args.steps[panel]; left > 0; --left, index += 8, weight += 8) {
      alignas(kAlignment) float room[8];
      const float* HWY_RESTRICT value = AsFloats<W>(weight, 8, room);
      HWY_UNROLL(8)
      for (int r = 0; r < 8; ++r) {
        const V w = hn::Set(d, value[r]);
        const float* HWY_RESTRICT in = args.x + size_t{index[r]} * kWidth;
        HWY_UNROLL(8)
        for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::MulAdd(w, hn::LoadU(d, in + v * kLanes), acc[r][v]);
      }
    }
    alignas(kAlignment) float sums[8 * kWidth], rows[8];
    HWY_UNROLL(8)
    for (int r = 0; r < 8; ++r) {
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) hn::StoreU(acc[r][v], d, sums + r * kWidth + v * kLanes);
    }
    for (size_t j = 0; j < kWidth; ++j) {
      for (size_t r = 0; r < 8; ++r) rows[r] = sums[r * kWidth + j];
      AddScattered(rows, args.row + panel * 8, args.sum + j * args.sum_stride);
    }
  }
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
// See GemvArgs; layout kCells, one column of X. Four cells are computed at a time, one in every 128 bits: vector t of
// the weights times the inputs turned by t lanes, so that the lanes of a cell end up with the sums of its rows, which
// are moved to the lanes of the panel's rows last. A step of RunGemvMasked, one cell, spends as much on summing its
// columns and moving its rows as four do here: bcr-8x, 1024 x 1024, takes 9.2 us instead of 11.3 (Zen 4).
template <class W, class D = hn::Full512<float>>
HWY_NOINLINE void RunGemvCells(const GemvArgs& args) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const hn::Full128<uint8_t> d8;
  // Odd cells look up the second of two chunks, and cells 2 and 3 are in the upper half.
  alignas(64) static constexpr uint32_t kSecond[16] = {0, 0, 0, 0, 16, 16, 16, 16, 0, 0, 0, 0, 16, 16, 16, 16};
  alignas(64) static constexpr uint32_t kShift[16] = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};
  const auto second = hn::Load(du, kSecond), shift = hn::Load(du, kShift);
  const auto none = hn::Set(du, GemvCells::kNone);
  const auto lower = hn::FirstN(d, 8);
  const float* HWY_RESTRICT x = args.x;
  const GemvCells* HWY_RESTRICT cells = args.cells;
  const auto* HWY_RESTRICT weight = static_cast<const typename W::Stored*>(args.weight);
  for (size_t panel = 0; panel < args.panels; ++panel) {
    auto rows0 = hn::Zero(d), rows4 = hn::Zero(d);  // 0 to 3 and 4 to 7, of every cell in turn
    for (uint32_t left = args.steps[panel]; left > 0; --left, ++cells, weight += 4 * kCellWeights) {
      const auto column = hn::PromoteTo(du, hn::LoadU(d8, cells->column[0]));
      const auto index = hn::Or(column, second);
      const auto chunk = [&](size_t cell) HWY_ATTR { return hn::Load(d, x + size_t{cells->chunk[cell]} * 16); };
      auto in = hn::IfThenElse(lower, LookUp32(chunk(0), chunk(1), index), LookUp32(chunk(2), chunk(3), index));
      in = hn::IfThenElseZero(hn::RebindMask(d, hn::Lt(column, none)), in);
      const auto weights = [&](size_t t) HWY_ATTR { return W::Load(d, weight + t * 16); };
      const auto even = hn::MulAdd(hn::Shuffle1032(in), weights(2), hn::Mul(in, weights(0)));
      const auto odd = hn::MulAdd(hn::Shuffle2103(in), weights(3), hn::Mul(hn::Shuffle0321(in), weights(1)));
      const auto sum = hn::Add(even, odd);
      const auto spread = [&](size_t half) HWY_ATTR {
        const auto keep = hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(&cells->rows[half]));
        return LookUp4Or0(keep, sum, hn::Shr(hn::Set(du, cells->place[half]), shift));
      };
      rows0 = hn::Add(rows0, spread(0));
      rows4 = hn::Add(rows4, spread(1));
    }
    AddRows<4>(d, rows0, args.sum + panel * 8);
    AddRows<4>(d, rows4, args.sum + panel * 8 + 4);
  }
}
#endif

// Targets with few short vectors serve as fallbacks only, and compile for one and for four columns of X; so do all of
// weights that are not f32.
template <class W, int kWidth>
inline constexpr bool kHasWidth = kWidth == 1 || kWidth == 4 ||
                                  (W::kStorage == ValueType::kF32 &&
                                   (Target::kRegisters >= 32 || Target::kMaxLanes >= 8));

template <class W, int kRows, int kWidth, bool kFilled>
constexpr GemvFn SharedKernel() {
  if constexpr (kHasWidth<W, kWidth> && SharedTile<kRows, kWidth>::kFits) {
    return &RunGemvShared<W, kRows, kWidth, kFilled>;
  } else {
    return nullptr;
  }
}
#if HWY_TARGET != HWY_SCALAR
template <class W, int kWidth>
constexpr GemvFn MaskedKernel() {
  if constexpr (kHasWidth<W, kWidth>) {
    return &RunGemvMasked<W, kWidth>;
  } else {
    return nullptr;
  }
}
#endif
template <class W, int kWidth>
constexpr GemvFn ScatteredKernel() {
  if constexpr (kHasWidth<W, kWidth> && ScatteredTile<kWidth>::kFits) {
    return &RunGemvScatteredColumns<W, kWidth>;
  } else {
    return nullptr;
  }
}
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
template <class W, int kWidth>
constexpr GemvFn LookupKernel() {
  if constexpr (kHasWidth<W, kWidth>) {
    return &RunGemvLookupColumns<W, kWidth>;
  } else {
    return nullptr;
  }
}
#endif

// At most 8 columns of X at a time: more would leave no registers for the weights.
template <class W, int kRows, bool kFilled = false>
inline constexpr std::array<GemvFn, kGemvWidths.size()> kSharedKernels = {
    SharedKernel<W, kRows, 1, kFilled>(), SharedKernel<W, kRows, 2, kFilled>(), SharedKernel<W, kRows, 4, kFilled>(),
    SharedKernel<W, kRows, 8, kFilled>(), nullptr};

// Of weights that are stored as W has it. A template, so that those who make no such plan compile none of them.
template <class P, class W>
struct GemvKernels {
  static constexpr auto kStorage = W::kStorage;
  static constexpr auto kKernels = std::to_array<GemvKernel>({
    {{GemvForm::kShared, 4, kStorage}, "shared 4", kGemvShared4Cost, &PackVectors, kSharedKernels<W, 4>},
        {{GemvForm::kShared, 8, kStorage}, "shared 8", kGemvShared8Cost, &PackVectors, kSharedKernels<W, 8>},
        {{GemvForm::kShared, 16, kStorage}, "shared 16", kGemvShared16Cost, &PackVectors, kSharedKernels<W, 16>},
        {{GemvForm::kFilled, 16, kStorage}, "filled 16", kGemvFilledCost, &PackVectors, kSharedKernels<W, 16, true>},
#if HWY_TARGET != HWY_SCALAR
        {{GemvForm::kMasked, 8, kStorage},
         "masked 8",
         kGemvMaskedCost,
         &PackVectors,
         {MaskedKernel<W, 1>(), MaskedKernel<W, 2>(), MaskedKernel<W, 4>(), nullptr, nullptr}},
#endif
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
        {{GemvForm::kCells, 8, kStorage}, "cells 8", kGemvCellsCost, &PackVectors, {&RunGemvCells<W>}},
        {{GemvForm::kLookup, 16, kStorage},
         "lookup 16",
         kGemvLookupCost,
         &PackLookup<>,
         {&RunGemvLookup<W>, nullptr, LookupKernel<W, 4>(), LookupKernel<W, 8>(), LookupKernel<W, 16>()},
         &HasLookup},
#endif
        {{GemvForm::kScattered, 8, kStorage},
         "scattered 8",
         kGemvScatteredCost,
         &PackVectors,
         {&RunGemvScattered<W>, nullptr, ScatteredKernel<W, 4>(), ScatteredKernel<W, 8>(), ScatteredKernel<W, 16>()}},
  });
};

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
