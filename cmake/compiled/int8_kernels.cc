// The kernels of 8-bit products.

#include "lacuna/kernels.h"
#include "lacuna/op/active.h"

namespace lacuna::inline LACUNA_ABI::compiled {

const Int8Kernels& KernelsOfInt8() { return here::Int8KernelsOf<DefaultPolicy>(); }

}  // namespace lacuna::inline LACUNA_ABI::compiled
