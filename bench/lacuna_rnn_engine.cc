// lacuna's recurrent layers as an engine: one step by a cell, MakeGruCell or MakeLstmCell, a sequence by a layer,
// MakeGru or MakeLstm.

#include <algorithm>
#include <optional>
#include <string>

#include "lacuna_engine.h"
#include "lacuna_packed.h"
#include "lacuna_plan_engine.h"

namespace lacuna::bench {
namespace {

template <class Options>
Options OptionsOf(const Recurrence& recurrence);
template <>
GruOptions OptionsOf(const Recurrence& recurrence) {
  return {.bias = recurrence.bias, .linear_before_reset = recurrence.cell == Cell::kGruLinearBeforeReset};
}
template <>
LstmOptions OptionsOf(const Recurrence& recurrence) {
  return {.bias = recurrence.bias};
}

// MakeGruCell, MakeLstmCell, MakeGru, MakeLstm.
template <class Input>
Result<GruCell> MakeCell(const Input& w, const AnyWeights<float>& r, const GruOptions& options) {
  return MakeGruCell(w, r, options);
}
template <class Input>
Result<LstmCell> MakeCell(const Input& w, const AnyWeights<float>& r, const LstmOptions& options) {
  return MakeLstmCell(w, r, options);
}
Result<Gru> MakeLayer(const AnyWeights<float>& w, const AnyWeights<float>& r, const GruOptions& options) {
  return MakeGru(w, r, options);
}
Result<Lstm> MakeLayer(const AnyWeights<float>& w, const AnyWeights<float>& r, const LstmOptions& options) {
  return MakeLstm(w, r, options);
}

// A cell or a layer, and its state, which starts anew with every run.
template <class Options>
struct RecurrentPlan {
  std::optional<RecurrentCell<Options>> cell;
  std::optional<RecurrentLayer<Options>> layer;
  Shared<PackedGemv<float>> input;  // W of a cell
  Buffer<float> first_h, first_c;   // before the first step
  Buffer<float> h, c;

  const RecurrentStep<Options>& step() const { return cell ? *cell->step() : *layer->step(); }
  size_t WorkspaceBytes(size_t threads) const {
    return cell ? cell->WorkspaceBytes(threads) : layer->WorkspaceBytes(threads);
  }
};

template <class Options>
struct RecurrentOperation : PlanOperation {
  using Plan = RecurrentPlan<Options>;

  // W.
  static MatrixShape WeightShape(const Problem& problem) {
    return {.rows = GatesOf(problem.recurrence->cell) * problem.shape.out_channels,
            .columns = problem.shape.in_channels};
  }

  template <Policy P>
  static Result<Plan> Make(const Problem& problem, const DenseWeights<float>& w, const P& policy) {
    LACUNA_ASSIGN_OR_RETURN(view, DenseWeights<float>::View(w.shape(), w.values()));
    return Make(problem, AnyWeights<float>(std::move(view)), policy);
  }

  template <Policy P>
  static Result<Plan> Make(const Problem& problem, const AnyWeights<float>& w, const P& policy) {
    const Recurrence& recurrence = *problem.recurrence;
    if (recurrence.pruned != nullptr) return Make(problem, w, *recurrence.pruned, policy);
    const int64_t hidden = problem.shape.out_channels;
    LACUNA_ASSIGN_OR_RETURN(r, DenseWeights<float>::View({.rows = GatesOf(recurrence.cell) * hidden, .columns = hidden},
                                                         recurrence.weights));
    return Make(problem, w, AnyWeights<float>(std::move(r)), policy);
  }

  template <Policy P>
  static Result<Plan> Make(const Problem& problem, const AnyWeights<float>& w, const AnyWeights<float>& r,
                           const P& policy) {
    const Recurrence& recurrence = *problem.recurrence;
    const auto options = OptionsOf<Options>(recurrence);
    Plan plan;
    if (problem.shape.positions() > 1) {
      LACUNA_ASSIGN_OR_RETURN(layer, MakeLayer(w, r, options));
      plan.layer = std::move(layer);
    } else {
      // Apart, because a cell does not show where it has these weights.
      LACUNA_ASSIGN_OR_RETURN(product, MakeGemv(w, Epilogue{}, policy));
      plan.input = product.weights();
      LACUNA_ASSIGN_OR_RETURN(cell, MakeCell(plan.input, r, options));
      plan.cell = std::move(cell);
    }
    LACUNA_RETURN_IF_ERROR(SetState(recurrence.h, plan.first_h, plan.h));
    LACUNA_RETURN_IF_ERROR(SetState(recurrence.c, plan.first_c, plan.c));
    return plan;
  }

  // Copying the first state is little beside a step.
  template <class E>
  static Status Run(Plan& plan, const Activations& x, Activations& y, std::span<std::byte> workspace, E&& executor) {
    const int64_t hidden = y.channels(), input = x.channels(), steps = x.pixels();
    float* const h = plan.cell ? y.data() : plan.h.data();  // the output of a cell is its state
    std::copy(plan.first_h.begin(), plan.first_h.end(), h);
    std::copy(plan.first_c.begin(), plan.first_c.end(), plan.c.begin());
    RecurrentState state{.h = MatrixView<float>::ColumnMajor(h, hidden, 1)};
    if (Options::kHasCellState) state.c = MatrixView<float>::ColumnMajor(plan.c.data(), hidden, 1);
    if (plan.cell) {
      return plan.cell->Run(MatrixView<const float>::ColumnMajor(x.data(), input, 1), state, {.workspace = workspace},
                            executor);
    }
    return plan.layer->Run(TensorView<const float, 3>::Planar(x.data(), {steps, 1, input}),
                           TensorView<float, 3>::Planar(y.data(), {steps, 1, hidden}), state, {.workspace = workspace},
                           executor);
  }

  static std::string Detail(const Plan& plan) {
    std::string text = "input: " + (plan.cell ? plan.cell->ExplainInput() : plan.layer->ExplainInput()).ToString();
    for (size_t i = 0; i < plan.step().products(); ++i) {
      text += "; recurrent: " + plan.step().product(i).Explain().ToString();
    }
    return text;
  }

  // Of a layer only what every step reads.
  static std::vector<MemoryRange> Weights(const Plan& plan) {
    std::vector<MemoryRange> ranges;
    const auto add = [&](const PackedGemv<float>& packed) {
      for (const MemoryRange& range : RangesOf(packed)) ranges.push_back(range);
    };
    if (plan.input) add(*plan.input);
    for (size_t i = 0; i < plan.step().products(); ++i) add(*plan.step().product(i).weights());
    return ranges;
  }

 private:
  static Status SetState(std::span<const float> from, Buffer<float>& first, Buffer<float>& current) {
    LACUNA_ASSIGN_OR_RETURN(copy, Buffer<float>::CopyOf(from));
    LACUNA_ASSIGN_OR_RETURN(state, Buffer<float>::Make(from.size()));
    first = std::move(copy);
    current = std::move(state);
    return Status();
  }
};

Result<EnginePointer> MakeRecurrence(const Problem& problem, const Settings& settings, const EngineInfo& info) {
  if (problem.recurrence->cell == Cell::kLstm) {
    return LacunaEngine<RecurrentOperation<LstmOptions>>::Make(problem, settings, info);
  }
  return LacunaEngine<RecurrentOperation<GruOptions>>::Make(problem, settings, info);
}

}  // namespace

std::vector<EngineInfo> LacunaRecurrences(const Options& options) {
  static std::string threads_name;  // outlives the list
  const auto any = [](const Problem&) { return true; };
  const EngineInfo info{.name = "lacuna", .pruned = true, .supports = any, .make = &MakeRecurrence};
  std::vector<EngineInfo> engines{info};
  if (options.threads > 1) {
    threads_name = "lacuna_threads" + std::to_string(options.threads);
    engines.push_back(info);
    engines.back().name = threads_name.c_str();
    engines.back().threads = options.threads;
  }
  return engines;
}

}  // namespace lacuna::bench
