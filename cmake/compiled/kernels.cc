// The kernels of convolutions and GEMM with the default register tiles, and what is asked of the active SIMD target.

#include "lacuna/kernels.h"

#include "lacuna/op/active.h"

namespace lacuna::inline LACUNA_ABI::compiled {

const KernelTable& Kernels() { return here::KernelsOf<WinogradPolicy>(); }
int64_t ActiveTarget() { return here::ActiveTarget(); }
MachineProbe ActiveProbe() { return here::ActiveProbe(); }

}  // namespace lacuna::inline LACUNA_ABI::compiled
