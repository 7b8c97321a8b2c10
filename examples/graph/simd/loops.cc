#include "graph/simd/loops.h"

#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "graph/simd/loops.cc"
#include "hwy/foreach_target.h"

// After foreach_target.h.
#include "graph/simd/elementwise-inl.h"
#include "graph/simd/matmul-inl.h"
#include "graph/simd/rows-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace graph {
namespace HWY_NAMESPACE {

const Loops* LoopsOfTarget() {
  static const Loops loops = {UnaryLoops(std::make_index_sequence<Loops::kCountOf<Unary>>()),
                              BinaryLoops(std::make_index_sequence<Loops::kCountOf<Binary>>()),
                              &Sum,
                              &MomentsOf,
                              &Normalize,
                              &SoftmaxRow,
                              &MatMul,
                              Panel()};
  return &loops;
}

}  // namespace HWY_NAMESPACE
}  // namespace graph
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace graph {

HWY_EXPORT(LoopsOfTarget);

const Loops& ActiveLoops() { return *HWY_DYNAMIC_DISPATCH(LoopsOfTarget)(); }

}  // namespace graph

#endif  // HWY_ONCE
