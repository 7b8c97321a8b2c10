// The memory of lacuna's packed weights.

#ifndef LACUNA_BENCH_LACUNA_PACKED_H_
#define LACUNA_BENCH_LACUNA_PACKED_H_

#include "lacuna/pack/gemv.h"
#include "lacuna/pack/packed_weights.h"

#include <vector>

#include "engine.h"

namespace lacuna::bench {

template <class T>
MemoryRange RangeOf(const Buffer<T>& buffer) {
  return RangeOf(buffer.data(), buffer.size());
}

inline std::vector<MemoryRange> RangesOf(const PackedGemv<float>& packed) {
  return {RangeOf(packed.steps),     RangeOf(packed.step_begin),  RangeOf(packed.index),      RangeOf(packed.mask),
          RangeOf(packed.cells),     RangeOf(packed.weight),      RangeOf(packed.row),        RangeOf(packed.narrow),
          RangeOf(packed.row_scale), RangeOf(packed.group_scale), RangeOf(packed.group_begin)};
}

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_LACUNA_PACKED_H_
