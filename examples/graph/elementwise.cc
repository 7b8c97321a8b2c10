// Activations, Add, Mul and BatchNormalization that no layer absorbed.

#include <algorithm>
#include <cmath>

#include "graph/attributes.h"
#include "graph/step.h"

namespace graph {
namespace {

using lacuna::Activation;

// y[i] = f(x[i])
template <class F>
class UnaryStep : public Step {
 public:
  UnaryStep(const StepContext& context, const F& f)
      : Step({context.layer.node->inputs[0]}), elements_(Elements(context.OutputShape())), f_(f) {}

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(elements_, [&](size_t, int64_t begin, int64_t end) {
      const float* __restrict x = args.inputs[0];
      float* __restrict y = args.output;
      for (int64_t i = begin; i < end; ++i) y[i] = f_(x[i]);
    });
    return Status();
  }

 private:
  int64_t elements_;
  F f_;
};

template <class F>
StepResult MakeUnaryStep(const StepContext& context, const F& f) {
  return std::unique_ptr<Step>(new UnaryStep<F>(context, f));
}

// y = f(a, b) with broadcasting: an operand's stride is 0 along the axes it repeats.
template <class F>
class BinaryStep : public Step {
 public:
  BinaryStep(const StepContext& context, const F& f)
      : Step(context.layer.node->inputs), shape_(context.OutputShape()), f_(f) {
    if (shape_.empty()) shape_ = {1};
    for (size_t i = 0; i < 2; ++i) strides_[i] = BroadcastStrides(context.InputShape(i));
  }

  Status Run(const StepArgs& args) const override {
    const int64_t columns = shape_.back();
    const int64_t rows = columns == 0 ? 0 : Elements(shape_) / columns;
    args.threads.parallel_ranges(rows, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        Row(args.inputs[0] + Offset(strides_[0], row), args.inputs[1] + Offset(strides_[1], row),
            args.output + row * columns, columns);
      }
    });
    return Status();
  }

 private:
  Shape BroadcastStrides(const Shape& operand) const {
    Shape strides(shape_.size(), 0);
    int64_t stride = 1;
    for (size_t i = 0; i < operand.size(); ++i) {  // from the last axis
      const int64_t extent = operand[operand.size() - 1 - i];
      if (extent != 1) strides[shape_.size() - 1 - i] = stride;
      stride *= extent;
    }
    return strides;
  }

  int64_t Offset(const Shape& strides, int64_t row) const {
    int64_t offset = 0;
    for (size_t axis = shape_.size() - 1; axis-- > 0;) {
      offset += row % shape_[axis] * strides[axis];
      row /= shape_[axis];
    }
    return offset;
  }

  void Row(const float* __restrict a, const float* __restrict b, float* __restrict y, int64_t columns) const {
    const bool walks_a = strides_[0].back() != 0;
    const bool walks_b = strides_[1].back() != 0;
    if (walks_a && walks_b) {
      for (int64_t i = 0; i < columns; ++i) y[i] = f_(a[i], b[i]);
    } else if (walks_a) {
      for (int64_t i = 0; i < columns; ++i) y[i] = f_(a[i], *b);
    } else if (walks_b) {
      for (int64_t i = 0; i < columns; ++i) y[i] = f_(*a, b[i]);
    } else {
      std::fill_n(y, columns, f_(*a, *b));
    }
  }

  Shape shape_;
  Shape strides_[2];
  F f_;
};

// y[n, c, i] = scale[c] * x[n, c, i] + shift[c]
class ScaleStep : public Step {
 public:
  ScaleStep(const StepContext& context, std::vector<float> scale, std::vector<float> shift)
      : Step({context.layer.node->inputs[0]}), scale_(std::move(scale)), shift_(std::move(shift)) {
    const Shape& x = context.InputShape(0);
    planes_ = x[0] * x[1];
    positions_ = Elements(Shape(x.begin() + 2, x.end()));
  }

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(planes_, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const size_t channel = static_cast<size_t>(p) % scale_.size();
        const float scale = scale_[channel];
        const float shift = shift_[channel];
        const float* __restrict x = args.inputs[0] + p * positions_;
        float* __restrict y = args.output + p * positions_;
        for (int64_t i = 0; i < positions_; ++i) y[i] = scale * x[i] + shift;
      }
    });
    return Status();
  }

 private:
  std::vector<float> scale_, shift_;
  int64_t planes_, positions_;
};

}  // namespace

StepResult MakeActivationStep(const StepContext& context, const lacuna::Epilogue& activation) {
  const float low = activation.low, high = activation.high, slope = activation.slope;
  switch (activation.activation) {
    case Activation::kNone: return MakeUnaryStep(context, [](float x) { return x; });
    case Activation::kRelu: return MakeUnaryStep(context, [](float x) { return x < 0.0f ? 0.0f : x; });
    case Activation::kClamp:
      return MakeUnaryStep(context, [low, high](float x) {
        const float raised = x < low ? low : x;
        return raised > high ? high : raised;
      });
    case Activation::kLeakyRelu: return MakeUnaryStep(context, [slope](float x) { return x < 0.0f ? slope * x : x; });
    case Activation::kSigmoid: return MakeUnaryStep(context, [](float x) { return 1.0f / (1.0f + std::exp(-x)); });
    case Activation::kTanh: return MakeUnaryStep(context, [](float x) { return std::tanh(x); });
    case Activation::kSilu: return MakeUnaryStep(context, [](float x) { return x / (1.0f + std::exp(-x)); });
    case Activation::kHardSwish:
      return MakeUnaryStep(context, [](float x) { return x * std::clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f; });
  }
  return Status::Make(StatusCode::kUnsupported, "%s: its activation is not supported",
                      context.layer.node->Label().c_str());
}

StepResult MakeHardSigmoidStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(*context.layer.node, "alpha", 0.2f));
  LACUNA_ASSIGN_OR_RETURN(beta, FloatAttribute(*context.layer.node, "beta", 0.5f));
  return MakeUnaryStep(context, [a = alpha, b = beta](float x) { return std::clamp(a * x + b, 0.0f, 1.0f); });
}

StepResult MakeBinaryStep(const StepContext& context) {
  const auto add = [](float a, float b) { return a + b; };
  const auto multiply = [](float a, float b) { return a * b; };
  if (context.layer.node->op == "Add") return std::unique_ptr<Step>(new BinaryStep<decltype(add)>(context, add));
  return std::unique_ptr<Step>(new BinaryStep<decltype(multiply)>(context, multiply));
}

StepResult MakeBatchNormalizationStep(const StepContext& context) {
  std::vector<float> scale, shift;
  LACUNA_RETURN_IF_ERROR(FoldBatchNormalization(context.graph, *context.layer.node, scale, shift));
  return std::unique_ptr<Step>(new ScaleStep(context, std::move(scale), std::move(shift)));
}

}  // namespace graph
