// The activations of an Epilogue, compiled once per SIMD target. All let NaN through.

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"

#include <cstddef>
#include <cstdint>

#if defined(LACUNA_KERNEL_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LACUNA_KERNEL_ACTIVATION_INL_H_
#undef LACUNA_KERNEL_ACTIVATION_INL_H_
#else
#define LACUNA_KERNEL_ACTIVATION_INL_H_
#endif

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lacuna::inline LACUNA_ABI {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// min(max(v, low), high); NaN stays NaN. Min and Max do not promise that: x86's give their second operand if either is
// NaN, Arm's the number.
template <class V>
HWY_INLINE V ClampKeepNaN(V v, V low, V high) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Min(high, hn::Max(low, v));
#else
  v = hn::IfThenElse(hn::Lt(v, low), low, v);
  return hn::IfThenElse(hn::Gt(v, high), high, v);
#endif
}

// 1 / (1 + exp(-v)), computed from exp(-|v|): Highway's Exp is valid up to 104 only. It also maps NaN to 0, hence the
// last step.
template <class D, class V>
HWY_INLINE V Sigmoid(D d, V v) {
  const V one = hn::Set(d, 1.0f);
  const V e = hn::Exp(d, hn::Neg(hn::Abs(v)));
  const V positive = hn::Div(one, hn::Add(one, e));
  const V sigmoid = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(e, positive), positive);
  return hn::IfThenElse(hn::IsNaN(v), v, sigmoid);
}

template <class D, class V>
HWY_INLINE V TanhKeepNaN(D d, V v) {
  return hn::IfThenElse(hn::IsNaN(v), v, hn::Tanh(d, v));
}

template <Activation kActivation, class D, class V>
HWY_INLINE V Activate(D d, V v, const Epilogue& epilogue) {
  switch (kActivation) {
    case Activation::kNone: return v;
    case Activation::kRelu: return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Zero(d), v);
    case Activation::kClamp: return ClampKeepNaN(v, hn::Set(d, epilogue.low), hn::Set(d, epilogue.high));
    case Activation::kLeakyRelu:
      return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(v, hn::Set(d, epilogue.slope)), v);
    case Activation::kSigmoid: return Sigmoid(d, v);
    case Activation::kTanh: return TanhKeepNaN(d, v);
    case Activation::kSilu: return hn::Mul(v, Sigmoid(d, v));
    case Activation::kHardSwish: {
      const V gate = ClampKeepNaN(hn::Add(v, hn::Set(d, 3.0f)), hn::Zero(d), hn::Set(d, 6.0f));
      return hn::Mul(v, hn::Mul(gate, hn::Set(d, 1.0f / 6.0f)));
    }
  }
  return v;
}

}  // namespace HWY_NAMESPACE
}  // namespace lacuna::inline LACUNA_ABI
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
