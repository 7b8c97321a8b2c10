// Rnn, Gru and Lstm: whole sequences.

#ifndef LACUNA_OP_RECURRENT_LAYER_H_
#define LACUNA_OP_RECURRENT_LAYER_H_

#include "lacuna/core/buffer.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/gemm.h"
#include "lacuna/op/recurrent_cell.h"
#include "lacuna/op/recurrent_step.h"
#include "lacuna/op/workspace.h"
#include "lacuna/policy/policy.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace lacuna {

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
  template <Executor E = const SerialExecutor>
  Status Run(const TensorView<const float, 3>& x, const TensorView<float, 3>& y, const RecurrentState& state,
             const SequenceArgs& args, E&& executor = SerialExecutor{}) const {
    LACUNA_RETURN_IF_ERROR(Check(x, y, state, args.lengths));
    const size_t threads = std::max<size_t>(1, static_cast<size_t>(executor.concurrency()));
    if (args.workspace.size() < WorkspaceBytes(threads)) {
      return Status::InvalidArgument("args.workspace has %zu bytes, must have WorkspaceBytes(%zu) = %zu",
                                     args.workspace.size(), threads, WorkspaceBytes(threads));
    }
    int64_t used = x.extent[0];
    if (!args.lengths.empty()) used = *std::max_element(args.lengths.begin(), args.lengths.end());
    for (int64_t t = used; y.data != nullptr && t < x.extent[0]; ++t) {
      for (int64_t b = 0; b < x.extent[1]; ++b) {
        std::fill_n(y.data + t * y.stride[0] + b * y.stride[1], hidden(), 0.0f);
      }
    }
    for (int64_t done = 0; done < used; done += shape_.steps) {
      const int64_t count = std::min(shape_.steps, used - done);
      const int64_t first = shape_.direction == Direction::kForward ? done : used - done - count;
      LACUNA_RETURN_IF_ERROR(RunTurn(x, y, state, args, first, count, executor));
    }
    return Status();
  }

  Explanation ExplainInput() const { return input_.Explain(); }
  // Of product `i` < step()->products().
  Explanation ExplainRecurrent(size_t i = 0) const { return step_->product(i).Explain(); }

  // See MakeGru of lacuna.h; `kernels` as for Convolution::Make.
  template <Policy P, class Input, class Recurrent>
  static Result<RecurrentLayer> Make(const KernelTable& kernels, const VectorKernels& vector_kernels,
                                     const Input& input, const Recurrent& recurrent, const Options& options,
                                     const SequenceShape& shape, const P& policy) {
    LACUNA_ASSIGN_OR_RETURN(step, RecurrentStep<Options>::Make(vector_kernels, recurrent, options, policy));
    LACUNA_ASSIGN_OR_RETURN(shared, Shared<RecurrentStep<Options>>::Make(std::move(step)));
    return Make(kernels, input, shared, shape, policy);
  }
  template <Policy P, class Input>
  static Result<RecurrentLayer> Make(const KernelTable& kernels, const Input& input,
                                     const Shared<RecurrentStep<Options>>& step, const SequenceShape& shape,
                                     const P& policy) {
    if (!step) return Status::InvalidArgument("step is an empty Shared, must hold a cell's");
    const auto at_least_one = [](const char* name, int64_t value) {
      if (value >= 1) return Status();
      return Status::InvalidArgument("shape.%s is %lld, must be at least 1", name, static_cast<long long>(value));
    };
    LACUNA_RETURN_IF_ERROR(at_least_one("batch", shape.batch));
    LACUNA_RETURN_IF_ERROR(at_least_one("steps", shape.steps));
    const Checked products = Checked(shape.batch) * shape.steps * step->rows();
    if (!products.ok() || products.value() > kMaxElements) {
      return Status::InvalidArgument("shape: batch %lld, steps %lld and %lld rows exceed the limit of %lld",
                                     static_cast<long long>(shape.batch), static_cast<long long>(shape.steps),
                                     static_cast<long long>(step->rows()), static_cast<long long>(kMaxElements));
    }
    if (shape.direction != Direction::kForward && shape.direction != Direction::kReverse) {
      return Status::InvalidArgument("shape.direction is %d, must be a Direction", static_cast<int>(shape.direction));
    }
    LACUNA_RETURN_IF_ERROR(recurrent::CheckInputRows(input, step->rows()));
    LACUNA_ASSIGN_OR_RETURN(product,
                            Gemm::Make(kernels, input, {.n = shape.batch * shape.steps, .sums = SumOrder::kUniform},
                                       {.bias = step->input_bias()}, policy));
    return RecurrentLayer(std::move(product), step, shape);
  }

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
  template <class E>
  Status RunTurn(const TensorView<const float, 3>& x, const TensorView<float, 3>& y, const RecurrentState& state,
                 const SequenceArgs& args, int64_t first, int64_t count, E&& executor) const {
    const int64_t batch = x.extent[1], step_floats = batch * step_->rows();
    WorkspaceParts parts(args.workspace);
    auto* const products = parts.Take<float>(static_cast<size_t>(count * step_floats));
    LACUNA_RETURN_IF_ERROR(Project(x, first, count, products, parts.rest(), executor));
    for (int64_t s = 0; s < count; ++s) {
      const int64_t t = first + (shape_.direction == Direction::kForward ? s : count - 1 - s);
      LACUNA_RETURN_IF_ERROR(step_->Run({.input = products + (t - first) * step_floats,
                                         .state = state,
                                         .y = y.data == nullptr ? nullptr : y.data + t * y.stride[0],
                                         .y_stride = y.stride[1],
                                         .lengths = args.lengths.empty() ? nullptr : args.lengths.data(),
                                         .t = t},
                                        parts.rest(), executor));
    }
    return Status();
  }

  // products[count][batch][rows] = W x + Wb of those steps: one GEMM if the steps and entries of x follow each other
  // like columns of one matrix, else one for each entry.
  template <class E>
  Status Project(const TensorView<const float, 3>& x, int64_t first, int64_t count, float* products,
                 std::span<std::byte> workspace, E&& executor) const {
    const int64_t batch = x.extent[1], rows = step_->rows();
    const float* from = x.data + first * x.stride[0];
    if (batch == 1 || count == 1 || x.stride[0] == batch * x.stride[1]) {
      const int64_t stride = batch == 1 ? x.stride[0] : x.stride[1];
      return input_.Run({from, input(), count * batch, 1, stride},
                        MatrixView<float>::ColumnMajor(products, rows, count * batch), {.workspace = workspace},
                        executor);
    }
    for (int64_t b = 0; b < batch; ++b) {
      LACUNA_RETURN_IF_ERROR(input_.Run({from + b * x.stride[1], input(), count, 1, x.stride[0]},
                                        MatrixView<float>::ColumnMajor(products + b * rows, rows, count, batch * rows),
                                        {.workspace = workspace}, executor));
    }
    return Status();
  }

  Gemm input_;
  Shared<RecurrentStep<Options>> step_;
  SequenceShape shape_;
};

using Rnn = RecurrentLayer<RnnOptions>;
using Gru = RecurrentLayer<GruOptions>;
using Lstm = RecurrentLayer<LstmOptions>;

template <RecurrentOptions Options>
Status RecurrentLayer<Options>::Check(const TensorView<const float, 3>& x, const TensorView<float, 3>& y,
                                      const RecurrentState& state, std::span<const int32_t> lengths) const {
  const int64_t steps = x.extent[0], batch = x.extent[1];
  if (steps < 1 || steps > kMaxElements) {
    return Status::InvalidArgument("x.extent[0] is %lld, must be in [1, %lld]", static_cast<long long>(steps),
                                   static_cast<long long>(kMaxElements));
  }
  if (batch < 1 || batch > shape_.batch) {
    return Status::InvalidArgument("x.extent[1] is %lld, must be in [1, shape.batch = %lld]",
                                   static_cast<long long>(batch), static_cast<long long>(shape_.batch));
  }
  LACUNA_RETURN_IF_ERROR(CheckView("x", x, {steps, batch, input()}));
  LACUNA_RETURN_IF_ERROR(CheckStrides("x", x));
  if (y.data != nullptr) {
    LACUNA_RETURN_IF_ERROR(CheckView("y", y, {steps, batch, hidden()}));
    LACUNA_RETURN_IF_ERROR(CheckStrides("y", y));
  }
  LACUNA_RETURN_IF_ERROR(step_->Check(state, batch));
  if (!lengths.empty() && static_cast<int64_t>(lengths.size()) != batch) {
    return Status::InvalidArgument("args.lengths has %zu values, must have %lld or none", lengths.size(),
                                   static_cast<long long>(batch));
  }
  for (size_t b = 0; b < lengths.size(); ++b) {
    if (lengths[b] < 0 || lengths[b] > steps) {
      return Status::InvalidArgument("args.lengths[%zu] is %d, must be in [0, %lld]", b, int{lengths[b]},
                                     static_cast<long long>(steps));
    }
  }
  return Status();
}

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
  template <Executor E = const SerialExecutor>
  Status Run(const TensorView<const float, 3>& x, const TensorView<float, 4>& y, const BidirectionalState& state,
             const SequenceArgs& args, E&& executor = SerialExecutor{}) const {
    if (y.data != nullptr && y.extent[1] != 2) {
      return Status::InvalidArgument("y.extent[1] is %lld, must be 2", static_cast<long long>(y.extent[1]));
    }
    LACUNA_RETURN_IF_ERROR(CheckDirections("state.h", state.h));
    if (Options::kHasCellState) LACUNA_RETURN_IF_ERROR(CheckDirections("state.c", state.c));
    const size_t threads = std::max<size_t>(1, static_cast<size_t>(executor.concurrency()));
    if (args.workspace.size() < WorkspaceBytes(threads)) {
      return Status::InvalidArgument("args.workspace has %zu bytes, must have WorkspaceBytes(%zu) = %zu",
                                     args.workspace.size(), threads, WorkspaceBytes(threads));
    }
    // Both before either writes.
    for (int64_t d = 0; d < 2; ++d) {
      LACUNA_RETURN_IF_ERROR(layer(d).Check(x, OutputOf(y, d), StateOf(state, d), args.lengths));
    }
    for (int64_t d = 0; d < 2; ++d) {
      LACUNA_RETURN_IF_ERROR(layer(d).Run(x, OutputOf(y, d), StateOf(state, d), args, executor));
    }
    return Status();
  }

  // See MakeBidirectional of lacuna.h.
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

}  // namespace lacuna

#endif  // LACUNA_OP_RECURRENT_LAYER_H_
