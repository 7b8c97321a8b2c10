#include "lacuna/core/abi.h"
#include "lacuna/core/target.h"

#include "hwy/targets.h"

namespace lacuna::inline LACUNA_ABI {

LACUNA_FUNC const char* TargetName(int64_t target) { return hwy::TargetName(target); }

}  // namespace lacuna::inline LACUNA_ABI
