// MaxPool, AveragePool and GlobalAveragePool.

#include "lacuna/core/buffer.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "graph/attributes.h"
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
  // Windows whose tap k lies in [0, input): a half-open range.
  int64_t FirstWindow(int64_t k) const { return std::max<int64_t>(0, CeilDivide(pad_begin - k * dilation, stride)); }
  int64_t EndWindow(int64_t k) const {
    return std::clamp<int64_t>(CeilDivide(input + pad_begin - k * dilation, stride), 0, output);
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
  static constexpr float kStart = -std::numeric_limits<float>::infinity();
  static float Combine(float a, float b) { return a > b ? a : b; }
};

struct Sum {
  static constexpr float kStart = 0.0f;
  static float Combine(float a, float b) { return a + b; }
};

// y[i] = Combine(y[i], x[i * stride]); the strides that networks use are compiled in, so that the loop vectorises.
template <class Reduce>
void CombineStrided(float* __restrict y, const float* __restrict x, int64_t stride, int64_t count) {
  const auto loop = [&](auto step) {
    for (int64_t i = 0; i < count; ++i) y[i] = Reduce::Combine(y[i], x[i * step]);
  };
  switch (stride) {
    case 1: return loop(std::integral_constant<int64_t, 1>());
    case 2: return loop(std::integral_constant<int64_t, 2>());
    default: return loop(stride);
  }
}

// Reduces kernel rows into one row of the input's width first: contiguous, and shared by the taps along the row.
template <class Reduce>
class PoolStep : public Step {
 public:
  PoolStep(const Layer& layer, std::vector<Axis> axes, int64_t planes, std::vector<float> factor)
      : Step({layer.node->inputs[0]}), axes_(std::move(axes)), planes_(planes), factor_(std::move(factor)) {}

  size_t WorkspaceBytes(size_t threads) const override { return threads * RowBytes(); }

  Status Run(const StepArgs& args) const override {
    const int64_t input = axes_[0].input * axes_[1].input * axes_[2].input;
    const int64_t output = axes_[0].output * axes_[1].output * axes_[2].output;
    args.threads.parallel_ranges(planes_, [&](size_t slot, int64_t begin, int64_t end) {
      auto* row = reinterpret_cast<float*>(args.workspace.data() + slot * RowBytes());
      for (int64_t p = begin; p < end; ++p) Plane(args.inputs[0] + p * input, args.output + p * output, row);
    });
    return Status();
  }

 private:
  size_t RowBytes() const {
    return lacuna::RoundUp(static_cast<size_t>(axes_[2].input) * sizeof(float), lacuna::kAlignment);
  }

  void Plane(const float* x, float* y, float* row) const {
    const float* factor = factor_.data();
    for (int64_t od = 0; od < axes_[0].output; ++od) {
      for (int64_t oh = 0; oh < axes_[1].output; ++oh, y += axes_[2].output) {
        ReduceRows(x, od, oh, row);
        ReduceAlongRow(row, y);
        if (factor_.empty()) continue;
        for (int64_t ow = 0; ow < axes_[2].output; ++ow) y[ow] *= factor[ow];
        factor += axes_[2].output;
      }
    }
  }

  void ReduceRows(const float* x, int64_t od, int64_t oh, float* __restrict row) const {
    const Axis& depth = axes_[0];
    const Axis& height = axes_[1];
    const int64_t width = axes_[2].input;
    std::fill_n(row, width, Reduce::kStart);
    for (int64_t kd = depth.FirstTap(od); kd < depth.EndTap(od); ++kd) {
      for (int64_t kh = height.FirstTap(oh); kh < height.EndTap(oh); ++kh) {
        const int64_t id = depth.Start(od) + kd * depth.dilation;
        const int64_t ih = height.Start(oh) + kh * height.dilation;
        const float* __restrict source = x + (id * height.input + ih) * width;
        for (int64_t i = 0; i < width; ++i) row[i] = Reduce::Combine(row[i], source[i]);
      }
    }
  }

  void ReduceAlongRow(const float* row, float* y) const {
    const Axis& axis = axes_[2];
    std::fill_n(y, axis.output, Reduce::kStart);
    for (int64_t k = axis.FirstTap(axis.output - 1); k < axis.EndTap(0); ++k) {
      const int64_t first = axis.FirstWindow(k);
      const int64_t end = axis.EndWindow(k);
      if (first >= end) continue;
      CombineStrided<Reduce>(y + first, row + axis.Start(first) + k * axis.dilation, axis.stride, end - first);
    }
  }

  std::vector<Axis> axes_;
  int64_t planes_;
  std::vector<float> factor_;  // one per output of a plane, or none
};

// 1 / (taps that count) of every window.
std::vector<float> AverageFactors(const std::vector<Axis>& axes, bool count_padding) {
  const auto taps = [count_padding](const Axis& axis, int64_t o) {
    return count_padding ? axis.PaddedTaps(o) : axis.EndTap(o) - axis.FirstTap(o);
  };
  std::vector<float> factors;
  for (int64_t od = 0; od < axes[0].output; ++od) {
    for (int64_t oh = 0; oh < axes[1].output; ++oh) {
      for (int64_t ow = 0; ow < axes[2].output; ++ow) {
        const int64_t count = taps(axes[0], od) * taps(axes[1], oh) * taps(axes[2], ow);
        factors.push_back(1.0f / static_cast<float>(std::max<int64_t>(count, 1)));
      }
    }
  }
  return factors;
}

class GlobalAveragePoolStep : public Step {
 public:
  GlobalAveragePoolStep(const Layer& layer, int64_t planes, int64_t positions)
      : Step({layer.node->inputs[0]}), planes_(planes), positions_(positions) {}

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(planes_, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) args.output[p] = Mean(args.inputs[0] + p * positions_);
    });
    return Status();
  }

 private:
  float Mean(const float* x) const {
    constexpr int64_t kLanes = 16;  // independent sums, for a compiler that may not reorder one
    float sum[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= positions_; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) sum[lane] += x[i + lane];
    }
    double total = 0.0;
    for (; i < positions_; ++i) total += double{x[i]};
    for (const float part : sum) total += double{part};
    return static_cast<float>(total / static_cast<double>(positions_));
  }

  int64_t planes_;
  int64_t positions_;
};

}  // namespace

StepResult MakePoolStep(const StepContext& context) {
  const Node& node = *context.layer.node;
  const Shape& x = context.InputShape(0);
  LACUNA_ASSIGN_OR_RETURN(window, PoolWindow(node, x));
  std::vector<Axis> axes = AxesOf(window);
  const int64_t planes = x[0] * x[1];
  if (node.op == "MaxPool") {
    return std::unique_ptr<Step>(new PoolStep<Max>(context.layer, std::move(axes), planes, {}));
  }
  LACUNA_ASSIGN_OR_RETURN(count_padding, IntAttribute(node, "count_include_pad", 0));
  std::vector<float> factors = AverageFactors(axes, count_padding != 0);
  return std::unique_ptr<Step>(new PoolStep<Sum>(context.layer, std::move(axes), planes, std::move(factors)));
}

StepResult MakeGlobalAveragePoolStep(const StepContext& context) {
  const Shape& x = context.InputShape(0);
  const int64_t positions = Elements(Shape(x.begin() + 2, x.end()));
  return std::unique_ptr<Step>(new GlobalAveragePoolStep(context.layer, x[0] * x[1], positions));
}

}  // namespace graph
