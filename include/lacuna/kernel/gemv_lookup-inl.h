// Matrix-vector kernels of scattered weights, whose inputs are looked up in registers. Compiled once per SIMD target
// that can do so, which is AVX-512 with VBMI: Highway calls it AVX3_DL, a target of its own that is off unless asked
// for, so these kernels are compiled for it beside the others of AVX3, and offered where the CPU has it.

#include "lacuna/core/abi.h"
#include "lacuna/kernel/gemv_pack-inl.h"
#include "lacuna/kernel/gemv_weights-inl.h"
#include "lacuna/kernel/lookup-inl.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/policy/defaults.h"

#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_GEMV_LOOKUP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_GEMV_LOOKUP_INL_H_
#undef LACUNA_KERNEL_GEMV_LOOKUP_INL_H_
#else
#define LACUNA_KERNEL_GEMV_LOOKUP_INL_H_
#endif

#include "hwy/highway.h"

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vbmi")
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline bool HasLookup() { return __builtin_cpu_supports("avx512vbmi"); }

// See PackVectorsArgs, kLookup.
template <class D = hn::Full512<float>>
void PackLookup(const PackVectorsArgs& args) {
  if (args.width != 1) return PackVectors(args);
  const hn::Full512<uint32_t> du;
  const hn::Full128<uint8_t> d8;
  alignas(kAlignment) float part[kLookupColumns] = {};
  const float* x = args.x;
  if (args.row_stride != 1 || args.rows != kLookupColumns) {
    for (int64_t i = 0; i < args.rows; ++i) part[i] = args.x[i * args.row_stride];
    x = part;
  }
  auto* to = reinterpret_cast<uint8_t*>(args.to);
  for (size_t i = 0; i < kLookupColumns; i += 16) {
    auto bits = hn::BitCast(du, hn::LoadU(D(), x + i));
    for (size_t p = 0; p < 4; ++p, bits = hn::ShiftRight<8>(bits)) {
      hn::StoreU(hn::Vec128<uint8_t>{_mm512_cvtepi32_epi8(bits.raw)}, d8, to + p * kLookupColumns + i);
    }
  }
}

// Byte p of each of 128 floats, where 64 are looked up at a time.
struct LookupTables {
  using Bytes = hn::Vec512<uint8_t>;
  Bytes low[4], high[4];

  HWY_INLINE explicit LookupTables(const float* x) {
    const hn::Full512<uint8_t> d8;
    const auto* bytes = reinterpret_cast<const uint8_t*>(x);
    HWY_UNROLL(4)
    for (int p = 0; p < 4; ++p) {
      low[p] = hn::Load(d8, bytes + p * kLookupColumns);
      high[p] = hn::Load(d8, bytes + p * kLookupColumns + 64);
    }
  }

  // Byte p of the floats that `index` counts, or zero.
  HWY_INLINE Bytes LookUpOr0(int p, hn::Mask512<uint8_t> keep, Bytes index) const {
    return Bytes{_mm512_maskz_permutex2var_epi8(keep.raw, low[p].raw, index.raw, high[p].raw)};
  }
};

// See GemvArgs; layout kLookup, one column of X. 64 inputs take 4 lookups of bytes and 8 interleavings; loading them
// one by one, as RunGemvScattered does, takes 2.8 times as long (unstructured-8x, 1024 x 1024, Zen 4: 9.9 against 28
// us).
template <class W, class D = hn::Full512<float>>
HWY_NOINLINE void RunGemvLookup(const GemvArgs& args) {
  const D d;
  const hn::Full512<uint8_t> d8;
  const hn::Full512<uint16_t> d16;
  const hn::Full512<uint32_t> du;
  const hn::Full128<uint8_t> d8x16;
  constexpr size_t kPanels = kLookupRows / 16, kBlockPanels = kGemvBlockRows / 16;
  const auto none = hn::Set(d8, kLookupNone);
  const auto upper = hn::Set(du, 32);
  const float* HWY_RESTRICT x = args.x;
  const uint8_t* HWY_RESTRICT column = args.mask;
  const auto* HWY_RESTRICT weight = static_cast<const typename W::Stored*>(args.weight);
  const uint32_t* HWY_RESTRICT steps = args.steps;
  for (size_t band = 0; band < args.bands; ++band, x += kLookupColumns, steps += kBlockPanels) {
    const LookupTables table(x);
    for (size_t first = 0; first < args.panels; first += kPanels) {
      Floats16 packed[kPanels];
      HWY_UNROLL(4)
      for (size_t p = 0; p < kPanels; ++p) {
        auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
        for (uint32_t left = steps[first + p]; left > 0; --left, column += 64, weight += 64) {
          const auto index = hn::LoadU(d8, column);
          const auto keep = hn::Lt(index, none);
          const auto byte0 = table.LookUpOr0(0, keep, index), byte1 = table.LookUpOr0(1, keep, index);
          const auto byte2 = table.LookUpOr0(2, keep, index), byte3 = table.LookUpOr0(3, keep, index);
          const auto low01 = hn::BitCast(d16, hn::InterleaveLower(d8, byte0, byte1));
          const auto low23 = hn::BitCast(d16, hn::InterleaveLower(d8, byte2, byte3));
          const auto high01 = hn::BitCast(d16, hn::InterleaveUpper(d8, byte0, byte1));
          const auto high23 = hn::BitCast(d16, hn::InterleaveUpper(d8, byte2, byte3));
          const auto in0 = hn::BitCast(d, hn::InterleaveLower(d16, low01, low23));
          const auto in1 = hn::BitCast(d, hn::InterleaveUpper(d16, low01, low23));
          const auto in2 = hn::BitCast(d, hn::InterleaveLower(d16, high01, high23));
          const auto in3 = hn::BitCast(d, hn::InterleaveUpper(d16, high01, high23));
          sum0 = hn::MulAdd(in0, W::Load(d, weight), sum0);
          sum1 = hn::MulAdd(in1, W::Load(d, weight + 16), sum1);
          sum2 = hn::MulAdd(in2, W::Load(d, weight + 32), sum2);
          sum3 = hn::MulAdd(in3, W::Load(d, weight + 48), sum3);
        }
        packed[p] = hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3));
      }
      const uint8_t* place = args.row + band * kGemvBlockRows + first * 16;
      float* sum = args.sum + first * 16;
      HWY_UNROLL(4)
      for (size_t p = 0; p < kPanels; ++p, place += 16, sum += 16) {
        const auto from = hn::PromoteTo(du, hn::LoadU(d8x16, place));
        const auto is_upper = hn::RebindMask(d, hn::TestBit(from, upper));
        const auto rows =
            hn::IfThenElse(is_upper, LookUp32(packed[2], packed[3], from), LookUp32(packed[0], packed[1], from));
        hn::StoreU(hn::Add(hn::LoadU(d, sum), rows), d, sum);
      }
    }
  }
}

// The same for several columns of X, which are across lanes here.
template <class W, int kWidth>
HWY_NOINLINE void RunGemvLookupColumns(const GemvArgs& args) {
  const hn::CappedTag<float, kWidth> d;
  constexpr size_t kPanels = kLookupRows / 16, kBlockPanels = kGemvBlockRows / 16;
  const float* HWY_RESTRICT x = args.x;
  const uint8_t* HWY_RESTRICT column = args.mask;
  const auto* HWY_RESTRICT weight = static_cast<const typename W::Stored*>(args.weight);
  const uint32_t* steps = args.steps;
  for (size_t band = 0; band < args.bands; ++band, x += (kLookupColumns + 1) * kWidth, steps += kBlockPanels) {
    for (size_t first = 0; first < args.panels; first += kPanels) {
      alignas(kAlignment) float packed[kLookupRows * kWidth];
      for (size_t p = 0; p < kPanels; ++p) {
        hn::Vec<decltype(d)> acc[16];
        HWY_UNROLL(16)
        for (int r = 0; r < 16; ++r) acc[r] = hn::Zero(d);
        for (uint32_t left = steps[first + p]; left > 0; --left, column += 64, weight += 64) {
          alignas(kAlignment) float room[64];
          const float* HWY_RESTRICT value = AsFloats<W>(weight, 64, room);
          for (size_t t = 0; t < 4; ++t) {
            HWY_UNROLL(16)
            for (size_t r = 0; r < 16; ++r) {
              const size_t at = column[r / 4 * 16 + 4 * t + r % 4];  // kLookupNone is where the zeros are
              acc[r] = hn::MulAdd(hn::Set(d, value[t * 16 + r]), hn::LoadU(d, x + at * kWidth), acc[r]);
            }
          }
        }
        HWY_UNROLL(16)
        for (size_t r = 0; r < 16; ++r) hn::StoreU(acc[r], d, packed + (p * 16 + r) * kWidth);
      }
      const uint8_t* place = args.row + band * kGemvBlockRows + first * 16;
      for (size_t j = 0; j < kWidth; ++j) {
        float* sum = args.sum + j * args.sum_stride + first * 16;
        for (size_t r = 0; r < kLookupRows; ++r) sum[r] += packed[place[r] * size_t{kWidth} + j];
      }
    }
  }
}
static_assert(kLookupNone == kLookupColumns, "the zeros are behind the band's columns");

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_POP_ATTRIBUTES
#endif

#endif  // per-target include guard
