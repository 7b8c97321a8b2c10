// The definition of correct: plain loops in double precision for every operation. No SIMD code.

#ifndef LACUNA_REFERENCE_H_
#define LACUNA_REFERENCE_H_

#include "lacuna/reference/convolution.h"
#include "lacuna/reference/gemm.h"
#include "lacuna/reference/quantized.h"
#include "lacuna/reference/recurrent.h"

#endif  // LACUNA_REFERENCE_H_
