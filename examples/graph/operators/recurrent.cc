// RNN, GRU and LSTM: sequences that lacuna runs.

#include "lacuna/reference/recurrent.h"

#include "lacuna/op/recurrent_layer.h"
#include "lacuna/reference/rounded.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "graph/kernels.h"
#include "graph/layer_weights.h"
#include "graph/operator.h"
#include "graph/recurrent_node.h"
#include "graph/step.h"

namespace graph {
namespace {

using lacuna::AnyWeights;
using lacuna::Buffer;
using lacuna::DenseWeights;
using lacuna::Direction;
using lacuna::MatrixView;
using lacuna::TensorView;
using lacuna::reference::Rounded;

// Input products of more steps and sequences at once gain nothing and need workspace.
constexpr int64_t kStepsAtOnce = 32;
constexpr int64_t kProductsAtOnce = int64_t{1} << 22;

// How many steps' input products a layer computes at once: equal turns.
int64_t StepsAtOnce(const RecurrentNode& node) {
  const int64_t most = std::clamp<int64_t>(kProductsAtOnce / (node.batch * node.rows()), 1, kStepsAtOnce);
  const int64_t turns = (node.steps + most - 1) / most;
  return (node.steps + turns - 1) / turns;
}

// What a pass of a node says to lacuna; B and P hold those of all directions.
lacuna::RnnOptions OptionsOf(const RecurrentNode& node, const RecurrentPass& pass, std::span<const float> bias,
                             std::span<const float>, lacuna::RnnOptions) {
  return {.bias = bias, .f = pass.functions[0], .clip = node.clip};
}
lacuna::GruOptions OptionsOf(const RecurrentNode& node, const RecurrentPass& pass, std::span<const float> bias,
                             std::span<const float>, lacuna::GruOptions) {
  return {.bias = bias,
          .f = pass.functions[0],
          .g = pass.functions[1],
          .clip = node.clip,
          .linear_before_reset = node.linear_before_reset};
}
lacuna::LstmOptions OptionsOf(const RecurrentNode& node, const RecurrentPass& pass, std::span<const float> bias,
                              std::span<const float> peephole, lacuna::LstmOptions) {
  return {.bias = bias,
          .peephole = peephole,
          .f = pass.functions[0],
          .g = pass.functions[1],
          .h = pass.functions[2],
          .clip = node.clip,
          .input_forget = node.input_forget};
}

using Weights = AnyWeights<float>;

// The part of `values` that belongs to direction d of `directions`; none of none.
std::span<const float> PartOf(const Tensor* values, size_t d, size_t directions) {
  if (values == nullptr) return {};
  const size_t size = values->floats.size() / directions;
  return std::span(values->floats).subspan(d * size, size);
}

// Nodes of one direction of ONNX's are one layer of lacuna's, bidirectional ones two.
template <class Options>
class RecurrentLayerStep : public Step {
 public:
  // What a direction is made of. Its weights are there until they are packed, or kept.
  struct Pass {
    Direction direction;
    Options options;  // viewing the graph
    std::optional<Weights> w, r;
  };

  RecurrentLayerStep(const StepContext& context, RecurrentNode node, std::vector<LayerWeights> w,
                     std::vector<LayerWeights> r)
      : Step(RuntimeInputs(*context.layer.node, node)),
        source_(*context.layer.node),
        node_(std::move(node)),
        scheme_(w[0].scheme.KindName()) {
    const Node& source = *context.layer.node;
    FindOperands(source);
    const auto constant = [&](size_t i) {
      return source.HasInput(i) ? context.graph.Constant(source.inputs[i]) : nullptr;
    };
    DescribeLayer();
    for (size_t d = 0; d < node_.passes.size(); ++d) {
      const std::string prefix = node_.passes.size() == 1 ? "" : d == 0 ? "forward " : "reverse ";
      DescribeProduct(prefix + "W", w[d]);
      DescribeProduct(prefix + "R", r[d]);
      passes_.push_back({.direction = node_.passes[d].direction,
                         .options = OptionsOf(node_, node_.passes[d], PartOf(constant(kBias), d, node_.passes.size()),
                                              PartOf(constant(kPeephole), d, node_.passes.size()), Options{}),
                         .w = std::move(w[d].format),
                         .r = std::move(r[d].format)});
    }
  }

  const WeightInfo* weight_info() const override { return &info_; }

  Status Prepare(const StepContext& context) {
    const lacuna::SequenceShape shape{.batch = node_.batch, .steps = StepsAtOnce(node_)};
    for (Pass& pass : passes_) {
      lacuna::SequenceShape own = shape;
      own.direction = pass.direction;
      auto layer = lacuna::RecurrentLayer<Options>::Make(ActiveKernels(), ActiveVectorKernels(), *pass.w, *pass.r,
                                                         pass.options, own, context.PolicyFor(scheme_));
      if (!layer.ok()) return layer.status();
      layers_.push_back(*std::move(layer));
    }
    DescribePlans();
    return Status();
  }

  Status UseReference() {
    info_.explanation = "reference";
    for (WeightInfo& product : info_.products) product.explanation = "reference";
    return Status();
  }

  // Precondition: the step does not run the reference.
  void ReleaseWeights() {
    info_.kept_bytes = 0;
    for (WeightInfo& product : info_.products) product.kept_bytes = 0;
    for (Pass& pass : passes_) {
      pass.w.reset();
      pass.r.reset();
    }
  }

  size_t WorkspaceBytes(size_t threads) const override {
    size_t bytes = 0;
    for (const lacuna::RecurrentLayer<Options>& layer : layers_) {
      bytes = std::max(bytes, layer.WorkspaceBytes(threads));
    }
    return bytes + StateBytes() * ((y_h_ < 0 ? 1 : 0) + (Options::kHasCellState && y_c_ < 0 ? 1 : 0));
  }

  Status Run(const StepArgs& args) const override {
    LACUNA_ASSIGN_OR_RETURN(operands, OperandsOf(args));
    InitialState(args, operands.h, operands.c);
    for (size_t d = 0; d < passes_.size(); ++d) {
      const auto direction = static_cast<int64_t>(d);
      if (!layers_.empty()) {
        LACUNA_RETURN_IF_ERROR(layers_[d].Run(
            Input(args), Output(operands.y, direction), {State(operands.h, direction), State(operands.c, direction)},
            {.workspace = operands.workspace, .lengths = operands.lengths}, args.threads));
      } else {
        LACUNA_RETURN_IF_ERROR(RunReference(passes_[d], args, operands, direction));
      }
    }
    ClearAbsent(operands.lengths, operands.h, operands.c);
    return Status();
  }

  // Errors of a step feed the next one, which a bound of the whole sequence cannot follow: it would allow anything
  // soon. So the layer runs once more a step at a time, each is held to the bound of one step from the state that the
  // layer itself had before it, and the outputs of the whole run must be those, bit for bit.
  Result<double> ErrorOverBound(const StepArgs& args) const override {
    if (layers_.empty()) return 0.0;  // it is the reference
    LACUNA_ASSIGN_OR_RETURN(operands, OperandsOf(args));
    const auto floats = static_cast<size_t>(Elements(node_.State()));
    LACUNA_ASSIGN_OR_RETURN(h, Buffer<float>::Make(floats));
    LACUNA_ASSIGN_OR_RETURN(c, Buffer<float>::Make(floats));
    InitialState(args, h.data(), c.data());
    double worst = 0.0;
    for (size_t d = 0; d < passes_.size(); ++d) {
      if (!passes_[d].w.has_value()) {
        return Status::InvalidArgument("weights were not kept, options.keep_weights must be set");
      }
      LACUNA_ASSIGN_OR_RETURN(ratio, StepByStep(d, args, operands, h.data(), c.data()));
      worst = std::max(worst, ratio);
    }
    ClearAbsent(operands.lengths, h.data(), c.data());
    const auto equal = [&](const float* actual, const Buffer<float>& expected) {
      return std::equal(expected.begin(), expected.end(), actual, Same);
    };
    const bool same = (y_h_ < 0 || equal(operands.h, h)) && (y_c_ < 0 || equal(operands.c, c));
    return same ? worst : std::numeric_limits<double>::infinity();
  }

 private:
  struct Operands {
    float* y = nullptr;              // null where Y is absent
    float* h = nullptr;              // states of all directions: Y_h and Y_c, or workspace where they are absent
    float* c = nullptr;              // of an LSTM only
    std::span<std::byte> workspace;  // the rest
    std::vector<int32_t> lengths{};  // of the sequences, or none
  };

  static std::vector<std::string> RuntimeInputs(const Node& node, const RecurrentNode& recurrent) {
    std::vector<std::string> inputs = {node.inputs[kX]};
    for (const size_t i : {kInitialH, kInitialC}) {
      if (node.HasInput(i)) inputs.push_back(node.inputs[i]);
    }
    if (recurrent.computed_lengths) inputs.push_back(node.inputs[kLengths]);
    return inputs;
  }

  static bool Same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

  // Which of Step::inputs() and of the outputs that are present each operand is.
  void FindOperands(const Node& node) {
    int input = 1, output = 0;
    if (node.HasInput(kInitialH)) initial_h_ = input++;
    if (node.HasInput(kInitialC)) initial_c_ = input++;
    lengths_ = static_cast<size_t>(input);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      (i == 0 ? y_ : i == 1 ? y_h_ : y_c_) = output++;
    }
  }

  size_t StateBytes() const {
    return lacuna::RoundUp(static_cast<size_t>(Elements(node_.State())) * sizeof(float), lacuna::kAlignment);
  }

  // ONNX is silent on what the final state of a sequence without steps is. It is 0, as in ONNX Runtime.
  void ClearAbsent(std::span<const int32_t> lengths, float* h, float* c) const {
    for (size_t b = 0; b < lengths.size(); ++b) {
      if (lengths[b] != 0) continue;
      for (int64_t d = 0; d < node_.directions(); ++d) {
        for (float* state : {h, Options::kHasCellState ? c : nullptr}) {
          if (state == nullptr) continue;
          const MatrixView<float> view = State(state, d);
          std::fill_n(view.data + static_cast<int64_t>(b) * view.column_stride, node_.hidden, 0.0f);
        }
      }
    }
  }

  Result<Operands> OperandsOf(const StepArgs& args) const {
    Operands operands{.workspace = args.workspace, .lengths = node_.lengths};
    if (node_.computed_lengths) {
      const std::span values(args.in<int64_t>(lengths_), static_cast<size_t>(node_.batch));
      LACUNA_ASSIGN_OR_RETURN(lengths, node_.CheckedLengths(source_, values));
      operands.lengths = std::move(lengths);
    }
    const auto output = [&](int i) { return args.out(static_cast<size_t>(i)); };
    const auto state = [&](int i) {
      if (i >= 0) return output(i);
      auto* const part = reinterpret_cast<float*>(operands.workspace.data());
      operands.workspace = operands.workspace.subspan(StateBytes());
      return part;
    };
    if (y_ >= 0) operands.y = output(y_);
    operands.h = state(y_h_);
    if (Options::kHasCellState) operands.c = state(y_c_);
    return operands;
  }

  void InitialState(const StepArgs& args, float* h, float* c) const {
    const auto fill = [&](int input, float* state) {
      const auto floats = static_cast<size_t>(Elements(node_.State()));
      if (input < 0) std::fill_n(state, floats, 0.0f);
      if (input >= 0) std::copy_n(args.in(static_cast<size_t>(input)), floats, state);
    };
    fill(initial_h_, h);
    if (Options::kHasCellState) fill(initial_c_, c);
  }

  // (time, batch, input)
  TensorView<const float, 3> Input(const StepArgs& args) const {
    return {args.in(0),
            {node_.steps, node_.batch, node_.input},
            {node_.batch_first ? node_.input : node_.batch * node_.input,
             node_.batch_first ? node_.steps * node_.input : node_.input, 1}};
  }
  // (time, batch, hidden) of a direction; null where y is.
  template <class T>
  TensorView<T, 3> Output(T* y, int64_t direction) const {
    if (y == nullptr) return {};
    const int64_t hidden = node_.hidden, all = node_.directions() * hidden;
    if (node_.batch_first) {
      return {y + direction * hidden, {node_.steps, node_.batch, hidden}, {all, node_.steps * all, 1}};
    }
    return {y + direction * node_.batch * hidden, {node_.steps, node_.batch, hidden}, {node_.batch * all, hidden, 1}};
  }
  // hidden x batch of a direction; null where `state` is.
  template <class T>
  MatrixView<T> State(T* state, int64_t direction) const {
    if (state == nullptr) return {};
    const int64_t hidden = node_.hidden;
    return {state + direction * (node_.batch_first ? hidden : node_.batch * hidden), hidden, node_.batch, 1,
            node_.batch_first ? node_.directions() * hidden : hidden};
  }

  lacuna::reference::RecurrentWeights ReferenceWeights(const DenseWeights<float>& w,
                                                       const DenseWeights<float>& r) const {
    return {node_.input, node_.hidden, w.values(), r.values()};
  }

  Status RunReference(const Pass& pass, const StepArgs& args, const Operands& operands, int64_t direction) const {
    LACUNA_ASSIGN_OR_RETURN(w, pass.w->ToDense());
    LACUNA_ASSIGN_OR_RETURN(r, pass.r->ToDense());
    const auto states = static_cast<size_t>(node_.batch * node_.hidden);
    LACUNA_ASSIGN_OR_RETURN(y, Buffer<double>::Make(static_cast<size_t>(node_.steps) * states));
    LACUNA_ASSIGN_OR_RETURN(h, Buffer<double>::Make(states));
    LACUNA_ASSIGN_OR_RETURN(c, Buffer<double>::Make(states));
    const auto view = [&](Buffer<double>& state) {
      return MatrixView<double>::ColumnMajor(state.data(), node_.hidden, node_.batch);
    };
    const MatrixView<float> to_h = State(operands.h, direction), to_c = State(operands.c, direction);
    Copy(to_h, view(h));
    if (Options::kHasCellState) Copy(to_c, view(c));
    const auto computed = TensorView<double, 3>::Planar(y.data(), {node_.steps, node_.batch, node_.hidden});
    LACUNA_RETURN_IF_ERROR(lacuna::reference::Recurrent<double>(ReferenceWeights(w, r), pass.options, pass.direction,
                                                                operands.lengths, Input(args), computed, view(h),
                                                                view(c)));
    Copy(view(h), to_h);
    if (Options::kHasCellState) Copy(view(c), to_c);
    const TensorView<float, 3> to = Output(operands.y, direction);
    for (int64_t t = 0; to.data != nullptr && t < node_.steps; ++t) {
      Copy(StepOf(computed, t), StepOf(to, t));
    }
    return Status();
  }

  // Step t of (time, batch, units) as units x batch.
  template <class T>
  static MatrixView<T> StepOf(const TensorView<T, 3>& view, int64_t t) {
    return {view.data + t * view.stride[0], view.extent[2], view.extent[1], view.stride[2], view.stride[1]};
  }

  template <class From, class To>
  static void Copy(const MatrixView<From>& from, const MatrixView<To>& to) {
    for (int64_t column = 0; column < from.columns; ++column) {
      for (int64_t row = 0; row < from.rows; ++row) {
        to.data[row * to.row_stride + column * to.column_stride] =
            static_cast<To>(from.data[row * from.row_stride + column * from.column_stride]);
      }
    }
  }

  // ErrorOverBound of a direction. `h` and `c` are initial states of all directions before and final ones afterwards.
  Result<double> StepByStep(size_t d, const StepArgs& args, const Operands& operands, float* h, float* c) const {
    const Pass& pass = passes_[d];
    const auto direction = static_cast<int64_t>(d);
    LACUNA_ASSIGN_OR_RETURN(w, pass.w->ToDense());
    LACUNA_ASSIGN_OR_RETURN(r, pass.r->ToDense());
    using Cell = lacuna::reference::RecurrentCell<Rounded, Options>;
    LACUNA_ASSIGN_OR_RETURN(cell, Cell::Make(ReferenceWeights(w, r), pass.options));
    const auto units = static_cast<size_t>(node_.hidden), states = units * static_cast<size_t>(node_.batch);
    LACUNA_ASSIGN_OR_RETURN(expected_h, Buffer<Rounded>::Make(states));
    LACUNA_ASSIGN_OR_RETURN(expected_c, Buffer<Rounded>::Make(states));
    const MatrixView<float> now_h = State(h, direction), now_c = State(c, direction);
    const TensorView<const float, 3> x = Input(args);
    const TensorView<float, 3> y = Output(operands.y, direction);
    std::vector<int32_t> active(static_cast<size_t>(node_.batch));
    double worst = 0.0;
    for (int64_t s = 0; s < node_.steps; ++s) {
      const int64_t t = pass.direction == Direction::kForward ? s : node_.steps - 1 - s;
      for (size_t b = 0; b < active.size(); ++b)
        active[b] = operands.lengths.empty() || t < operands.lengths[b] ? 1 : 0;
      for (size_t b = 0; b < active.size(); ++b) {
        Rounded* const cell_h = expected_h.data() + b * units;
        Rounded* const cell_c = expected_c.data() + b * units;
        const auto column = static_cast<int64_t>(b);
        for (size_t i = 0; i < units; ++i) {
          cell_h[i] = Rounded(double{At(now_h, i, b)});
          if (Options::kHasCellState) cell_c[i] = Rounded(double{At(now_c, i, b)});
        }
        if (active[b] != 0) cell.Step(x.data + t * x.stride[0] + column * x.stride[1], x.stride[2], cell_h, cell_c);
      }
      const TensorView<const float, 3> x_t = {x.data + t * x.stride[0], {1, node_.batch, node_.input}, x.stride};
      LACUNA_RETURN_IF_ERROR(
          layers_[d].Run(x_t, {}, {now_h, now_c}, {.workspace = operands.workspace, .lengths = active}, args.threads));
      for (size_t b = 0; b < active.size(); ++b) {
        for (size_t i = 0; i < units; ++i) {
          const float actual = At(now_h, i, b);
          worst = std::max(worst, expected_h[b * units + i].Ratio(actual));
          if (Options::kHasCellState) worst = std::max(worst, expected_c[b * units + i].Ratio(At(now_c, i, b)));
          if (y.data != nullptr && !Same(At(StepOf(y, t), i, b), active[b] != 0 ? actual : 0.0f)) {
            worst = std::numeric_limits<double>::infinity();
          }
        }
      }
    }
    return worst;
  }

  static float At(const MatrixView<float>& view, size_t row, size_t column) {
    return view.data[static_cast<int64_t>(row) * view.row_stride + static_cast<int64_t>(column) * view.column_stride];
  }

  void DescribeLayer() {
    const std::string rows = std::to_string(node_.rows()) + "x";
    info_.geometry = (node_.passes.size() == 2 ? "2x " : "") + rows + std::to_string(node_.input) + "+" + rows +
                     std::to_string(node_.hidden) + " t" + std::to_string(node_.steps);
    if (node_.batch != 1) info_.geometry += " n" + std::to_string(node_.batch);
    info_.steps = node_.steps;
    info_.sequences = node_.batch;
  }

  void DescribeProduct(const std::string& name, const LayerWeights& weights) {
    WeightInfo product;
    const lacuna::MatrixShape& shape = weights.format.shape();
    product.geometry = name + " " + std::to_string(shape.rows) + "x" + std::to_string(shape.columns);
    product.scheme = weights.scheme.Name();
    product.weights = shape.elements();
    product.nnz = weights.format.nnz();
    product.storage_bytes = weights.format.StorageBytes();
    product.kept_bytes = weights.viewed ? 0 : product.storage_bytes;
    product.dense_flops = 2.0 * static_cast<double>(shape.elements()) * static_cast<double>(node_.steps * node_.batch);
    if (info_.products.size() < 2 && info_.scheme != product.scheme) {  // directions share schemes, W and R need not
      info_.scheme += (info_.scheme.empty() ? "" : " ") + product.scheme;
    }
    info_.weights += product.weights;
    info_.nnz += product.nnz;
    info_.storage_bytes += product.storage_bytes;
    info_.kept_bytes += product.kept_bytes;
    info_.dense_flops += product.dense_flops;
    info_.products.push_back(std::move(product));
  }

  // The plans of W and R; a GRU that resets before its product has two of R, of which the larger one speaks.
  void DescribePlans() {
    for (size_t d = 0; d < passes_.size(); ++d) {
      const lacuna::RecurrentLayer<Options>& layer = layers_[d];
      Describe(layer.ExplainInput(), info_.products[2 * d]);
      for (size_t i = layer.step()->products(); i-- > 0;)
        Describe(layer.ExplainRecurrent(i), info_.products[2 * d + 1]);
    }
    for (const WeightInfo& product : info_.products) {
      info_.explanation += (info_.explanation.empty() ? "" : "; ") + product.geometry + ": " + product.explanation;
      info_.packed_bytes += product.packed_bytes;
    }
  }

  static void Describe(const lacuna::Explanation& plan, WeightInfo& product) {
    product.plan = plan;
    product.explanation = plan.ToString() + (product.explanation.empty() ? "" : "; " + product.explanation);
    product.packed_bytes += plan.packed_bytes;
  }

  const Node& source_;  // the graph outlives the step
  RecurrentNode node_;
  std::string scheme_;  // of saved choices
  std::vector<Pass> passes_;
  std::vector<lacuna::RecurrentLayer<Options>> layers_;  // of the passes, none where the reference runs
  WeightInfo info_;
  int initial_h_ = -1, initial_c_ = -1;  // -1: absent
  size_t lengths_ = 0;                   // if they are computed
  int y_ = -1, y_h_ = -1, y_c_ = -1;
};

template <class Options>
StepResult MakeStepOf(const StepContext& context, RecurrentNode node, std::vector<LayerWeights> w,
                      std::vector<LayerWeights> r) {
  auto step = std::make_unique<RecurrentLayerStep<Options>>(context, std::move(node), std::move(w), std::move(r));
  const Status status = context.reference ? step->UseReference() : step->Prepare(context);
  if (!status.ok()) return context.layer.node->About(status);
  if (!context.reference && !context.keep_weights) step->ReleaseWeights();
  return std::unique_ptr<Step>(std::move(step));
}

// Biases and peepholes become part of a plan.
Status CheckConstants(const StepContext& context) {
  const Node& node = *context.layer.node;
  for (const size_t i : {kW, kR, kBias, kPeephole}) {
    if (!node.HasInput(i)) continue;
    const Tensor* constant = context.graph.Constant(node.inputs[i]);
    const bool weights = i == kW || i == kR;
    if (constant != nullptr && (weights || !constant->generate)) continue;
    return Status::Make(StatusCode::kUnsupported, "%s: input %zu, '%s', must be a constant FLOAT tensor",
                        node.Label().c_str(), i, node.inputs[i].c_str());
  }
  return Status();
}

StepResult MakeRecurrentStep(const StepContext& context) {
  const Node& node = *context.layer.node;
  std::vector<Shape> values;
  for (size_t i = 0; i < node.inputs.size(); ++i) values.push_back(node.HasInput(i) ? context.InputShape(i) : Shape{});
  LACUNA_ASSIGN_OR_RETURN(recurrent, ReadRecurrent(context.graph, node, values));
  LACUNA_RETURN_IF_ERROR(CheckConstants(context));
  LACUNA_ASSIGN_OR_RETURN(matrices, WeightMatricesOf(context.graph, context.values, node));
  auto w = MakeDirectionWeights(context, matrices[0], 0);
  if (!w.ok()) return node.About(w.status());
  auto r = MakeDirectionWeights(context, matrices[1], 1);
  if (!r.ok()) return node.About(r.status());
  if (node.op == "RNN")
    return MakeStepOf<lacuna::RnnOptions>(context, std::move(recurrent), *std::move(w), *std::move(r));
  if (node.op == "GRU")
    return MakeStepOf<lacuna::GruOptions>(context, std::move(recurrent), *std::move(w), *std::move(r));
  return MakeStepOf<lacuna::LstmOptions>(context, std::move(recurrent), *std::move(w), *std::move(r));
}

// Y, Y_h and Y_c.
InferResult InferRecurrent(const NodeContext& at) {
  std::vector<Shape> shapes;
  for (const TensorInfo& input : at.inputs) shapes.push_back(input.shape);
  LACUNA_ASSIGN_OR_RETURN(recurrent, ReadRecurrent(at.graph, at.node, shapes));
  if (at.node.HasInput(kLengths) && IsFloating(at.type(kLengths))) {
    return Status::InvalidArgument("%s: input %zu, the lengths, must be integers", at.node.Label().c_str(),
                                   size_t{kLengths});
  }
  return std::vector<TensorInfo>{
      {at.type(), recurrent.Y()}, {at.type(), recurrent.State()}, {at.type(), recurrent.State()}};
}

constexpr Operator kRecurrentOperators[] = {
    {"GRU", 3, 6, 2, InferRecurrent, MakeRecurrentStep},
    {"LSTM", 3, 8, 3, InferRecurrent, MakeRecurrentStep},
    {"RNN", 3, 6, 2, InferRecurrent, MakeRecurrentStep},
};

}  // namespace

std::span<const Operator> RecurrentOperators() { return kRecurrentOperators; }

}  // namespace graph
