#include "lacuna/core/abi.h"
#include "lacuna/core/overlap.h"
#include "lacuna/op/gemv.h"
#include "lacuna/op/recurrent_cell.h"
#include "lacuna/op/recurrent_step.h"
#include "lacuna/op/workspace.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

template <RecurrentOptions Options>
Status RecurrentCell<Options>::Run(const MatrixView<const float>& x, const RecurrentState& state, const CellArgs& args,
                                   ExecutorRef executor) const {
  const int64_t batch = x.columns;
  if (batch < 1 || batch > max_batch()) {
    return Status::InvalidArgument("x.columns is %lld, must be in [1, %lld]", static_cast<long long>(batch),
                                   static_cast<long long>(max_batch()));
  }
  LACUNA_RETURN_IF_ERROR(step_->Check(state, batch));
  LACUNA_RETURN_IF_ERROR(CheckExtents("x", x, input(), batch));
  LACUNA_RETURN_IF_ERROR(recurrent::CheckDisjointState("x", x, state));
  const size_t threads = executor.concurrency();
  if (args.workspace.size() < WorkspaceBytes(threads, batch)) {
    return Status::InvalidArgument("args.workspace has %zu bytes, must have WorkspaceBytes(%zu, %lld) = %zu",
                                   args.workspace.size(), threads, static_cast<long long>(batch),
                                   WorkspaceBytes(threads, batch));
  }
  WorkspaceParts parts(args.workspace);
  auto* const products = parts.Take<float>(static_cast<size_t>(batch * step_->rows()));
  LACUNA_RETURN_IF_ERROR(input_.Run(x, MatrixView<float>::ColumnMajor(products, step_->rows(), batch),
                                    {.workspace = parts.rest()}, executor));
  return step_->Run({.input = products, .state = state}, parts.rest(), executor);
}

template <RecurrentOptions Options>
Result<RecurrentCell<Options>> RecurrentCell<Options>::Make(const VectorKernels& kernels, const GemvWeights& input,
                                                            const RowSource<float>& recurrent, const Options& options,
                                                            const SelectorRef& selector) {
  LACUNA_ASSIGN_OR_RETURN(step, RecurrentStep<Options>::Make(kernels, recurrent, options, selector));
  LACUNA_ASSIGN_OR_RETURN(shared, Shared<RecurrentStep<Options>>::Make(std::move(step)));
  const int64_t rows = shared->rows();
  LACUNA_RETURN_IF_ERROR(recurrent::CheckInputRows(input, rows));
  LACUNA_ASSIGN_OR_RETURN(product, Gemv::Make(kernels, input, {.bias = shared->input_bias()}, selector));
  return RecurrentCell(std::move(product), std::move(shared));
}

}  // namespace lacuna::inline LACUNA_ABI
