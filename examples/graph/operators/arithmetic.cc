// Arithmetic on elements: of one operand, of two with broadcasting, of any number; Cast.

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/elementwise.h"
#include "graph/shape_inference.h"

namespace graph {
namespace {

Status TypesDiffer(const NodeContext& at, size_t i) {
  return Status::InvalidArgument("%s: input %zu is %s, must be %s as input 0", at.node.Label().c_str(), i,
                                 ToString(at.type(i)), ToString(at.type()));
}

// Wraps what a function of int64_t gives to an integer type of the model; floats stay what they are.
template <class F>
struct WrappedTo {
  ElementType type;
  F f;

  template <class... T>
  auto operator()(T... operands) const {
    if constexpr ((std::is_same_v<T, int64_t> && ...)) {
      return Wrapped(type, f(operands...));
    } else {
      return f(operands...);
    }
  }
};

// Two's complement, where int64_t would overflow.
template <class F>
int64_t Unsigned(int64_t a, int64_t b, F f) {
  return static_cast<int64_t>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
}

struct Add {
  static constexpr Binary kLoop = Binary::kAdd;
  float operator()(float a, float b) const { return a + b; }
  int64_t operator()(int64_t a, int64_t b) const { return Unsigned(a, b, std::plus<>()); }
};
struct Subtract {
  static constexpr Binary kLoop = Binary::kSubtract;
  float operator()(float a, float b) const { return a - b; }
  int64_t operator()(int64_t a, int64_t b) const { return Unsigned(a, b, std::minus<>()); }
};
struct Multiply {
  static constexpr Binary kLoop = Binary::kMultiply;
  float operator()(float a, float b) const { return a * b; }
  int64_t operator()(int64_t a, int64_t b) const { return Unsigned(a, b, std::multiplies<>()); }
};
// Integers are divided towards zero; by zero gives zero.
struct Divide {
  static constexpr Binary kLoop = Binary::kDivide;
  float operator()(float a, float b) const { return a / b; }
  int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0) return 0;
    return b == -1 ? Unsigned(0, a, std::minus<>()) : a / b;
  }
};
struct Maximum {
  static constexpr Binary kLoop = Binary::kMax;
  // NaN if either is.
  float operator()(float a, float b) const { return a > b || std::isnan(a) ? a : b; }
  int64_t operator()(int64_t a, int64_t b) const { return std::max(a, b); }
};
struct Minimum {
  static constexpr Binary kLoop = Binary::kMin;
  float operator()(float a, float b) const { return a < b || std::isnan(a) ? a : b; }
  int64_t operator()(int64_t a, int64_t b) const { return std::min(a, b); }
};
// The sign of the divisor, as Python has it.
struct Modulo {
  float operator()(float a, float b) const {
    const float rest = std::fmod(a, b);
    return rest != 0.0f && (rest < 0.0f) != (b < 0.0f) ? rest + b : rest;
  }
  int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0 || b == -1) return 0;
    const int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
};
// The sign of the dividend, as C has it.
struct Remainder {
  float operator()(float a, float b) const { return std::fmod(a, b); }
  int64_t operator()(int64_t a, int64_t b) const { return b == 0 || b == -1 ? 0 : a % b; }
};
struct BitAnd {
  float operator()(float, float) const { return 0.0f; }  // inference admits integers alone
  int64_t operator()(int64_t a, int64_t b) const { return a & b; }
};
struct BitOr {
  float operator()(float, float) const { return 0.0f; }
  int64_t operator()(int64_t a, int64_t b) const { return a | b; }
};
struct BitXor {
  float operator()(float, float) const { return 0.0f; }
  int64_t operator()(int64_t a, int64_t b) const { return a ^ b; }
};

InferResult InferBinary(const NodeContext& at) {
  if (at.type(1) != at.type()) return TypesDiffer(at, 1);
  const Shape second = SecondOperand(at.graph, at.node, at.shape(0), at.shape(1));
  LACUNA_ASSIGN_OR_RETURN(y, BroadcastShapes(at.node, at.shape(0), second));
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

InferResult InferBits(const NodeContext& at) {
  if (IsFloating(at.type())) return at.Unsupported("its inputs must be integers");
  return InferBinary(at);
}

template <class F>
StepResult MakeArithmetic(const StepContext& context) {
  const ElementType type = context.InputType();
  if (IsFloating(type)) return MakeBinaryStep<float, float>(context, F());
  return MakeBinaryStep<int64_t, int64_t>(context, WrappedTo<F>{type, F()});
}

InferResult InferModulo(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(fmod, IntAttribute(at.node, "fmod", 0));
  if (fmod == 0 && IsFloating(at.type())) return at.Unsupported("attribute 'fmod' must be 1 for floats");
  return InferBinary(at);
}

StepResult MakeModulo(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(fmod, IntAttribute(*context.layer.node, "fmod", 0));
  return fmod != 0 ? MakeArithmetic<Remainder>(context) : MakeArithmetic<Modulo>(context);
}

// a^b. The exponent has a type of its own; squares and roots, which most networks have, are spelled out.
InferResult InferPower(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(y, BroadcastShapes(at.node, at.shape(0), at.shape(1)));
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

template <class X, class E>
class PowerStep : public Step {
 public:
  explicit PowerStep(const StepContext& context)
      : Step(context.layer.node->inputs),
        type_(context.OutputType()),
        walk_(context.OutputShape(), {context.InputShape(0), context.InputShape(1)}) {}

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(walk_.rows(), [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        Row(args.in<X>(0) + walk_.Offset(0, row), args.in<E>(1) + walk_.Offset(1, row),
            args.out<X>() + row * walk_.columns());
      }
    });
    return Status();
  }

 private:
  void Row(const X* x, const E* exponent, X* y) const {
    const int64_t walk_x = walk_.stride(0), walk_e = walk_.stride(1);
    const bool square = walk_e == 0 && *exponent == E{2};
    for (int64_t i = 0; i < walk_.columns(); ++i) {
      const X base = x[i * walk_x];
      if constexpr (std::is_same_v<X, float>) {
        y[i] = square ? base * base : std::pow(base, static_cast<float>(exponent[i * walk_e]));
      } else {
        y[i] = Wrapped(type_, Integer(static_cast<double>(base), static_cast<double>(exponent[i * walk_e])));
      }
    }
  }

  static int64_t Integer(double base, double exponent) {
    const double power = std::pow(base, exponent);
    constexpr auto kLimit = 9223372036854775807.0;
    return std::isnan(power)  ? 0
           : power >= kLimit  ? std::numeric_limits<int64_t>::max()
           : power <= -kLimit ? std::numeric_limits<int64_t>::min()
                              : static_cast<int64_t>(power);
  }

  ElementType type_;
  Broadcast<2> walk_;
};

template <class X>
StepResult MakePowerOf(const StepContext& context) {
  if (IsFloating(context.InputType(1))) return std::unique_ptr<Step>(new PowerStep<X, float>(context));
  return std::unique_ptr<Step>(new PowerStep<X, int64_t>(context));
}

StepResult MakePower(const StepContext& context) {
  const Tensor* exponent = context.graph.Constant(context.layer.node->inputs[1]);
  const bool square = exponent != nullptr && Elements(exponent->shape) == 1 &&
                      (exponent->IsFloats() ? exponent->floats[0] == 2.0f : exponent->integers[0] == 2);
  if (square && IsFloating(context.InputType()) && context.InputShape(0) == context.OutputShape()) {
    return MakeVectorStep(context, Unary::kSquare);
  }
  return IsFloating(context.InputType()) ? MakePowerOf<float>(context) : MakePowerOf<int64_t>(context);
}

StepResult MakeBitShift(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(direction, StringAttribute(*context.layer.node, "direction", ""));
  const bool left = direction == "LEFT";
  const auto shift = [left](int64_t a, int64_t b) -> int64_t {
    if (b < 0 || b > 63) return 0;
    const auto bits = static_cast<uint64_t>(a);
    return static_cast<int64_t>(left ? bits << b : bits >> b);
  };
  return MakeBinaryStep<int64_t, int64_t>(context, WrappedTo<decltype(shift)>{context.InputType(), shift});
}

// Max, Min, Sum and Mean of any number of operands, one after the other into the output.
InferResult InferVariadic(const NodeContext& at) {
  TensorInfo y = at.inputs[0];
  for (size_t i = 0; i < at.inputs.size(); ++i) {
    if (!at.node.HasInput(i)) return Status::InvalidArgument("%s: input %zu is absent", at.node.Label().c_str(), i);
    if (at.type(i) != y.type) return TypesDiffer(at, i);
    LACUNA_ASSIGN_OR_RETURN(shape, BroadcastShapes(at.node, y.shape, at.shape(i)));
    y.shape = std::move(shape);
  }
  return std::vector<TensorInfo>{std::move(y)};
}

template <class T, class F>
class VariadicStep : public Step {
 public:
  VariadicStep(const StepContext& context, F f, bool mean)
      : Step(context.layer.node->inputs), f_(std::move(f)), mean_(mean), elements_(Elements(context.OutputShape())) {
    for (size_t i = 0; i < inputs().size(); ++i) {
      walks_.emplace_back(context.OutputShape(), std::array<Shape, 1>{context.InputShape(i)});
    }
  }

  Status Run(const StepArgs& args) const override {
    T* y = args.out<T>();
    Each(args, 0, [&](T& sum, T x) { sum = x; });
    for (size_t i = 1; i < walks_.size(); ++i) Each(args, i, [&](T& sum, T x) { sum = f_(sum, x); });
    if (!mean_) return Status();
    for (int64_t i = 0; i < elements_; ++i) y[i] = y[i] / static_cast<T>(walks_.size());
    return Status();
  }

 private:
  template <class Combine>
  void Each(const StepArgs& args, size_t operand, const Combine& combine) const {
    const Broadcast<1>& walk = walks_[operand];
    args.threads.parallel_ranges(walk.rows(), [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const T* __restrict x = args.in<T>(operand) + walk.Offset(0, row);
        T* __restrict y = args.out<T>() + row * walk.columns();
        if (walk.stride(0) == 1) {
          for (int64_t i = 0; i < walk.columns(); ++i) combine(y[i], x[i]);
        } else {
          for (int64_t i = 0; i < walk.columns(); ++i) combine(y[i], x[i * walk.stride(0)]);
        }
      }
    });
  }

  F f_;
  bool mean_;
  int64_t elements_;
  std::vector<Broadcast<1>> walks_;
};

template <class F, bool kMean>
StepResult MakeVariadic(const StepContext& context) {
  const ElementType type = context.InputType();
  if (IsFloating(type) && !kMean && context.layer.node->inputs.size() == 2) return MakeArithmetic<F>(context);
  if (IsFloating(type)) return std::unique_ptr<Step>(new VariadicStep<float, F>(context, F(), kMean));
  using Integer = VariadicStep<int64_t, WrappedTo<F>>;
  return std::unique_ptr<Step>(new Integer(context, WrappedTo<F>{type, F()}, kMean));
}

// Of one operand.
template <float (*kFunction)(float)>
StepResult MakeMath(const StepContext& context) {
  return MakeFloatStep(context, [](float x) { return kFunction(x); });
}

template <Unary kFunction>
StepResult MakeVectorMath(const StepContext& context) {
  return MakeVectorStep(context, kFunction);
}

template <class F>
StepResult MakeSigned(const StepContext& context) {
  const ElementType type = context.InputType();
  if (IsFloating(type)) return MakeUnaryStep<float, float>(context, F());
  return MakeUnaryStep<int64_t, int64_t>(context, WrappedTo<F>{type, F()});
}

struct Negate {
  float operator()(float x) const { return -x; }
  int64_t operator()(int64_t x) const { return Unsigned(0, x, std::minus<>()); }
};
struct Absolute {
  float operator()(float x) const { return std::abs(x); }
  int64_t operator()(int64_t x) const { return x < 0 ? Unsigned(0, x, std::minus<>()) : x; }
};
struct Sign {
  float operator()(float x) const { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }
  int64_t operator()(int64_t x) const { return x > 0 ? 1 : x < 0 ? -1 : 0; }
};
struct BitNot {
  float operator()(float x) const { return x; }
  int64_t operator()(int64_t x) const { return ~x; }
};

// Halves to even: the rounding that C starts with, and nothing here changes.
float RoundToEven(float x) { return std::nearbyint(x); }

// Floats become integers towards zero; what an integer type cannot hold stays in its range.
int64_t ToInteger(float x, ElementType type) {
  if (type == ElementType::kBool) return x != 0.0f ? 1 : 0;
  if (std::isnan(x)) return 0;
  constexpr float kLimit = 9223372036854775808.0f;
  if (x >= kLimit) return std::numeric_limits<int64_t>::max();
  if (x < -kLimit) return std::numeric_limits<int64_t>::min();
  return Wrapped(type, static_cast<int64_t>(x));
}

InferResult InferCast(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(to, IntAttribute(at.node, "to", 0));
  const std::optional<ElementType> type = ElementTypeOfOnnx(to);
  if (!type.has_value()) {
    return at.Unsupported("attribute 'to' is " + std::to_string(to) + ", no numeric type that is supported");
  }
  return std::vector<TensorInfo>{{*type, at.shape(0)}};
}

InferResult InferCastLike(const NodeContext& at) { return std::vector<TensorInfo>{{at.type(1), at.shape(0)}}; }

StepResult MakeCast(const StepContext& context) {
  const ElementType from = context.InputType(), to = context.OutputType();
  if (IsFloating(from) && IsFloating(to)) {
    if (to == ElementType::kFloat16 && from != to) return MakeVectorStep(context, Unary::kHalf);
    if (to == ElementType::kBfloat16 && from != to) return MakeVectorStep(context, Unary::kBfloat16);
    return MakeFloatStep(context, [](float x) { return x; });
  }
  if (IsFloating(from)) return MakeUnaryStep<float, int64_t>(context, [to](float x) { return ToInteger(x, to); });
  if (IsFloating(to)) {
    return MakeUnaryStep<int64_t, float>(context, [](int64_t x) { return static_cast<float>(x); });
  }
  return MakeUnaryStep<int64_t, int64_t>(context, [to](int64_t x) { return Wrapped(to, x); });
}

// Where(condition, x, y)
InferResult InferWhere(const NodeContext& at) {
  if (IsFloating(at.type(0))) return at.Unsupported("input 0, the condition, must be BOOL");
  if (at.type(1) != at.type(2)) {
    return Status::InvalidArgument("%s: inputs 1 and 2 are %s and %s, must be of one type", at.node.Label().c_str(),
                                   ToString(at.type(1)), ToString(at.type(2)));
  }
  LACUNA_ASSIGN_OR_RETURN(values, BroadcastShapes(at.node, at.shape(1), at.shape(2)));
  LACUNA_ASSIGN_OR_RETURN(y, BroadcastShapes(at.node, at.shape(0), values));
  return std::vector<TensorInfo>{{at.type(1), std::move(y)}};
}

template <class T>
class WhereStep : public Step {
 public:
  explicit WhereStep(const StepContext& context)
      : Step(context.layer.node->inputs),
        walk_(context.OutputShape(), {context.InputShape(0), context.InputShape(1), context.InputShape(2)}) {}

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(walk_.rows(), [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t* condition = args.in<int64_t>(0) + walk_.Offset(0, row);
        const T* a = args.in<T>(1) + walk_.Offset(1, row);
        const T* b = args.in<T>(2) + walk_.Offset(2, row);
        T* y = args.out<T>() + row * walk_.columns();
        for (int64_t i = 0; i < walk_.columns(); ++i) {
          y[i] = condition[i * walk_.stride(0)] != 0 ? a[i * walk_.stride(1)] : b[i * walk_.stride(2)];
        }
      }
    });
    return Status();
  }

 private:
  Broadcast<3> walk_;
};

StepResult MakeWhere(const StepContext& context) { return MakeStored<WhereStep>(context.OutputType(), context); }

constexpr Operator kArithmeticOperators[] = {
    {"Abs", 1, 1, 1, SameAsInput, MakeSigned<Absolute>},
    {"Acos", 1, 1, 1, InferFloats, MakeMath<std::acos>},
    {"Acosh", 1, 1, 1, InferFloats, MakeMath<std::acosh>},
    {"Add", 2, 2, 1, InferBinary, MakeArithmetic<Add>},
    {"Asin", 1, 1, 1, InferFloats, MakeMath<std::asin>},
    {"Asinh", 1, 1, 1, InferFloats, MakeMath<std::asinh>},
    {"Atan", 1, 1, 1, InferFloats, MakeMath<std::atan>},
    {"Atanh", 1, 1, 1, InferFloats, MakeMath<std::atanh>},
    {"BitShift", 2, 2, 1, InferBits, MakeBitShift},
    {"BitwiseAnd", 2, 2, 1, InferBits, MakeArithmetic<BitAnd>},
    {"BitwiseNot", 1, 1, 1, SameAsInput, MakeSigned<BitNot>},
    {"BitwiseOr", 2, 2, 1, InferBits, MakeArithmetic<BitOr>},
    {"BitwiseXor", 2, 2, 1, InferBits, MakeArithmetic<BitXor>},
    {"Cast", 1, 1, 1, InferCast, MakeCast},
    {"CastLike", 2, 2, 1, InferCastLike, MakeCast},
    {"Ceil", 1, 1, 1, InferFloats, MakeMath<std::ceil>},
    {"Cos", 1, 1, 1, InferFloats, MakeMath<std::cos>},
    {"Cosh", 1, 1, 1, InferFloats, MakeMath<std::cosh>},
    {"Div", 2, 2, 1, InferBinary, MakeArithmetic<Divide>},
    {"Erf", 1, 1, 1, InferFloats, MakeVectorMath<Unary::kErf>},
    {"Exp", 1, 1, 1, InferFloats, MakeVectorMath<Unary::kExp>},
    {"Floor", 1, 1, 1, InferFloats, MakeMath<std::floor>},
    {"Log", 1, 1, 1, InferFloats, MakeMath<std::log>},
    {"Max", 1, Operator::kAny, 1, InferVariadic, MakeVariadic<Maximum, false>},
    {"Mean", 1, Operator::kAny, 1, InferVariadic, MakeVariadic<Add, true>},
    {"Min", 1, Operator::kAny, 1, InferVariadic, MakeVariadic<Minimum, false>},
    {"Mod", 2, 2, 1, InferModulo, MakeModulo},
    {"Mul", 2, 2, 1, InferBinary, MakeArithmetic<Multiply>},
    {"Neg", 1, 1, 1, SameAsInput, MakeSigned<Negate>},
    {"Pow", 2, 2, 1, InferPower, MakePower},
    {"Reciprocal", 1, 1, 1, InferFloats, MakeVectorMath<Unary::kReciprocal>},
    {"Round", 1, 1, 1, InferFloats, MakeMath<RoundToEven>},
    {"Sign", 1, 1, 1, SameAsInput, MakeSigned<Sign>},
    {"Sin", 1, 1, 1, InferFloats, MakeMath<std::sin>},
    {"Sinh", 1, 1, 1, InferFloats, MakeMath<std::sinh>},
    {"Sqrt", 1, 1, 1, InferFloats, MakeVectorMath<Unary::kSqrt>},
    {"Sub", 2, 2, 1, InferBinary, MakeArithmetic<Subtract>},
    {"Sum", 1, Operator::kAny, 1, InferVariadic, MakeVariadic<Add, false>},
    {"Tan", 1, 1, 1, InferFloats, MakeMath<std::tan>},
    {"Where", 3, 3, 1, InferWhere, MakeWhere},
};

}  // namespace

std::span<const Operator> ArithmeticOperators() { return kArithmeticOperators; }

}  // namespace graph
