// lacuna: sparse neural-network inference kernels for CPUs. The one public header, with run-time SIMD dispatch; all but
// the mapping of schemes to the layers of a network (prune/mapping_search.h), which runs no kernel.
//
// Include it before hwy/highway.h, or, in a translation unit that compiles code of its own per SIMD target, after
// hwy/foreach_target.h. The first lines have no include guard because such a unit must see them once per target.

#include "hwy/detect_targets.h"
#if HWY_TARGETS != HWY_STATIC_TARGET && !defined(HIGHWAY_HWY_FOREACH_TARGET_H_)
#ifdef HWY_HIGHWAY_INCLUDED
#error "Include lacuna/lacuna.h before hwy/highway.h (or after hwy/foreach_target.h)."
#endif
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lacuna/lacuna-inl.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#endif
#include "lacuna/lacuna-inl.h"

#if HWY_ONCE && !defined(LACUNA_LACUNA_H_)
#define LACUNA_LACUNA_H_

#include "lacuna/core/blob.h"
#include "lacuna/core/dispatch.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/format/any.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/bcrc.h"
#include "lacuna/format/block.h"
#include "lacuna/format/convert.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/pattern.h"
#include "lacuna/op/convolution.h"
#include "lacuna/op/gemm.h"
#include "lacuna/op/gemv.h"
#include "lacuna/op/packed_blob.h"
#include "lacuna/op/recurrent_cell.h"
#include "lacuna/op/recurrent_layer.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/policy/choices.h"
#include "lacuna/policy/cost.h"
#include "lacuna/policy/machine.h"
#include "lacuna/policy/policy.h"
#include "lacuna/prune/bcr.h"
#include "lacuna/prune/block.h"
#include "lacuna/prune/filter.h"
#include "lacuna/prune/pattern.h"
#include "lacuna/prune/project.h"
#include "lacuna/prune/punched.h"
#include "lacuna/prune/scheme.h"
#include "lacuna/prune/unstructured.h"
#include "lacuna/reference/convolution.h"
#include "lacuna/reference/gemm.h"
#include "lacuna/reference/recurrent.h"
#include "lacuna/version.h"

namespace lacuna {
// What depends on the compiled targets is tagged with the baseline, so that translation units compiled with different
// -march flags do not share it.
inline namespace HWY_CONCAT(baseline_, HWY_NAMESPACE) {

#ifdef LACUNA_TARGET_TABLE
  template <Policy P>
  inline constexpr const KernelTable& (*kKernelTables[HWY_MAX_DYNAMIC_TARGETS + 2])() = LACUNA_TARGET_TABLE(Kernels<P>);
  template <Policy P>
  inline constexpr const VectorKernels& (*kVectorTables[HWY_MAX_DYNAMIC_TARGETS + 2])() =
      LACUNA_TARGET_TABLE(KernelsOfVectors<P>);
  inline constexpr int64_t (*kCompiledTargets[HWY_MAX_DYNAMIC_TARGETS + 2])() = LACUNA_TARGET_TABLE(CompiledTarget);
  inline constexpr MachineProbe (*kProbes[HWY_MAX_DYNAMIC_TARGETS + 2])() = LACUNA_TARGET_TABLE(Probe);
#endif

  // The kernels of policy P on the SIMD target that is active now.
  template <Policy P = DefaultPolicy>
  const KernelTable& ActiveKernels() {
#ifdef LACUNA_TARGET_TABLE
    return kKernelTables<P>[TargetIndex()]();
#else
    return LACUNA_DISPATCH(Kernels<P>)();
#endif
  }

  // Those of matrix-vector products and recurrent cells.
  template <Policy P = DefaultPolicy>
  const VectorKernels& ActiveVectorKernels() {
#ifdef LACUNA_TARGET_TABLE
    return kVectorTables<P>[TargetIndex()]();
#else
    return LACUNA_DISPATCH(KernelsOfVectors<P>)();
#endif
  }

  // Highway's bit of the SIMD target that plans made now are bound to.
  inline int64_t ActiveTarget() {
#ifdef LACUNA_TARGET_TABLE
    return kCompiledTargets[TargetIndex()]();
#else
    return LACUNA_DISPATCH(CompiledTarget)();
#endif
  }

  inline const char* ActiveTargetName() { return hwy::TargetName(ActiveTarget()); }

  // The loops of MeasureMachine on the active SIMD target.
  inline MachineProbe ActiveProbe() {
#ifdef LACUNA_TARGET_TABLE
    return kProbes[TargetIndex()]();
#else
    return LACUNA_DISPATCH(Probe)();
#endif
  }

  // The facts of this machine, for CostFactors::Of, measured in about 40 ms by the first call, on the SIMD target that
  // is active then. No other work should run meanwhile.
  inline const Result<MachineFacts>& MeasuredMachine() {
    static const Result<MachineFacts> facts = MeasureMachine(ActiveProbe(), ReadCacheSizes());
    return facts;
  }

  // Packs `weights` for the active SIMD target, to be shared by several plans of the same policy.
  template <class Weights, Policy P = DefaultPolicy>
  Result<Shared<PackedWeights<float>>> PackWeights(const Weights& weights, const P& policy = {}) {
    LACUNA_ASSIGN_OR_RETURN(choice, PackFor(ActiveKernels<P>(), weights, policy));
    return std::move(choice.weights);
  }

  // Packed weights in place in a blob, which must outlive them and their plans: View (core/blob.h) for the active SIMD
  // target and the tiles of policy P. Such a blob is made with Serialize(*plan.weights(), ActiveTargetName()).
  template <Policy P = DefaultPolicy>
  Result<Shared<PackedWeights<float>>> ViewPackedWeights(std::span<const std::byte> bytes) {
    return ViewPackedFor(ActiveKernels<P>(), bytes);
  }

  // A plan for a convolution of `weights` (of any format, or packed), bound to the active SIMD target.
  // `weights` may be discarded afterwards. Fails if shape, weights, epilogue or policy do not fit each other, or memory
  // runs out.
  template <int kRank, class Weights, Policy P = DefaultPolicy>
  Result<Convolution<kRank>> MakeConvolution(const Weights& weights, const ConvShape<kRank>& shape,
                                             const Epilogue& epilogue = {}, const P& policy = {}) {
    return Convolution<kRank>::Make(ActiveKernels<P>(), weights, shape, epilogue, policy);
  }

  // A plan for Y = W X, as above.
  template <class Weights, Policy P = DefaultPolicy>
  Result<Gemm> MakeGemm(const Weights& weights, const GemmShape& shape, const Epilogue& epilogue = {},
                        const P& policy = {}) {
    return Gemm::Make(ActiveKernels<P>(), weights, shape, epilogue, policy);
  }

  // A plan for y = W x and for Y = W X of few columns, as above. `weights` are of any format, or those of another Gemv.
  template <class Weights, Policy P = DefaultPolicy>
  Result<Gemv> MakeGemv(const Weights& weights, const Epilogue& epilogue = {}, const P& policy = {}) {
    return Gemv::Make(ActiveVectorKernels<P>(), weights, epilogue, policy);
  }

  // A plan for one step of a recurrent cell, as above. `input` is W [gates * hidden, input], of any format, or the
  // weights of a Gemv; `recurrent` is R [gates * hidden, hidden], of any format. See core/recurrent.h for the order of
  // gates.
  template <class Input, class Recurrent, Policy P = DefaultPolicy>
  Result<RnnCell> MakeRnnCell(const Input& input, const Recurrent& recurrent, const RnnOptions& options = {},
                              const P& policy = {}) {
    return RnnCell::Make(ActiveVectorKernels<P>(), input, recurrent, options, policy);
  }
  template <class Input, class Recurrent, Policy P = DefaultPolicy>
  Result<GruCell> MakeGruCell(const Input& input, const Recurrent& recurrent, const GruOptions& options = {},
                              const P& policy = {}) {
    return GruCell::Make(ActiveVectorKernels<P>(), input, recurrent, options, policy);
  }
  template <class Input, class Recurrent, Policy P = DefaultPolicy>
  Result<LstmCell> MakeLstmCell(const Input& input, const Recurrent& recurrent, const LstmOptions& options = {},
                                const P& policy = {}) {
    return LstmCell::Make(ActiveVectorKernels<P>(), input, recurrent, options, policy);
  }

  // A plan for whole sequences, as above; `input` may also be the weights of a Gemm.
  template <class Input, class Recurrent, Policy P = DefaultPolicy>
  Result<Rnn> MakeRnn(const Input& input, const Recurrent& recurrent, const RnnOptions& options = {},
                      const SequenceShape& shape = {}, const P& policy = {}) {
    return Rnn::Make(ActiveKernels<P>(), ActiveVectorKernels<P>(), input, recurrent, options, shape, policy);
  }
  template <class Input, class Recurrent, Policy P = DefaultPolicy>
  Result<Gru> MakeGru(const Input& input, const Recurrent& recurrent, const GruOptions& options = {},
                      const SequenceShape& shape = {}, const P& policy = {}) {
    return Gru::Make(ActiveKernels<P>(), ActiveVectorKernels<P>(), input, recurrent, options, shape, policy);
  }
  template <class Input, class Recurrent, Policy P = DefaultPolicy>
  Result<Lstm> MakeLstm(const Input& input, const Recurrent& recurrent, const LstmOptions& options = {},
                        const SequenceShape& shape = {}, const P& policy = {}) {
    return Lstm::Make(ActiveKernels<P>(), ActiveVectorKernels<P>(), input, recurrent, options, shape, policy);
  }

  // The same with the recurrent weights, the biases and the options of a cell, or of another layer: plan.step().
  template <RecurrentOptions Options, class Input, Policy P = DefaultPolicy>
  Result<RecurrentLayer<Options>> MakeSequence(const Input& input, const Shared<RecurrentStep<Options>>& step,
                                               const SequenceShape& shape = {}, const P& policy = {}) {
    return RecurrentLayer<Options>::Make(ActiveKernels<P>(), input, step, shape, policy);
  }

}  // namespace )

// ONNX's bidirectional: layers of the directions kForward and kReverse with equal extents.
template <RecurrentOptions Options>
Result<BidirectionalLayer<Options>> MakeBidirectional(RecurrentLayer<Options> forward,
                                                      RecurrentLayer<Options> reverse) {
  return BidirectionalLayer<Options>::Make(std::move(forward), std::move(reverse));
}

}  // namespace lacuna

#endif  // HWY_ONCE
