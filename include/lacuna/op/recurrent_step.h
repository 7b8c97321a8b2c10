// RecurrentStep: what a recurrent cell does with the products of its input. Cells and layers share it.

#ifndef LACUNA_OP_RECURRENT_STEP_H_
#define LACUNA_OP_RECURRENT_STEP_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/overlap.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/format/row_source.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/op/gemv.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/op/workspace.h"
#include "lacuna/policy/select.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace lacuna::inline LACUNA_ABI {

// The caller's: hidden x batch, units innermost in memory (row_stride 1). That is ONNX's [batch, hidden].
struct RecurrentState {
  MatrixView<float> h{};
  MatrixView<float> c{};  // of an LSTM only
};

namespace recurrent {

// Ok if input weights of any format, or packed ones, are valid and have `rows` rows.
template <class Packed>
Status CheckInputRows(const WeightsRef<Packed>& weights, int64_t rows) {
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  if (weights.shape().rows == rows) return Status();
  return Status::InvalidArgument("input weights have %lld rows, must have gates * hidden = %lld",
                                 static_cast<long long>(weights.shape().rows), static_cast<long long>(rows));
}

// Ok unless `view` may overlap with the state.
template <class View>
Status CheckDisjointState(const char* name, const View& view, const RecurrentState& state) {
  LACUNA_RETURN_IF_ERROR(CheckDisjoint(name, view, "state.h", state.h));
  return CheckDisjoint(name, view, "state.c", state.c);
}

}  // namespace recurrent

// Immutable; several plans may share one.
template <RecurrentOptions Options>
class RecurrentStep {
 public:
  // Step t of every entry of the batch.
  struct Job {
    const float* input;  // [batch][rows()]: W x + Wb
    RecurrentState state;
    float* y = nullptr;  // unit 0 of entry 0, receives h; or null
    int64_t y_stride = 0;
    const int32_t* lengths = nullptr;  // entries with lengths[b] <= t keep their state, their y is zero
    int64_t t = 0;
  };

  // `weights`: [gates * hidden, hidden], of any format.
  static Result<RecurrentStep> Make(const VectorKernels& kernels, const RowSource<float>& weights,
                                    const Options& options, const SelectorRef& selector);

  int64_t hidden() const { return hidden_; }
  int64_t rows() const { return Options::kGates * hidden_; }
  std::span<const float> input_bias() const {
    return std::span<const float>(bias_).first(bias_.size() == 0 ? 0 : static_cast<size_t>(rows()));
  }
  // The products of a step: two of a GRU but for linear_before_reset, else one.
  size_t products() const { return candidate_ ? 2 : 1; }
  const Gemv& product(size_t i) const { return i == 0 ? *gates_ : *candidate_; }

  size_t WorkspaceBytes(size_t threads, int64_t batch) const {
    const auto columns = static_cast<size_t>(batch);
    const size_t reset = candidate_ ? WorkspaceParts::Bytes<float>(columns * static_cast<size_t>(hidden_)) : 0;
    size_t product = gates_->WorkspaceBytes(threads, batch);
    if (candidate_) product = std::max(product, candidate_->WorkspaceBytes(threads, batch));
    return kAlignment + WorkspaceParts::Bytes<float>(columns * static_cast<size_t>(rows())) + reset + product;
  }

  // Ok if `state` is that of `batch` entries.
  Status Check(const RecurrentState& state, int64_t batch) const {
    LACUNA_RETURN_IF_ERROR(Check("state.h", state.h, batch));
    if (!Options::kHasCellState) return Status();
    LACUNA_RETURN_IF_ERROR(Check("state.c", state.c, batch));
    return CheckDisjoint("state.c", state.c, "state.h", state.h);
  }

  // `state` has been checked, `workspace` has WorkspaceBytes for the executor's threads.
  Status Run(const Job& job, std::span<std::byte> workspace, ExecutorRef executor) const;

 private:
  RecurrentStep() = default;

  Status Check(const char* name, const MatrixView<float>& view, int64_t batch) const {
    LACUNA_RETURN_IF_ERROR(CheckExtents(name, view, hidden_, batch));
    if ((hidden_ > 1 && view.row_stride != 1) || (batch > 1 && view.column_stride < hidden_)) {
      return Status::InvalidArgument("%s has strides %lld and %lld, must have 1 and at least %lld", name,
                                     static_cast<long long>(view.row_stride),
                                     static_cast<long long>(view.column_stride), static_cast<long long>(hidden_));
    }
    return Status();
  }

  // The recurrent products. A candidate whose argument the reset gate scales has one of its own.
  Status Pack(const VectorKernels& kernels, const RowSource<float>& weights, bool splits, const SelectorRef& selector);

  // Takes over the functions; returns whether they are the standard ones.
  bool SetGates(const RnnOptions& options) {
    args_.g = options.f;  // where the kernels expect the function that is tanh in standard cells
    last_ = &GateKernels::rnn;
    return IsTanh(options.f);
  }
  bool SetGates(const GruOptions& options) {
    args_.f = options.f;
    args_.g = options.g;
    args_.linear_before_reset = options.linear_before_reset;
    last_ = &GateKernels::gru;
    return IsSigmoid(options.f) && IsTanh(options.g);
  }
  bool SetGates(const LstmOptions& options) {
    args_.f = options.f;
    args_.g = options.g;
    args_.h_function = options.h;
    args_.input_forget = options.input_forget;
    last_ = &GateKernels::lstm;
    return IsSigmoid(options.f) && IsTanh(options.g) && IsTanh(options.h);
  }
  static bool IsSigmoid(const GateFunction& function) { return function.activation == GateActivation::kSigmoid; }
  static bool IsTanh(const GateFunction& function) { return function.activation == GateActivation::kTanh; }

  // `kernel` on all units of all entries; `next` says that it yields the next state. An item is kGateUnits units of an
  // entry, so that units have the same place in vectors whatever the number of threads.
  void RunGates(const Job& job, GateFn kernel, bool next, const float* sums, float* reset, ExecutorRef executor) const;

  int64_t hidden_ = 0;
  Buffer<float> bias_;      // [2][rows()], or empty
  Buffer<float> peephole_;  // [3][hidden], or empty
  std::optional<Gemv> gates_, candidate_;
  const GateKernels* gate_kernels_ = nullptr;
  GateFn GateKernels::*last_ = nullptr;
  GateArgs args_{};  // what all units have in common
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/recurrent_step.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_RECURRENT_STEP_H_
