#include "graph/operators.h"

#include <limits>
#include <string>

namespace graph {
namespace {

constexpr size_t kAny = std::numeric_limits<size_t>::max();

constexpr OperatorArity kOperators[] = {
    {"Add", 2, 2},         {"AveragePool", 1, 1}, {"BatchNormalization", 5, 5},
    {"Clip", 1, 3},        {"Concat", 1, kAny},   {"Constant", 0, 0},
    {"Conv", 2, 3},        {"Dropout", 1, 3},     {"Flatten", 1, 1},
    {"GRU", 3, 6, 2},      {"Gemm", 2, 3},        {"GlobalAveragePool", 1, 1},
    {"HardSigmoid", 1, 1}, {"HardSwish", 1, 1},   {"Identity", 1, 1},
    {"LSTM", 3, 8, 3},     {"LeakyRelu", 1, 1},   {"MatMul", 2, 2},
    {"MaxPool", 1, 1},     {"Mul", 2, 2},         {"RNN", 3, 6, 2},
    {"Relu", 1, 1},        {"Reshape", 1, 2},     {"Resize", 1, 4},
    {"Sigmoid", 1, 1},     {"Slice", 1, 5},       {"Softmax", 1, 1},
    {"Squeeze", 1, 2},     {"Tanh", 1, 1},        {"Transpose", 1, 1},
    {"Unsqueeze", 1, 2},   {"Upsample", 1, 2},
};

}  // namespace

std::span<const OperatorArity> SupportedOperators() { return kOperators; }

Status CheckOperator(const Node& node) {
  const OperatorArity* found = nullptr;
  for (const OperatorArity& candidate : kOperators) {
    if (candidate.op == node.op) found = &candidate;
  }
  if (found == nullptr) {
    return Status::Make(StatusCode::kUnsupported, "node '%s': operator %s is not supported", node.name.c_str(),
                        node.op.c_str());
  }
  if (node.inputs.size() < found->min_inputs || node.inputs.size() > found->max_inputs) {
    return Status::InvalidArgument("%s has %zu inputs, must have %zu to %zu", node.Label().c_str(), node.inputs.size(),
                                   found->min_inputs, found->max_inputs);
  }
  for (size_t i = 0; i < found->min_inputs; ++i) {
    if (!node.HasInput(i)) return Status::InvalidArgument("%s: input %zu must not be absent", node.Label().c_str(), i);
  }
  for (size_t i = found->max_outputs; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    return Status::Make(StatusCode::kUnsupported, "%s: output %zu is not supported, only the first %s",
                        node.Label().c_str(), i,
                        found->max_outputs == 1 ? "is" : (std::to_string(found->max_outputs) + " are").c_str());
  }
  return Status();
}

}  // namespace graph
