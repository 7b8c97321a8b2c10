// Run-time choice of SIMD target for function templates. HWY_EXPORT of Highway 1.0.3 takes no templates.

#ifndef LACUNA_CORE_DISPATCH_H_
#define LACUNA_CORE_DISPATCH_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/target_list.h"

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

// FN: a function or template-id without commas that is visible as lacuna::N_<target>::FN. LACUNA_TARGET_TABLE(FN) is
// the table of its pointers, one slot per target in Highway's order, for TargetIndex; where one target is compiled,
// there is LACUNA_DISPATCH(FN) instead, which is FN of that target.
#if HWY_IDE || (HWY_TARGETS & (HWY_TARGETS - 1)) == 0
#define LACUNA_DISPATCH(FN) HWY_STATIC_DISPATCH(FN)
#else
// Slot 0 is Highway's "not yet initialised", which TargetIndex never returns.
#define LACUNA_TARGET_TABLE(FN) \
  { nullptr, HWY_CHOOSE_TARGET_LIST(FN), HWY_CHOOSE_FALLBACK(FN) }
#endif

namespace lacuna::inline LACUNA_ABI {
inline namespace LACUNA_TARGET_LIST {

// As ChosenTarget::GetIndex, which is one function for all units where it is not inlined, and has the list of one.
inline size_t TargetIndex() {
  const int64_t chosen = HWY_CHOSEN_TARGET_SHIFT(hwy::SupportedTargets()) | HWY_CHOSEN_TARGET_MASK_SCALAR;
  return hwy::Num0BitsBelowLS1Bit_Nonzero64(static_cast<uint64_t>(chosen & HWY_CHOSEN_TARGET_MASK_TARGETS));
}

}  // namespace LACUNA_TARGET_LIST
}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_DISPATCH_H_
