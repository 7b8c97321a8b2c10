// MaxPool, AveragePool, LpPool and the global ones.

#include "lacuna/core/buffer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <type_traits>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/storage.h"
#include "graph/step.h"
#include "graph/window.h"

namespace graph {
namespace {

constexpr size_t kAxes = 3;  // fewer spatial axes are completed with extents of 1 in front

int64_t CeilDivide(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

// One axis of a Window.
struct Axis {
  int64_t input = 1, kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0, output = 1;

  int64_t Start(int64_t o) const { return o * stride - pad_begin; }
  // Taps of window o that lie in [0, input): a half-open range.
  int64_t FirstTap(int64_t o) const { return std::max<int64_t>(0, CeilDivide(-Start(o), dilation)); }
  int64_t EndTap(int64_t o) const { return std::clamp<int64_t>(CeilDivide(input - Start(o), dilation), 0, kernel); }
  // Taps of window o that lie in the input or its padding.
  int64_t PaddedTaps(int64_t o) const {
    return std::clamp<int64_t>(CeilDivide(input + pad_end - Start(o), dilation), 0, kernel);
  }
};

std::vector<Axis> AxesOf(const Window& window) {
  std::vector<Axis> axes(kAxes);
  const size_t missing = kAxes - window.rank();
  for (size_t i = 0; i < window.rank(); ++i) {
    axes[missing + i] = {window.input[i],     window.kernel[i],  window.stride[i], window.dilation[i],
                         window.pad_begin[i], window.pad_end[i], window.output[i]};
  }
  return axes;
}

struct Max {
  template <class T>
  static constexpr T Start() {
    return std::is_same_v<T, float> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::min();
  }
  template <class T>
  static T Combine(T a, T b) {
    return a > b ? a : b;
  }
};

struct Sum {
  template <class T>
  static constexpr T Start() {
    return T{0};
  }
  template <class T>
  static T Combine(T a, T b) {
    return a + b;
  }
};

// y[i] = Combine of row[i * stride + k * dilation] over k < taps. The windows of most networks are compiled in, so that
// the loop vectorises.
template <class Reduce, class T>
void ReduceAlong(const T* __restrict row, T* __restrict y, int64_t count, int64_t taps, int64_t stride,
                 int64_t dilation) {
  const auto loop = [&](auto fixed_taps, auto fixed_stride) {
    for (int64_t i = 0; i < count; ++i) {
      T result = row[i * fixed_stride];
      for (int64_t k = 1; k < fixed_taps; ++k) result = Reduce::Combine(result, row[i * fixed_stride + k]);
      y[i] = result;
    }
  };
  const auto of_stride = [&](auto fixed_taps) {
    if (stride == 1) return loop(fixed_taps, std::integral_constant<int64_t, 1>());
    return loop(fixed_taps, std::integral_constant<int64_t, 2>());
  };
  if (dilation == 1 && stride <= 2) {
    switch (taps) {
      case 1: return of_stride(std::integral_constant<int64_t, 1>());
      case 2: return of_stride(std::integral_constant<int64_t, 2>());
      case 3: return of_stride(std::integral_constant<int64_t, 3>());
      case 5: return of_stride(std::integral_constant<int64_t, 5>());
      default: break;
    }
  }
  for (int64_t i = 0; i < count; ++i) y[i] = row[i * stride];
  for (int64_t k = 1; k < taps; ++k) {
    const T* __restrict from = row + k * dilation;
    for (int64_t i = 0; i < count; ++i) y[i] = Reduce::Combine(y[i], from[i * stride]);
  }
}

// Taps that an average counts, of each window of an axis.
std::vector<float> CountedTaps(const Axis& axis, bool count_padding) {
  std::vector<float> counts;
  for (int64_t o = 0; o < axis.output; ++o) {
    const int64_t taps = count_padding ? axis.PaddedTaps(o) : axis.EndTap(o) - axis.FirstTap(o);
    counts.push_back(static_cast<float>(std::max<int64_t>(taps, 1)));
  }
  return counts;
}

// Reduces kernel rows into one padded row first: contiguous, and shared by the taps along the row.
template <class T, class Reduce>
class PoolStep : public Step {
 public:
  // `counts` of each axis divide the results; none: nothing does.
  PoolStep(const StepContext& context, std::vector<Axis> axes, std::vector<std::vector<float>> counts = {})
      : Step({context.layer.node->inputs[0]}), axes_(std::move(axes)), counts_(std::move(counts)) {
    planes_ = context.InputShape(0)[0] * context.InputShape(0)[1];
    const Axis& width = axes_[2];
    row_ = std::max(width.pad_begin + width.input,
                    (width.output - 1) * width.stride + (width.kernel - 1) * width.dilation + 1);
  }

  size_t WorkspaceBytes(size_t threads) const override { return threads * RowBytes(); }

  Status Run(const StepArgs& args) const override {
    const int64_t input = axes_[0].input * axes_[1].input * axes_[2].input;
    const int64_t output = axes_[0].output * axes_[1].output * axes_[2].output;
    args.threads.parallel_ranges(planes_, [&](size_t slot, int64_t begin, int64_t end) {
      auto* row = reinterpret_cast<T*>(args.workspace.data() + slot * RowBytes());
      std::fill_n(row, row_, Reduce::template Start<T>());
      for (int64_t p = begin; p < end; ++p) Plane(args.in<T>(0) + p * input, args.out<T>() + p * output, row);
    });
    return Status();
  }

 private:
  size_t RowBytes() const { return lacuna::RoundUp(static_cast<size_t>(row_) * sizeof(T), lacuna::kAlignment); }

  void Plane(const T* x, T* y, T* row) const {
    const Axis& width = axes_[2];
    for (int64_t od = 0; od < axes_[0].output; ++od) {
      for (int64_t oh = 0; oh < axes_[1].output; ++oh, y += width.output) {
        ReduceRows(x, od, oh, row + width.pad_begin);
        ReduceAlong<Reduce>(row, y, width.output, width.kernel, width.stride, width.dilation);
        if (counts_.empty()) continue;
        const float count = counts_[0][static_cast<size_t>(od)] * counts_[1][static_cast<size_t>(oh)];
        const float* __restrict along = counts_[2].data();
        for (int64_t ow = 0; ow < width.output; ++ow) y[ow] /= static_cast<T>(count * along[ow]);
      }
    }
  }

  void ReduceRows(const T* x, int64_t od, int64_t oh, T* __restrict row) const {
    const Axis& depth = axes_[0];
    const Axis& height = axes_[1];
    const int64_t width = axes_[2].input;
    const T* waiting = nullptr;  // a row that is combined with the next one
    bool begun = false;
    const auto combine = [&](const T* __restrict a, const T* __restrict b) {
      if (begun) {
        for (int64_t i = 0; i < width; ++i) row[i] = Reduce::Combine(row[i], Reduce::Combine(a[i], b[i]));
      } else {
        for (int64_t i = 0; i < width; ++i) row[i] = Reduce::Combine(a[i], b[i]);
      }
      begun = true;
    };
    for (int64_t kd = depth.FirstTap(od); kd < depth.EndTap(od); ++kd) {
      for (int64_t kh = height.FirstTap(oh); kh < height.EndTap(oh); ++kh) {
        const int64_t id = depth.Start(od) + kd * depth.dilation;
        const int64_t ih = height.Start(oh) + kh * height.dilation;
        const T* source = x + (id * height.input + ih) * width;
        if (waiting != nullptr) combine(waiting, source);
        waiting = waiting == nullptr ? source : nullptr;
      }
    }
    if (waiting != nullptr && begun) {
      for (int64_t i = 0; i < width; ++i) row[i] = Reduce::Combine(row[i], waiting[i]);
    } else if (waiting != nullptr) {
      std::copy_n(waiting, width, row);
    } else if (!begun) {  // dilated taps may all lie in the padding
      std::fill_n(row, width, Reduce::template Start<T>());
    }
  }

  std::vector<Axis> axes_;
  std::vector<std::vector<float>> counts_;
  int64_t planes_;
  int64_t row_;  // elements of a row with its padding
};

// Any pooling, window by window: where the fast one does not serve. f(values of a window and where in the plane they
// are) gives one result.
template <class T, class F>
class WindowStep : public Step {
 public:
  WindowStep(const Layer& layer, std::vector<Axis> axes, int64_t planes, F f)
      : Step({layer.node->inputs[0]}), axes_(std::move(axes)), planes_(planes), f_(std::move(f)) {}

  Status Run(const StepArgs& args) const override {
    const int64_t input = axes_[0].input * axes_[1].input * axes_[2].input;
    const int64_t output = axes_[0].output * axes_[1].output * axes_[2].output;
    args.threads.parallel_ranges(planes_, [&](size_t, int64_t begin, int64_t end) {
      std::vector<T> values;
      std::vector<int64_t> places;
      for (int64_t p = begin; p < end; ++p) {
        int64_t o = p * output;
        for (int64_t od = 0; od < axes_[0].output; ++od) {
          for (int64_t oh = 0; oh < axes_[1].output; ++oh) {
            for (int64_t ow = 0; ow < axes_[2].output; ++ow, ++o) {
              Collect(args.in<T>(0) + p * input, od, oh, ow, values, places);
              f_(args, o, p * input, values, places);
            }
          }
        }
      }
    });
    return Status();
  }

 private:
  void Collect(const T* x, int64_t od, int64_t oh, int64_t ow, std::vector<T>& values,
               std::vector<int64_t>& places) const {
    values.clear();
    places.clear();
    const auto& [depth, height, width] = std::tie(axes_[0], axes_[1], axes_[2]);
    for (int64_t kd = depth.FirstTap(od); kd < depth.EndTap(od); ++kd) {
      for (int64_t kh = height.FirstTap(oh); kh < height.EndTap(oh); ++kh) {
        for (int64_t kw = width.FirstTap(ow); kw < width.EndTap(ow); ++kw) {
          const int64_t id = depth.Start(od) + kd * depth.dilation, ih = height.Start(oh) + kh * height.dilation;
          const int64_t place = (id * height.input + ih) * width.input + width.Start(ow) + kw * width.dilation;
          values.push_back(x[place]);
          places.push_back(place);
        }
      }
    }
  }

  std::vector<Axis> axes_;
  int64_t planes_;
  F f_;
};

template <class T, class F>
StepResult MakeWindowStep(const StepContext& context, std::vector<Axis> axes, F f) {
  const Shape& x = context.InputShape(0);
  return std::unique_ptr<Step>(new WindowStep<T, F>(context.layer, std::move(axes), x[0] * x[1], std::move(f)));
}

// The largest value of each window, and where it is in the tensor: counted along rows, or along columns of the planes.
template <class T>
StepResult MakeMaxPoolWithIndices(const StepContext& context, std::vector<Axis> axes) {
  const Node& node = *context.layer.node;
  LACUNA_ASSIGN_OR_RETURN(order, IntAttribute(node, "storage_order", 0));
  const bool has_values = !node.outputs[0].empty();
  const bool has_indices = node.outputs.size() > 1 && !node.outputs[1].empty();
  const Axis depth = axes[0], height = axes[1], width = axes[2];
  return MakeWindowStep<T>(context, std::move(axes),
                           [=](const StepArgs& args, int64_t o, int64_t plane, const std::vector<T>& values,
                               const std::vector<int64_t>& places) {
                             size_t best = 0;
                             for (size_t i = 1; i < values.size(); ++i) best = values[i] > values[best] ? i : best;
                             if (has_values) args.out<T>()[o] = values.empty() ? Max::Start<T>() : values[best];
                             if (!has_indices) return;
                             int64_t place = values.empty() ? 0 : places[best];
                             if (order != 0) {
                               const int64_t w = place % width.input, h = place / width.input % height.input;
                               place = (w * height.input + h) * depth.input + place / (width.input * height.input);
                             }
                             args.out<int64_t>(has_values ? 1 : 0)[o] = plane + place;
                           });
}

class GlobalPoolStep : public Step {
 public:
  GlobalPoolStep(const StepContext& context, float (*reduce)(const float*, int64_t))
      : Step({context.layer.node->inputs[0]}), reduce_(reduce) {
    const Shape& x = context.InputShape(0);
    planes_ = x[0] * x[1];
    positions_ = Elements(Shape(x.begin() + 2, x.end()));
  }

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(planes_, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) args.out()[p] = reduce_(args.in(0) + p * positions_, positions_);
    });
    return Status();
  }

 private:
  float (*reduce_)(const float*, int64_t);
  int64_t planes_, positions_;
};

constexpr int64_t kLanes = 16;  // independent results, for a compiler that may not reorder one

float MeanOf(const float* x, int64_t count) {
  float sum[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sum[lane] += x[i + lane];
  }
  double total = 0.0;
  for (; i < count; ++i) total += double{x[i]};
  for (const float part : sum) total += double{part};
  return static_cast<float>(total / static_cast<double>(count));
}

float LargestOf(const float* x, int64_t count) {
  float largest[kLanes];
  std::fill_n(largest, kLanes, Max::Start<float>());
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) largest[lane] = Max::Combine(largest[lane], x[i + lane]);
  }
  for (; i < count; ++i) largest[0] = Max::Combine(largest[0], x[i]);
  return *std::max_element(largest, largest + kLanes);
}

// ---- LpPool: (sum |x|^p)^(1/p)

float NormOf(const std::vector<float>& values, int64_t p) {
  double sum = 0.0;
  for (const float value : values) {
    const double size = std::abs(double{value});
    sum += p == 1 ? size : p == 2 ? size * size : std::pow(size, static_cast<double>(p));
  }
  return static_cast<float>(p == 1 ? sum : p == 2 ? std::sqrt(sum) : std::pow(sum, 1.0 / static_cast<double>(p)));
}

StepResult MakeNormPool(const StepContext& context, std::vector<Axis> axes) {
  LACUNA_ASSIGN_OR_RETURN(p, IntAttribute(*context.layer.node, "p", 2));
  return MakeWindowStep<float>(context, std::move(axes),
                               [p = p](const StepArgs& args, int64_t o, int64_t, const std::vector<float>& values,
                                       const auto&) { args.out()[o] = NormOf(values, p); });
}

Status CheckNorm(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(p, IntAttribute(at.node, "p", 2));
  if (p >= 1 && p <= 64) return Status();
  return Status::InvalidArgument("%s: attribute 'p' is %lld, must be in [1, 64]", at.node.Label().c_str(),
                                 static_cast<long long>(p));
}

InferResult InferPool(const NodeContext& at) {
  const bool integers = at.node.op == "MaxPool" && !IsFloating(at.type());
  if (!IsFloating(at.type()) && !integers) {
    return at.Unsupported(std::string("input 0 is ") + ToString(at.type()) + ", must be floats");
  }
  if (at.node.op == "LpPool") LACUNA_RETURN_IF_ERROR(CheckNorm(at));
  LACUNA_ASSIGN_OR_RETURN(window, PoolWindow(at.node, at.shape(0)));
  // Rows are padded when they are pooled, by less than the windows reach over.
  constexpr int64_t kMaxReach = int64_t{1} << 24;
  const int64_t reach = (window.kernel.back() - 1) * window.dilation.back() + 1;
  if (reach > kMaxReach) {
    return at.Unsupported("its windows reach over " + std::to_string(reach) + " inputs of the last axis, more than " +
                          std::to_string(kMaxReach));
  }
  Shape y = {at.shape(0)[0], at.shape(0)[1]};
  y.insert(y.end(), window.output.begin(), window.output.end());
  return std::vector<TensorInfo>{{at.type(), y}, {ElementType::kInt64, y}};
}

InferResult InferGlobalPool(const NodeContext& at) {
  Shape y = at.shape(0);
  if (y.size() < 3) return at.ShapeError(0, "have spatial axes");
  if (!IsFloating(at.type())) return at.Unsupported(std::string("input 0 is ") + ToString(at.type()));
  if (at.node.op == "GlobalLpPool") LACUNA_RETURN_IF_ERROR(CheckNorm(at));
  for (size_t axis = 2; axis < y.size(); ++axis) {
    if (y[axis] < 1) return at.ShapeError(0, "have elements to pool");
    y[axis] = 1;
  }
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

StepResult MakeMaxPoolStep(const StepContext& context) {
  const Node& node = *context.layer.node;
  LACUNA_ASSIGN_OR_RETURN(window, PoolWindow(node, context.InputShape(0)));
  const bool values_only = node.PresentOutputs().size() == 1 && !node.outputs[0].empty();
  if (values_only && context.IsNarrow(node.inputs[0])) {
    if (context.InputType() == ElementType::kUint8) {
      return std::unique_ptr<Step>(new PoolStep<uint8_t, Max>(context, AxesOf(window)));
    }
    return std::unique_ptr<Step>(new PoolStep<int8_t, Max>(context, AxesOf(window)));
  }
  return WithStorage(context.InputType(), [&](auto storage) -> StepResult {
    using T = typename decltype(storage)::type;
    if (!values_only) return MakeMaxPoolWithIndices<T>(context, AxesOf(window));
    return std::unique_ptr<Step>(new PoolStep<T, Max>(context, AxesOf(window)));
  });
}

StepResult MakeAveragePoolStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(window, PoolWindow(*context.layer.node, context.InputShape(0)));
  LACUNA_ASSIGN_OR_RETURN(count_padding, IntAttribute(*context.layer.node, "count_include_pad", 0));
  std::vector<Axis> axes = AxesOf(window);
  std::vector<std::vector<float>> counts;
  for (const Axis& axis : axes) counts.push_back(CountedTaps(axis, count_padding != 0));
  return std::unique_ptr<Step>(new PoolStep<float, Sum>(context, std::move(axes), std::move(counts)));
}

StepResult MakeLpPoolStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(window, PoolWindow(*context.layer.node, context.InputShape(0)));
  return MakeNormPool(context, AxesOf(window));
}

StepResult MakeGlobalLpPoolStep(const StepContext& context) {
  const Shape& x = context.InputShape(0);
  std::vector<Axis> axes(kAxes);
  axes[2].input = axes[2].kernel = Elements(Shape(x.begin() + 2, x.end()));
  return MakeNormPool(context, std::move(axes));
}

template <float (*kReduce)(const float*, int64_t)>
StepResult MakeGlobalPoolStep(const StepContext& context) {
  return std::unique_ptr<Step>(new GlobalPoolStep(context, kReduce));
}

constexpr Operator kPoolingOperators[] = {
    {"AveragePool", 1, 1, 1, InferPool, MakeAveragePoolStep},
    {"GlobalAveragePool", 1, 1, 1, InferGlobalPool, MakeGlobalPoolStep<MeanOf>},
    {"GlobalLpPool", 1, 1, 1, InferGlobalPool, MakeGlobalLpPoolStep},
    {"GlobalMaxPool", 1, 1, 1, InferGlobalPool, MakeGlobalPoolStep<LargestOf>},
    {"LpPool", 1, 1, 1, InferPool, MakeLpPoolStep},
    {"MaxPool", 1, 1, 2, InferPool, MakeMaxPoolStep},
};

}  // namespace

std::span<const Operator> PoolingOperators() { return kPoolingOperators; }

}  // namespace graph
