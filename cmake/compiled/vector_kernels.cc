// The kernels of matrix-vector products and recurrent cells.

#include "lacuna/kernels.h"
#include "lacuna/op/active.h"

namespace lacuna::inline LACUNA_ABI::compiled {

const VectorKernels& KernelsOfVectors() { return here::VectorKernelsOf<DefaultPolicy>(); }

}  // namespace lacuna::inline LACUNA_ABI::compiled
