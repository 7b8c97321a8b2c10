// The kernels, compiled in the including translation unit for every SIMD target, with run-time dispatch.
//
// Header-only, lacuna/conv.h and the other headers of operations include this one. Against lacuna::compiled, include it
// where a policy has register tiles of its own: before the other headers of lacuna, for the unit then instantiates the
// kernels that the library does not hold.
//
// Include it before hwy/highway.h, or, in a translation unit that compiles code of its own per SIMD target, after
// hwy/foreach_target.h. The first lines have no include guard because such a unit must see them once per target.
// Highway allows one foreach_target a unit, so there is one list of per-target headers, kernels-inl.h, for all
// operations; what a unit does not use is parsed, not compiled.

#include "lacuna/kernel/dispatch.h"  // IWYU pragma: export

#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "lacuna: kernels tell NaN and infinity from numbers: no -ffast-math, -Ofast or -ffinite-math-only (docs/numerics.md)"
#endif
