// Normalization over channels, groups and axes: BatchNormalization, InstanceNormalization, GroupNormalization,
// LayerNormalization, LRN, LpNormalization, MeanVarianceNormalization; Softmax, LogSoftmax, Hardmax.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "graph/attributes.h"
#include "graph/fusion.h"
#include "graph/operator.h"
#include "graph/operators/axis_view.h"
#include "graph/operators/storage.h"

namespace graph {
namespace {

// Fails unless the integer attribute `name` has its one supported value, which is its default too.
Status RequireAttribute(const Node& node, const std::string& name, int64_t supported) {
  LACUNA_ASSIGN_OR_RETURN(value, IntAttribute(node, name, supported));
  if (value == supported) return Status();
  return Status::Make(StatusCode::kUnsupported, "%s: attribute '%s' is %lld, supported is %lld", node.Label().c_str(),
                      name.c_str(), static_cast<long long>(value), static_cast<long long>(supported));
}

Status MustBeFloats(const NodeContext& at) {
  if (IsFloating(at.type())) return Status();
  return at.Unsupported(std::string("input 0 is ") + ToString(at.type()) + ", must be floats");
}

// Sums in double, in lanes for a compiler that may not reorder one.
template <class F>
double SumOf(const float* x, int64_t count, const F& f) {
  constexpr int64_t kLanes = 8;
  double sum[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sum[lane] += f(double{x[i + lane]});
  }
  for (; i < count; ++i) sum[0] += f(double{x[i]});
  double total = 0.0;
  for (const double part : sum) total += part;
  return total;
}

struct Moments {
  double mean, variance;
};

Moments MomentsOf(const float* x, int64_t count) {
  const double n = static_cast<double>(std::max<int64_t>(count, 1));
  const double mean = SumOf(x, count, [](double value) { return value; }) / n;
  return {mean, SumOf(x, count, [mean](double value) { return (value - mean) * (value - mean); }) / n};
}

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
        const float* __restrict x = args.in(0) + p * positions_;
        float* __restrict y = args.out() + p * positions_;
        for (int64_t i = 0; i < positions_; ++i) y[i] = scale * x[i] + shift;
      }
    });
    return Status();
  }

 private:
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

  Status Run(const StepArgs& args) const override {
    const int64_t members = channels_ / std::max<int64_t>(groups_.count, 1);  // channels of a group
    args.threads.parallel_ranges(items_ * groups_.count, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i * members * positions_;
        const Moments moments = MomentsOf(args.in(0) + first, members * positions_);
        const double inverse = 1.0 / std::sqrt(moments.variance + double{epsilon_});
        const int64_t group = i % groups_.count;
        for (int64_t m = 0; m < members; ++m) {
          const int64_t parameter = groups_.per_channel ? group * members + m : group;
          const auto scale = static_cast<float>(double{args.in(1)[parameter]} * inverse);
          const auto shift = static_cast<float>(double{args.in(2)[parameter]} -
                                                moments.mean * double{args.in(1)[parameter]} * inverse);
          const float* __restrict x = args.in(0) + first + m * positions_;
          float* __restrict y = args.out() + first + m * positions_;
          for (int64_t p = 0; p < positions_; ++p) y[p] = scale * x[p] + shift;
        }
      }
    });
    return Status();
  }

 private:
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
  const AxisView view(at.shape(0), axis, at.shape(0).size());
  for (size_t i = 1; i < at.inputs.size(); ++i) {
    if (at.node.HasInput(i) && Elements(at.shape(i)) != view.extent) {
      return at.ShapeError(i, "have the " + std::to_string(view.extent) + " elements that are normalised together");
    }
  }
  Shape moments = at.shape(0);
  std::fill(moments.begin() + static_cast<int64_t>(axis), moments.end(), 1);
  const TensorInfo moment{ElementType::kFloat, std::move(moments)};
  return std::vector<TensorInfo>{at.inputs[0], moment, moment};
}

class LayerNormalizationStep : public Step {
 public:
  LayerNormalizationStep(const StepContext& context, const AxisView& view, float epsilon)
      : Step(InputsOf(*context.layer.node)), view_(view), epsilon_(epsilon), bias_(context.layer.node->HasInput(2)) {
    const Node& node = *context.layer.node;
    size_t at = 0;
    for (size_t i = 0; i < 3 && i < node.outputs.size(); ++i) {
      if (!node.outputs[i].empty()) output_[i] = static_cast<int>(at++);
    }
  }

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(view_.outer, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const float* __restrict x = args.in(0) + row * view_.extent;
        const Moments moments = MomentsOf(x, view_.extent);
        const auto mean = static_cast<float>(moments.mean);
        const auto inverse = static_cast<float>(1.0 / std::sqrt(moments.variance + double{epsilon_}));
        if (output_[1] >= 0) args.out(static_cast<size_t>(output_[1]))[row] = mean;
        if (output_[2] >= 0) args.out(static_cast<size_t>(output_[2]))[row] = inverse;
        if (output_[0] < 0) continue;
        const float* __restrict scale = args.in(1);
        float* __restrict y = args.out() + row * view_.extent;
        if (bias_) {
          const float* __restrict bias = args.in(2);
          for (int64_t i = 0; i < view_.extent; ++i) y[i] = (x[i] - mean) * inverse * scale[i] + bias[i];
        } else {
          for (int64_t i = 0; i < view_.extent; ++i) y[i] = (x[i] - mean) * inverse * scale[i];
        }
      }
    });
    return Status();
  }

 private:
  static std::vector<std::string> InputsOf(const Node& node) {
    return {node.inputs.begin(), node.inputs.begin() + (node.HasInput(2) ? 3 : 2)};
  }

  AxisView view_;
  float epsilon_;
  bool bias_;
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

// Lines of `extent` elements that lie `inner` apart.
template <class F>
class LineStep : public Step {
 public:
  LineStep(const StepContext& context, const AxisView& view, F f)
      : Step({context.layer.node->inputs[0]}), view_(view), f_(std::move(f)) {}

  Status Run(const StepArgs& args) const override {
    if (view_.extent == 0) return Status();
    args.threads.parallel_ranges(view_.outer * view_.inner, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const int64_t first = line / view_.inner * view_.extent * view_.inner + line % view_.inner;
        f_(args.in(0) + first, args.out() + first, view_.extent, view_.inner);
      }
    });
    return Status();
  }

 private:
  AxisView view_;
  F f_;
};

template <class F>
StepResult MakeLineStep(const StepContext& context, const AxisView& view, F f) {
  return std::unique_ptr<Step>(new LineStep<F>(context, view, std::move(f)));
}

float LargestOf(const float* x, int64_t extent, int64_t inner) {
  float largest = x[0];
  for (int64_t i = 1; i < extent; ++i) largest = std::max(largest, x[i * inner]);
  return largest;
}

// Subtracts the maximum first, so that exp cannot overflow.
void Softmax(const float* x, float* y, int64_t extent, int64_t inner) {
  const float largest = LargestOf(x, extent, inner);
  double sum = 0.0;
  for (int64_t i = 0; i < extent; ++i) {
    y[i * inner] = std::exp(x[i * inner] - largest);
    sum += double{y[i * inner]};
  }
  const auto factor = static_cast<float>(1.0 / sum);
  for (int64_t i = 0; i < extent; ++i) y[i * inner] *= factor;
}

void LogSoftmax(const float* x, float* y, int64_t extent, int64_t inner) {
  const float largest = LargestOf(x, extent, inner);
  double sum = 0.0;
  for (int64_t i = 0; i < extent; ++i) sum += std::exp(double{x[i * inner]} - double{largest});
  const auto shift = static_cast<float>(double{largest} + std::log(sum));
  for (int64_t i = 0; i < extent; ++i) y[i * inner] = x[i * inner] - shift;
}

// 1 at the first of the largest elements, else 0.
void Hardmax(const float* x, float* y, int64_t extent, int64_t inner) {
  int64_t best = 0;
  for (int64_t i = 0; i < extent; ++i) {
    y[i * inner] = 0.0f;
    if (x[i * inner] > x[best * inner]) best = i;
  }
  y[best * inner] = 1.0f;
}

template <void (*kFunction)(const float*, float*, int64_t, int64_t)>
StepResult MakeSoftmaxStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(view, SoftmaxView(context.At()));
  return MakeLineStep(context, view,
                      [](const float* x, float* y, int64_t extent, int64_t inner) { kFunction(x, y, extent, inner); });
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
  return MakeLineStep(context, view, [squares = p == 2](const float* x, float* y, int64_t extent, int64_t inner) {
    double sum = 0.0;
    for (int64_t i = 0; i < extent; ++i) {
      const double value = double{x[i * inner]};
      sum += squares ? value * value : std::abs(value);
    }
    const double norm = squares ? std::sqrt(sum) : sum;
    for (int64_t i = 0; i < extent; ++i) {
      y[i * inner] = norm == 0.0 ? 0.0f : static_cast<float>(double{x[i * inner]} / norm);
    }
  });
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
    const int64_t elements = Elements(shape_);
    std::vector<double> sum(static_cast<size_t>(groups)), squares(sum.size());
    const double count = static_cast<double>(elements / std::max<int64_t>(groups, 1));
    for (int64_t i = 0; i < elements; ++i) sum[Group(i)] += double{args.in(0)[i]};
    for (int64_t i = 0; i < elements; ++i) {
      const double difference = double{args.in(0)[i]} - sum[Group(i)] / count;
      squares[Group(i)] += difference * difference;
    }
    for (int64_t i = 0; i < elements; ++i) {
      const size_t group = Group(i);
      const double deviation = std::sqrt(squares[group] / count) + 1e-9;
      args.out()[i] = static_cast<float>((double{args.in(0)[i]} - sum[group] / count) / deviation);
    }
    return Status();
  }

 private:
  // Which of the groups that are normalised together element i belongs to.
  size_t Group(int64_t i) const {
    int64_t group = 0, stride = 1;
    for (size_t axis = shape_.size(); axis-- > 0;) {
      if (keeps_[axis]) {
        group += i % shape_[axis] * stride;
        stride *= shape_[axis];
      }
      i /= shape_[axis];
    }
    return static_cast<size_t>(group);
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
  Response response;
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

constexpr Operator kOperators[] = {
    {"BatchNormalization", 5, 5, 1, InferBatchNormalization, MakeBatchNormalizationStep},
    {"GroupNormalization", 3, 3, 1, InferGroupNormalization, MakeGroupNormalizationStep},
    {"Hardmax", 1, 1, 1, InferSoftmax, MakeSoftmaxStep<Hardmax>},
    {"InstanceNormalization", 3, 3, 1, InferInstanceNormalization, MakeInstanceNormalizationStep},
    {"LRN", 1, 1, 1, InferLrn, MakeLrnStep},
    {"LayerNormalization", 2, 3, 3, InferLayerNormalization, MakeLayerNormalizationStep},
    {"LogSoftmax", 1, 1, 1, InferSoftmax, MakeSoftmaxStep<LogSoftmax>},
    {"LpNormalization", 1, 1, 1, InferLpNormalization, MakeLpNormalizationStep},
    {"MeanVarianceNormalization", 1, 1, 1, InferMeanVariance, MakeMeanVarianceStep},
    {"Softmax", 1, 1, 1, InferSoftmax, MakeSoftmaxStep<Softmax>},
};

}  // namespace

std::span<const Operator> NormalizationOperators() { return kOperators; }

}  // namespace graph
