// Recurrent cells and layers with sparse weights, for the SIMD target that is active.

#ifndef LACUNA_COMPILED
#include "lacuna/kernels.h"  // no include guard: code per SIMD target must see it once per target
#endif

#if (defined(LACUNA_COMPILED) || HWY_ONCE) && !defined(LACUNA_RECURRENT_H_)
#define LACUNA_RECURRENT_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/format/row_source.h"
#include "lacuna/op/active.h"
#include "lacuna/op/recurrent_cell.h"
#include "lacuna/op/recurrent_layer.h"
#include "lacuna/op/recurrent_step.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/policy/policy.h"

#include <utility>

namespace lacuna::inline LACUNA_ABI {
inline namespace LACUNA_BASELINE {

// A plan for one step of a recurrent cell, bound to the active SIMD target. `input` is W [gates * hidden, input], of
// any format, or the weights of a Gemv; `recurrent` is R [gates * hidden, hidden], of any format. See
// core/recurrent.h for the order of gates. Weights may be discarded afterwards. Fails if weights and options do not
// fit each other, or memory runs out.
template <Policy P = DefaultPolicy>
Result<RnnCell> MakeRnnCell(const GemvWeights& input, const RowSource<float>& recurrent, const RnnOptions& options = {},
                            const P& policy = {}) {
  return RnnCell::Make(ActiveVectorKernels(), input, recurrent, options, policy);
}
template <Policy P = DefaultPolicy>
Result<GruCell> MakeGruCell(const GemvWeights& input, const RowSource<float>& recurrent, const GruOptions& options = {},
                            const P& policy = {}) {
  return GruCell::Make(ActiveVectorKernels(), input, recurrent, options, policy);
}
template <Policy P = DefaultPolicy>
Result<LstmCell> MakeLstmCell(const GemvWeights& input, const RowSource<float>& recurrent,
                              const LstmOptions& options = {}, const P& policy = {}) {
  return LstmCell::Make(ActiveVectorKernels(), input, recurrent, options, policy);
}

// A plan for whole sequences, as above; `input` may be the weights of a Gemm, too.
template <Policy P = DefaultPolicy>
Result<Rnn> MakeRnn(const LayerWeights& input, const RowSource<float>& recurrent, const RnnOptions& options = {},
                    const SequenceShape& shape = {}, const P& policy = {}) {
  return Rnn::Make(ActiveKernels<P>(), ActiveVectorKernels(), input, recurrent, options, shape, policy);
}
template <Policy P = DefaultPolicy>
Result<Gru> MakeGru(const LayerWeights& input, const RowSource<float>& recurrent, const GruOptions& options = {},
                    const SequenceShape& shape = {}, const P& policy = {}) {
  return Gru::Make(ActiveKernels<P>(), ActiveVectorKernels(), input, recurrent, options, shape, policy);
}
template <Policy P = DefaultPolicy>
Result<Lstm> MakeLstm(const LayerWeights& input, const RowSource<float>& recurrent, const LstmOptions& options = {},
                      const SequenceShape& shape = {}, const P& policy = {}) {
  return Lstm::Make(ActiveKernels<P>(), ActiveVectorKernels(), input, recurrent, options, shape, policy);
}

// The same with the recurrent weights, the biases and the options of a cell, or of another layer: plan.step().
template <RecurrentOptions Options, Policy P = DefaultPolicy>
Result<RecurrentLayer<Options>> MakeSequence(const LayerWeights& input, const Shared<RecurrentStep<Options>>& step,
                                             const SequenceShape& shape = {}, const P& policy = {}) {
  return RecurrentLayer<Options>::Make(ActiveKernels<P>(), input, step, shape, policy);
}

}  // namespace LACUNA_BASELINE

// ONNX's bidirectional: layers of the directions kForward and kReverse with equal extents.
template <RecurrentOptions Options>
Result<BidirectionalLayer<Options>> MakeBidirectional(RecurrentLayer<Options> forward,
                                                      RecurrentLayer<Options> reverse) {
  return BidirectionalLayer<Options>::Make(std::move(forward), std::move(reverse));
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_RECURRENT_H_
