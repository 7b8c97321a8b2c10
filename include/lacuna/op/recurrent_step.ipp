#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/format/row_range.h"
#include "lacuna/op/gemv.h"
#include "lacuna/op/recurrent_step.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

template <RecurrentOptions Options>
Status RecurrentStep<Options>::Run(const Job& job, std::span<std::byte> workspace, ExecutorRef executor) const {
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

template <RecurrentOptions Options>
Status RecurrentStep<Options>::Pack(const VectorKernels& kernels, const RowSource<float>& weights, bool splits,
                                    const SelectorRef& selector) {
  const std::span<const float> bias =
      std::span<const float>(bias_).subspan(bias_.size() == 0 ? 0 : static_cast<size_t>(rows()));
  if (!splits) {
    LACUNA_ASSIGN_OR_RETURN(gates, Gemv::Make(kernels, weights, {.bias = bias}, selector));
    gates_ = std::move(gates);
    return Status();
  }
  const auto make = [&](int64_t gate, int64_t gates) -> Result<Gemv> {
    LACUNA_ASSIGN_OR_RETURN(range, RowRange<RowSource<float>>::Make(weights, gate * hidden_, gates * hidden_));
    const auto first = static_cast<size_t>(gate * hidden_), count = static_cast<size_t>(gates * hidden_);
    return Gemv::Make(kernels, range, {.bias = bias.empty() ? bias : bias.subspan(first, count)}, selector);
  };
  LACUNA_ASSIGN_OR_RETURN(gates, make(0, Options::kGates - 1));
  LACUNA_ASSIGN_OR_RETURN(candidate, make(Options::kGates - 1, 1));
  gates_ = std::move(gates);
  candidate_ = std::move(candidate);
  return Status();
}

template <RecurrentOptions Options>
void RecurrentStep<Options>::RunGates(const Job& job, GateFn kernel, bool next, const float* sums, float* reset,
                                      ExecutorRef executor) const {
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
  const size_t slots = std::min(executor.concurrency(), static_cast<size_t>(items));
  if (slots == 1) return run_slot(0);  // not worth waking anyone
  executor.parallel_for(slots, run_slot);
}

template <RecurrentOptions Options>
Result<RecurrentStep<Options>> RecurrentStep<Options>::Make(const VectorKernels& kernels,
                                                            const RowSource<float>& weights, const Options& options,
                                                            const SelectorRef& selector) {
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
  LACUNA_RETURN_IF_ERROR(step.Pack(kernels, weights, splits, selector));
  step.args_.clip = options.clip;
  step.gate_kernels_ = step.SetGates(options) ? &kernels.standard_gates : &kernels.gates;
  return step;
}

}  // namespace lacuna::inline LACUNA_ABI
