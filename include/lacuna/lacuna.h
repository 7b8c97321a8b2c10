// lacuna: sparse neural-network inference kernels for CPUs. All of it but the mapping of schemes to the layers of a
// network (prune/mapping_search.h). Who needs one operation includes its header: lacuna/conv.h, gemm.h, gemv.h, narrow.h,
// quantized.h, recurrent.h; formats.h, prune.h and reference.h have no SIMD code. In any order and combination.

#ifndef LACUNA_COMPILED
#include "lacuna/kernels.h"  // no include guard: code per SIMD target must see it once per target
#endif

#if (defined(LACUNA_COMPILED) || HWY_ONCE) && !defined(LACUNA_LACUNA_H_)
#define LACUNA_LACUNA_H_

#include "lacuna/conv.h"
#include "lacuna/formats.h"
#include "lacuna/gemm.h"
#include "lacuna/gemv.h"
#include "lacuna/narrow.h"
#include "lacuna/prune.h"
#include "lacuna/quantized.h"
#include "lacuna/recurrent.h"
#include "lacuna/reference.h"
#include "lacuna/version.h"

#endif  // LACUNA_LACUNA_H_
