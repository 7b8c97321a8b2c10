// Rnn, Gru and Lstm: whole sequences.

#ifndef LACUNA_OP_RECURRENT_LAYER_H_
#define LACUNA_OP_RECURRENT_LAYER_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/gemm.h"
#include "lacuna/op/plan_policy.h"
#include "lacuna/op/recurrent_cell.h"
#include "lacuna/op/recurrent_step.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/op/workspace.h"
#include "lacuna/policy/policy.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

struct SequenceShape {
  int64_t batch = 1;   // the most sequences that a Run may bring
  int64_t steps = 32;  // whose input products are computed at once; a Run may bring more, and takes turns then
  Direction direction = Direction::kForward;
};

struct SequenceArgs {
  std::span<std::byte> workspace{};    // at least WorkspaceBytes(executor.concurrency())
  std::span<const int32_t> lengths{};  // steps of each sequence, in [0, x.extent[0]], or empty: all
};

// A plan for sequences of RnnOptions, GruOptions or LstmOptions: the input products of many steps are one GEMM, then
// the cell takes step after step. Movable; Run may be called from many threads at once. Made by MakeRnn, MakeGru,
// MakeLstm.
//
// Bit-identical however a sequence is cut into Runs, whatever shape().steps and the number of threads: the state is the
// caller's and goes from one Run to the next (those of a reverse layer come from the end of the sequence). A
// RecurrentCell sums in another order: its results are equal within rounding errors. Sparse input weights: the GEMM may
// fill in zeros, so that an infinite input makes NaN of units that do not keep its column; in a cell it does not.
template <RecurrentOptions Options>
class RecurrentLayer {
 public:
  int64_t input() const { return input_.k(); }
  int64_t hidden() const { return step_->hidden(); }
  int64_t target() const { return input_.target(); }
  const SequenceShape& shape() const { return shape_; }
  const Shared<RecurrentStep<Options>>& step() const { return step_; }
  size_t WorkspaceBytes(size_t threads) const {
    return kAlignment + WorkspaceParts::Bytes<float>(static_cast<size_t>(shape_.steps * shape_.batch * step_->rows())) +
           std::max(input_.WorkspaceBytes(threads), step_->WorkspaceBytes(threads, shape_.batch));
  }

  // x is (time, batch, input), y (time, batch, hidden): ONNX's layout 0 is planar, layout 1 has other strides; the last
  // stride is 1. y receives h of every step, or, without data, nothing. `state` is that before the first step and
  // becomes that after the last one. Steps beyond a sequence's length read x in vain, leave its state alone, and are
  // zero in y; a reverse layer begins at the last step within the length. x, y and the state must not overlap. Fails if
  // an extent, a length or the workspace does not fit; allocates nothing.
  Status Run(const TensorView<const float, 3>& x, const TensorView<float, 3>& y, const RecurrentState& state,
             const SequenceArgs& args, ExecutorRef executor = SerialExecutor{}) const;

  Explanation ExplainInput() const { return input_.Explain(); }
  // Of product `i` < step()->products().
  Explanation ExplainRecurrent(size_t i = 0) const { return step_->product(i).Explain(); }

  // See MakeGru; `kernels` as for Convolution::Make.
  template <Policy P>
  static Result<RecurrentLayer> Make(const KernelTable& kernels, const VectorKernels& vector_kernels,
                                     const LayerWeights& input, const RowSource<float>& recurrent,
                                     const Options& options, const SequenceShape& shape, const P& policy) {
    LACUNA_ASSIGN_OR_RETURN(step,
                            RecurrentStep<Options>::Make(vector_kernels, recurrent, options, SelectorRef::Of(policy)));
    LACUNA_ASSIGN_OR_RETURN(shared, Shared<RecurrentStep<Options>>::Make(std::move(step)));
    return Make(kernels, input, shared, shape, policy);
  }
  template <Policy P>
  static Result<RecurrentLayer> Make(const KernelTable& kernels, const LayerWeights& input,
                                     const Shared<RecurrentStep<Options>>& step, const SequenceShape& shape,
                                     const P& policy) {
    return Make(kernels, input, step, shape, PlanPolicy::Of(policy));
  }
  static Result<RecurrentLayer> Make(const KernelTable& kernels, const LayerWeights& input,
                                     const Shared<RecurrentStep<Options>>& step, const SequenceShape& shape,
                                     const PlanPolicy& policy);

 private:
  RecurrentLayer(Gemm input, Shared<RecurrentStep<Options>> step, const SequenceShape& shape)
      : input_(std::move(input)), step_(std::move(step)), shape_(shape) {}

  template <RecurrentOptions>
  friend class BidirectionalLayer;

  Status Check(const TensorView<const float, 3>& x, const TensorView<float, 3>& y, const RecurrentState& state,
               std::span<const int32_t> lengths) const;
  // Ok if the last axis is dense and the others do not step into it.
  template <class T>
  static Status CheckStrides(const char* name, const TensorView<T, 3>& view) {
    for (size_t axis = 0; axis < 2; ++axis) {
      if (view.extent[axis] > 1 && view.stride[axis] < view.extent[2]) {
        return Status::InvalidArgument("%s.stride[%zu] is %lld, must be at least %lld", name, axis,
                                       static_cast<long long>(view.stride[axis]),
                                       static_cast<long long>(view.extent[2]));
      }
    }
    if (view.extent[2] > 1 && view.stride[2] != 1) {
      return Status::InvalidArgument("%s.stride[2] is %lld, must be 1", name, static_cast<long long>(view.stride[2]));
    }
    return Status();
  }

  // Steps [first, first + count), at most shape_.steps.
  Status RunTurn(const TensorView<const float, 3>& x, const TensorView<float, 3>& y, const RecurrentState& state,
                 const SequenceArgs& args, int64_t first, int64_t count, ExecutorRef executor) const;

  // products[count][batch][rows] = W x + Wb of those steps: one GEMM if the steps and entries of x follow each other
  // like columns of one matrix, else one for each entry.
  Status Project(const TensorView<const float, 3>& x, int64_t first, int64_t count, float* products,
                 std::span<std::byte> workspace, ExecutorRef executor) const;

  Gemm input_;
  Shared<RecurrentStep<Options>> step_;
  SequenceShape shape_;
};

using Rnn = RecurrentLayer<RnnOptions>;
using Gru = RecurrentLayer<GruOptions>;
using Lstm = RecurrentLayer<LstmOptions>;

// Of both directions; axes (direction, batch, hidden), the last stride 1: ONNX's initial and final states.
struct BidirectionalState {
  TensorView<float, 3> h{};
  TensorView<float, 3> c{};  // of an LSTM only
};

// A forward and a reverse layer over the same sequences, which need not have the same format, options or policy. Made
// by MakeBidirectional.
template <RecurrentOptions Options>
class BidirectionalLayer {
 public:
  using Layer = RecurrentLayer<Options>;

  const Layer& forward() const { return layers_[0]; }
  const Layer& reverse() const { return layers_[1]; }
  size_t WorkspaceBytes(size_t threads) const {
    return std::max(forward().WorkspaceBytes(threads), reverse().WorkspaceBytes(threads));
  }

  // As RecurrentLayer::Run; y is (time, direction, batch, hidden): ONNX's layout 0 is planar.
  Status Run(const TensorView<const float, 3>& x, const TensorView<float, 4>& y, const BidirectionalState& state,
             const SequenceArgs& args, ExecutorRef executor = SerialExecutor{}) const;

  // See MakeBidirectional of lacuna/recurrent.h.
  static Result<BidirectionalLayer> Make(Layer forward, Layer reverse) {
    if (forward.shape().direction != Direction::kForward || reverse.shape().direction != Direction::kReverse) {
      return Status::InvalidArgument("layers must have the directions forward and reverse, in that order");
    }
    if (forward.input() != reverse.input() || forward.hidden() != reverse.hidden()) {
      return Status::InvalidArgument(
          "forward has %lld inputs and %lld hidden units, reverse %lld and %lld, must have the same",
          static_cast<long long>(forward.input()), static_cast<long long>(forward.hidden()),
          static_cast<long long>(reverse.input()), static_cast<long long>(reverse.hidden()));
    }
    return BidirectionalLayer(std::move(forward), std::move(reverse));
  }

 private:
  BidirectionalLayer(Layer forward, Layer reverse) : layers_{std::move(forward), std::move(reverse)} {}

  const Layer& layer(int64_t direction) const { return layers_[direction]; }
  static Status CheckDirections(const char* name, const TensorView<float, 3>& view) {
    if (view.data != nullptr && view.extent[0] == 2) return Status();
    return Status::InvalidArgument("%s has %lld directions, must have 2 and data", name,
                                   static_cast<long long>(view.extent[0]));
  }
  static TensorView<float, 3> OutputOf(const TensorView<float, 4>& y, int64_t direction) {
    if (y.data == nullptr) return {};
    return {y.data + direction * y.stride[1],
            {y.extent[0], y.extent[2], y.extent[3]},
            {y.stride[0], y.stride[2], y.stride[3]}};
  }
  static RecurrentState StateOf(const BidirectionalState& state, int64_t direction) {
    const auto of = [&](const TensorView<float, 3>& view) -> MatrixView<float> {
      if (view.data == nullptr) return {};
      return {view.data + direction * view.stride[0], view.extent[2], view.extent[1], view.stride[2], view.stride[1]};
    };
    return {of(state.h), of(state.c)};
  }

  Layer layers_[2];
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/recurrent_layer.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_RECURRENT_LAYER_H_
