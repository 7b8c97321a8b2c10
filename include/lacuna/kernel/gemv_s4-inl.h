// Matrix-vector kernels of 4-bit weights with a scale for every 32 of a row (layouts of kS4). Compiled once per SIMD
// target.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/gemv-inl.h"
#include "lacuna/kernel/gemv_pack-inl.h"
#include "lacuna/kernel/target-inl.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_GEMV_S4_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_GEMV_S4_INL_H_
#undef LACUNA_KERNEL_GEMV_S4_INL_H_
#else
#define LACUNA_KERNEL_GEMV_S4_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Weight k of the eight in each word, an integer in [-8, 7]. AVX-512 looks it up: a lookup minds the lowest 4 bits of
// an index alone, so that a shift is all there is to do before.
template <int k, class D, class Words = hn::Vec<hn::RebindToUnsigned<D>>>
HWY_INLINE hn::Vec<D> WeightS4(D d, Words words) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if constexpr (hn::MaxLanes(d) == 16) {
    alignas(64) static constexpr float kValue[16] = {0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1};
    const auto index = hn::ShiftRight<4 * k>(words);
    return hn::Vec512<float>{_mm512_permutexvar_ps(index.raw, hn::Load(d, kValue).raw)};
  }
#endif
  const hn::RebindToSigned<D> di;
  return hn::ConvertTo(d, hn::ShiftRight<28>(hn::BitCast(di, hn::ShiftLeft<28 - 4 * k>(words))));
}

// Scales of as many rows as `d` has lanes.
template <class D>
HWY_INLINE hn::Vec<D> LoadScales(D d, const uint16_t* HWY_RESTRICT scale) {
  return WeightsBf16::Load(d, scale);
}

// Vectors of the rows of kShared.
template <int kRows, int kWidth>
struct S4Tile {
  using D = hn::CappedTag<float, kRows>;
  static constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  static constexpr int kVectors = kRows / kLanes;
  static constexpr int kSums = std::max(1, 4 / (kVectors * kWidth));  // in turn, to hide the multiply-add's latency
  // Sums of a group and of the panel, and a vector of weights.
  static constexpr bool kFits = kWidth == 1 || kWidth * kVectors * (kSums + 1) + 2 <= Target::kRegisters;
};

template <int kRows, int kWidth, int k, class Tile = S4Tile<kRows, kWidth>, class D = typename Tile::D,
          class V = hn::Vec<D>>
HWY_INLINE void AccumulateS4(const float* HWY_RESTRICT x, const size_t* at,
                             const hn::Vec<hn::RebindToUnsigned<D>> (&words)[Tile::kVectors],
                             V (&acc)[kWidth][Tile::kSums][Tile::kVectors]) {
  const D d;
  V w[Tile::kVectors];
  HWY_UNROLL(16)
  for (int v = 0; v < Tile::kVectors; ++v) w[v] = WeightS4<k>(d, words[v]);
  HWY_UNROLL(16)
  for (int j = 0; j < kWidth; ++j) {
    const V in = hn::Set(d, x[at[k % 4] + static_cast<size_t>(j)]);
    HWY_UNROLL(16)
    for (int v = 0; v < Tile::kVectors; ++v) {
      V& sum = acc[j][k % Tile::kSums][v];
      sum = hn::MulAdd(w[v], in, sum);
    }
  }
}

// See GemvArgs; layout kShared of kS4.
template <int kRows, int kWidth>
HWY_NOINLINE void RunGemvS4Shared(const GemvArgs& args) {
  using Tile = S4Tile<kRows, kWidth>;
  using D = typename Tile::D;
  using V = hn::Vec<D>;
  const D d;
  const hn::RebindToUnsigned<D> du;
  constexpr int kSums = Tile::kSums, kVectors = Tile::kVectors, kLanes = Tile::kLanes;
  const uint16_t* HWY_RESTRICT index = args.index;
  const auto* HWY_RESTRICT weight = static_cast<const uint32_t*>(args.weight);
  const uint16_t* HWY_RESTRICT scale = args.scale;
  for (size_t panel = 0; panel < args.panels; ++panel) {
    V total[kWidth][kVectors];
    HWY_UNROLL(16)
    for (int j = 0; j < kWidth; ++j) {
      HWY_UNROLL(16)
      for (int v = 0; v < kVectors; ++v) total[j][v] = hn::Zero(d);
    }
    for (uint32_t left = args.steps[panel]; left > 0; scale += kRows) {
      V acc[kWidth][kSums][kVectors];
      HWY_UNROLL(16)
      for (int j = 0; j < kWidth; ++j) {
        HWY_UNROLL(4)
        for (int s = 0; s < kSums; ++s) {
          HWY_UNROLL(16)
          for (int v = 0; v < kVectors; ++v) acc[j][s][v] = hn::Zero(d);
        }
      }
      const uint32_t steps = std::min<uint32_t>(left, kGroupSteps);
      left -= steps;
      for (uint32_t step = 0; step < steps; ++step, index += 8, weight += kRows) {
        hn::Vec<decltype(du)> words[kVectors];
        HWY_UNROLL(16)
        for (int v = 0; v < kVectors; ++v) words[v] = hn::LoadU(du, weight + v * kLanes);
        const FourColumns low = LoadFourColumns<kWidth>(index);
        AccumulateS4<kRows, kWidth, 0>(args.x, low.at, words, acc);
        AccumulateS4<kRows, kWidth, 1>(args.x, low.at, words, acc);
        AccumulateS4<kRows, kWidth, 2>(args.x, low.at, words, acc);
        AccumulateS4<kRows, kWidth, 3>(args.x, low.at, words, acc);
        const FourColumns high = LoadFourColumns<kWidth>(index + 4);
        AccumulateS4<kRows, kWidth, 4>(args.x, high.at, words, acc);
        AccumulateS4<kRows, kWidth, 5>(args.x, high.at, words, acc);
        AccumulateS4<kRows, kWidth, 6>(args.x, high.at, words, acc);
        AccumulateS4<kRows, kWidth, 7>(args.x, high.at, words, acc);
      }
      HWY_UNROLL(16)
      for (int v = 0; v < kVectors; ++v) {
        const V unit = LoadScales(d, scale + v * kLanes);
        HWY_UNROLL(16)
        for (int j = 0; j < kWidth; ++j) {
          V sum = acc[j][0][v];
          HWY_UNROLL(4)
          for (int s = 1; s < kSums; ++s) sum = hn::Add(sum, acc[j][s][v]);
          total[j][v] = hn::MulAdd(unit, sum, total[j][v]);
        }
      }
    }
    HWY_UNROLL(16)
    for (int j = 0; j < kWidth; ++j) {
      HWY_UNROLL(16)
      for (int v = 0; v < kVectors; ++v) {
        float* HWY_RESTRICT sum =
            args.sum + static_cast<size_t>(j) * args.sum_stride + panel * kRows + static_cast<size_t>(v * kLanes);
        hn::StoreU(hn::Add(hn::LoadU(d, sum), total[j][v]), d, sum);
      }
    }
  }
}

// See GemvArgs; layout kScattered of kS4. Words of four rows are made floats and kept, as rows have columns of their
// own.
template <int kWidth>
HWY_NOINLINE void RunGemvS4Scattered(const GemvArgs& args) {
  const hn::CappedTag<float, 4> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<float, 4>());
  const uint16_t* HWY_RESTRICT index = args.index;
  const auto* HWY_RESTRICT weight = static_cast<const uint32_t*>(args.weight);
  const uint16_t* HWY_RESTRICT scale = args.scale;
  for (size_t panel = 0; panel < args.panels; ++panel) {
    alignas(kAlignment) float total[kWidth][8] = {};
    for (uint32_t left = args.steps[panel]; left > 0; scale += 8) {
      alignas(kAlignment) float sums[kWidth][8] = {};
      const uint32_t steps = std::min<uint32_t>(left, kGroupSteps);
      left -= steps;
      for (uint32_t step = 0; step < steps; ++step, index += 64, weight += 8) {
        for (size_t r = 0; r < 8; r += kLanes) {
          const auto words = hn::LoadU(du, weight + r);
          alignas(kAlignment) float value[8][4];
          hn::StoreU(WeightS4<0>(d, words), d, value[0]);
          hn::StoreU(WeightS4<1>(d, words), d, value[1]);
          hn::StoreU(WeightS4<2>(d, words), d, value[2]);
          hn::StoreU(WeightS4<3>(d, words), d, value[3]);
          hn::StoreU(WeightS4<4>(d, words), d, value[4]);
          hn::StoreU(WeightS4<5>(d, words), d, value[5]);
          hn::StoreU(WeightS4<6>(d, words), d, value[6]);
          hn::StoreU(WeightS4<7>(d, words), d, value[7]);
          if constexpr (kWidth == 1) {
            auto even = hn::LoadU(d, sums[0] + r), odd = hn::Zero(d);
            HWY_UNROLL(4)
            for (size_t k = 0; k < 8; k += 2) {
              even = hn::MulAdd(hn::LoadU(d, value[k]), GatherRows(d, args.x, index + 8 * k + r), even);
              odd = hn::MulAdd(hn::LoadU(d, value[k + 1]), GatherRows(d, args.x, index + 8 * (k + 1) + r), odd);
            }
            hn::StoreU(hn::Add(even, odd), d, sums[0] + r);
          } else {
            for (size_t lane = 0; lane < kLanes; ++lane) {
              for (size_t k = 0; k < 8; ++k) {
                const float* HWY_RESTRICT in = args.x + size_t{index[8 * k + r + lane]} * kWidth;
                for (size_t j = 0; j < kWidth; ++j) sums[j][r + lane] += value[k][lane] * in[j];
              }
            }
          }
        }
      }
      for (size_t r = 0; r < 8; r += kLanes) {
        const auto unit = LoadScales(d, scale + r);
        for (size_t j = 0; j < kWidth; ++j) {
          hn::StoreU(hn::MulAdd(unit, hn::LoadU(d, sums[j] + r), hn::LoadU(d, total[j] + r)), d, total[j] + r);
        }
      }
    }
    for (size_t j = 0; j < kWidth; ++j) {
      AddScattered(total[j], args.row + panel * 8, args.sum + j * args.sum_stride);
    }
  }
}

template <int kRows, int kWidth>
constexpr GemvFn SharedS4Kernel() {
  if constexpr (S4Tile<kRows, kWidth>::kFits) {
    return &RunGemvS4Shared<kRows, kWidth>;
  } else {
    return nullptr;
  }
}
template <int kRows>
inline constexpr std::array<GemvFn, kGemvWidths.size()> kSharedS4Kernels = {
    SharedS4Kernel<kRows, 1>(), nullptr, SharedS4Kernel<kRows, 4>(), nullptr, nullptr};

// A template, so that those who make no such plan compile none of them.
template <class P>
struct GemvS4Kernels {
  static constexpr auto kStorage = ValueType::kS4;
  static constexpr auto kKernels = std::to_array<GemvKernel>({
      {{GemvForm::kShared, 4, kStorage}, "shared 4", kGemvShared4Cost, &PackVectors, kSharedS4Kernels<4>},
      {{GemvForm::kShared, 8, kStorage}, "shared 8", kGemvShared8Cost, &PackVectors, kSharedS4Kernels<8>},
      {{GemvForm::kShared, 16, kStorage}, "shared 16", kGemvShared16Cost, &PackVectors, kSharedS4Kernels<16>},
      {{GemvForm::kScattered, 8, kStorage},
       "scattered 8",
       kGemvScatteredCost,
       &PackVectors,
       {&RunGemvS4Scattered<1>, nullptr, &RunGemvS4Scattered<4>, nullptr, nullptr}},
  });
};

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
