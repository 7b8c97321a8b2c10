// Convolutions and matrix products of 8-bit integers with sparse weights: MakeQuantizedConvolution, for the SIMD target
// that is active.

#ifndef LACUNA_COMPILED
#include "lacuna/kernels.h"  // no include guard: code per SIMD target must see it once per target
#endif

#if (defined(LACUNA_COMPILED) || HWY_ONCE) && !defined(LACUNA_QUANTIZED_H_)
#define LACUNA_QUANTIZED_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/quantization.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/core/typed_view.h"
#include "lacuna/core/view.h"
#include "lacuna/format/quantized_rows.h"
#include "lacuna/format/row_source.h"
#include "lacuna/op/active.h"
#include "lacuna/op/quantized_convolution.h"
#include "lacuna/policy/policy.h"

namespace lacuna::inline LACUNA_ABI {
inline namespace LACUNA_BASELINE {

// A plan for a convolution of 8-bit `weights` (of any format, or QuantizedRows of one in f32), bound to the active SIMD
// target. `weights` may be discarded afterwards. Fails if shape, weights and epilogue do not fit each other, or memory
// runs out.
template <int kRank, Policy P = DefaultPolicy>
Result<QuantizedConvolution<kRank>> MakeQuantizedConvolution(const RowSource<int8_t>& weights,
                                                             const ConvShape<kRank>& shape,
                                                             const QuantizedEpilogue& epilogue, const P& policy = {}) {
  return QuantizedConvolution<kRank>::Make(ActiveInt8Kernels(), weights, shape, epilogue, policy);
}

}  // namespace LACUNA_BASELINE
}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_QUANTIZED_H_
