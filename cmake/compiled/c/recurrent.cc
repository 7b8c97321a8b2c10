// Recurrent layers of the C interface.

#include "lacuna/recurrent.h"

#include <array>
#include <memory>
#include <optional>

#include "common.h"

namespace lacuna::inline LACUNA_ABI::c {

namespace {

using HeldPair = std::array<Shared<HeldWeights>, 2>;  // of each direction

// A run, its views checked for their rank.
struct Sequence {
  TensorView<const float, 3> x{};
  TensorView<float, 4> y{};  // without data: not wanted
  BidirectionalState state{};
  SequenceArgs args{};
};

// A plan of any cell, for one direction or both.
class RecurrentPlan {
 public:
  virtual ~RecurrentPlan() = default;
  virtual size_t WorkspaceBytes(size_t threads) const = 0;
  virtual Status Run(const Sequence& sequence, const CallerThreads& threads) const = 0;
  virtual void Explain(TextWriter& text) const = 0;
};

// The view of a single direction.
Result<TensorView<float, 3>> OnlyDirection(const char* name, const TensorView<float, 4>& y) {
  if (y.data == nullptr) return TensorView<float, 3>();
  if (y.extent[1] != 1) {
    return Status::InvalidArgument("%s.extent[1] is %lld, must be 1", name, static_cast<long long>(y.extent[1]));
  }
  return TensorView<float, 3>{y.data, {y.extent[0], y.extent[2], y.extent[3]}, {y.stride[0], y.stride[2], y.stride[3]}};
}
Result<MatrixView<float>> OnlyDirection(const char* name, const TensorView<float, 3>& state) {
  if (state.data != nullptr && state.extent[0] != 1) {
    return Status::InvalidArgument("%s.extent[0] is %lld, must be 1", name, static_cast<long long>(state.extent[0]));
  }
  return MatrixView<float>{state.data, state.extent[2], state.extent[1], state.stride[2], state.stride[1]};
}

template <RecurrentOptions Options>
class PlanOf final : public RecurrentPlan {
 public:
  using Layer = RecurrentLayer<Options>;
  using Both = BidirectionalLayer<Options>;

  explicit PlanOf(std::variant<Layer, Both> plan) : plan_(std::move(plan)) {}

  size_t WorkspaceBytes(size_t threads) const override {
    return std::visit([&](const auto& plan) { return plan.WorkspaceBytes(threads); }, plan_);
  }
  Status Run(const Sequence& sequence, const CallerThreads& threads) const override {
    if (!Options::kHasCellState && sequence.state.c.data != nullptr) {
      return Status::InvalidArgument("c is given, must be null: cells of kind %s have no such state", Options::kName);
    }
    if (const Both* both = std::get_if<Both>(&plan_)) {
      return both->Run(sequence.x, sequence.y, sequence.state, sequence.args, threads);
    }
    LACUNA_ASSIGN_OR_RETURN(y, OnlyDirection("y", sequence.y));
    LACUNA_ASSIGN_OR_RETURN(h, OnlyDirection("h", sequence.state.h));
    LACUNA_ASSIGN_OR_RETURN(c, OnlyDirection("c", sequence.state.c));
    return std::get_if<Layer>(&plan_)->Run(sequence.x, y, {.h = h, .c = c}, sequence.args, threads);
  }
  void Explain(TextWriter& text) const override {
    const Both* both = std::get_if<Both>(&plan_);
    if (both == nullptr) return Explain(*std::get_if<Layer>(&plan_), text);
    Explain(both->forward(), text);
    text.Add("\n");
    Explain(both->reverse(), text);
  }

 private:
  static void Explain(const Layer& layer, TextWriter& text) {
    layer.ExplainInput().WriteTo(text);
    for (size_t i = 0; i < layer.step()->products(); ++i) {
      text.Add("\n");
      layer.ExplainRecurrent(i).WriteTo(text);
    }
  }

  std::variant<Layer, Both> plan_;
};

// What lacuna_recurrent_options say, as far as cells have it in common.
struct Request {
  const lacuna_recurrent_options& fields;
  size_t directions;
  std::span<const float> bias, peephole;

  // The part of `values` that is of direction d.
  std::span<const float> Of(std::span<const float> values, size_t d) const {
    const size_t count = values.size() / directions;
    return values.subspan(d * count, count);
  }
};

Status SetGate(const char* text, GateFunction& gate) {
  if (text == nullptr) return Status();
  LACUNA_ASSIGN_OR_RETURN(parsed, GateFunction::Parse(text));
  gate = parsed;
  return Status();
}
Status NoGate(const char* name, const char* text, const char* cell) {
  if (text == nullptr) return Status();
  return Status::InvalidArgument("options.%s is \"%.40s\", must be null: cells of kind %s have no such activation",
                                 name, text, cell);
}

Status SetOptions(const lacuna_recurrent_options& fields, RnnOptions& options) {
  LACUNA_RETURN_IF_ERROR(SetGate(fields.f, options.f));
  LACUNA_RETURN_IF_ERROR(NoGate("g", fields.g, RnnOptions::kName));
  return NoGate("h", fields.h, RnnOptions::kName);
}
Status SetOptions(const lacuna_recurrent_options& fields, GruOptions& options) {
  LACUNA_RETURN_IF_ERROR(SetGate(fields.f, options.f));
  LACUNA_RETURN_IF_ERROR(SetGate(fields.g, options.g));
  options.linear_before_reset = fields.linear_before_reset != 0;
  return NoGate("h", fields.h, GruOptions::kName);
}
Status SetOptions(const lacuna_recurrent_options& fields, LstmOptions& options) {
  LACUNA_RETURN_IF_ERROR(SetGate(fields.f, options.f));
  LACUNA_RETURN_IF_ERROR(SetGate(fields.g, options.g));
  options.input_forget = fields.input_forget != 0;
  return SetGate(fields.h, options.h);
}

// The layer of direction d.
template <RecurrentOptions Options>
Result<RecurrentLayer<Options>> MakeLayer(const HeldPair& input, const HeldPair& recurrent, const Request& request,
                                          size_t d, Direction direction, const lacuna_plan_options& plan_options) {
  Options options;
  LACUNA_RETURN_IF_ERROR(SetOptions(request.fields, options));
  options.bias = request.Of(request.bias, d);
  if (request.fields.clip != 0.0) options.clip = static_cast<float>(request.fields.clip);
  if constexpr (requires { options.peephole; }) {
    options.peephole = request.Of(request.peephole, d);
  } else if (!request.peephole.empty()) {
    return Status::InvalidArgument("options.peephole has %zu values, must have none: cells of kind %s have none",
                                   request.peephole.size(), Options::kName);
  }
  const SequenceShape shape{.batch = request.fields.batch == 0 ? 1 : request.fields.batch,
                            .steps = request.fields.steps == 0 ? SequenceShape().steps : request.fields.steps,
                            .direction = direction};
  return WithPolicy(plan_options, [&](const auto& policy) {
    using P = std::remove_cvref_t<decltype(policy)>;
    return RecurrentLayer<Options>::Make(ActiveKernels<P>(), ActiveVectorKernels(), input[d]->ref(),
                                         recurrent[d]->format()->rows(), options, shape, policy);
  });
}

template <RecurrentOptions Options>
Result<std::unique_ptr<RecurrentPlan>> MakePlan(const HeldPair& input, const HeldPair& recurrent,
                                                const Request& request, const lacuna_plan_options& plan_options) {
  const auto own = [](auto layer) -> Result<std::unique_ptr<RecurrentPlan>> {
    std::unique_ptr<RecurrentPlan> plan(new (std::nothrow) PlanOf<Options>(std::move(layer)));
    if (plan == nullptr) return Status::OutOfMemory("layer", sizeof(PlanOf<Options>));
    return plan;
  };
  const bool is_reverse = request.fields.direction == LACUNA_REVERSE;
  LACUNA_ASSIGN_OR_RETURN(
      first, MakeLayer<Options>(input, recurrent, request, 0, is_reverse ? Direction::kReverse : Direction::kForward,
                                plan_options));
  if (request.directions == 1) return own(std::move(first));
  LACUNA_ASSIGN_OR_RETURN(second, MakeLayer<Options>(input, recurrent, request, 1, Direction::kReverse, plan_options));
  LACUNA_ASSIGN_OR_RETURN(both, MakeBidirectional(std::move(first), std::move(second)));
  return own(std::move(both));
}

}  // namespace

}  // namespace lacuna::inline LACUNA_ABI::c

struct lacuna_recurrent {
  // Packed input weights that may lie in a blob; kept longer than the plan.
  std::array<lacuna::Shared<lacuna::c::HeldWeights>, 2> input;
  std::unique_ptr<lacuna::c::RecurrentPlan> plan;
};

namespace lacuna::inline LACUNA_ABI::c {

namespace {

Result<std::unique_ptr<RecurrentPlan>> MakeAnyPlan(const HeldPair& input, const HeldPair& recurrent,
                                                   const Request& request, const lacuna_plan_options& plan_options) {
  switch (request.fields.cell) {
    case LACUNA_RNN: return MakePlan<RnnOptions>(input, recurrent, request, plan_options);
    case LACUNA_GRU: return MakePlan<GruOptions>(input, recurrent, request, plan_options);
    case LACUNA_LSTM: return MakePlan<LstmOptions>(input, recurrent, request, plan_options);
    default: break;
  }
  return Status::InvalidArgument("options.cell is %d, must be a lacuna_cell", request.fields.cell);
}

// A span of `count` values, as many for each direction.
Result<std::span<const float>> ValuesOf(const char* name, const float* values, size_t count, size_t directions) {
  if (values == nullptr && count != 0) {
    return Status::InvalidArgument("options.%s is null, must point to %zu values", name, count);
  }
  if (count % directions != 0) {
    return Status::InvalidArgument("options.%s has %zu values, must have as many for each of 2 directions", name,
                                   count);
  }
  return std::span(values, count);
}

Status Create(const lacuna_weights* const* input, const lacuna_weights* const* recurrent, size_t directions,
              const lacuna_recurrent_options* options, const lacuna_plan_options* plan_options,
              lacuna_recurrent** out) {
  LACUNA_RETURN_IF_ERROR(NotNull("input", input));
  LACUNA_RETURN_IF_ERROR(NotNull("recurrent", recurrent));
  LACUNA_ASSIGN_OR_RETURN(fields, ReadRequired("options", options));
  LACUNA_ASSIGN_OR_RETURN(choice, ReadStruct("plan_options", plan_options));
  LACUNA_RETURN_IF_ERROR(NotNull("layer", out));
  if (fields.direction < LACUNA_FORWARD || fields.direction > LACUNA_BIDIRECTIONAL) {
    return Status::InvalidArgument("options.direction is %d, must be a lacuna_direction", fields.direction);
  }
  const size_t needed = fields.direction == LACUNA_BIDIRECTIONAL ? 2 : 1;
  if (directions != needed) {
    return Status::InvalidArgument("directions is %zu, must be %zu for options.direction %d", directions, needed,
                                   fields.direction);
  }
  LACUNA_ASSIGN_OR_RETURN(bias, ValuesOf("bias", fields.bias, fields.bias_count, directions));
  LACUNA_ASSIGN_OR_RETURN(peephole, ValuesOf("peephole", fields.peephole, fields.peephole_count, directions));
  HeldPair w, r;
  for (size_t d = 0; d < directions; ++d) {
    LACUNA_ASSIGN_OR_RETURN(of_input, Held("input weights", input[d]));
    LACUNA_ASSIGN_OR_RETURN(of_state, HeldFormat("recurrent weights", recurrent[d], "a recurrent layer"));
    w[d] = of_input;
    r[d] = of_state;
  }
  const Request request{fields, directions, bias, peephole};
  LACUNA_ASSIGN_OR_RETURN(plan, MakeAnyPlan(w, r, request, choice));
  for (Shared<HeldWeights>& held : w) {
    if (held && held->packed() == nullptr) held = {};
  }
  return MakeHandle(lacuna_recurrent{std::move(w), std::move(plan)}, out);
}

Status Run(const lacuna_recurrent* layer, const lacuna_tensor* x, const lacuna_tensor* y, const lacuna_tensor* h,
           const lacuna_tensor* c, const lacuna_run_args* args) {
  LACUNA_RETURN_IF_ERROR(NotNull("layer", layer));
  LACUNA_ASSIGN_OR_RETURN(arguments, Arguments::Of(args));
  if (arguments.residual != nullptr) {
    return Status::InvalidArgument("args.residual is given, must be null for recurrent layers");
  }
  Sequence sequence{.args = {.workspace = arguments.workspace, .lengths = arguments.lengths}};
  LACUNA_ASSIGN_OR_RETURN(from, ViewOf<3>("x", x));
  sequence.x = from;
  if (y != nullptr) {
    LACUNA_ASSIGN_OR_RETURN(to, ViewOf<4>("y", y));
    LACUNA_RETURN_IF_ERROR(NotNull("y.data", to.data));
    sequence.y = to;
  }
  LACUNA_ASSIGN_OR_RETURN(state, ViewOf<3>("h", h));
  sequence.state.h = state;
  if (c != nullptr) {
    LACUNA_ASSIGN_OR_RETURN(cells, ViewOf<3>("c", c));
    LACUNA_RETURN_IF_ERROR(NotNull("c.data", cells.data));
    sequence.state.c = cells;
  }
  return layer->plan->Run(sequence, arguments.threads);
}

}  // namespace

}  // namespace lacuna::inline LACUNA_ABI::c

lacuna_status lacuna_recurrent_create(const lacuna_weights* const* input, const lacuna_weights* const* recurrent,
                                      size_t directions, const lacuna_recurrent_options* options,
                                      const lacuna_plan_options* plan_options, lacuna_recurrent** layer) {
  return lacuna::c::Report(lacuna::c::Create(input, recurrent, directions, options, plan_options, layer));
}
void lacuna_recurrent_destroy(lacuna_recurrent* layer) { delete layer; }
size_t lacuna_recurrent_workspace_bytes(const lacuna_recurrent* layer, size_t threads) {
  return layer == nullptr ? 0 : layer->plan->WorkspaceBytes(threads);
}
lacuna_status lacuna_recurrent_run(const lacuna_recurrent* layer, const lacuna_tensor* x, const lacuna_tensor* y,
                                   const lacuna_tensor* h, const lacuna_tensor* c, const lacuna_run_args* args) {
  return lacuna::c::Report(lacuna::c::Run(layer, x, y, h, c, args));
}
size_t lacuna_recurrent_explain(const lacuna_recurrent* layer, char* text, size_t bytes) {
  if (layer == nullptr) return 0;
  return lacuna::c::WriteText(text, bytes, [&](lacuna::TextWriter& to) { layer->plan->Explain(to); });
}
