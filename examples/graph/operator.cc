#include "graph/operator.h"

#include <algorithm>

#include "graph/attributes.h"

namespace graph {
namespace {

std::vector<Operator> SortedOperators() {
  std::vector<Operator> all;
  for (const std::span<const Operator> family :
       {ActivationOperators(), ArithmeticOperators(), ComparisonOperators(), ConstructionOperators(),
        ConvolutionOperators(), GatherOperators(), MatMulOperators(), MovementOperators(), NormalizationOperators(),
        PoolingOperators(), QuantizationOperators(), RecurrentOperators(), ReductionOperators(), ResizeOperators(), SelectionOperators(),
        ShapeOperators(), SortingOperators()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  std::sort(all.begin(), all.end(), [](const Operator& a, const Operator& b) { return a.name < b.name; });
  return all;
}

// Of outputs without elements, a batch of 0 say.
class NothingStep : public Step {
 public:
  using Step::Step;
  Status Run(const StepArgs&) const override { return Status(); }
};

}  // namespace

std::span<const Operator> AllOperators() {
  static const std::vector<Operator> all = SortedOperators();
  return all;
}

const Operator* FindOperator(std::string_view name) {
  const std::span<const Operator> all = AllOperators();
  const auto found = std::lower_bound(all.begin(), all.end(), name,
                                      [](const Operator& entry, std::string_view key) { return entry.name < key; });
  return found != all.end() && found->name == name ? &*found : nullptr;
}

Status CheckOperator(const Node& node) {
  const Operator* found = FindOperator(node.op);
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

bool IsView(const Node& node) {
  const Operator* found = FindOperator(node.op);
  return found != nullptr && found->make == nullptr;
}

InferResult SameAsInput(const NodeContext& at) { return std::vector<TensorInfo>{at.inputs[0]}; }

StepResult MakeStep(const StepContext& context) {
  const auto is_empty = [&](const std::string& output) { return Elements(context.values.at(output).shape) == 0; };
  if (is_empty(context.layer.output) &&
      std::all_of(context.layer.further.begin(), context.layer.further.end(), is_empty)) {
    return std::unique_ptr<Step>(new NothingStep(std::vector<std::string>()));
  }
  return FindOperator(context.layer.node->op)->make(context);
}

Status MustBeFloats(const NodeContext& at) {
  for (size_t i = 0; i < at.inputs.size(); ++i) {
    if (IsFloating(at.type(i))) continue;
    return at.Unsupported("input " + std::to_string(i) + " is " + ToString(at.type(i)) + ", must be floats");
  }
  return Status();
}

InferResult InferFloats(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeFloats(at));
  return SameAsInput(at);
}

NodeContext StepContext::At() const { return ContextOf(graph, *layer.node, values); }

KernelPolicy StepContext::PolicyFor(std::string_view scheme) const {
  KernelPolicy policy;
  policy.cost = kernels.cost;
  policy.winograd_error = kernels.winograd_error;
  policy.scheme = scheme;
  policy.select = KernelSelector(kernels, measuring);
  return policy;
}

NodeContext ContextOf(const Graph& graph, const Node& node, const Values& values) {
  NodeContext at{graph, node, {}};
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    at.inputs.push_back(node.HasInput(i) ? values.at(node.inputs[i]) : TensorInfo{});
  }
  return at;
}

Result<std::optional<Shape>> NodeContext::Integers(size_t i) const {
  if (!node.HasInput(i)) return std::optional<Shape>();
  const Tensor* tensor = Constant(i);
  if (tensor != nullptr && !tensor->IsFloats() && tensor->shape.size() <= 1) {
    return std::optional<Shape>(tensor->integers);
  }
  return Status::Make(StatusCode::kUnsupported, "%s: input %zu, '%s', must be a constant list of integers",
                      node.Label().c_str(), i, node.inputs[i].c_str());
}

Result<std::optional<Shape>> NodeContext::IntegersSince(int64_t since, size_t i, const std::string& name) const {
  if (graph.opset >= since) return Integers(i);
  if (!node.attributes.contains(name)) return std::optional<Shape>();
  LACUNA_ASSIGN_OR_RETURN(values, IntsAttribute(node, name, {}));
  return std::optional<Shape>(std::move(values));
}

Result<size_t> NodeContext::Axis(int64_t axis, int64_t limit) const {
  if (axis >= -limit && axis < limit) return static_cast<size_t>(axis < 0 ? axis + limit : axis);
  return Status::InvalidArgument("%s: axis is %lld, must be in [%lld, %lld]", node.Label().c_str(),
                                 static_cast<long long>(axis), static_cast<long long>(-limit),
                                 static_cast<long long>(limit - 1));
}

Result<std::vector<size_t>> NodeContext::Axes(const Shape& axes, int64_t limit) const {
  std::vector<size_t> result;
  for (const int64_t axis : axes) {
    const int64_t from_front = axis < 0 ? axis + limit : axis;
    if (from_front < 0 || from_front >= limit ||
        std::find(result.begin(), result.end(), static_cast<size_t>(from_front)) != result.end()) {
      return Status::InvalidArgument("%s: its axes are %s, must be different ones in [%lld, %lld]",
                                     node.Label().c_str(), ToString(axes).c_str(), static_cast<long long>(-limit),
                                     static_cast<long long>(limit - 1));
    }
    result.push_back(static_cast<size_t>(from_front));
  }
  return result;
}

Status NodeContext::ShapeError(size_t input, const std::string& must) const {
  return Status::InvalidArgument("%s: input %zu has shape %s, must %s", node.Label().c_str(), input,
                                 ToString(shape(input)).c_str(), must.c_str());
}

Status NodeContext::Unsupported(const std::string& what) const {
  return Status::Make(StatusCode::kUnsupported, "%s: %s", node.Label().c_str(), what.c_str());
}

}  // namespace graph
