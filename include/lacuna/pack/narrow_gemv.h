// PackNarrowGemv: weights of a matrix-vector product stored in 16, 8 or 4 bits.

#ifndef LACUNA_PACK_NARROW_GEMV_H_
#define LACUNA_PACK_NARROW_GEMV_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/format/row_source.h"
#include "lacuna/pack/gemv.h"

namespace lacuna::inline LACUNA_ABI {

// Packs `weights` as they have been counted, of the type that the counted layout asks for:
//   kF16, kBf16   rounded to nearest, ties to even
//   kS8           those of QuantizedRows: round(w / scale) in [-127, 127], a scale a row
//   kS4           round(w / scale) in [-8, 7], a scale for every 32 weights that a row stores one after the other,
//   those
//                 left over at the end of a band being fewer. Scales are m / -8, m the weight of the largest magnitude,
//                 rounded to bf16
// Fails if a weight is not finite, or is not as f16.
LACUNA_API Result<PackedGemv<float>> PackNarrowGemv(const RowSource<float>& weights, GemvCount<float> count);

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/pack/narrow_gemv.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_PACK_NARROW_GEMV_H_
