// Operator: all that the executor knows of one ONNX operator, one table entry each. A family of operators is one file
// in operators/.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATOR_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATOR_H_

#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "graph/step.h"

namespace graph {

// What is known of a node before anything is computed.
struct NodeContext {
  const Graph& graph;
  const Node& node;
  std::vector<TensorInfo> inputs;  // that of an absent one is a FLOAT scalar

  const Shape& shape(size_t i) const { return inputs[i].shape; }
  ElementType type(size_t i = 0) const { return inputs[i].type; }
  int64_t rank(size_t i = 0) const { return static_cast<int64_t>(shape(i).size()); }
  // Input i where its values are known, else null.
  const Tensor* Constant(size_t i) const { return node.HasInput(i) ? graph.Constant(node.inputs[i]) : nullptr; }
  // The elements of input i, which must be known integers: nothing if it is absent.
  Result<std::optional<Shape>> Integers(size_t i) const;
  // Input i, or in operator sets before `since` the attribute `name`: nothing if it is absent.
  Result<std::optional<Shape>> IntegersSince(int64_t since, size_t i, const std::string& name) const;
  // An axis counted from the front; an error unless it is in [-limit, limit).
  Result<size_t> Axis(int64_t axis, int64_t limit) const;
  // The same of several, which must differ.
  Result<std::vector<size_t>> Axes(const Shape& axes, int64_t limit) const;
  // "Conv node 'features.0': input 1 has shape [3, 4], must ..."
  Status ShapeError(size_t input, const std::string& must) const;
  // kUnsupported: "Conv node 'features.0': ..."
  Status Unsupported(const std::string& what) const;
};

using InferResult = Result<std::vector<TensorInfo>>;

struct Operator {
  static constexpr size_t kAny = std::numeric_limits<size_t>::max();

  std::string_view name;
  size_t min_inputs = 0;
  size_t max_inputs = kAny;
  size_t max_outputs = 1;  // that are computed; further ones must stay unread
  // Type and shape of each output. Checks all that can be wrong with the node.
  InferResult (*infer)(const NodeContext&) = nullptr;
  // Null: the output is input 0 under another shape. It shares its memory and has no step.
  StepResult (*make)(const StepContext&) = nullptr;
  // Extents of outputs depend on the values of inputs: inference needs these.
  bool extents_by_data = false;
};

// The families, sorted by name inside each.
std::span<const Operator> ActivationOperators();
std::span<const Operator> ArithmeticOperators();
std::span<const Operator> ComparisonOperators();
std::span<const Operator> ConstructionOperators();
std::span<const Operator> ConvolutionOperators();
std::span<const Operator> GatherOperators();
std::span<const Operator> MatMulOperators();
std::span<const Operator> MovementOperators();
std::span<const Operator> NormalizationOperators();
std::span<const Operator> PoolingOperators();
std::span<const Operator> QuantizationOperators();
std::span<const Operator> RecurrentOperators();
std::span<const Operator> ReductionOperators();
std::span<const Operator> ResizeOperators();
std::span<const Operator> SelectionOperators();
std::span<const Operator> ShapeOperators();
std::span<const Operator> SortingOperators();

// All of them, sorted by name.
std::span<const Operator> AllOperators();

// Null if it is not supported.
const Operator* FindOperator(std::string_view name);

// Ok if `node` is a supported operator with a valid number of inputs and of used outputs; otherwise an error that names
// it.
Status CheckOperator(const Node& node);

// Operators whose output is their first input under another shape: they share its memory and have no step.
bool IsView(const Node& node);

// Outputs of the same type and shape as input 0.
InferResult SameAsInput(const NodeContext& at);
// An error where an input is not of floats.
Status MustBeFloats(const NodeContext& at);
// SameAsInput, of floats alone.
InferResult InferFloats(const NodeContext& at);

// What `values` say of the node's inputs. Precondition: they hold all of them.
NodeContext ContextOf(const Graph& graph, const Node& node, const Values& values);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATOR_H_
