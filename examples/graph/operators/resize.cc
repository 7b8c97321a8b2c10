// Resize and Upsample: each axis on its own, outputs being weighted sums of few inputs.

#include "lacuna/core/buffer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/axis_view.h"
#include "graph/operators/index_map_step.h"
#include "graph/resized_axis.h"

namespace graph {
namespace {

InferResult InferResize(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(axes, ResizeOf(at.graph, at.node, at.shape(0)));
  Shape y;
  for (const ResizedAxis& axis : axes) y.push_back(axis.output);
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

// y = sum over k of weight[k] * x[k], rows of `count` elements.
void WeightRows(const float* x, int64_t inner, const int32_t* index, const float* weight, int64_t taps, float constant,
                float* __restrict y, int64_t count) {
  const auto row = [&](int64_t k) { return x + index[k] * inner; };
  const float* __restrict a = row(0);
  const float* __restrict b = row(1);
  const float weight_a = weight[0], weight_b = weight[1];
  for (int64_t i = 0; i < count; ++i) y[i] = constant + weight_a * a[i] + weight_b * b[i];
  for (int64_t k = 2; k < taps; k += 2) {  // their number is even
    const float* __restrict c = row(k);
    const float* __restrict d = row(k + 1);
    const float weight_c = weight[k], weight_d = weight[k + 1];
    for (int64_t i = 0; i < count; ++i) y[i] += weight_c * c[i] + weight_d * d[i];
  }
}

// The elements of one axis of an item become weighted sums of few of them.
struct Pass {
  AxisView view;
  int64_t output;
  ResizedAxis::Taps taps;

  // Whole rows where the axis is not the last, else all outputs that stand in a row.
  int64_t Rows() const { return view.inner > 1 ? view.outer * output : view.outer; }

  void Run(const float* x, float* y, int64_t begin, int64_t end) const {
    for (int64_t row = begin; row < end; ++row) {
      if (view.inner == 1) {
        AlongRow(x + row * view.extent, y + row * output);
        continue;
      }
      const auto i = static_cast<size_t>(row % output);
      const auto first = i * static_cast<size_t>(taps.count);
      WeightRows(x + row / output * view.extent * view.inner, view.inner, &taps.index[first], &taps.weight[first],
                 taps.count, taps.constant.empty() ? 0.0f : taps.constant[i], y + row * view.inner, view.inner);
    }
  }

  void AlongRow(const float* __restrict x, float* __restrict y) const {
    const int32_t* index = taps.index.data();
    const float* weight = taps.weight.data();
    if (taps.count == 2) {
      for (int64_t i = 0; i < output; ++i) {
        y[i] = weight[2 * i] * x[index[2 * i]] + weight[2 * i + 1] * x[index[2 * i + 1]];
      }
    } else {
      for (int64_t i = 0; i < output; ++i, index += taps.count, weight += taps.count) {
        float sum = 0.0f;
        for (int64_t k = 0; k < taps.count; ++k) sum += weight[k] * x[index[k]];
        y[i] = sum;
      }
    }
    if (taps.constant.empty()) return;
    for (int64_t i = 0; i < output; ++i) y[i] += taps.constant[static_cast<size_t>(i)];
  }
};

// One axis after the other. Items, the axes before the first that changes, are computed on their own, so that what lies
// between their passes stays in the cache.
class InterpolationStep : public Step {
 public:
  InterpolationStep(const StepContext& context, const std::vector<ResizedAxis>& axes)
      : Step({context.layer.node->inputs[0]}), type_(context.InputType()) {
    std::vector<size_t> order;
    for (size_t axis = 0; axis < axes.size(); ++axis) {
      if (!axes[axis].IsIdentity()) order.push_back(axis);
    }
    const Shape& x = context.InputShape(0);
    const auto split = x.begin() + static_cast<int64_t>(order.empty() ? 0 : order[0]);
    items_ = Elements(Shape(x.begin(), split));
    Shape shape(split, x.end());
    input_ = Elements(shape);
    const size_t first = x.size() - shape.size();
    // Axes that shrink come first, from the outermost, as whole rows are cheapest; the last to grow is the outermost.
    const auto shrinks = [&](size_t axis) { return axes[axis].output < axes[axis].input; };
    std::reverse(std::stable_partition(order.begin(), order.end(), shrinks), order.end());
    for (const size_t axis : order) {
      passes_.push_back({AxisView(shape, axis - first), axes[axis].output, axes[axis].AllTaps()});
      shape[axis - first] = axes[axis].output;
      if (axis != order.back()) most_ = std::max(most_, Elements(shape));
    }
    output_ = Elements(shape);
  }

  size_t WorkspaceBytes(size_t threads) const override {
    const size_t floats = IsFloating(type_) ? 0 : FloatsBytes(items_ * input_) + FloatsBytes(items_ * output_);
    return floats + (SharesItems(threads) ? threads : 1) * 2 * FloatsBytes(most_);
  }

  Status Run(const StepArgs& args) const override {
    if (IsFloating(type_)) {
      Interpolate(args.in(0), args.out(), args.workspace.data(), args.threads);
      return Status();
    }
    // Integers are rounded toward zero in the end, as ONNX Runtime does.
    auto* x = reinterpret_cast<float*>(args.workspace.data());
    auto* y = reinterpret_cast<float*>(args.workspace.data() + FloatsBytes(items_ * input_));
    std::byte* rest = args.workspace.data() + FloatsBytes(items_ * input_) + FloatsBytes(items_ * output_);
    std::transform(args.in<int64_t>(0), args.in<int64_t>(0) + items_ * input_, x,
                   [](int64_t value) { return static_cast<float>(value); });
    Interpolate(x, y, rest, args.threads);
    std::transform(y, y + items_ * output_, args.out<int64_t>(), [this](float value) {
      constexpr float kLimit = 9.2e18f;
      return Wrapped(type_, static_cast<int64_t>(std::isnan(value) ? 0.0f : std::clamp(value, -kLimit, kLimit)));
    });
    return Status();
  }

 private:
  static size_t FloatsBytes(int64_t count) {
    return lacuna::RoundUp(static_cast<size_t>(count) * sizeof(float), lacuna::kAlignment);
  }
  bool SharesItems(size_t threads) const { return items_ >= static_cast<int64_t>(threads); }

  void Interpolate(const float* x, float* y, std::byte* workspace, const Threads& threads) const {
    if (passes_.empty()) {
      std::copy_n(x, items_ * input_, y);
    } else if (SharesItems(threads.concurrency())) {
      threads.parallel_ranges(items_, [&](size_t slot, int64_t begin, int64_t end) {
        std::byte* own = workspace + slot * 2 * FloatsBytes(most_);
        const auto all = [](int64_t rows, const auto& run) { run(0, rows); };
        for (int64_t item = begin; item < end; ++item) Item(x + item * input_, y + item * output_, own, all);
      });
    } else {
      const auto shared = [&](int64_t rows, const auto& run) {
        threads.parallel_ranges(rows, [&](size_t, int64_t begin, int64_t end) { run(begin, end); });
      };
      for (int64_t item = 0; item < items_; ++item) Item(x + item * input_, y + item * output_, workspace, shared);
    }
  }

  // for_rows(rows, run) calls run(begin, end) for parts of [0, rows).
  template <class ForRows>
  void Item(const float* x, float* y, std::byte* workspace, const ForRows& for_rows) const {
    for (size_t i = 0; i < passes_.size(); ++i) {
      const bool last = i + 1 == passes_.size();
      float* to = last ? y : reinterpret_cast<float*>(workspace + i % 2 * FloatsBytes(most_));
      for_rows(passes_[i].Rows(), [&](int64_t begin, int64_t end) { passes_[i].Run(x, to, begin, end); });
      x = to;
    }
  }

  ElementType type_;
  std::vector<Pass> passes_;
  int64_t items_ = 1, input_ = 0, output_ = 0;
  int64_t most_ = 0;  // elements between the passes of an item
};

StepResult MakeResizeStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axes, ResizeOf(context.graph, *context.layer.node, context.InputShape(0)));
  if (!axes.empty() && axes[0].mode != ResizedAxis::Mode::kNearest) {
    return std::unique_ptr<Step>(new InterpolationStep(context, axes));
  }
  std::vector<Shape> index;
  for (const ResizedAxis& axis : axes) {
    Shape& along = index.emplace_back();
    for (int64_t i = 0; i < axis.output; ++i) along.push_back(axis.Source(i));
  }
  const float fill = axes.empty() ? 0.0f : axes[0].extrapolation;
  if (IsFloating(context.InputType())) {
    return std::unique_ptr<Step>(new IndexMapStep<float>(context, std::move(index), fill));
  }
  const auto whole = static_cast<int64_t>(std::isnan(fill) ? 0.0f : std::clamp(fill, -9.2e18f, 9.2e18f));
  return std::unique_ptr<Step>(
      new IndexMapStep<int64_t>(context, std::move(index), Wrapped(context.InputType(), whole)));
}

constexpr Operator kResizeOperators[] = {
    {"Resize", 1, 4, 1, InferResize, MakeResizeStep},
    {"Upsample", 1, 2, 1, InferResize, MakeResizeStep},
};

}  // namespace

std::span<const Operator> ResizeOperators() { return kResizeOperators; }

}  // namespace graph
