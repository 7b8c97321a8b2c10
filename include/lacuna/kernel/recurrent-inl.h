// The gates of recurrent cells: everything that follows the matrix products of a step, in one pass. Compiled once per
// SIMD target.

#include "lacuna/core/abi.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/kernel/activation-inl.h"
#include "lacuna/kernel/vector_table.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(LACUNA_KERNEL_RECURRENT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_RECURRENT_INL_H_
#undef LACUNA_KERNEL_RECURRENT_INL_H_
#else
#define LACUNA_KERNEL_RECURRENT_INL_H_
#endif

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Highway's Expm1 is valid up to 104, and from the lowest float: -50 yields -1 already.
template <class D, class V>
HWY_INLINE V Elu(D d, V v, V alpha) {
  const V negative = hn::Mul(alpha, hn::Expm1(d, ClampKeepNaN(v, hn::Set(d, -50.0f), hn::Zero(d))));
  return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), negative, v);
}

// max(v, 0) + log(1 + exp(-|v|)), which neither overflows nor cancels.
template <class D, class V>
HWY_INLINE V Softplus(D d, V v) {
  const V rest = hn::Log1p(d, hn::Exp(d, hn::Neg(hn::Abs(v))));
  return hn::IfThenElse(hn::IsNaN(v), v, hn::Add(hn::Max(v, hn::Zero(d)), rest));
}

// A gate function. Errors are at most, in ulp of the exact result, or of the smallest normal float where that is
// larger: Softsign 2, Sigmoid and Softplus 3, Tanh, Elu and ScaledTanh 4 (the last two with parameters that are powers
// of two); others have a rounding for each operation (tests/kernel/gates_test.cc).
template <class D, class V>
HWY_NOINLINE V ApplyGate(D d, V v, const GateFunction& function) {
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0f);
  const V alpha = hn::Set(d, function.alpha), beta = hn::Set(d, function.beta);
  switch (function.activation) {
    case GateActivation::kRelu: return hn::IfThenElse(hn::Lt(v, zero), zero, v);
    case GateActivation::kTanh: return TanhKeepNaN(d, v);
    case GateActivation::kSigmoid: return Sigmoid(d, v);
    case GateActivation::kAffine: return hn::MulAdd(alpha, v, beta);
    case GateActivation::kLeakyRelu: return hn::IfThenElse(hn::Lt(v, zero), hn::Mul(alpha, v), v);
    case GateActivation::kThresholdedRelu: return hn::IfThenElse(hn::Lt(v, alpha), zero, v);
    case GateActivation::kScaledTanh: return hn::Mul(alpha, TanhKeepNaN(d, hn::Mul(beta, v)));
    case GateActivation::kHardSigmoid: return ClampKeepNaN(hn::MulAdd(alpha, v, beta), zero, one);
    case GateActivation::kElu: return Elu(d, v, alpha);
    case GateActivation::kSoftsign: return hn::Div(v, hn::Add(one, hn::Abs(v)));
    case GateActivation::kSoftplus: return Softplus(d, v);
  }
  return v;
}

// Sigmoid and tanh where gates are standard, so that they are inlined.
struct StandardGates {
  template <class D, class V>
  static HWY_INLINE V F(D d, V v, const GateArgs&) {
    return Sigmoid(d, v);
  }
  template <class D, class V>
  static HWY_INLINE V G(D d, V v, const GateArgs&) {
    return TanhKeepNaN(d, v);
  }
  template <class D, class V>
  static HWY_INLINE V H(D d, V v, const GateArgs&) {
    return TanhKeepNaN(d, v);
  }
};
struct AnyGates {
  template <class D, class V>
  static HWY_INLINE V F(D d, V v, const GateArgs& args) {
    return ApplyGate(d, v, args.f);
  }
  template <class D, class V>
  static HWY_INLINE V G(D d, V v, const GateArgs& args) {
    return ApplyGate(d, v, args.g);
  }
  template <class D, class V>
  static HWY_INLINE V H(D d, V v, const GateArgs& args) {
    return ApplyGate(d, v, args.h_function);
  }
};

// A vector of units; of the last one only `count` lanes are read and written, the others are zero.
template <class D>
struct Units {
  D d;
  const GateArgs& args;
  size_t first, count;
  using V = hn::Vec<D>;

  HWY_INLINE V Load(const float* from) const {
    if (HWY_LIKELY(count == hn::Lanes(d))) return hn::LoadU(d, from + first);
    HWY_ALIGN float part[hn::MaxLanes(D())] = {};
    std::memcpy(part, from + first, count * sizeof(float));
    return hn::Load(d, part);
  }
  HWY_INLINE void Store(V v, float* to) const {
    if (HWY_LIKELY(count == hn::Lanes(d))) return hn::StoreU(v, d, to + first);
    HWY_ALIGN float part[hn::MaxLanes(D())];
    hn::Store(v, d, part);
    std::memcpy(to + first, part, count * sizeof(float));
  }
  HWY_INLINE V Clip(V v) const { return ClampKeepNaN(v, hn::Set(d, -args.clip), hn::Set(d, args.clip)); }

  HWY_INLINE V Input(int gate) const { return Load(args.input + gate * args.hidden); }
  HWY_INLINE V Recurrent(int gate) const { return Load(args.recurrent + gate * args.hidden); }
  // The argument of a gate's function but for clip and peephole.
  HWY_INLINE V Sum(int gate) const { return hn::Add(Input(gate), Recurrent(gate)); }
  HWY_INLINE V WithPeephole(int gate, V c, V sum) const {
    if (args.peephole == nullptr) return sum;
    return hn::MulAdd(Load(args.peephole + gate * args.hidden), c, sum);
  }
  HWY_INLINE void StoreState(V next) const {
    Store(next, args.h);
    if (args.y != nullptr) Store(next, args.y);
  }
};

template <class F>
HWY_INLINE void ForUnits(const GateArgs& args, const F& f) {
  const hn::ScalableTag<float> d;
  const auto units = static_cast<size_t>(args.units);
  const size_t lanes = hn::Lanes(d);
  for (size_t first = 0; first < units; first += lanes) {
    f(Units<decltype(d)>{d, args, first, std::min(lanes, units - first)});
  }
}

// See RnnOptions.
template <class Gates>
void RunRnnGates(const GateArgs& args) {
  // The standard function of an RNN is tanh, which is G.
  ForUnits(args, [&](const auto& u) HWY_ATTR { u.StoreState(Gates::G(u.d, u.Clip(u.Sum(0)), args)); });
}

// args.reset = r h.
template <class Gates>
void RunGruReset(const GateArgs& args) {
  ForUnits(args, [&](const auto& u)
                     HWY_ATTR { u.Store(hn::Mul(Gates::F(u.d, u.Clip(u.Sum(1)), args), u.Load(args.h)), args.reset); });
}

// See GruOptions.
template <class Gates>
void RunGruGates(const GateArgs& args) {
  ForUnits(args, [&](const auto& u) HWY_ATTR {
    auto sum = u.Input(2);
    if (args.linear_before_reset) {
      const auto r = Gates::F(u.d, u.Clip(u.Sum(1)), args);
      sum = hn::MulAdd(r, u.Recurrent(2), sum);
    } else {
      sum = hn::Add(sum, u.Recurrent(2));
    }
    const auto n = Gates::G(u.d, u.Clip(sum), args);
    const auto z = Gates::F(u.d, u.Clip(u.Sum(0)), args);
    u.StoreState(hn::MulAdd(hn::Sub(hn::Set(u.d, 1.0f), z), n, hn::Mul(z, u.Load(args.h))));
  });
}

// See LstmOptions.
template <class Gates>
void RunLstmGates(const GateArgs& args) {
  ForUnits(args, [&](const auto& u) HWY_ATTR {
    const auto c = u.Load(args.c);
    const auto in = Gates::F(u.d, u.Clip(u.WithPeephole(0, c, u.Sum(0))), args);
    auto forget = hn::Sub(hn::Set(u.d, 1.0f), in);
    if (!args.input_forget) forget = Gates::F(u.d, u.Clip(u.WithPeephole(2, c, u.Sum(2))), args);
    const auto next = hn::MulAdd(forget, c, hn::Mul(in, Gates::G(u.d, u.Clip(u.Sum(3)), args)));
    u.Store(next, args.c);
    const auto out = Gates::F(u.d, u.Clip(u.WithPeephole(1, next, u.Sum(1))), args);
    u.StoreState(hn::Mul(out, Gates::H(u.d, u.Clip(next), args)));
  });
}

template <class Gates>
inline constexpr GateKernels kGateKernels = {&RunRnnGates<Gates>, &RunGruReset<Gates>, &RunGruGates<Gates>,
                                             &RunLstmGates<Gates>};

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
