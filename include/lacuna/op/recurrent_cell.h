// RnnCell, GruCell and LstmCell: a step of a recurrent network at a time.

#ifndef LACUNA_OP_RECURRENT_CELL_H_
#define LACUNA_OP_RECURRENT_CELL_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/gemv.h"
#include "lacuna/op/recurrent_step.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/op/workspace.h"
#include "lacuna/policy/policy.h"
#include "lacuna/policy/select.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

struct CellArgs {
  std::span<std::byte> workspace{};  // at least WorkspaceBytes(executor.concurrency(), x.columns)
};

// A plan for one step of RnnOptions, GruOptions or LstmOptions for a batch of independent sequences, usually 1 to 16:
// what streaming needs. The weights are read once per step, whatever the batch. Movable; Run may be called from many
// threads at once. Made by MakeRnnCell, MakeGruCell, MakeLstmCell.
template <RecurrentOptions Options>
class RecurrentCell {
 public:
  int64_t input() const { return input_.k(); }
  int64_t hidden() const { return step_->hidden(); }
  int64_t target() const { return input_.target(); }
  // The recurrent half, to be shared with a layer.
  const Shared<RecurrentStep<Options>>& step() const { return step_; }
  // Of a Run with `batch` columns of x, at least 1 and at most max_batch(), by that many threads; any alignment will
  // do.
  size_t WorkspaceBytes(size_t threads, int64_t batch = 1) const {
    return kAlignment + WorkspaceParts::Bytes<float>(static_cast<size_t>(batch * step_->rows())) +
           std::max(input_.WorkspaceBytes(threads, batch), step_->WorkspaceBytes(threads, batch));
  }
  int64_t max_batch() const { return kMaxElements / std::max(step_->rows(), input()); }

  // x is input x batch, with any strides; `state` is that of step t - 1 and becomes that of step t, of which h is the
  // output. x and the state must not overlap. Entries of the batch do not influence each other; results do not depend
  // on the number of threads. Fails if an extent or the workspace does not fit; allocates nothing.
  Status Run(const MatrixView<const float>& x, const RecurrentState& state, const CellArgs& args,
             ExecutorRef executor = SerialExecutor{}) const;

  Explanation ExplainInput() const { return input_.Explain(); }
  // Of product `i` < step()->products().
  Explanation ExplainRecurrent(size_t i = 0) const { return step_->product(i).Explain(); }

  // See MakeGruCell; `kernels` as for Convolution::Make.
  template <Policy P>
  static Result<RecurrentCell> Make(const VectorKernels& kernels, const GemvWeights& input,
                                    const RowSource<float>& recurrent, const Options& options, const P& policy) {
    return Make(kernels, input, recurrent, options, SelectorRef::Of(policy));
  }
  static Result<RecurrentCell> Make(const VectorKernels& kernels, const GemvWeights& input,
                                    const RowSource<float>& recurrent, const Options& options,
                                    const SelectorRef& selector);

 private:
  RecurrentCell(Gemv input, Shared<RecurrentStep<Options>> step) : input_(std::move(input)), step_(std::move(step)) {}

  Gemv input_;
  Shared<RecurrentStep<Options>> step_;
};

using RnnCell = RecurrentCell<RnnOptions>;
using GruCell = RecurrentCell<GruOptions>;
using LstmCell = RecurrentCell<LstmOptions>;

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/recurrent_cell.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_RECURRENT_CELL_H_
