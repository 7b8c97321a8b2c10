// Normalization over channels, groups and axes: BatchNormalization, InstanceNormalization, GroupNormalization,
// LayerNormalization, RMSNormalization, LRN, LpNormalization, MeanVarianceNormalization; Softmax, LogSoftmax, Hardmax.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "graph/attributes.h"
#include "graph/fusion.h"
#include "graph/operator.h"
#include "graph/operators/axis_view.h"
#include "graph/operators/broadcast.h"
#include "graph/operators/softmax.h"
#include "graph/shape_inference.h"
#include "graph/simd/loops.h"

namespace graph {
namespace {

// Fails unless the integer attribute `name` has its one supported value, which is its default too.
Status RequireAttribute(const Node& node, const std::string& name, int64_t supported) {
  LACUNA_ASSIGN_OR_RETURN(value, IntAttribute(node, name, supported));
  if (value == supported) return Status();
  return Status::Make(StatusCode::kUnsupported, "%s: attribute '%s' is %lld, supported is %lld", node.Label().c_str(),
                      name.c_str(), static_cast<long long>(value), static_cast<long long>(supported));
}

// 1 / sqrt(variance + epsilon), and the mean.
struct Standard {
  double mean, inverse;

  // Not `centred`: the mean is taken for 0.
  Standard(const float* x, int64_t count, float epsilon, bool centred = true) {
    const Moments moments = ActiveLoops().moments(x, count, centred);
    mean = moments.mean;
    inverse = 1.0 / std::sqrt(moments.squares / static_cast<double>(std::max<int64_t>(count, 1)) + double{epsilon});
  }
};

// ---- BatchNormalization

InferResult InferBatchNormalization(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeFloats(at));
  LACUNA_RETURN_IF_ERROR(RequireAttribute(at.node, "training_mode", 0));
  LACUNA_RETURN_IF_ERROR(RequireAttribute(at.node, "spatial", 1));  // operator sets before 9
  if (at.rank() < 1) return at.ShapeError(0, "have at least one axis");
  const int64_t channels = at.rank() < 2 ? 1 : at.shape(0)[1];
  for (size_t i = 1; i < 5; ++i) {
    if (at.shape(i) != Shape{channels}) return at.ShapeError(i, "be " + ToString({channels}));
  }
  return SameAsInput(at);
}

// y[n, c, i] = scale[c] * x[n, c, i] + shift[c], both from the inputs where they are not constants.
class BatchNormalizationStep : public Step {
 public:
  BatchNormalizationStep(const StepContext& context, std::vector<float> scale, std::vector<float> shift, float epsilon)
      : Step(scale.empty() ? context.layer.node->inputs : std::vector{context.layer.node->inputs[0]}),
        scale_(std::move(scale)),
        shift_(std::move(shift)),
        epsilon_(epsilon) {
    const Shape& x = context.InputShape(0);
    channels_ = x.size() < 2 ? 1 : x[1];
    planes_ = x[0] * channels_;
    positions_ = x.size() < 2 ? 1 : Elements(Shape(x.begin() + 2, x.end()));
  }

  bool InPlace() const override { return true; }

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(planes_, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const int64_t channel = p % channels_;
        float scale = 0.0f, shift = 0.0f;
        if (!scale_.empty()) {
          scale = scale_[static_cast<size_t>(channel)];
          shift = shift_[static_cast<size_t>(channel)];
        } else {
          scale = args.in(1)[channel] / std::sqrt(args.in(4)[channel] + epsilon_);
          shift = args.in(2)[channel] - scale * args.in(3)[channel];
        }
        affine_(args.in(0) + p * positions_, args.out() + p * positions_, positions_, scale, shift);
      }
    });
    return Status();
  }

 private:
  Loops::UnaryFn affine_ = ActiveLoops()[Unary::kAffine];
  std::vector<float> scale_, shift_;
  float epsilon_;
  int64_t channels_, planes_, positions_;
};

StepResult MakeBatchNormalizationStep(const StepContext& context) {
  const Node& node = *context.layer.node;
  std::vector<float> scale, shift;
  LACUNA_ASSIGN_OR_RETURN(epsilon, FloatAttribute(node, "epsilon", 1e-5f));
  const bool constant = std::all_of(node.inputs.begin() + 1, node.inputs.end(),
                                    [&](const std::string& input) { return context.graph.Constant(input) != nullptr; });
  if (constant) LACUNA_RETURN_IF_ERROR(FoldBatchNormalization(context.graph, node, scale, shift));
  return std::unique_ptr<Step>(new BatchNormalizationStep(context, std::move(scale), std::move(shift), epsilon));
}

// ---- InstanceNormalization and GroupNormalization: moments of a group of channels of an item

struct Groups {
  int64_t count = 1;        // of an item
  bool per_channel = true;  // scale and bias are per channel, not per group (operator set 18)
};

InferResult InferInstanceNormalization(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeFloats(at));
  if (at.rank() < 3) return at.ShapeError(0, "have spatial axes");
  for (size_t i = 1; i < 3; ++i) {
    if (at.shape(i) != Shape{at.shape(0)[1]}) return at.ShapeError(i, "be " + ToString({at.shape(0)[1]}));
  }
  return SameAsInput(at);
}

InferResult InferGroupNormalization(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeFloats(at));
  LACUNA_ASSIGN_OR_RETURN(groups, IntAttribute(at.node, "num_groups", 0));
  if (at.rank() < 2) return at.ShapeError(0, "have channels");
  const int64_t channels = at.shape(0)[1];
  if (groups < 1 || channels % groups != 0) {
    return Status::InvalidArgument("%s: attribute 'num_groups' is %lld, must divide the %lld channels",
                                   at.node.Label().c_str(), static_cast<long long>(groups),
                                   static_cast<long long>(channels));
  }
  const int64_t parameters = at.graph.opset < 21 ? groups : channels;
  for (size_t i = 1; i < 3; ++i) {
    if (at.shape(i) != Shape{parameters}) return at.ShapeError(i, "be " + ToString({parameters}));
  }
  return SameAsInput(at);
}

class GroupNormalizationStep : public Step {
 public:
  GroupNormalizationStep(const StepContext& context, const Groups& groups, float epsilon)
      : Step(context.layer.node->inputs), groups_(groups), epsilon_(epsilon) {
    const Shape& x = context.InputShape(0);
    items_ = x[0];
    channels_ = x[1];
    positions_ = Elements(Shape(x.begin() + 2, x.end()));
  }

  bool InPlace() const override { return true; }

  Status Run(const StepArgs& args) const override {
    const int64_t members = channels_ / std::max<int64_t>(groups_.count, 1);  // channels of a group
    args.threads.parallel_ranges(items_ * groups_.count, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i * members * positions_;
        const Standard standard(args.in(0) + first, members * positions_, epsilon_);
        const int64_t group = i % groups_.count;
        for (int64_t m = 0; m < members; ++m) {
          const int64_t parameter = groups_.per_channel ? group * members + m : group;
          const auto scale = static_cast<float>(double{args.in(1)[parameter]} * standard.inverse);
          const auto shift = static_cast<float>(double{args.in(2)[parameter]} -
                                                standard.mean * double{args.in(1)[parameter]} * standard.inverse);
          const int64_t plane = first + m * positions_;
          affine_(args.in(0) + plane, args.out() + plane, positions_, scale, shift);
        }
      }
    });
    return Status();
  }

 private:
  Loops::UnaryFn affine_ = ActiveLoops()[Unary::kAffine];
  Groups groups_;
  float epsilon_;
  int64_t items_, channels_, positions_;
};

StepResult MakeInstanceNormalizationStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(epsilon, FloatAttribute(*context.layer.node, "epsilon", 1e-5f));
  const Groups each = {context.InputShape(0)[1], true};
  return std::unique_ptr<Step>(new GroupNormalizationStep(context, each, epsilon));
}

StepResult MakeGroupNormalizationStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(epsilon, FloatAttribute(*context.layer.node, "epsilon", 1e-5f));
  LACUNA_ASSIGN_OR_RETURN(count, IntAttribute(*context.layer.node, "num_groups", 1));
  const Groups groups = {count, context.graph.opset >= 21};
  return std::unique_ptr<Step>(new GroupNormalizationStep(context, groups, epsilon));
}

// ---- LayerNormalization: over the axes from `axis` on

Result<size_t> FirstAxis(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, IntAttribute(at.node, "axis", -1));
  return at.Axis(given, at.rank());
}

InferResult InferLayerNormalization(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeFloats(at));
  LACUNA_ASSIGN_OR_RETURN(axis, FirstAxis(at));
  const Shape& x = at.shape(0);
  for (size_t i = 1; i < at.inputs.size(); ++i) {
    if (!at.node.HasInput(i)) continue;
    const auto broadcast = BroadcastShapes(at.node, x, at.shape(i));
    if (!broadcast.ok() || *broadcast != x) return at.ShapeError(i, "broadcast to " + ToString(x));
  }
  Shape moments = x;
  std::fill(moments.begin() + static_cast<int64_t>(axis), moments.end(), 1);
  const TensorInfo moment{ElementType::kFloat, std::move(moments)};
  return std::vector<TensorInfo>{at.inputs[0], moment, moment};
}

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias; RMSNormalization takes the mean for 0.
class LayerNormalizationStep : public Step {
 public:
  LayerNormalizationStep(const StepContext& context, const AxisView& view, float epsilon)
      : Step(InputsOf(*context.layer.node)),
        view_(view),
        epsilon_(epsilon),
        centred_(context.layer.node->op == "LayerNormalization"),
        has_bias_(context.layer.node->HasInput(2)),
        scale_(context, 1, view),
        bias_(context, has_bias_ ? 2 : 1, view) {
    const Node& node = *context.layer.node;
    size_t at = 0;
    for (size_t i = 0; i < 3 && i < node.outputs.size(); ++i) {
      if (!node.outputs[i].empty()) output_[i] = static_cast<int>(at++);
    }
  }

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(view_.outer, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const float* x = args.in(0) + row * view_.extent;
        const Standard standard(x, view_.extent, epsilon_, centred_);
        const auto mean = static_cast<float>(standard.mean), inverse = static_cast<float>(standard.inverse);
        if (output_[1] >= 0) args.out(static_cast<size_t>(output_[1]))[row] = mean;
        if (output_[2] >= 0) args.out(static_cast<size_t>(output_[2]))[row] = inverse;
        if (output_[0] < 0) continue;
        float* y = args.out() + row * view_.extent;
        const float* bias = has_bias_ ? args.in(2) : nullptr;
        if (scale_.plain() && bias_.plain()) {
          normalize_(x, y, view_.extent, mean, inverse, args.in(1), bias);
          continue;
        }
        normalize_(x, y, view_.extent, mean, inverse, nullptr, nullptr);
        scale_.ForEach(args.in(1), row, [y](int64_t i, float scale) { y[i] *= scale; });
        if (has_bias_) bias_.ForEach(bias, row, [y](int64_t i, float value) { y[i] += value; });
      }
    });
    return Status();
  }

 private:
  // An input that broadcasts to x.
  class Parameter {
   public:
    Parameter(const StepContext& context, size_t input, const AxisView& view)
        : walk_(context.InputShape(0), {context.InputShape(input)}),
          view_(view),
          plain_(IsTail(context.InputShape(input), context.InputShape(0), view.extent)) {}

    // Whether it is the same `extent` values for each row.
    bool plain() const { return plain_; }

    // f(i, value) for each element i of a row of x.
    template <class F>
    void ForEach(const float* values, int64_t row, const F& f) const {
      if (plain_) {
        for (int64_t i = 0; i < view_.extent; ++i) f(i, values[i]);
        return;
      }
      const int64_t columns = walk_.columns();
      for (int64_t i = 0; i < view_.extent; ++i) {
        const int64_t element = row * view_.extent + i;
        f(i, values[walk_.Offset(0, element / columns) + element % columns * walk_.stride(0)]);
      }
    }

   private:
    // Whether it is the last axes of x, the same for each row.
    static bool IsTail(const Shape& parameter, const Shape& x, int64_t extent) {
      if (Elements(parameter) != extent) return false;
      for (size_t i = 1; i <= parameter.size(); ++i) {
        if (parameter[parameter.size() - i] != x[x.size() - i]) {
          return std::all_of(parameter.begin(), parameter.end() - static_cast<int64_t>(i) + 1,
                             [](int64_t rest) { return rest == 1; });
        }
      }
      return true;
    }

    Broadcast<1> walk_;
    AxisView view_;
    bool plain_;
  };

  static std::vector<std::string> InputsOf(const Node& node) {
    return {node.inputs.begin(), node.inputs.begin() + (node.HasInput(2) ? 3 : 2)};
  }

  decltype(Loops::normalize) normalize_ = ActiveLoops().normalize;
  AxisView view_;
  float epsilon_;
  bool centred_, has_bias_;
  Parameter scale_, bias_;
  int output_[3] = {-1, -1, -1};  // which of the outputs that are present Y, Mean and InvStdDev are
};

StepResult MakeLayerNormalizationStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axis, FirstAxis(context.At()));
  LACUNA_ASSIGN_OR_RETURN(epsilon, FloatAttribute(*context.layer.node, "epsilon", 1e-5f));
  const AxisView view(context.InputShape(0), axis, context.InputShape(0).size());
  return std::unique_ptr<Step>(new LayerNormalizationStep(context, view, epsilon));
}

// ---- along one axis: Softmax and its kin, LpNormalization

// Axes that are normalised together: before operator set 13 all from `axis` on.
Result<AxisView> SoftmaxView(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeFloats(at));
  const bool flattens = at.graph.opset < 13;
  LACUNA_ASSIGN_OR_RETURN(axis, AxisAttribute(at.node, flattens ? 1 : -1, std::max<int64_t>(at.rank(), 1)));
  const auto first = static_cast<size_t>(axis);
  return AxisView(at.shape(0), first, flattens ? at.shape(0).size() : first + 1);
}

InferResult InferSoftmax(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(SoftmaxView(at).status());
  return SameAsInput(at);
}

// f(x, y, extent, inner, count): lines of `extent` elements that lie `inner` apart, `count` of them next to each other,
// at most kLines.
template <class F>
class LineStep : public Step {
 public:
  LineStep(const StepContext& context, const AxisView& view, F f, bool in_place)
      : Step({context.layer.node->inputs[0]}), view_(view), f_(std::move(f)), in_place_(in_place) {}

  bool InPlace() const override { return in_place_; }

  Status Run(const StepArgs& args) const override {
    const int64_t parts = (view_.inner + kLines - 1) / kLines;
    args.threads.parallel_ranges(view_.outer * parts, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        const int64_t column = part % parts * kLines;
        const int64_t first = part / parts * view_.extent * view_.inner + column;
        f_(args.in(0) + first, args.out() + first, view_.extent, view_.inner, std::min(kLines, view_.inner - column));
      }
    });
    return Status();
  }

 private:
  AxisView view_;
  F f_;
  bool in_place_;  // f may be called with y = x
};

template <class F>
StepResult MakeLineStep(const StepContext& context, const AxisView& view, F f, bool in_place = false) {
  return std::unique_ptr<Step>(new LineStep<F>(context, view, std::move(f), in_place));
}

template <void (*kFunction)(const float*, float*, int64_t, int64_t, int64_t)>
StepResult MakeSoftmaxStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(view, SoftmaxView(context.At()));
  const auto f = [](const auto&... args) { kFunction(args...); };
  return MakeLineStep(context, view, f, kFunction == Softmax && view.inner == 1);
}

InferResult InferLpNormalization(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeFloats(at));
  LACUNA_RETURN_IF_ERROR(FirstAxis(at).status());
  LACUNA_ASSIGN_OR_RETURN(p, IntAttribute(at.node, "p", 2));
  if (p != 1 && p != 2) return at.Unsupported("attribute 'p' is " + std::to_string(p) + ", must be 1 or 2");
  return SameAsInput(at);
}

StepResult MakeLpNormalizationStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axis, FirstAxis(context.At()));
  LACUNA_ASSIGN_OR_RETURN(p, IntAttribute(*context.layer.node, "p", 2));
  const AxisView view(context.InputShape(0), axis);
  const auto f = [squares = p == 2](const float* x, float* y, int64_t extent, int64_t inner, int64_t count) {
    double norm[kLines] = {};
    for (int64_t i = 0; i < extent; ++i) {
      for (int64_t k = 0; k < count; ++k) {
        const double value = double{x[i * inner + k]};
        norm[k] += squares ? value * value : std::abs(value);
      }
    }
    for (int64_t k = 0; k < count; ++k) norm[k] = squares ? std::sqrt(norm[k]) : norm[k];
    for (int64_t i = 0; i < extent; ++i) {
      for (int64_t k = 0; k < count; ++k) {
        y[i * inner + k] = norm[k] == 0.0 ? 0.0f : static_cast<float>(double{x[i * inner + k]} / norm[k]);
      }
    }
  };
  return MakeLineStep(context, view, f);
}

// ---- MeanVarianceNormalization: (x - mean) / (standard deviation + 1e-9) over axes

InferResult InferMeanVariance(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeFloats(at));
  LACUNA_ASSIGN_OR_RETURN(given, IntsAttribute(at.node, "axes", {0, 2, 3}));
  LACUNA_RETURN_IF_ERROR(at.Axes(given, at.rank()).status());
  return SameAsInput(at);
}

class MeanVarianceStep : public Step {
 public:
  MeanVarianceStep(const StepContext& context, const std::vector<size_t>& axes)
      : Step({context.layer.node->inputs[0]}), shape_(context.InputShape(0)), keeps_(shape_.size(), true) {
    for (const size_t axis : axes) keeps_[axis] = false;
  }

  Status Run(const StepArgs& args) const override {
    int64_t groups = 1;
    for (size_t axis = 0; axis < shape_.size(); ++axis) groups *= keeps_[axis] ? shape_[axis] : 1;
    const auto count = static_cast<double>(Elements(shape_) / std::max<int64_t>(groups, 1));
    std::vector<double> mean(static_cast<size_t>(groups)), deviation(mean.size());
    ForEach([&](size_t group, int64_t i) { mean[group] += double{args.in(0)[i]}; });
    for (double& sum : mean) sum /= count;
    ForEach([&](size_t group, int64_t i) {
      const double difference = double{args.in(0)[i]} - mean[group];
      deviation[group] += difference * difference;
    });
    for (double& sum : deviation) sum = std::sqrt(sum / count) + 1e-9;
    ForEach([&](size_t group, int64_t i) {
      args.out()[i] = static_cast<float>((double{args.in(0)[i]} - mean[group]) / deviation[group]);
    });
    return Status();
  }

 private:
  // f(group, i) for each element i and the group of those that it is normalised with.
  template <class F>
  void ForEach(const F& f) const {
    const int64_t row = shape_.empty() ? 1 : shape_.back();
    const int64_t step = !shape_.empty() && keeps_.back() ? 1 : 0;
    const int64_t elements = Elements(shape_);
    for (int64_t first = 0; first < elements; first += row) {
      const int64_t group = Group(first);
      for (int64_t i = 0; i < row; ++i) f(static_cast<size_t>(group + i * step), first + i);
    }
  }

  int64_t Group(int64_t i) const {
    int64_t group = 0, stride = 1;
    for (size_t axis = shape_.size(); axis-- > 0;) {
      if (keeps_[axis]) {
        group += i % shape_[axis] * stride;
        stride *= shape_[axis];
      }
      i /= shape_[axis];
    }
    return group;
  }

  Shape shape_;
  std::vector<bool> keeps_;
};

StepResult MakeMeanVarianceStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(given, IntsAttribute(*context.layer.node, "axes", {0, 2, 3}));
  LACUNA_ASSIGN_OR_RETURN(axes, context.At().Axes(given, static_cast<int64_t>(context.InputShape(0).size())));
  return std::unique_ptr<Step>(new MeanVarianceStep(context, axes));
}

// ---- LRN: y = x / (bias + alpha / size * sum of squares of neighbouring channels)^beta

struct Response {
  float alpha = 1e-4f, beta = 0.75f, bias = 1.0f;
  int64_t size = 1;
};

Result<Response> ResponseOf(const Node& node) {
  LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(node, "alpha", 1e-4f));
  LACUNA_ASSIGN_OR_RETURN(beta, FloatAttribute(node, "beta", 0.75f));
  LACUNA_ASSIGN_OR_RETURN(bias, FloatAttribute(node, "bias", 1.0f));
  LACUNA_ASSIGN_OR_RETURN(size, IntAttribute(node, "size", 0));
  if (size < 1 || size > kMaxTensorElements) {
    return Status::InvalidArgument("%s: attribute 'size' is %lld, must be in [1, %lld]", node.Label().c_str(),
                                   static_cast<long long>(size), static_cast<long long>(kMaxTensorElements));
  }
  return Response{alpha, beta, bias, size};
}

InferResult InferLrn(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeFloats(at));
  if (at.rank() < 2) return at.ShapeError(0, "have channels");
  LACUNA_RETURN_IF_ERROR(ResponseOf(at.node).status());
  return SameAsInput(at);
}

class LrnStep : public Step {
 public:
  LrnStep(const StepContext& context, const Response& response)
      : Step({context.layer.node->inputs[0]}), response_(response) {
    const Shape& x = context.InputShape(0);
    items_ = x[0];
    channels_ = x[1];
    positions_ = Elements(Shape(x.begin() + 2, x.end()));
  }

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(items_ * channels_, [&](size_t, int64_t begin, int64_t end) {
      std::vector<float> squares(static_cast<size_t>(positions_));
      for (int64_t plane = begin; plane < end; ++plane) {
        const int64_t c = plane % channels_;
        const int64_t first = std::max<int64_t>(0, c - (response_.size - 1) / 2);
        const int64_t last = std::min(channels_ - 1, c + response_.size / 2);
        std::fill(squares.begin(), squares.end(), 0.0f);
        for (int64_t k = first; k <= last; ++k) {
          const float* __restrict x = args.in(0) + (plane - c + k) * positions_;
          for (int64_t i = 0; i < positions_; ++i) squares[static_cast<size_t>(i)] += x[i] * x[i];
        }
        const float factor = response_.alpha / static_cast<float>(response_.size);
        for (int64_t i = 0; i < positions_; ++i) {
          const float base = response_.bias + factor * squares[static_cast<size_t>(i)];
          args.out()[plane * positions_ + i] = args.in(0)[plane * positions_ + i] * std::pow(base, -response_.beta);
        }
      }
    });
    return Status();
  }

 private:
  Response response_;
  int64_t items_, channels_, positions_;
};

StepResult MakeLrnStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(response, ResponseOf(*context.layer.node));
  return std::unique_ptr<Step>(new LrnStep(context, response));
}

constexpr Operator kNormalizationOperators[] = {
    {"BatchNormalization", 5, 5, 1, InferBatchNormalization, MakeBatchNormalizationStep},
    {"GroupNormalization", 3, 3, 1, InferGroupNormalization, MakeGroupNormalizationStep},
    {"Hardmax", 1, 1, 1, InferSoftmax, MakeSoftmaxStep<Hardmax>},
    {"InstanceNormalization", 3, 3, 1, InferInstanceNormalization, MakeInstanceNormalizationStep},
    {"LRN", 1, 1, 1, InferLrn, MakeLrnStep},
    {"LayerNormalization", 2, 3, 3, InferLayerNormalization, MakeLayerNormalizationStep},
    {"LogSoftmax", 1, 1, 1, InferSoftmax, MakeSoftmaxStep<LogSoftmax>},
    {"LpNormalization", 1, 1, 1, InferLpNormalization, MakeLpNormalizationStep},
    {"MeanVarianceNormalization", 1, 1, 1, InferMeanVariance, MakeMeanVarianceStep},
    {"RMSNormalization", 2, 2, 1, InferLayerNormalization, MakeLayerNormalizationStep},
    {"Softmax", 1, 1, 1, InferSoftmax, MakeSoftmaxStep<Softmax>},
};

}  // namespace

std::span<const Operator> NormalizationOperators() { return kNormalizationOperators; }

}  // namespace graph
