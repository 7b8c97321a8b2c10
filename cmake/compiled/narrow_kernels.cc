// The kernels of matrix-vector products with weights of 16, 8 and 4 bits, and the packing of these.

#include "lacuna/kernels.h"
#include "lacuna/op/active.h"
#include "lacuna/pack/narrow_gemv.ipp"

namespace lacuna::inline LACUNA_ABI::compiled {

const NarrowKernels& KernelsOfNarrow() { return here::NarrowKernelsOf<DefaultPolicy>(); }

}  // namespace lacuna::inline LACUNA_ABI::compiled
