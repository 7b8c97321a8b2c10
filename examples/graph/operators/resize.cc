// Resize and Upsample: each axis on its own, outputs being weighted sums of few inputs.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/axis_view.h"
#include "graph/operators/index_map_step.h"
#include "graph/operators/storage.h"
#include "graph/resized_axis.h"

namespace graph {
namespace {

InferResult InferResize(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(axes, ResizeOf(at.graph, at.node, at.shape(0)));
  if (!IsFloating(at.type()) && !axes.empty() && axes[0].mode != ResizedAxis::Mode::kNearest) {
    return at.Unsupported(std::string("input 0 is ") + ToString(at.type()) + ", must be floats in modes but nearest");
  }
  Shape y;
  for (const ResizedAxis& axis : axes) y.push_back(axis.output);
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

// One axis after the other, those that shrink first: y[.., i, ..] = sum over k of weight[i, k] x[.., index[i, k], ..].
class InterpolationStep : public Step {
 public:
  InterpolationStep(const StepContext& context, const std::vector<ResizedAxis>& axes)
      : Step({context.layer.node->inputs[0]}) {
    Shape shape = context.InputShape(0);
    std::vector<size_t> order;
    for (size_t axis = 0; axis < axes.size(); ++axis) {
      if (!axes[axis].IsIdentity()) order.push_back(axis);
    }
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return double(axes[a].output) / double(axes[a].input) < double(axes[b].output) / double(axes[b].input);
    });
    for (const size_t axis : order) {
      Pass pass{AxisView(shape, axis), axes[axis].output, axes[axis].Terms()};
      shape[axis] = axes[axis].output;
      most_ = std::max(most_, Elements(shape));
      passes_.push_back(std::move(pass));
    }
    elements_ = Elements(shape);
  }

  // Two buffers for what lies between passes.
  size_t WorkspaceBytes(size_t) const override { return passes_.size() < 2 ? 0 : 2 * BufferBytes(); }

  Status Run(const StepArgs& args) const override {
    const float* x = args.in(0);
    if (passes_.empty()) std::copy_n(x, elements_, args.out());
    for (size_t i = 0; i < passes_.size(); ++i) {
      const bool last = i + 1 == passes_.size();
      float* y = last ? args.out() : reinterpret_cast<float*>(args.workspace.data() + i % 2 * BufferBytes());
      RunPass(passes_[i], x, y, args.threads);
      x = y;
    }
    return Status();
  }

 private:
  struct Pass {
    AxisView view;
    int64_t output;
    std::vector<ResizedAxis::Term> terms;
  };

  size_t BufferBytes() const { return lacuna::RoundUp(static_cast<size_t>(most_) * sizeof(float), lacuna::kAlignment); }

  static void RunPass(const Pass& pass, const float* x, float* y, const Threads& threads) {
    const AxisView& view = pass.view;
    threads.parallel_ranges(view.outer * pass.output, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const ResizedAxis::Term& term = pass.terms[static_cast<size_t>(row % pass.output)];
        const float* from = x + row / pass.output * view.extent * view.inner;
        float* __restrict to = y + row * view.inner;
        std::fill_n(to, view.inner, term.constant);
        for (size_t k = 0; k < term.index.size(); ++k) {
          const float weight = term.weight[k];
          const float* __restrict source = from + term.index[k] * view.inner;
          for (int64_t i = 0; i < view.inner; ++i) to[i] += weight * source[i];
        }
      }
    });
  }

  std::vector<Pass> passes_;
  int64_t most_ = 0, elements_ = 0;
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
  if (!IsFloating(context.InputType())) {
    return std::unique_ptr<Step>(new IndexMapStep<int64_t>(context, std::move(index)));
  }
  const float fill = axes.empty() ? 0.0f : axes[0].extrapolation;
  return std::unique_ptr<Step>(new IndexMapStep<float>(context, std::move(index), fill));
}

constexpr Operator kOperators[] = {
    {"Resize", 1, 4, 1, InferResize, MakeResizeStep},
    {"Upsample", 1, 2, 1, InferResize, MakeResizeStep},
};

}  // namespace

std::span<const Operator> ResizeOperators() { return kOperators; }

}  // namespace graph
