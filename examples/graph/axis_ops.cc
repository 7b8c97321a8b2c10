// Concat, Softmax and Transpose: operators on axes.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/attributes.h"
#include "graph/step.h"

namespace graph {
namespace {

// A shape seen from one axis: [outer, extent, inner].
struct AxisView {
  int64_t outer = 1, extent = 1, inner = 1;

  AxisView(const Shape& shape, int64_t axis, bool to_the_end = false) {
    const auto at = shape.begin() + axis;
    const auto after = to_the_end ? shape.end() : at + 1;
    outer = Elements(Shape(shape.begin(), at));
    extent = Elements(Shape(at, after));
    inner = Elements(Shape(after, shape.end()));
  }
};

class ConcatStep : public Step {
 public:
  ConcatStep(const StepContext& context, int64_t axis) : Step(context.layer.node->inputs) {
    outer_ = AxisView(context.OutputShape(), axis).outer;
    for (size_t i = 0; i < inputs().size(); ++i) {
      const AxisView view(context.InputShape(i), axis);
      run_.push_back(view.extent * view.inner);
    }
  }

  Status Run(const StepArgs& args) const override {
    float* y = args.output;
    for (int64_t outer = 0; outer < outer_; ++outer) {
      for (size_t i = 0; i < run_.size(); ++i) {
        if (run_[i] == 0) continue;
        std::memcpy(y, args.inputs[i] + outer * run_[i], static_cast<size_t>(run_[i]) * sizeof(float));
        y += run_[i];
      }
    }
    return Status();
  }

 private:
  int64_t outer_ = 1;
  std::vector<int64_t> run_;  // neighbouring elements that one input contributes
};

class SoftmaxStep : public Step {
 public:
  SoftmaxStep(const StepContext& context, const AxisView& view) : Step({context.layer.node->inputs[0]}), view_(view) {}

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(view_.outer, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t outer = begin; outer < end; ++outer) {
        for (int64_t inner = 0; inner < view_.inner; ++inner) {
          const int64_t first = outer * view_.extent * view_.inner + inner;
          Normalise(args.inputs[0] + first, args.output + first);
        }
      }
    });
    return Status();
  }

 private:
  // Subtracts the maximum first, so that exp cannot overflow.
  void Normalise(const float* x, float* y) const {
    if (view_.extent == 0) return;
    float largest = x[0];
    for (int64_t i = 1; i < view_.extent; ++i) largest = std::max(largest, x[i * view_.inner]);
    double sum = 0.0;
    for (int64_t i = 0; i < view_.extent; ++i) {
      y[i * view_.inner] = std::exp(x[i * view_.inner] - largest);
      sum += double{y[i * view_.inner]};
    }
    const auto factor = static_cast<float>(1.0 / sum);
    for (int64_t i = 0; i < view_.extent; ++i) y[i * view_.inner] *= factor;
  }

  AxisView view_;
};

// y[i_0, i_1, ...] = x[...], where axis k of y is axis order[k] of x.
class TransposeStep : public Step {
 public:
  TransposeStep(const StepContext& context, const std::vector<size_t>& order)
      : Step({context.layer.node->inputs[0]}), extent_(context.OutputShape()) {
    const Shape& x = context.InputShape(0);
    Shape stride(x.size(), 1);
    for (size_t axis = x.size(); axis-- > 1;) stride[axis - 1] = stride[axis] * x[axis];
    for (const size_t axis : order) stride_.push_back(stride[axis]);
    if (extent_.empty()) {  // a scalar
      extent_ = {1};
      stride_ = {1};
    }
  }

  Status Run(const StepArgs& args) const override {
    const int64_t columns = extent_.back();
    const int64_t rows = columns == 0 ? 0 : Elements(extent_) / columns;
    args.threads.parallel_ranges(rows, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const float* x = args.inputs[0] + Offset(row);
        float* y = args.output + row * columns;
        for (int64_t i = 0; i < columns; ++i) y[i] = x[i * stride_.back()];
      }
    });
    return Status();
  }

 private:
  int64_t Offset(int64_t row) const {
    int64_t offset = 0;
    for (size_t axis = extent_.size() - 1; axis-- > 0;) {
      offset += row % extent_[axis] * stride_[axis];
      row /= extent_[axis];
    }
    return offset;
  }

  Shape extent_;  // of y
  Shape stride_;  // in x, of each axis of y
};

}  // namespace

StepResult MakeConcatStep(const StepContext& context) {
  const auto rank = static_cast<int64_t>(context.OutputShape().size());
  LACUNA_ASSIGN_OR_RETURN(axis, AxisAttribute(*context.layer.node, 1, rank));
  return std::unique_ptr<Step>(new ConcatStep(context, axis));
}

StepResult MakeSoftmaxStep(const StepContext& context) {
  const Shape& x = context.InputShape(0);
  const bool flattens = context.graph.opset < 13;  // older operator sets normalise over all axes from `axis` on
  LACUNA_ASSIGN_OR_RETURN(axis, AxisAttribute(*context.layer.node, flattens ? 1 : -1, static_cast<int64_t>(x.size())));
  return std::unique_ptr<Step>(new SoftmaxStep(context, AxisView(x, axis, flattens)));
}

StepResult MakeTransposeStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(order, TransposeOrder(*context.layer.node, context.InputShape(0).size()));
  return std::unique_ptr<Step>(new TransposeStep(context, order));
}

}  // namespace graph
