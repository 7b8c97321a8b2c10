// Activations that no layer absorbed.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "graph/attributes.h"
#include "graph/fusion.h"
#include "graph/operator.h"
#include "graph/operators/elementwise.h"
#include "graph/shape_inference.h"

namespace graph {
namespace {

using lacuna::Activation;

// The activations of lacuna's epilogues, as their own step.
StepResult MakeEpilogueStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(activation, ActivationOf(context.graph, *context.layer.node));
  if (!activation.has_value()) return context.At().Unsupported("its activation is not supported");
  switch (activation->activation) {
    case Activation::kNone: break;
    case Activation::kRelu: return MakeVectorStep(context, Unary::kRelu);
    case Activation::kClamp: return MakeVectorStep(context, Unary::kClamp, activation->low, activation->high);
    case Activation::kLeakyRelu: return MakeVectorStep(context, Unary::kLeakyRelu, activation->slope);
    case Activation::kSigmoid: return MakeVectorStep(context, Unary::kSigmoid);
    case Activation::kTanh: return MakeVectorStep(context, Unary::kTanh);
    case Activation::kSilu: return MakeVectorStep(context, Unary::kSilu);
    case Activation::kHardSwish: return MakeVectorStep(context, Unary::kHardSwish);
  }
  return MakeFloatStep(context, [](float x) { return x; });
}

StepResult MakeReluStep(const StepContext& context) {
  if (IsFloating(context.InputType())) return MakeEpilogueStep(context);
  return MakeUnaryStep<int64_t, int64_t>(context, [](int64_t x) { return std::max<int64_t>(x, 0); });
}

// min(max(x, low), high), each bound constant or computed, or absent.
template <class T>
class ClipStep : public Step {
 public:
  explicit ClipStep(const StepContext& context)
      : Step(InputsOf(*context.layer.node)), elements_(Elements(context.OutputShape())) {
    const Node& node = *context.layer.node;
    if (node.HasInput(1)) low_ = 1;
    if (node.HasInput(2)) high_ = low_ + 1;
  }

  Status Run(const StepArgs& args) const override {
    const T low = low_ == 0 ? std::numeric_limits<T>::lowest() : *args.in<T>(low_);
    const T high = high_ == 0 ? std::numeric_limits<T>::max() : *args.in<T>(high_);
    const T* x = args.in<T>(0);
    T* y = args.out<T>();
    for (int64_t i = 0; i < elements_; ++i) {
      const T raised = x[i] < low ? low : x[i];
      y[i] = raised > high ? high : raised;
    }
    return Status();
  }

 private:
  static std::vector<std::string> InputsOf(const Node& node) {
    std::vector<std::string> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.HasInput(i)) inputs.push_back(node.inputs[i]);
    }
    return inputs;
  }

  int64_t elements_;
  size_t low_ = 0, high_ = 0;  // which input; 0 for none
};

InferResult InferClip(const NodeContext& at) {
  for (size_t i = 1; i < at.inputs.size(); ++i) {
    if (!at.node.HasInput(i)) continue;
    if (Elements(at.shape(i)) != 1) return at.ShapeError(i, "have one element");
    if (at.type(i) != at.type()) {
      return Status::InvalidArgument("%s: input %zu is %s, must be %s", at.node.Label().c_str(), i,
                                     ToString(at.type(i)), ToString(at.type()));
    }
  }
  return SameAsInput(at);
}

StepResult MakeClipStep(const StepContext& context) {
  const Node& node = *context.layer.node;
  const auto known = [&](size_t i) { return !node.HasInput(i) || context.graph.Constant(node.inputs[i]) != nullptr; };
  if (IsFloating(context.InputType()) && known(1) && known(2)) return MakeEpilogueStep(context);
  return MakeStored<ClipStep>(context.InputType(), context);
}

StepResult MakeHardSigmoidStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(*context.layer.node, "alpha", 0.2f));
  LACUNA_ASSIGN_OR_RETURN(beta, FloatAttribute(*context.layer.node, "beta", 0.5f));
  return MakeVectorStep(context, Unary::kHardSigmoid, alpha, beta);
}

StepResult MakeEluStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(*context.layer.node, "alpha", 1.0f));
  return MakeVectorStep(context, Unary::kElu, alpha);
}

// max(0, x) + min(0, alpha (exp(x / alpha) - 1))
StepResult MakeCeluStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(*context.layer.node, "alpha", 1.0f));
  return MakeFloatStep(context, [a = alpha](float x) { return x < 0.0f ? a * std::expm1(x / a) : x; });
}

StepResult MakeSeluStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(*context.layer.node, "alpha", 1.67326319217681884765625f));
  LACUNA_ASSIGN_OR_RETURN(gamma, FloatAttribute(*context.layer.node, "gamma", 1.05070102214813232421875f));
  return MakeFloatStep(context, [a = alpha, g = gamma](float x) { return g * (x < 0.0f ? a * std::expm1(x) : x); });
}

InferResult InferGelu(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(approximate, StringAttribute(at.node, "approximate", "none"));
  if (approximate != "none" && approximate != "tanh") {
    return at.Unsupported("attribute 'approximate' is '" + approximate + "', must be none or tanh");
  }
  return InferFloats(at);
}

// x Phi(x), or its approximation by tanh.
StepResult MakeGeluStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(approximate, StringAttribute(*context.layer.node, "approximate", "none"));
  return MakeVectorStep(context, approximate == "none" ? Unary::kGelu : Unary::kGeluTanh);
}

template <Unary kFunction>
StepResult MakePlain(const StepContext& context) {
  return MakeVectorStep(context, kFunction);
}

StepResult MakeSoftsignStep(const StepContext& context) {
  return MakeFloatStep(context, [](float x) { return x / (1.0f + std::abs(x)); });
}

StepResult MakeThresholdedReluStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(*context.layer.node, "alpha", 1.0f));
  return MakeFloatStep(context, [a = alpha](float x) { return x > a ? x : 0.0f; });
}

StepResult MakeShrinkStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(bias, FloatAttribute(*context.layer.node, "bias", 0.0f));
  LACUNA_ASSIGN_OR_RETURN(lambd, FloatAttribute(*context.layer.node, "lambd", 0.5f));
  return MakeFloatStep(context, [b = bias, l = lambd](float x) { return x < -l ? x + b : x > l ? x - b : 0.0f; });
}

InferResult InferPRelu(const NodeContext& at) {
  const Shape slopes = SecondOperand(at.graph, at.node, at.shape(0), at.shape(1));
  LACUNA_ASSIGN_OR_RETURN(y, BroadcastShapes(at.node, at.shape(0), slopes));
  if (y != at.shape(0)) return at.ShapeError(1, "broadcast to " + ToString(at.shape(0)));
  return InferFloats(at);
}

StepResult MakePReluStep(const StepContext& context) {
  return MakeBinaryStep<float, float>(context, [](float x, float slope) { return x < 0.0f ? slope * x : x; });
}

constexpr Operator kActivationOperators[] = {
    {"Celu", 1, 1, 1, InferFloats, MakeCeluStep},
    {"Clip", 1, 3, 1, InferClip, MakeClipStep},
    {"Elu", 1, 1, 1, InferFloats, MakeEluStep},
    {"Gelu", 1, 1, 1, InferGelu, MakeGeluStep},
    {"HardSigmoid", 1, 1, 1, InferFloats, MakeHardSigmoidStep},
    {"HardSwish", 1, 1, 1, InferFloats, MakeEpilogueStep},
    {"LeakyRelu", 1, 1, 1, InferFloats, MakeEpilogueStep},
    {"Mish", 1, 1, 1, InferFloats, MakePlain<Unary::kMish>},
    {"PRelu", 2, 2, 1, InferPRelu, MakePReluStep},
    {"Relu", 1, 1, 1, SameAsInput, MakeReluStep},
    {"Selu", 1, 1, 1, InferFloats, MakeSeluStep},
    {"Shrink", 1, 1, 1, InferFloats, MakeShrinkStep},
    {"Sigmoid", 1, 1, 1, InferFloats, MakeEpilogueStep},
    {"Softplus", 1, 1, 1, InferFloats, MakePlain<Unary::kSoftplus>},
    {"Softsign", 1, 1, 1, InferFloats, MakeSoftsignStep},
    {"Tanh", 1, 1, 1, InferFloats, MakeEpilogueStep},
    {"ThresholdedRelu", 1, 1, 1, InferFloats, MakeThresholdedReluStep},
};

}  // namespace

std::span<const Operator> ActivationOperators() { return kActivationOperators; }

}  // namespace graph
