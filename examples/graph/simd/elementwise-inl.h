// Functions of each element alone.

#include "lacuna/kernel/activation-inl.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "graph/simd/loops.h"

#if defined(LACUNA_EXAMPLES_GRAPH_SIMD_ELEMENTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_EXAMPLES_GRAPH_SIMD_ELEMENTWISE_INL_H_
#undef LACUNA_EXAMPLES_GRAPH_SIMD_ELEMENTWISE_INL_H_
#else
#define LACUNA_EXAMPLES_GRAPH_SIMD_ELEMENTWISE_INL_H_
#endif

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace graph {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace kernel = lacuna::HWY_NAMESPACE;

template <class D>
using VecOf = decltype(hn::Zero(D()));

// f(d, i) for each i in steps of d's lanes from `i` on; returns the first that is left.
template <class D, class F>
HWY_INLINE int64_t ForVectors(D d, int64_t i, int64_t count, const F& f) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; i + lanes <= count; i += lanes) f(d, i);
  return i;
}

// f(d, i) for whole vectors, then for shorter ones, so that exactly `count` elements are covered.
template <class F>
HWY_INLINE void ForAll(int64_t count, const F& f) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 4> d4;
  int64_t i = ForVectors(d, 0, count, f);
  if (hn::Lanes(d) > hn::Lanes(d4)) i = ForVectors(d4, i, count, f);
  ForVectors(hn::CappedTag<float, 1>(), i, count, f);
}

template <class D, class V>
HWY_INLINE V KeepNaN(D, V x, V y) {
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// Highway's is valid up to 104, and loses NaN.
template <class D, class V = VecOf<D>>
HWY_INLINE V ExpOf(D d, V x) {
  const V e = hn::Exp(d, hn::Min(x, hn::Set(d, 88.8f)));
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  return KeepNaN(d, x, hn::IfThenElse(hn::Gt(x, hn::Set(d, 88.722839f)), infinity, e));
}

// x P(x^2) / Q(x^2): a least-maximum fit of erf(x) / x, made for this. From 3.925 on float cannot tell erf from 1.
template <class D, class V = VecOf<D>>
HWY_INLINE V ErfOf(D d, V x) {
  constexpr float kP[] = {2.045994169e-6f, 2.848256006e-4f, 3.772106067e-3f,
                          5.276789466e-2f, 1.905845468e-1f, 1.128379146f};
  constexpr float kQ[] = {3.804649274e-5f, 1.163735373e-3f, 1.498231225e-2f, 1.141787482e-1f, 5.022338900e-1f, 1.0f};
  const V bounded = kernel::ClampKeepNaN(x, hn::Set(d, -3.925f), hn::Set(d, 3.925f));
  const V square = hn::Mul(bounded, bounded);
  V p = hn::Set(d, kP[0]), q = hn::Set(d, kQ[0]);
  HWY_UNROLL(5)
  for (int i = 1; i < 6; ++i) {
    p = hn::MulAdd(p, square, hn::Set(d, kP[i]));
    q = hn::MulAdd(q, square, hn::Set(d, kQ[i]));
  }
  const V erf = hn::Div(hn::Mul(bounded, p), q);
  return kernel::ClampKeepNaN(erf, hn::Set(d, -1.0f), hn::Set(d, 1.0f));
}

// max(x, 0) + log(1 + e^-|x|), where e cannot overflow.
template <class D, class V = VecOf<D>>
HWY_INLINE V SoftplusOf(D d, V x) {
  const V log = hn::Log1p(d, hn::Exp(d, hn::Neg(hn::Abs(x))));
  return KeepNaN(d, x, hn::Add(hn::Max(x, hn::Zero(d)), log));
}

// tanh(log(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2) with e = e^x; from 20 on it is 1. Below -104 it is 0, and times
// -infinity too.
template <class D, class V = VecOf<D>>
HWY_INLINE V MishOf(D d, V x) {
  const V two = hn::Set(d, 2.0f);
  const V e = hn::Exp(d, hn::Min(x, hn::Set(d, 20.0f)));
  const V n = hn::Mul(e, hn::Add(e, two));
  const V mish = hn::Mul(x, hn::Div(n, hn::Add(n, two)));
  return KeepNaN(d, x, hn::IfThenElse(hn::Lt(x, hn::Set(d, -104.0f)), hn::Zero(d), mish));
}

// x without the last kBits bits of its mantissa, rounded to nearest even; not for NaN.
template <int kBits, class D, class V = VecOf<D>>
HWY_INLINE V Narrowed(D d, V x) {
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, x);
  const auto odd = hn::And(hn::ShiftRight<kBits>(bits), hn::Set(du, 1));
  const auto half = hn::Add(hn::Set(du, (uint32_t{1} << (kBits - 1)) - 1), odd);
  return hn::BitCast(d, hn::And(hn::Add(bits, half), hn::Set(du, ~((uint32_t{1} << kBits) - 1))));
}

// Below 2^-14 multiples of 2^-24, which are the last bits of numbers from 1/2 on; from 65520 on infinity.
template <class D, class V = VecOf<D>>
HWY_INLINE V HalfOf(D d, V x) {
  const V size = hn::Abs(x), one_half = hn::Set(d, 0.5f);
  const V small = hn::Sub(hn::Add(size, one_half), one_half);
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  V rounded = hn::IfThenElse(hn::Lt(size, hn::Set(d, 6.103515625e-5f)), small, Narrowed<13>(d, size));
  rounded = hn::IfThenElse(hn::Ge(size, hn::Set(d, 65520.0f)), infinity, rounded);
  return KeepNaN(d, x, hn::CopySign(rounded, x));
}

template <Unary kFunction, class D, class V = VecOf<D>>
HWY_INLINE V Apply(D d, V x, V a, V b) {
  using lacuna::Activation;
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0f);
  switch (kFunction) {
    case Unary::kAffine: return hn::MulAdd(a, x, b);
    case Unary::kBfloat16: return KeepNaN(d, x, Narrowed<16>(d, x));
    case Unary::kClamp: return kernel::ClampKeepNaN(x, a, b);
    case Unary::kElu: {
      const V negative = hn::Mul(a, hn::Expm1(d, hn::Max(x, hn::Set(d, -100.0f))));
      return hn::IfThenElse(hn::Lt(x, zero), negative, x);
    }
    case Unary::kErf: return ErfOf(d, x);
    case Unary::kExp: return ExpOf(d, x);
    case Unary::kGelu: {
      const V half = hn::Mul(x, hn::Set(d, 0.5f));
      return hn::MulAdd(half, ErfOf(d, hn::Mul(x, hn::Set(d, 0.70710678f))), half);
    }
    case Unary::kGeluTanh: {  // (1 + tanh(u)) / 2 is the sigmoid of 2 u
      const V cube = hn::Mul(hn::Mul(x, x), x);
      return hn::Mul(x,
                     kernel::Sigmoid(d, hn::Mul(hn::Set(d, 1.59576912f), hn::MulAdd(hn::Set(d, 0.044715f), cube, x))));
    }
    case Unary::kHalf: return HalfOf(d, x);
    case Unary::kHardSigmoid: return kernel::ClampKeepNaN(hn::MulAdd(a, x, b), zero, one);
    case Unary::kHardSwish: return kernel::Activate<Activation::kHardSwish>(d, x, lacuna::Epilogue());
    case Unary::kLeakyRelu: return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(a, x), x);
    case Unary::kMish: return MishOf(d, x);
    case Unary::kReciprocal: return hn::Div(one, x);
    case Unary::kRelu: return hn::IfThenElse(hn::Lt(x, zero), zero, x);
    case Unary::kSigmoid: return kernel::Sigmoid(d, x);
    case Unary::kSilu: return hn::Mul(x, kernel::Sigmoid(d, x));
    case Unary::kSoftplus: return SoftplusOf(d, x);
    case Unary::kSqrt: return hn::Sqrt(x);
    case Unary::kSquare: return hn::Mul(x, x);
    case Unary::kTanh: return kernel::TanhKeepNaN(d, x);
    case Unary::kCount: break;
  }
  return x;
}

template <Unary kFunction>
void UnaryLoop(const float* x, float* y, int64_t count, float a, float b) {
  ForAll(count, [=](auto d, int64_t i) {
    hn::StoreU(Apply<kFunction>(d, hn::LoadU(d, x + i), hn::Set(d, a), hn::Set(d, b)), d, y + i);
  });
}

template <Binary kFunction, class V>
HWY_INLINE V Combine(V a, V b) {
  switch (kFunction) {
    case Binary::kAdd: return hn::Add(a, b);
    case Binary::kSubtract: return hn::Sub(a, b);
    case Binary::kMultiply: return hn::Mul(a, b);
    case Binary::kDivide: return hn::Div(a, b);
    case Binary::kMax: return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
    case Binary::kMin: return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b);
    case Binary::kCount: break;
  }
  return a;
}

template <Binary kFunction, bool kWalksA, bool kWalksB>
HWY_INLINE void BinaryRow(const float* a, const float* b, float* y, int64_t count) {
  const float left = *a, right = *b;
  ForAll(count, [=](auto d, int64_t i) {
    const auto va = kWalksA ? hn::LoadU(d, a + i) : hn::Set(d, left);
    const auto vb = kWalksB ? hn::LoadU(d, b + i) : hn::Set(d, right);
    hn::StoreU(Combine<kFunction>(va, vb), d, y + i);
  });
}

template <Binary kFunction>
void BinaryLoop(const RowOperand& a, const RowOperand& b, float* y, int64_t count) {
  if (count == 0) return;
  if (a.walks && b.walks) return BinaryRow<kFunction, true, true>(a.data, b.data, y, count);
  if (a.walks) return BinaryRow<kFunction, true, false>(a.data, b.data, y, count);
  if (b.walks) return BinaryRow<kFunction, false, true>(a.data, b.data, y, count);
  BinaryRow<kFunction, false, false>(a.data, b.data, y, count);
}

template <size_t... kIndex>
constexpr std::array<Loops::UnaryFn, sizeof...(kIndex)> UnaryLoops(std::index_sequence<kIndex...>) {
  return {&UnaryLoop<static_cast<Unary>(kIndex)>...};
}

template <size_t... kIndex>
constexpr std::array<Loops::BinaryFn, sizeof...(kIndex)> BinaryLoops(std::index_sequence<kIndex...>) {
  return {&BinaryLoop<static_cast<Binary>(kIndex)>...};
}

}  // namespace HWY_NAMESPACE
}  // namespace graph
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
