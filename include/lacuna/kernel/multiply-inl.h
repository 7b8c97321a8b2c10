// The multiply-add of the panel kernel, by value types and by what the SIMD target has. Compiled once per SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/core/value_traits.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#if defined(LACUNA_KERNEL_MULTIPLY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_MULTIPLY_INL_H_
#undef LACUNA_KERNEL_MULTIPLY_INL_H_
#else
#define LACUNA_KERNEL_MULTIPLY_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// What each of the following holds:
//   Traits       types of the product
//   Input        what a lane of the input tile holds: a group of columns at one position
//   Weights      a row's weights of a group
//   kParts       passes over a group, of which each multiplies some of its columns
//   In<D>        Load's vectors
//   Load(d, part, x), Weight(d, part, w), MultiplyAdd(d, w, x, sum)
//   kSignedInput of integers: the bytes of the tile are s8, else u8
//   kLaneWeights whether MultiplyAdd also takes a LaneWeight

#undef LACUNA_LANE_WEIGHTS
#if HWY_ARCH_ARM_A64 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#define LACUNA_LANE_WEIGHTS 1
#else
#define LACUNA_LANE_WEIGHTS 0
#endif

// A weight of four that were loaded as a vector. `lane` is a constant once loops are unrolled.
template <class V>
struct LaneWeight {
  V vector;
  int lane;
};

// The weights of a column's kCount rows: broadcast from memory, one by one.
template <class Multiply, int kCount, class D, bool kLanes = Multiply::kLaneWeights>
class ColumnWeights {
 public:
  HWY_INLINE ColumnWeights(D, const typename Multiply::Weights* w) : w_(w) {}
  HWY_INLINE auto Row(D d, int part, int row) const { return Multiply::Weight(d, part, w_[row]); }

 private:
  const typename Multiply::Weights* w_;
};

#if LACUNA_LANE_WEIGHTS
// Multiply-adds of 64-bit Arm take a factor from any lane of a vector: the weights of four rows are one load and one
// register. Broadcast they would be four of each, and 8 x 3 sums would not stay in registers. Vectors of four weights
// are followed by one of two and one of one, as nothing behind the weights is read.
template <class Multiply, int kCount, class D>
class ColumnWeights<Multiply, kCount, D, true> {
 public:
  HWY_INLINE ColumnWeights(D d, const typename Multiply::Weights* w) {
    using T = hn::TFromD<D>;
    static_assert(sizeof(*w) == sizeof(T));
    const auto* lanes = reinterpret_cast<const T*>(w);
    HWY_UNROLL(4)
    for (int i = 0; i < kFours; ++i) vectors_[i] = hn::LoadU(d, lanes + 4 * i);
    if constexpr (kTwo != 0) {
      vectors_[kFours] = hn::ZeroExtendVector(d, hn::LoadU(hn::Half<D>(), lanes + 4 * kFours));
    }
    if constexpr (kOne != 0) vectors_[kFours + kTwo] = hn::Set(d, lanes[kCount - 1]);
  }
  HWY_INLINE LaneWeight<hn::Vec<D>> Row(D, int, int row) const {
    if (kOne != 0 && row == kCount - 1) return {vectors_[kFours + kTwo], 0};
    return {vectors_[row / 4], row % 4};
  }

 private:
  static constexpr int kFours = kCount / 4, kTwo = kCount % 4 / 2, kOne = kCount % 2;
  hn::Vec<D> vectors_[kFours + kTwo + kOne];
};
#endif

struct MultiplyF32 {
  using Traits = F32Traits;
  using Input = float;
  using Weights = WeightGroup<Traits>;
  static constexpr int kParts = 1;
  static constexpr bool kLaneWeights = LACUNA_LANE_WEIGHTS;
  template <class D>
  using In = hn::Vec<D>;

  template <class D>
  static HWY_INLINE hn::Vec<D> Load(D d, int, const float* x) {
    return hn::LoadU(d, x);
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> Weight(D d, int, float w) {
    return hn::Set(d, w);
  }
  template <class D, class V>
  static HWY_INLINE V MultiplyAdd(D, V w, V x, V sum) {
    return hn::MulAdd(w, x, sum);
  }
#if LACUNA_LANE_WEIGHTS
  template <class D, class V>
  static HWY_INLINE V MultiplyAdd(D, LaneWeight<V> w, V x, V sum) {
    switch (w.lane) {
      case 0: return V(vfmaq_laneq_f32(sum.raw, x.raw, w.vector.raw, 0));
      case 1: return V(vfmaq_laneq_f32(sum.raw, x.raw, w.vector.raw, 1));
      case 2: return V(vfmaq_laneq_f32(sum.raw, x.raw, w.vector.raw, 2));
      default: return V(vfmaq_laneq_f32(sum.raw, x.raw, w.vector.raw, 3));
    }
  }
#endif
};

// Four bytes as they are in memory.
template <class D>
HWY_INLINE hn::Vec<D> SetQuad(D d, const WeightGroup<Int8Traits>& w) {
  int32_t bits;
  std::memcpy(&bits, w.data(), sizeof(bits));
  return hn::Set(d, bits);
}

// On every target, one column of four at a time, in 32 bits.
struct MultiplyInt8 {
  using Traits = Int8Traits;
  using Input = int32_t;
  using Weights = WeightGroup<Traits>;
  static constexpr int kParts = 4;
  static constexpr bool kLaneWeights = false;
  static constexpr bool kSignedInput = false;
  static constexpr const char* kName = "i32 multiply-add";
  template <class D>
  using In = hn::Vec<D>;

  template <class D>
  static HWY_INLINE hn::Vec<D> Load(D d, int part, const int32_t* x) {
    const hn::RebindToUnsigned<D> du;
    const auto bytes = hn::BitCast(du, hn::LoadU(d, x));
    return hn::BitCast(d, hn::And(hn::ShiftRightSame(bytes, 8 * part), hn::Set(du, 0xffu)));
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> Weight(D d, int part, const Weights& w) {
    return hn::Set(d, int32_t{w[static_cast<size_t>(part)]});
  }
  template <class D, class V>
  static HWY_INLINE V MultiplyAdd(D d, V w, V x, V sum) {
    const hn::RebindToUnsigned<D> du;  // sums are modulo 2^32
    return hn::BitCast(d, hn::Add(hn::BitCast(du, hn::Mul(w, x)), hn::BitCast(du, sum)));
  }
};

#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
// pmaddwd: even columns, then odd ones, widened to 16 bits. Unlike pmaddubsw it cannot saturate.
struct MultiplyInt8Pairs {
  using Traits = Int8Traits;
  using Input = int32_t;
  using Weights = WeightGroup<Traits>;
  static constexpr int kParts = 2;
  static constexpr bool kLaneWeights = false;
  static constexpr bool kSignedInput = false;
  static constexpr const char* kName = "pmaddwd";
  template <class D>
  using In = hn::Vec<hn::Repartition<int16_t, D>>;

  template <class D>
  static HWY_INLINE In<D> Load(D d, int part, const int32_t* x) {
    const hn::Repartition<int16_t, D> d16;
    const hn::Repartition<uint16_t, D> du16;
    const auto bytes = hn::BitCast(du16, hn::LoadU(d, x));
    return hn::BitCast(d16, part == 0 ? hn::And(bytes, hn::Set(du16, uint16_t{0xff})) : hn::ShiftRight<8>(bytes));
  }
  template <class D>
  static HWY_INLINE In<D> Weight(D d, int part, const Weights& w) {
    const auto bytes = hn::BitCast(hn::Repartition<int16_t, D>(), SetQuad(d, w));
    return hn::ShiftRight<8>(part == 0 ? hn::ShiftLeft<8>(bytes) : bytes);
  }
  template <class D, class V>
  static HWY_INLINE V MultiplyAdd(D d, In<D> w, In<D> x, V sum) {
    V none = hn::Zero(d);
    return hn::ReorderWidenMulAccumulate(d, w, x, sum, none);
  }
};
#endif

// All four at once, as they are in memory: what dot products of bytes take.
struct MultiplyInt8Quads {
  using Traits = Int8Traits;
  using Input = int32_t;
  using Weights = WeightGroup<Traits>;
  static constexpr int kParts = 1;
  static constexpr bool kLaneWeights = LACUNA_LANE_WEIGHTS;
  template <class D>
  using In = hn::Vec<D>;

  template <class D>
  static HWY_INLINE hn::Vec<D> Load(D d, int, const int32_t* x) {
    return hn::LoadU(d, x);
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> Weight(D d, int, const Weights& w) {
    return SetQuad(d, w);
  }
};

// Dot products of four bytes, which Highway has since 1.0.6, and on x86 for targets that Debian's does not compile. As
// assembly, because the target's flags lack them: to be run only if HasInt8Dot(), by functions that are
// LACUNA_INT8_DOT_TARGET, without which assemblers of 64-bit Arm do not know the instruction.
#undef LACUNA_INT8_DOT
#undef LACUNA_INT8_DOT_TARGET
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3 && defined(__GNUC__)
#define LACUNA_INT8_DOT 1
#define LACUNA_INT8_DOT_TARGET
struct MultiplyInt8Dot : MultiplyInt8Quads {
  static constexpr bool kSignedInput = false;
  static constexpr const char* kName = "vpdpbusd";

  template <class D, class V>
  static HWY_INLINE V MultiplyAdd(D, V w, V x, V sum) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(x.raw), "v"(w.raw));
    return sum;
  }
};
inline bool HasInt8Dot() { return __builtin_cpu_supports("avx512vnni"); }
#elif HWY_ARCH_ARM_A64 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128 && defined(__GNUC__) && \
    defined(__linux__)
#define LACUNA_INT8_DOT 1
#ifdef __clang__
#define LACUNA_INT8_DOT_TARGET __attribute__((target("dotprod")))
#else
#define LACUNA_INT8_DOT_TARGET __attribute__((target("arch=armv8.2-a+crypto+dotprod")))
#endif
struct MultiplyInt8Dot : MultiplyInt8Quads {
  static constexpr bool kSignedInput = true;
  static constexpr const char* kName = "sdot";

  template <class D, class V>
  static HWY_INLINE V MultiplyAdd(D, V w, V x, V sum) {
    asm("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum.raw) : "w"(x.raw), "w"(w.raw));
    return sum;
  }
  template <class D, class V>
  static HWY_INLINE V MultiplyAdd(D, LaneWeight<V> w, V x, V sum) {
    switch (w.lane) {
      case 0: asm("sdot %0.4s, %1.16b, %2.4b[0]" : "+w"(sum.raw) : "w"(x.raw), "w"(w.vector.raw)); break;
      case 1: asm("sdot %0.4s, %1.16b, %2.4b[1]" : "+w"(sum.raw) : "w"(x.raw), "w"(w.vector.raw)); break;
      case 2: asm("sdot %0.4s, %1.16b, %2.4b[2]" : "+w"(sum.raw) : "w"(x.raw), "w"(w.vector.raw)); break;
      default: asm("sdot %0.4s, %1.16b, %2.4b[3]" : "+w"(sum.raw) : "w"(x.raw), "w"(w.vector.raw)); break;
    }
    return sum;
  }
};
inline bool HasInt8Dot() {
  constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kDotProduct) != 0;
}
#else
#define LACUNA_INT8_DOT 0
#endif

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
