#include "graph/shape_inference.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/attributes.h"
#include "graph/index_map.h"
#include "graph/recurrent_node.h"
#include "graph/window.h"

namespace graph {
namespace {

struct NodeShapes {
  const Graph& graph;
  const Node& node;
  std::vector<Shape> inputs;  // empty for an absent input
};

Status ShapeError(const Node& node, size_t input, const Shape& shape, const std::string& must) {
  return Status::InvalidArgument("%s: input %zu has shape %s, must %s", node.Label().c_str(), input,
                                 ToString(shape).c_str(), must.c_str());
}

Result<Shape> SameAsInput(const NodeShapes& at) { return at.inputs[0]; }

Result<Shape> Broadcast(const NodeShapes& at) {
  LACUNA_ASSIGN_OR_RETURN(legacy, IntAttribute(at.node, "broadcast", 0));  // operator sets before 7
  if (legacy != 0 && at.node.attributes.contains("axis")) {
    return Status::Make(StatusCode::kUnsupported, "%s: attribute 'axis' of operator sets before 7 is not supported",
                        at.node.Label().c_str());
  }
  return BroadcastShapes(at.node, at.inputs[0], at.inputs[1]);
}

Result<Shape> ConvOutput(const NodeShapes& at) {
  const Shape& x = at.inputs[0];
  const Shape& w = at.inputs[1];
  LACUNA_ASSIGN_OR_RETURN(window, ConvWindow(at.node, x, w));
  LACUNA_ASSIGN_OR_RETURN(groups, IntAttribute(at.node, "group", 1));
  if (groups < 1 || x[1] % groups != 0 || w[0] % groups != 0 || x[1] / groups != w[1]) {
    return Status::InvalidArgument("%s: weights %s and group %lld do not fit the %lld input channels",
                                   at.node.Label().c_str(), ToString(w).c_str(), static_cast<long long>(groups),
                                   static_cast<long long>(x[1]));
  }
  if (at.node.HasInput(2) && at.inputs[2] != Shape{w[0]}) {
    return ShapeError(at.node, 2, at.inputs[2], "be " + ToString({w[0]}));
  }
  Shape y = {x[0], w[0]};
  y.insert(y.end(), window.output.begin(), window.output.end());
  return y;
}

Result<Shape> PoolOutput(const NodeShapes& at) {
  LACUNA_ASSIGN_OR_RETURN(window, PoolWindow(at.node, at.inputs[0]));
  Shape y = {at.inputs[0][0], at.inputs[0][1]};
  y.insert(y.end(), window.output.begin(), window.output.end());
  return y;
}

Result<Shape> GlobalPoolOutput(const NodeShapes& at) {
  Shape y = at.inputs[0];
  if (y.size() < 3) return ShapeError(at.node, 0, y, "have spatial axes");
  std::fill(y.begin() + 2, y.end(), 1);
  return y;
}

// Fails unless the integer attribute `name` has its one supported value, which is its default too.
Status RequireAttribute(const Node& node, const std::string& name, int64_t supported) {
  LACUNA_ASSIGN_OR_RETURN(value, IntAttribute(node, name, supported));
  if (value == supported) return Status();
  return Status::Make(StatusCode::kUnsupported, "%s: attribute '%s' is %lld, supported is %lld", node.Label().c_str(),
                      name.c_str(), static_cast<long long>(value), static_cast<long long>(supported));
}

Result<Shape> DropoutOutput(const NodeShapes& at) {
  if (!at.node.HasInput(2)) return at.inputs[0];
  const Tensor* training = at.graph.Constant(at.node.inputs[2]);
  if (training != nullptr && training->integers == std::vector<int64_t>{0}) return at.inputs[0];
  return Status::Make(StatusCode::kUnsupported, "%s: input 2, training_mode, must be a constant false",
                      at.node.Label().c_str());
}

Result<Shape> BatchNormalizationOutput(const NodeShapes& at) {
  LACUNA_RETURN_IF_ERROR(RequireAttribute(at.node, "training_mode", 0));
  LACUNA_RETURN_IF_ERROR(RequireAttribute(at.node, "spatial", 1));  // operator sets before 9
  const Shape& x = at.inputs[0];
  if (x.size() < 2) return ShapeError(at.node, 0, x, "have at least two axes");
  for (size_t i = 1; i < 5; ++i) {
    if (at.inputs[i] != Shape{x[1]}) return ShapeError(at.node, i, at.inputs[i], "be " + ToString({x[1]}));
  }
  return x;
}

Result<Shape> GemmOutput(const NodeShapes& at) {
  LACUNA_ASSIGN_OR_RETURN(trans_a, IntAttribute(at.node, "transA", 0));
  LACUNA_ASSIGN_OR_RETURN(trans_b, IntAttribute(at.node, "transB", 0));
  const Shape& a = at.inputs[0];
  const Shape& b = at.inputs[1];
  for (size_t i = 0; i < 2; ++i) {
    if (at.inputs[i].size() != 2) return ShapeError(at.node, i, at.inputs[i], "have two axes");
  }
  if (a[trans_a ? 0 : 1] != b[trans_b ? 1 : 0]) return ShapeError(at.node, 1, b, "fit input 0, " + ToString(a));
  const Shape y = {a[trans_a ? 1 : 0], b[trans_b ? 0 : 1]};
  if (at.node.HasInput(2)) {
    LACUNA_ASSIGN_OR_RETURN(with_c, BroadcastShapes(at.node, y, at.inputs[2]));
    if (with_c != y) return ShapeError(at.node, 2, at.inputs[2], "broadcast to " + ToString(y));
  }
  return y;
}

Result<Shape> MatMulOutput(const NodeShapes& at) {
  Shape a = at.inputs[0];
  Shape b = at.inputs[1];
  for (size_t i = 0; i < 2; ++i) {
    if (at.inputs[i].empty()) return ShapeError(at.node, i, at.inputs[i], "have at least one axis");
  }
  const bool vector_a = a.size() == 1;
  const bool vector_b = b.size() == 1;
  if (vector_a) a.insert(a.begin(), 1);
  if (vector_b) b.push_back(1);
  if (a.back() != b[b.size() - 2])
    return ShapeError(at.node, 1, at.inputs[1], "fit input 0, " + ToString(at.inputs[0]));
  LACUNA_ASSIGN_OR_RETURN(y, BroadcastShapes(at.node, Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2)));
  if (!vector_a) y.push_back(a[a.size() - 2]);
  if (!vector_b) y.push_back(b.back());
  return std::move(y);
}

Result<Shape> ConcatOutput(const NodeShapes& at) {
  Shape y = at.inputs[0];
  LACUNA_ASSIGN_OR_RETURN(axis, AxisAttribute(at.node, 1, static_cast<int64_t>(y.size())));
  const auto joined = static_cast<size_t>(axis);
  for (size_t i = 1; i < at.inputs.size(); ++i) {
    Shape rest = at.inputs[i];
    if (rest.size() != y.size()) return ShapeError(at.node, i, rest, "have the axes of input 0");
    const int64_t extent = rest[joined];
    rest[joined] = y[joined];
    if (rest != y) return ShapeError(at.node, i, at.inputs[i], "equal " + ToString(at.inputs[0]) + " but for the axis");
    y[joined] += extent;
  }
  return y;
}

Result<Shape> FlattenOutput(const NodeShapes& at) {
  const Shape& x = at.inputs[0];
  const auto rank = static_cast<int64_t>(x.size());
  LACUNA_ASSIGN_OR_RETURN(axis, IntAttribute(at.node, "axis", 1));
  if (axis < -rank || axis > rank) {
    return Status::InvalidArgument("%s: attribute 'axis' is %lld, must be in [%lld, %lld]", at.node.Label().c_str(),
                                   static_cast<long long>(axis), static_cast<long long>(-rank),
                                   static_cast<long long>(rank));
  }
  const auto split = x.begin() + (axis < 0 ? axis + rank : axis);
  return Shape{Elements(Shape(x.begin(), split)), Elements(Shape(split, x.end()))};
}

Result<Shape> ReshapeOutput(const NodeShapes& at) {
  const Shape& x = at.inputs[0];
  const Tensor* target = at.node.HasInput(1) ? at.graph.Constant(at.node.inputs[1]) : nullptr;
  if (target == nullptr || target->type != ElementType::kInteger || target->shape.size() != 1) {
    return Status::Make(StatusCode::kUnsupported, "%s: input 1, the shape, must be a constant list of integers",
                        at.node.Label().c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(allow_zero, IntAttribute(at.node, "allowzero", 0));
  Shape y = target->integers;
  int64_t known = 1;
  int64_t* open = nullptr;
  const Status misfit = ShapeError(at.node, 0, x, "have as many elements as the shape " + ToString(y));
  for (size_t axis = 0; axis < y.size(); ++axis) {
    if (y[axis] == 0 && allow_zero == 0) {
      if (axis >= x.size()) return misfit;
      y[axis] = x[axis];
    }
    if (y[axis] == -1 && open == nullptr) {
      open = &y[axis];
    } else if (y[axis] < 0 || y[axis] > kMaxTensorElements || known > kMaxTensorElements) {
      return misfit;
    } else {
      known *= y[axis];
    }
  }
  if (open != nullptr) {
    if (known == 0 || Elements(x) % known != 0) return misfit;
    *open = Elements(x) / known;
    known *= *open;
  }
  if (known != Elements(x)) return misfit;
  return y;
}

Result<Shape> SoftmaxOutput(const NodeShapes& at) {
  const auto rank = static_cast<int64_t>(at.inputs[0].size());
  LACUNA_RETURN_IF_ERROR(AxisAttribute(at.node, at.graph.opset < 13 ? 1 : -1, rank).status());
  return at.inputs[0];
}

Result<Shape> SliceOutput(const NodeShapes& at) {
  LACUNA_ASSIGN_OR_RETURN(axes, SliceOf(at.graph, at.node, at.inputs[0]));
  Shape y;
  for (const SlicedAxis& axis : axes) y.push_back(axis.extent);
  return y;
}

Result<Shape> ResizeOutput(const NodeShapes& at) {
  LACUNA_ASSIGN_OR_RETURN(axes, ResizeOf(at.graph, at.node, at.inputs[0]));
  Shape y;
  for (const ResizedAxis& axis : axes) y.push_back(axis.output);
  return y;
}

Result<Shape> TransposeOutput(const NodeShapes& at) {
  LACUNA_ASSIGN_OR_RETURN(order, TransposeOrder(at.node, at.inputs[0].size()));
  Shape y;
  for (const size_t axis : order) y.push_back(at.inputs[0][axis]);
  return y;
}

// The axes of a Squeeze or Unsqueeze, marked among `rank` of them: input 1, or an attribute before operator set 13.
Result<std::vector<bool>> MarkedAxes(const NodeShapes& at, size_t rank, const Shape& axes) {
  std::vector<bool> marked(rank, false);
  const auto limit = static_cast<int64_t>(rank);
  for (const int64_t axis : axes) {
    const int64_t from_front = axis < 0 ? axis + limit : axis;
    if (from_front < 0 || from_front >= limit || marked[static_cast<size_t>(from_front)]) {
      return Status::InvalidArgument("%s: its axes are %s, must be different ones in [%lld, %lld]",
                                     at.node.Label().c_str(), ToString(axes).c_str(), static_cast<long long>(-limit),
                                     static_cast<long long>(limit - 1));
    }
    marked[static_cast<size_t>(from_front)] = true;
  }
  return marked;
}

// Nothing if they are absent.
Result<std::optional<Shape>> AxesOf(const NodeShapes& at) {
  if (at.node.HasInput(1)) {
    const Tensor* axes = at.graph.Constant(at.node.inputs[1]);
    if (axes != nullptr && axes->type == ElementType::kInteger) return std::optional<Shape>(axes->integers);
    return Status::Make(StatusCode::kUnsupported, "%s: input 1, the axes, must be a constant list of integers",
                        at.node.Label().c_str());
  }
  if (!at.node.attributes.contains("axes")) return std::optional<Shape>();
  LACUNA_ASSIGN_OR_RETURN(axes, IntsAttribute(at.node, "axes", {}));
  return std::optional<Shape>(axes);
}

Result<Shape> SqueezeOutput(const NodeShapes& at) {
  const Shape& x = at.inputs[0];
  LACUNA_ASSIGN_OR_RETURN(axes, AxesOf(at));
  LACUNA_ASSIGN_OR_RETURN(removed, MarkedAxes(at, x.size(), axes.value_or(Shape{})));
  Shape y;
  for (size_t axis = 0; axis < x.size(); ++axis) {
    if (removed[axis] && x[axis] != 1) return ShapeError(at.node, 0, x, "have an extent of 1 on the axes to remove");
    if (axes.has_value() ? !removed[axis] : x[axis] != 1) y.push_back(x[axis]);
  }
  return y;
}

Result<Shape> UnsqueezeOutput(const NodeShapes& at) {
  const Shape& x = at.inputs[0];
  LACUNA_ASSIGN_OR_RETURN(axes, AxesOf(at));
  if (!axes.has_value()) return Status::InvalidArgument("%s: its axes must not be absent", at.node.Label().c_str());
  LACUNA_ASSIGN_OR_RETURN(added, MarkedAxes(at, x.size() + axes->size(), *axes));
  Shape y;
  auto rest = x.begin();
  for (const bool is_added : added) y.push_back(is_added ? 1 : *rest++);
  return y;
}

// Y, Y_h and Y_c.
Result<std::vector<Shape>> RecurrentOutputs(const NodeShapes& at) {
  LACUNA_ASSIGN_OR_RETURN(recurrent, ReadRecurrent(at.graph, at.node, at.inputs));
  return std::vector<Shape>{recurrent.Y(), recurrent.State(), recurrent.State()};
}

struct Inference {
  std::string_view op;
  Result<Shape> (*infer)(const NodeShapes&);
};

constexpr Inference kInference[] = {
    {"Add", Broadcast},
    {"AveragePool", PoolOutput},
    {"BatchNormalization", BatchNormalizationOutput},
    {"Clip", SameAsInput},
    {"Concat", ConcatOutput},
    {"Conv", ConvOutput},
    {"Dropout", DropoutOutput},
    {"Flatten", FlattenOutput},
    {"Gemm", GemmOutput},
    {"GlobalAveragePool", GlobalPoolOutput},
    {"HardSigmoid", SameAsInput},
    {"HardSwish", SameAsInput},
    {"Identity", SameAsInput},
    {"LeakyRelu", SameAsInput},
    {"MatMul", MatMulOutput},
    {"MaxPool", PoolOutput},
    {"Mul", Broadcast},
    {"Relu", SameAsInput},
    {"Reshape", ReshapeOutput},
    {"Resize", ResizeOutput},
    {"Sigmoid", SameAsInput},
    {"Slice", SliceOutput},
    {"Softmax", SoftmaxOutput},
    {"Squeeze", SqueezeOutput},
    {"Tanh", SameAsInput},
    {"Transpose", TransposeOutput},
    {"Unsqueeze", UnsqueezeOutput},
    {"Upsample", ResizeOutput},
};

// Of each output of the node.
Result<std::vector<Shape>> OutputShapes(const NodeShapes& at) {
  if (IsRecurrent(at.node)) return RecurrentOutputs(at);
  const auto* found = std::find_if(std::begin(kInference), std::end(kInference),
                                   [&](const Inference& entry) { return entry.op == at.node.op; });
  if (found == std::end(kInference)) {
    return Status::Make(StatusCode::kUnsupported, "node '%s': operator %s is not supported", at.node.name.c_str(),
                        at.node.op.c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(shape, found->infer(at));
  return std::vector<Shape>{std::move(shape)};
}

// Only these inputs may be integers; layers compute on floats.
bool MayBeInteger(const Node& node, size_t input) {
  return (node.op == "Reshape" && input == 1) || (node.op == "Dropout" && input == 2) ||
         (node.op == "Slice" && input > 0) || (node.op == "Resize" && input == 3) ||
         ((node.op == "Squeeze" || node.op == "Unsqueeze") && input == 1) || (IsRecurrent(node) && input == kLengths);
}

}  // namespace

Result<Shape> BroadcastShapes(const Node& node, const Shape& a, const Shape& b) {
  Shape y(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < y.size(); ++i) {  // from the last axis
    const int64_t extent_a = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t extent_b = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (extent_a != extent_b && extent_a != 1 && extent_b != 1) {
      return Status::InvalidArgument("%s: shapes %s and %s do not broadcast", node.Label().c_str(), ToString(a).c_str(),
                                     ToString(b).c_str());
    }
    y[y.size() - 1 - i] = extent_a == 1 ? extent_b : extent_a;
  }
  return y;
}

Result<Shapes> InferShapes(const Graph& graph, int64_t max_elements) {
  Shapes shapes;
  for (const auto& [name, tensor] : graph.initializers) shapes[name] = tensor.shape;
  for (const ValueInfo& input : graph.inputs) shapes[input.name] = input.shape;
  for (const Node& node : graph.nodes) {
    NodeShapes at{graph, node, {}};
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      at.inputs.push_back(node.HasInput(i) ? shapes[node.inputs[i]] : Shape{});
      const Tensor* constant = graph.Constant(node.inputs[i]);
      if (constant != nullptr && constant->type != ElementType::kFloat && !MayBeInteger(node, i)) {
        return Status::Make(StatusCode::kUnsupported, "%s: input %zu, '%s', has integer elements, supported is FLOAT",
                            node.Label().c_str(), i, node.inputs[i].c_str());
      }
    }
    LACUNA_ASSIGN_OR_RETURN(outputs, OutputShapes(at));
    for (size_t i = 0; i < std::min(outputs.size(), node.outputs.size()); ++i) {
      if (node.outputs[i].empty()) continue;
      LACUNA_RETURN_IF_ERROR(CheckedElements(outputs[i], max_elements, "the output of " + node.Label()).status());
      shapes[node.outputs[i]] = std::move(outputs[i]);
    }
  }
  return shapes;
}

}  // namespace graph
