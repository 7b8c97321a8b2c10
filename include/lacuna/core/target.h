// SIMD targets by name.

#ifndef LACUNA_CORE_TARGET_H_
#define LACUNA_CORE_TARGET_H_

#include "lacuna/core/abi.h"

#include <cstdint>

namespace lacuna::inline LACUNA_ABI {

// Highway's name of the SIMD target with Highway's bit `target`: "AVX3".
LACUNA_API const char* TargetName(int64_t target);

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/core/target.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_CORE_TARGET_H_
