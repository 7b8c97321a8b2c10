// Comparisons and logic: results are BOOL.

#include <cmath>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/elementwise.h"
#include "graph/shape_inference.h"

namespace graph {
namespace {

InferResult InferComparison(const NodeContext& at) {
  if (at.type(0) != at.type(1)) {
    return Status::InvalidArgument("%s: its inputs are %s and %s, must be of one type", at.node.Label().c_str(),
                                   ToString(at.type(0)), ToString(at.type(1)));
  }
  LACUNA_ASSIGN_OR_RETURN(y, BroadcastShapes(at.node, at.shape(0), at.shape(1)));
  return std::vector<TensorInfo>{{ElementType::kBool, std::move(y)}};
}

InferResult InferLogic(const NodeContext& at) {
  for (size_t i = 0; i < at.inputs.size(); ++i) {
    if (at.type(i) == ElementType::kBool) continue;
    return Status::InvalidArgument("%s: input %zu is %s, must be BOOL", at.node.Label().c_str(), i,
                                   ToString(at.type(i)));
  }
  return at.inputs.size() == 1 ? SameAsInput(at) : InferComparison(at);
}

template <class F>
StepResult MakeComparison(const StepContext& context) {
  return WithStorage(context.InputType(), [&](auto storage) {
    using T = typename decltype(storage)::type;
    return MakeBinaryStep<T, int64_t>(context, [](T a, T b) { return int64_t{F()(a, b)}; });
  });
}

struct Equal {
  bool operator()(auto a, auto b) const { return a == b; }
};
struct Greater {
  bool operator()(auto a, auto b) const { return a > b; }
};
struct GreaterOrEqual {
  bool operator()(auto a, auto b) const { return a >= b; }
};
struct Less {
  bool operator()(auto a, auto b) const { return a < b; }
};
struct LessOrEqual {
  bool operator()(auto a, auto b) const { return a <= b; }
};
struct And {
  bool operator()(auto a, auto b) const { return a != 0 && b != 0; }
};
struct Or {
  bool operator()(auto a, auto b) const { return a != 0 || b != 0; }
};
struct Xor {
  bool operator()(auto a, auto b) const { return (a != 0) != (b != 0); }
};

StepResult MakeNot(const StepContext& context) {
  return MakeUnaryStep<int64_t, int64_t>(context, [](int64_t x) { return x == 0 ? int64_t{1} : int64_t{0}; });
}

InferResult InferIs(const NodeContext& at) {
  if (!IsFloating(at.type())) return at.Unsupported("its input must be floats");
  return std::vector<TensorInfo>{{ElementType::kBool, at.shape(0)}};
}

StepResult MakeIsNan(const StepContext& context) {
  return MakeUnaryStep<float, int64_t>(context, [](float x) { return int64_t{std::isnan(x)}; });
}

StepResult MakeIsInf(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(negative, IntAttribute(*context.layer.node, "detect_negative", 1));
  LACUNA_ASSIGN_OR_RETURN(positive, IntAttribute(*context.layer.node, "detect_positive", 1));
  return MakeUnaryStep<float, int64_t>(
      context, [n = negative, p = positive](float x) { return int64_t{std::isinf(x) && (x < 0.0f ? n : p) != 0}; });
}

constexpr Operator kComparisonOperators[] = {
    {"And", 2, 2, 1, InferLogic, MakeComparison<And>},
    {"Equal", 2, 2, 1, InferComparison, MakeComparison<Equal>},
    {"Greater", 2, 2, 1, InferComparison, MakeComparison<Greater>},
    {"GreaterOrEqual", 2, 2, 1, InferComparison, MakeComparison<GreaterOrEqual>},
    {"IsInf", 1, 1, 1, InferIs, MakeIsInf},
    {"IsNaN", 1, 1, 1, InferIs, MakeIsNan},
    {"Less", 2, 2, 1, InferComparison, MakeComparison<Less>},
    {"LessOrEqual", 2, 2, 1, InferComparison, MakeComparison<LessOrEqual>},
    {"Not", 1, 1, 1, InferLogic, MakeNot},
    {"Or", 2, 2, 1, InferLogic, MakeComparison<Or>},
    {"Xor", 2, 2, 1, InferLogic, MakeComparison<Xor>},
};

}  // namespace

std::span<const Operator> ComparisonOperators() { return kComparisonOperators; }

}  // namespace graph
