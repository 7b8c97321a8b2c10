// Run-time choice of SIMD target for function templates. HWY_EXPORT of Highway 1.0.3 takes no templates.

#ifndef LACUNA_CORE_DISPATCH_H_
#define LACUNA_CORE_DISPATCH_H_

#include "lacuna/core/abi.h"

#include <cstddef>

#include "hwy/highway.h"

// LACUNA_DISPATCH(FN): FN of the target that runs now, FN being a function or template-id without commas that is
// visible as lacuna::N_<target>::FN. Pointers are kept in a constexpr table with one slot per target, in Highway's
// order.
#if HWY_IDE || (HWY_TARGETS & (HWY_TARGETS - 1)) == 0
#define LACUNA_DISPATCH(FN) HWY_STATIC_DISPATCH(FN)
#else
// Slot 0 is Highway's "not yet initialised", which TargetIndex never returns.
#define LACUNA_TARGET_TABLE(FN) \
  { nullptr, HWY_CHOOSE_TARGET_LIST(FN), HWY_CHOOSE_FALLBACK(FN) }
#endif

namespace lacuna::inline LACUNA_ABI {
inline namespace HWY_CONCAT(baseline_, HWY_NAMESPACE) {

  inline size_t TargetIndex() {
    hwy::ChosenTarget& chosen = hwy::GetChosenTarget();
    if (!chosen.IsInitialized()) chosen.Update(hwy::SupportedTargets());
    return chosen.GetIndex();
  }

}  // namespace )
}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_DISPATCH_H_
