// RecurrentStep: what a recurrent cell does with the products of its input. Cells and layers share it.

#ifndef LACUNA_OP_RECURRENT_STEP_H_
#define LACUNA_OP_RECURRENT_STEP_H_

#include "lacuna/core/buffer.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/format/any.h"
#include "lacuna/format/row_range.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/op/gemv.h"
#include "lacuna/op/workspace.h"
#include "lacuna/policy/policy.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace lacuna {

// The caller's: hidden x batch, units innermost in memory (row_stride 1). That is ONNX's [batch, hidden].
struct RecurrentState {
  MatrixView<float> h{};
  MatrixView<float> c{};  // of an LSTM only
};

namespace recurrent {

// Ok if input weights of any format, or packed ones, are valid and have `rows` rows.
template <class Weights>
Status CheckInputRows(const Weights& weights, int64_t rows) {
  const auto check = [&](const MatrixShape& shape) {
    if (shape.rows == rows) return Status();
    return Status::InvalidArgument("input weights have %lld rows, must have gates * hidden = %lld",
                                   static_cast<long long>(shape.rows), static_cast<long long>(rows));
  };
  if constexpr (requires { weights.shape(); }) {
    LACUNA_RETURN_IF_ERROR(weights.Validate());
    return check(weights.shape());
  } else {
    return weights ? check(weights->shape) : Status();  // an empty Shared is refused by the product
  }
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
  template <Policy P, class Weights>
  static Result<RecurrentStep> Make(const VectorKernels& kernels, const Weights& weights, const Options& options,
                                    const P& policy);

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
    return Options::kHasCellState ? Check("state.c", state.c, batch) : Status();
  }

  // `state` has been checked, `workspace` has WorkspaceBytes for the executor's threads.
  template <class E>
  Status Run(const Job& job, std::span<std::byte> workspace, E&& executor) const {
    const int64_t batch = job.state.h.columns;
    WorkspaceParts parts(workspace);
    float* const sums = parts.Take<float>(static_cast<size_t>(batch * rows()));
    float* const reset = candidate_ ? parts.Take<float>(static_cast<size_t>(batch * hidden_)) : nullptr;
    const MatrixView<const float> h{job.state.h.data, hidden_, batch, 1, job.state.h.column_stride};
    LACUNA_RETURN_IF_ERROR(gates_->Run(h, MatrixView<float>::ColumnMajor(sums, gates_->m(), batch, rows()),
                                       {.workspace = parts.rest()}, executor));
    if (candidate_) {
      RunGates(job, gate_kernels_->gru_reset, /*next=*/false, sums, reset, executor);
      LACUNA_RETURN_IF_ERROR(candidate_->Run(MatrixView<const float>::ColumnMajor(reset, hidden_, batch),
                                             MatrixView<float>::ColumnMajor(sums + gates_->m(), hidden_, batch, rows()),
                                             {.workspace = parts.rest()}, executor));
    }
    RunGates(job, gate_kernels_->*last_, /*next=*/true, sums, reset, executor);
    return Status();
  }

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
  template <Policy P, class Weights>
  Status Pack(const VectorKernels& kernels, const Weights& weights, bool splits, const P& policy) {
    const std::span<const float> bias =
        std::span<const float>(bias_).subspan(bias_.size() == 0 ? 0 : static_cast<size_t>(rows()));
    if (!splits) {
      LACUNA_ASSIGN_OR_RETURN(gates, Gemv::Make(kernels, weights, {.bias = bias}, policy));
      gates_ = std::move(gates);
      return Status();
    }
    const auto make = [&](int64_t gate, int64_t gates) -> Result<Gemv> {
      LACUNA_ASSIGN_OR_RETURN(range, RowRange<Weights>::Make(weights, gate * hidden_, gates * hidden_));
      const auto first = static_cast<size_t>(gate * hidden_), count = static_cast<size_t>(gates * hidden_);
      return Gemv::Make(kernels, range, {.bias = bias.empty() ? bias : bias.subspan(first, count)}, policy);
    };
    LACUNA_ASSIGN_OR_RETURN(gates, make(0, Options::kGates - 1));
    LACUNA_ASSIGN_OR_RETURN(candidate, make(Options::kGates - 1, 1));
    gates_ = std::move(gates);
    candidate_ = std::move(candidate);
    return Status();
  }
  template <Policy P>
  Status Pack(const VectorKernels& kernels, const AnyWeights<float>& weights, bool splits, const P& policy) {
    return weights.Visit([&](const auto& format) { return Pack(kernels, format, splits, policy); });
  }

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
  template <class E>
  void RunGates(const Job& job, GateFn kernel, bool next, const float* sums, float* reset, E&& executor) const {
    const int64_t blocks = (hidden_ + kGateUnits - 1) / kGateUnits, items = blocks * job.state.h.columns;
    std::atomic<int64_t> claimed{0};
    const auto claim = [&] { return claimed.fetch_add(1, std::memory_order_relaxed); };
    const auto run_slot = [&](size_t) {
      for (int64_t item = claim(); item < items; item = claim()) {
        const int64_t entry = item / blocks, unit = item % blocks * kGateUnits;
        GateArgs args = args_;
        args.units = std::min(kGateUnits, hidden_ - unit);
        args.y = job.y == nullptr || !next ? nullptr : job.y + entry * job.y_stride + unit;
        if (next && job.lengths != nullptr && job.t >= job.lengths[entry]) {
          if (args.y != nullptr) std::fill_n(args.y, args.units, 0.0f);
          continue;
        }
        args.hidden = hidden_;
        args.input = job.input + entry * rows() + unit;
        args.recurrent = sums + entry * rows() + unit;
        args.peephole = peephole_.size() == 0 ? nullptr : peephole_.data() + unit;
        args.h = job.state.h.data + entry * job.state.h.column_stride + unit;
        args.c = job.state.c.data == nullptr ? nullptr : job.state.c.data + entry * job.state.c.column_stride + unit;
        args.reset = reset == nullptr ? nullptr : reset + entry * hidden_ + unit;
        kernel(args);
      }
    };
    const size_t threads = std::max<size_t>(1, static_cast<size_t>(executor.concurrency()));
    const size_t slots = std::min(threads, static_cast<size_t>(items));
    if (slots == 1) return run_slot(0);  // not worth waking anyone
    executor.parallel_for(slots, run_slot);
  }

  int64_t hidden_ = 0;
  Buffer<float> bias_;      // [2][rows()], or empty
  Buffer<float> peephole_;  // [3][hidden], or empty
  std::optional<Gemv> gates_, candidate_;
  const GateKernels* gate_kernels_ = nullptr;
  GateFn GateKernels::*last_ = nullptr;
  GateArgs args_{};  // what all units have in common
};

template <RecurrentOptions Options>
template <Policy P, class Weights>
Result<RecurrentStep<Options>> RecurrentStep<Options>::Make(const VectorKernels& kernels, const Weights& weights,
                                                            const Options& options, const P& policy) {
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  const MatrixShape& shape = weights.shape();
  RecurrentStep step;
  step.hidden_ = shape.columns;
  if (shape.rows % Options::kGates != 0 || shape.rows / Options::kGates != shape.columns) {
    return Status::InvalidArgument("recurrent weights are %lld x %lld, must be %lld * hidden x hidden",
                                   static_cast<long long>(shape.rows), static_cast<long long>(shape.columns),
                                   static_cast<long long>(Options::kGates));
  }
  LACUNA_RETURN_IF_ERROR(options.Validate(step.hidden_));
  LACUNA_ASSIGN_OR_RETURN(bias, Buffer<float>::CopyOf(options.bias));
  step.bias_ = std::move(bias);
  bool splits = false;
  if constexpr (std::is_same_v<Options, GruOptions>) splits = !options.linear_before_reset;
  if constexpr (std::is_same_v<Options, LstmOptions>) {
    LACUNA_ASSIGN_OR_RETURN(peephole, Buffer<float>::CopyOf(options.peephole));
    step.peephole_ = std::move(peephole);
  }
  LACUNA_RETURN_IF_ERROR(step.Pack(kernels, weights, splits, policy));
  step.args_.clip = options.clip;
  step.gate_kernels_ = step.SetGates(options) ? &kernels.standard_gates : &kernels.gates;
  return step;
}

}  // namespace lacuna

#endif  // LACUNA_OP_RECURRENT_STEP_H_
