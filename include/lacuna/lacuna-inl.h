// The per-target headers: what Highway re-includes once per SIMD target, and the door for callers who compile code of
// their own per target. Inside such code, lacuna::HWY_NAMESPACE::Kernels<Policy>() is the KernelTable of the target
// being compiled, and the kernels themselves (RunPanel, PackInput, StoreOutput) can be called and inlined directly.

#include "lacuna/kernel/kernels-inl.h"
