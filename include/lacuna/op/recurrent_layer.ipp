#include "lacuna/core/abi.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/overlap.h"
#include "lacuna/op/gemm.h"
#include "lacuna/op/recurrent_layer.h"
#include "lacuna/op/recurrent_step.h"
#include "lacuna/op/workspace.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

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
    LACUNA_RETURN_IF_ERROR(CheckDisjoint("x", x, "y", y));
  }
  LACUNA_RETURN_IF_ERROR(step_->Check(state, batch));
  LACUNA_RETURN_IF_ERROR(recurrent::CheckDisjointState("x", x, state));
  LACUNA_RETURN_IF_ERROR(recurrent::CheckDisjointState("y", y, state));
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

template <RecurrentOptions Options>
Status RecurrentLayer<Options>::Run(const TensorView<const float, 3>& x, const TensorView<float, 3>& y,
                                    const RecurrentState& state, const SequenceArgs& args, ExecutorRef executor) const {
  LACUNA_RETURN_IF_ERROR(Check(x, y, state, args.lengths));
  const size_t threads = executor.concurrency();
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

template <RecurrentOptions Options>
Result<RecurrentLayer<Options>> RecurrentLayer<Options>::Make(const KernelTable& kernels, const LayerWeights& input,
                                                              const Shared<RecurrentStep<Options>>& step,
                                                              const SequenceShape& shape, const PlanPolicy& policy) {
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

template <RecurrentOptions Options>
Status RecurrentLayer<Options>::RunTurn(const TensorView<const float, 3>& x, const TensorView<float, 3>& y,
                                        const RecurrentState& state, const SequenceArgs& args, int64_t first,
                                        int64_t count, ExecutorRef executor) const {
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

template <RecurrentOptions Options>
Status RecurrentLayer<Options>::Project(const TensorView<const float, 3>& x, int64_t first, int64_t count,
                                        float* products, std::span<std::byte> workspace, ExecutorRef executor) const {
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

template <RecurrentOptions Options>
Status BidirectionalLayer<Options>::Run(const TensorView<const float, 3>& x, const TensorView<float, 4>& y,
                                        const BidirectionalState& state, const SequenceArgs& args,
                                        ExecutorRef executor) const {
  if (y.data != nullptr && y.extent[1] != 2) {
    return Status::InvalidArgument("y.extent[1] is %lld, must be 2", static_cast<long long>(y.extent[1]));
  }
  LACUNA_RETURN_IF_ERROR(CheckDirections("state.h", state.h));
  if (Options::kHasCellState) LACUNA_RETURN_IF_ERROR(CheckDirections("state.c", state.c));
  const size_t threads = executor.concurrency();
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

}  // namespace lacuna::inline LACUNA_ABI
