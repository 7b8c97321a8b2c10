#include "graph/recurrent_node.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "graph/attributes.h"

namespace graph {
namespace {

using lacuna::Direction;
using lacuna::GateActivation;
using lacuna::GateFunction;

// What is fixed by the operator.
struct Cell {
  std::string_view op;
  int64_t gates;
  std::vector<std::string> activations;  // of one direction, by default
};

const Cell* FindCell(const std::string& op) {
  static const Cell kCells[] = {
      {"RNN", lacuna::RnnOptions::kGates, {"Tanh"}},
      {"GRU", lacuna::GruOptions::kGates, {"Sigmoid", "Tanh"}},
      {"LSTM", lacuna::LstmOptions::kGates, {"Sigmoid", "Tanh", "Tanh"}},
  };
  const auto* found =
      std::find_if(std::begin(kCells), std::end(kCells), [&](const Cell& entry) { return entry.op == op; });
  return found == std::end(kCells) ? nullptr : found;
}

bool TakesAlpha(GateActivation activation) {
  switch (activation) {
    case GateActivation::kAffine:
    case GateActivation::kLeakyRelu:
    case GateActivation::kThresholdedRelu:
    case GateActivation::kScaledTanh:
    case GateActivation::kHardSigmoid:
    case GateActivation::kElu: return true;
    default: return false;
  }
}

bool TakesBeta(GateActivation activation) {
  return activation == GateActivation::kAffine || activation == GateActivation::kScaledTanh ||
         activation == GateActivation::kHardSigmoid;
}

// activation_alpha or activation_beta: consumed in order by the activations that take such a value, which keep their
// default if the list ends before.
class Parameters {
 public:
  static Result<Parameters> Read(const Node& node, const char* name) {
    LACUNA_ASSIGN_OR_RETURN(values, FloatsAttribute(node, name, {}));
    return Parameters(node, name, std::move(values));
  }

  void Take(bool takes, float& value) {
    if (takes && used_ < values_.size()) value = values_[used_++];
  }
  Status CheckUsed() const {
    if (used_ == values_.size()) return Status();
    return Status::InvalidArgument("%s: attribute '%s' has %zu values, its activations take %zu",
                                   node_->Label().c_str(), name_, values_.size(), used_);
  }

 private:
  Parameters(const Node& node, const char* name, std::vector<float> values)
      : node_(&node), name_(name), values_(std::move(values)) {}

  const Node* node_;
  const char* name_;
  std::vector<float> values_;
  size_t used_ = 0;
};

Result<std::vector<Direction>> DirectionsOf(const Node& node) {
  LACUNA_ASSIGN_OR_RETURN(name, StringAttribute(node, "direction", "forward"));
  if (name == "forward") return std::vector{Direction::kForward};
  if (name == "reverse") return std::vector{Direction::kReverse};
  if (name == "bidirectional") return std::vector{Direction::kForward, Direction::kReverse};
  return Status::InvalidArgument("%s: attribute 'direction' is '%.40s', must be forward, reverse or bidirectional",
                                 node.Label().c_str(), name.c_str());
}

Result<std::vector<RecurrentPass>> PassesOf(const Node& node, const std::vector<std::string>& defaults) {
  LACUNA_ASSIGN_OR_RETURN(directions, DirectionsOf(node));
  std::vector<std::string> all;
  for (size_t i = 0; i < directions.size(); ++i) all.insert(all.end(), defaults.begin(), defaults.end());
  LACUNA_ASSIGN_OR_RETURN(names, StringsAttribute(node, "activations", all));
  if (names.size() != all.size()) {
    return Status::InvalidArgument("%s: attribute 'activations' has %zu names, must have %zu", node.Label().c_str(),
                                   names.size(), all.size());
  }
  LACUNA_ASSIGN_OR_RETURN(alpha, Parameters::Read(node, "activation_alpha"));
  LACUNA_ASSIGN_OR_RETURN(beta, Parameters::Read(node, "activation_beta"));
  std::vector<RecurrentPass> passes;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i % defaults.size() == 0) passes.push_back({.direction = directions[passes.size()]});
    auto function = GateFunction::Parse(names[i]);
    if (!function.ok()) {
      return Status::Make(StatusCode::kUnsupported, "%s: attribute 'activations': %s", node.Label().c_str(),
                          function.status().message());
    }
    alpha.Take(TakesAlpha(function->activation), function->alpha);
    beta.Take(TakesBeta(function->activation), function->beta);
    if (const Status status = function->Validate(names[i].c_str()); !status.ok()) return node.About(status);
    passes.back().functions[i % defaults.size()] = *function;
  }
  LACUNA_RETURN_IF_ERROR(alpha.CheckUsed());
  LACUNA_RETURN_IF_ERROR(beta.CheckUsed());
  return passes;
}

Result<bool> FlagAttribute(const Node& node, const char* name) {
  LACUNA_ASSIGN_OR_RETURN(value, IntAttribute(node, name, 0));
  if (value == 0 || value == 1) return value == 1;
  return Status::InvalidArgument("%s: attribute '%s' is %lld, must be 0 or 1", node.Label().c_str(), name,
                                 static_cast<long long>(value));
}

Status ReadAttributes(const Node& node, RecurrentNode& recurrent) {
  const Cell& op = *FindCell(node.op);
  recurrent.gates = op.gates;
  LACUNA_ASSIGN_OR_RETURN(passes, PassesOf(node, op.activations));
  recurrent.passes = std::move(passes);
  LACUNA_ASSIGN_OR_RETURN(clip, FloatAttribute(node, "clip", lacuna::kNoClip));
  if (!(clip > 0.0f)) {  // catches NaN
    return Status::InvalidArgument("%s: attribute 'clip' is %g, must be above 0", node.Label().c_str(),
                                   static_cast<double>(clip));
  }
  recurrent.clip = clip;
  LACUNA_ASSIGN_OR_RETURN(batch_first, FlagAttribute(node, "layout"));
  recurrent.batch_first = batch_first;
  if (node.op == "GRU") {
    LACUNA_ASSIGN_OR_RETURN(linear, FlagAttribute(node, "linear_before_reset"));
    recurrent.linear_before_reset = linear;
  }
  if (node.op == "LSTM") {
    LACUNA_ASSIGN_OR_RETURN(coupled, FlagAttribute(node, "input_forget"));
    recurrent.input_forget = coupled;
  }
  return Status();
}

// Reads the extents from X and R.
Status ReadExtents(const Node& node, const std::vector<Shape>& inputs, RecurrentNode& recurrent) {
  for (const size_t i : {kX, kW, kR}) {
    if (inputs[i].size() == 3) continue;
    return Status::InvalidArgument("%s: input %zu has shape %s, must have three axes", node.Label().c_str(), i,
                                   ToString(inputs[i]).c_str());
  }
  const Shape& x = inputs[kX];
  recurrent.steps = x[recurrent.batch_first ? 1 : 0];
  recurrent.batch = x[recurrent.batch_first ? 0 : 1];
  recurrent.input = x[2];
  recurrent.hidden = inputs[kR][2];
  if (recurrent.steps < 1 || recurrent.batch < 1 || recurrent.input < 1 || recurrent.hidden < 1) {
    return Status::Make(StatusCode::kUnsupported,
                        "%s: inputs 0 and 2 have values %s and %s, supported are no extents of 0", node.Label().c_str(),
                        ToString(x).c_str(), ToString(inputs[kR]).c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(hidden, IntAttribute(node, "hidden_size", recurrent.hidden));
  if (hidden == recurrent.hidden) return Status();
  return Status::InvalidArgument("%s: attribute 'hidden_size' is %lld, must be %lld as in input 2, %s",
                                 node.Label().c_str(), static_cast<long long>(hidden),
                                 static_cast<long long>(recurrent.hidden), ToString(inputs[kR]).c_str());
}

Status CheckInputs(const Node& node, const std::vector<Shape>& inputs, const RecurrentNode& recurrent) {
  const int64_t directions = recurrent.directions(), rows = recurrent.rows();
  const std::pair<size_t, Shape> expected[] = {
      {kW, {directions, rows, recurrent.input}},
      {kR, {directions, rows, recurrent.hidden}},
      {kBias, {directions, 2 * rows}},
      {kLengths, {recurrent.batch}},
      {kInitialH, recurrent.State()},
      {kInitialC, recurrent.State()},
      {kPeephole, {directions, 3 * recurrent.hidden}},
  };
  for (const auto& [i, shape] : expected) {
    if (!node.HasInput(i) || inputs[i] == shape) continue;
    return Status::InvalidArgument("%s: input %zu has shape %s, must be %s", node.Label().c_str(), i,
                                   ToString(inputs[i]).c_str(), ToString(shape).c_str());
  }
  return Status();
}

}  // namespace

// Lengths that are all the steps are left out.
Result<std::vector<int32_t>> RecurrentNode::CheckedLengths(const Node& node, std::span<const int64_t> values) const {
  std::vector<int32_t> checked;
  bool all = true;
  for (const int64_t length : values) {
    if (length < 0 || length > steps) {
      return Status::InvalidArgument("%s: input %zu, the lengths, has %lld, must be in [0, %lld]", node.Label().c_str(),
                                     size_t{kLengths}, static_cast<long long>(length), static_cast<long long>(steps));
    }
    all = all && length == steps;
    checked.push_back(static_cast<int32_t>(length));
  }
  if (all) checked.clear();
  return checked;
}

bool IsRecurrent(const Node& node) { return FindCell(node.op) != nullptr; }

Shape RecurrentNode::Y() const {
  return batch_first ? Shape{batch, steps, directions(), hidden} : Shape{steps, directions(), batch, hidden};
}

Shape RecurrentNode::State() const {
  return batch_first ? Shape{batch, directions(), hidden} : Shape{directions(), batch, hidden};
}

Result<RecurrentNode> ReadRecurrent(const Graph& graph, const Node& node, const std::vector<Shape>& inputs) {
  RecurrentNode recurrent;
  LACUNA_RETURN_IF_ERROR(ReadAttributes(node, recurrent));
  LACUNA_RETURN_IF_ERROR(ReadExtents(node, inputs, recurrent));
  LACUNA_RETURN_IF_ERROR(CheckInputs(node, inputs, recurrent));
  if (!node.HasInput(kLengths)) return recurrent;
  const Tensor* lengths = graph.Constant(node.inputs[kLengths]);
  recurrent.computed_lengths = lengths == nullptr;
  if (lengths == nullptr) return recurrent;
  if (lengths->IsFloats()) return recurrent;  // which inference refuses
  LACUNA_ASSIGN_OR_RETURN(checked, recurrent.CheckedLengths(node, lengths->integers));
  recurrent.lengths = std::move(checked);
  return recurrent;
}

}  // namespace graph
