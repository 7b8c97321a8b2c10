// Shape, Size, Reshape, Flatten, Squeeze, Unsqueeze, Identity and Dropout: nothing is computed.

#include <algorithm>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"

namespace graph {
namespace {

InferResult View(const NodeContext& at, Shape shape) { return std::vector<TensorInfo>{{at.type(), std::move(shape)}}; }

InferResult InferDropout(const NodeContext& at) {
  if (at.node.HasInput(2)) {
    const Tensor* training = at.Constant(2);
    if (training == nullptr || training->integers != std::vector<int64_t>{0}) {
      return at.Unsupported("input 2, training_mode, must be a constant false");
    }
  }
  return SameAsInput(at);
}

InferResult InferFlatten(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(axis, IntAttribute(at.node, "axis", 1));
  if (axis < -at.rank() || axis > at.rank()) {
    return Status::InvalidArgument("%s: attribute 'axis' is %lld, must be in [%lld, %lld]", at.node.Label().c_str(),
                                   static_cast<long long>(axis), static_cast<long long>(-at.rank()),
                                   static_cast<long long>(at.rank()));
  }
  const Shape& x = at.shape(0);
  const auto split = x.begin() + (axis < 0 ? axis + at.rank() : axis);
  return View(at, {Elements(Shape(x.begin(), split)), Elements(Shape(split, x.end()))});
}

InferResult InferReshape(const NodeContext& at) {
  const Shape& x = at.shape(0);
  LACUNA_ASSIGN_OR_RETURN(target, at.IntegersSince(5, 1, "shape"));
  if (!target.has_value()) return Status::InvalidArgument("%s: its shape must not be absent", at.node.Label().c_str());
  LACUNA_ASSIGN_OR_RETURN(allow_zero, IntAttribute(at.node, "allowzero", 0));
  Shape y = *std::move(target);
  int64_t known = 1;
  int64_t* open = nullptr;
  const Status misfit = at.ShapeError(0, "have as many elements as the shape " + ToString(y));
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
  return View(at, std::move(y));
}

InferResult InferSqueeze(const NodeContext& at) {
  const Shape& x = at.shape(0);
  LACUNA_ASSIGN_OR_RETURN(given, at.IntegersSince(13, 1, "axes"));
  LACUNA_ASSIGN_OR_RETURN(axes, at.Axes(given.value_or(Shape{}), at.rank()));
  Shape y;
  for (size_t axis = 0; axis < x.size(); ++axis) {
    const bool named = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (named && x[axis] != 1) return at.ShapeError(0, "have an extent of 1 on the axes to remove");
    if (given.has_value() ? !named : x[axis] != 1) y.push_back(x[axis]);
  }
  return View(at, std::move(y));
}

InferResult InferUnsqueeze(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, at.IntegersSince(13, 1, "axes"));
  if (!given.has_value()) return Status::InvalidArgument("%s: its axes must not be absent", at.node.Label().c_str());
  const size_t rank = at.shape(0).size() + given->size();
  LACUNA_ASSIGN_OR_RETURN(axes, at.Axes(*given, static_cast<int64_t>(rank)));
  Shape y;
  auto rest = at.shape(0).begin();
  for (size_t axis = 0; axis < rank; ++axis) {
    y.push_back(std::find(axes.begin(), axes.end(), axis) != axes.end() ? 1 : *rest++);
  }
  return View(at, std::move(y));
}

// Values that are known once shapes are.
class ConstantStep : public Step {
 public:
  explicit ConstantStep(Shape values) : Step({}), values_(std::move(values)) {}
  Status Run(const StepArgs& args) const override {
    std::copy(values_.begin(), values_.end(), args.out<int64_t>());
    return Status();
  }

 private:
  Shape values_;
};

// The axes [start, end) of the input's shape.
Result<Shape> ShapeOf(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(start, IntAttribute(at.node, "start", 0));
  LACUNA_ASSIGN_OR_RETURN(end, IntAttribute(at.node, "end", at.rank()));
  const auto clamped = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + at.rank() : axis, 0, at.rank());
  };
  const auto begin = at.shape(0).begin();
  const int64_t first = clamped(start);
  return Shape(begin + first, begin + std::max(first, clamped(end)));
}

InferResult InferShape(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(shape, ShapeOf(at));
  return std::vector<TensorInfo>{{ElementType::kInt64, {static_cast<int64_t>(shape.size())}}};
}

StepResult MakeShapeStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(shape, ShapeOf(context.At()));
  return std::unique_ptr<Step>(new ConstantStep(std::move(shape)));
}

InferResult InferSize(const NodeContext&) { return std::vector<TensorInfo>{{ElementType::kInt64, {}}}; }

StepResult MakeSizeStep(const StepContext& context) {
  return std::unique_ptr<Step>(new ConstantStep({Elements(context.InputShape(0))}));
}

constexpr Operator kShapeOperators[] = {
    {"Dropout", 1, 3, 1, InferDropout},
    {"Flatten", 1, 1, 1, InferFlatten},
    {"Identity", 1, 1, 1, SameAsInput},
    {"Reshape", 1, 2, 1, InferReshape},
    {"Shape", 1, 1, 1, InferShape, MakeShapeStep},
    {"Size", 1, 1, 1, InferSize, MakeSizeStep},
    {"Squeeze", 1, 2, 1, InferSqueeze},
    {"Unsqueeze", 1, 2, 1, InferUnsqueeze},
};

}  // namespace

std::span<const Operator> ShapeOperators() { return kShapeOperators; }

}  // namespace graph
