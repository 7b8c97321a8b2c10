// ReduceMean, ReduceSum and their kin.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/axis_view.h"
#include "graph/operators/storage.h"

namespace graph {
namespace {

// Which axes are reduced, and the shape that is left.
struct Reduced {
  std::vector<bool> axes;
  Shape output;
  bool nothing = false;  // no axis: each element alone
};

// ReduceSum takes its axes as an input since operator set 13, the others since 18.
Result<Reduced> ReducedBy(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, at.IntegersSince(at.node.op == "ReduceSum" ? 13 : 18, 1, "axes"));
  LACUNA_ASSIGN_OR_RETURN(keeps, IntAttribute(at.node, "keepdims", 1));
  LACUNA_ASSIGN_OR_RETURN(noop, IntAttribute(at.node, "noop_with_empty_axes", 0));
  LACUNA_ASSIGN_OR_RETURN(axes, at.Axes(given.value_or(Shape{}), at.rank()));
  Reduced reduced;
  reduced.nothing = axes.empty() && noop != 0;
  reduced.axes.assign(at.shape(0).size(), axes.empty() && noop == 0);
  for (const size_t axis : axes) reduced.axes[axis] = true;
  for (size_t axis = 0; axis < reduced.axes.size(); ++axis) {
    if (!reduced.axes[axis]) {
      reduced.output.push_back(at.shape(0)[axis]);
    } else if (keeps != 0) {
      reduced.output.push_back(1);
    }
  }
  return reduced;
}

InferResult InferReduction(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(reduced, ReducedBy(at));
  return std::vector<TensorInfo>{{at.type(), reduced.output}};
}

// A reduction: what an element adds to the state of a result, and what the result is in the end. Sums of floats are
// kept in double.
struct Sum {
  static constexpr double kStart = 0.0;
  static double Add(double state, double x) { return state + x; }
  static double Finish(double state, double) { return state; }
};
struct Mean : Sum {
  static double Finish(double state, double count) { return state / count; }
};
struct Max {
  static constexpr double kStart = -std::numeric_limits<double>::infinity();
  static double Add(double state, double x) { return x > state || std::isnan(x) ? x : state; }
  static double Finish(double state, double) { return state; }
};
struct Min {
  static constexpr double kStart = std::numeric_limits<double>::infinity();
  static double Add(double state, double x) { return x < state || std::isnan(x) ? x : state; }
  static double Finish(double state, double) { return state; }
};
struct Product {
  static constexpr double kStart = 1.0;
  static double Add(double state, double x) { return state * x; }
  static double Finish(double state, double) { return state; }
};
struct Norm1 : Sum {
  static double Add(double state, double x) { return state + std::abs(x); }
};
struct SumOfSquares : Sum {
  static double Add(double state, double x) { return state + x * x; }
};
struct Norm2 : SumOfSquares {
  static double Finish(double state, double) { return std::sqrt(state); }
};
struct LogOfSum : Sum {
  static double Finish(double state, double) { return std::log(state); }
};
struct LogOfSumOfExponentials : Sum {
  static double Add(double state, double x) { return state + std::exp(x); }
  static double Finish(double state, double) { return std::log(state); }
};

// Integers are reduced in double too, exact up to 2^53.
template <class T>
T FromDouble(double value, ElementType type) {
  if constexpr (std::is_same_v<T, float>) {
    return static_cast<float>(value);
  } else {
    constexpr double kLimit = 9223372036854775807.0;
    if (std::isnan(value)) return 0;
    if (value >= kLimit) return std::numeric_limits<int64_t>::max();
    if (value <= -kLimit) return std::numeric_limits<int64_t>::min();
    return Wrapped(type, static_cast<int64_t>(value));
  }
}

template <class T, class R>
class ReductionStep : public Step {
 public:
  ReductionStep(const StepContext& context, const Reduced& reduced)
      : Step({context.layer.node->inputs[0]}), type_(context.OutputType()), nothing_(reduced.nothing) {
    // Neighbouring axes that are all reduced, or all kept, are one.
    const Shape& x = context.InputShape(0);
    for (size_t axis = 0; axis < x.size(); ++axis) {
      if (x[axis] == 1) continue;
      if (!extent_.empty() && reduced_.back() == reduced.axes[axis]) {
        extent_.back() *= x[axis];
      } else {
        extent_.push_back(x[axis]);
        reduced_.push_back(reduced.axes[axis]);
      }
    }
    if (extent_.empty()) {
      extent_ = {1};
      reduced_ = {true};
    }
    stride_ = StridesOf(extent_);
    for (size_t axis = 0; axis < extent_.size(); ++axis) (reduced_[axis] ? count_ : results_) *= extent_[axis];
  }

  Status Run(const StepArgs& args) const override {
    if (nothing_) {
      for (int64_t i = 0; i < results_; ++i) args.out<T>()[i] = Finished(R::Add(R::kStart, Value(args.in<T>(0)[i])), 1);
      return Status();
    }
    // Results that lie next to each other are made together, a row of them at a time, where their axis is the last.
    const bool rows = !reduced_.back();
    const int64_t width = rows ? extent_.back() : 1;
    args.threads.parallel_ranges(width == 0 ? 0 : results_ / width, [&](size_t, int64_t begin, int64_t end) {
      std::vector<double> state(static_cast<size_t>(width));
      for (int64_t i = begin; i < end; ++i) {
        const T* x = args.in<T>(0) + Offset(i, false, rows);
        std::fill(state.begin(), state.end(), R::kStart);
        Reduce(x, rows, width, state.data());
        for (int64_t k = 0; k < width; ++k) {
          args.out<T>()[i * width + k] = Finished(state[static_cast<size_t>(k)], count_);
        }
      }
    });
    return Status();
  }

 private:
  static double Value(T x) { return static_cast<double>(x); }
  T Finished(double state, int64_t count) const {
    return FromDouble<T>(R::Finish(state, static_cast<double>(count)), type_);
  }

  void Reduce(const T* x, bool rows, int64_t width, double* state) const {
    const int64_t run = rows ? 1 : extent_.back();
    for (int64_t i = 0; i < count_ / std::max<int64_t>(run, 1); ++i) {
      const T* from = x + Offset(i, true, !rows);
      if (rows) {
        for (int64_t k = 0; k < width; ++k) state[k] = R::Add(state[k], Value(from[k]));
        continue;
      }
      constexpr int64_t kLanes = 8;  // independent states, for a compiler that may not reorder one
      double lane[kLanes];
      std::fill_n(lane, kLanes, R::kStart);
      int64_t k = 0;
      for (; k + kLanes <= run; k += kLanes) {
        for (int64_t l = 0; l < kLanes; ++l) lane[l] = R::Add(lane[l], Value(from[k + l]));
      }
      for (; k < run; ++k) lane[0] = R::Add(lane[0], Value(from[k]));
      for (const double part : lane) *state = Joined(*state, part);
    }
  }

  // Of two states: sums add up, extremes and products join as elements do.
  static double Joined(double a, double b) {
    if constexpr (std::is_base_of_v<Sum, R>) return a + b;
    return R::Add(a, b);
  }

  // Of combination i of the axes that are reduced, or of those that are not; the last axis is left out if `but_last`.
  int64_t Offset(int64_t i, bool of_reduced, bool but_last) const {
    int64_t offset = 0;
    const size_t axes = extent_.size();
    for (size_t axis = axes; axis-- > 0;) {
      if (reduced_[axis] != of_reduced || (axis + 1 == axes && (but_last || of_reduced))) continue;
      offset += i % extent_[axis] * stride_[axis];
      i /= extent_[axis];
    }
    return offset;
  }

  ElementType type_;
  bool nothing_;
  Shape extent_, stride_;
  std::vector<bool> reduced_;
  int64_t count_ = 1, results_ = 1;
};

template <class R>
StepResult MakeReduction(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(reduced, ReducedBy(context.At()));
  return WithStorage(context.InputType(), [&](auto storage) {
    using T = typename decltype(storage)::type;
    return StepResult(std::unique_ptr<Step>(new ReductionStep<T, R>(context, reduced)));
  });
}

constexpr Operator kOperators[] = {
    {"ReduceL1", 1, 2, 1, InferReduction, MakeReduction<Norm1>},
    {"ReduceL2", 1, 2, 1, InferReduction, MakeReduction<Norm2>},
    {"ReduceLogSum", 1, 2, 1, InferReduction, MakeReduction<LogOfSum>},
    {"ReduceLogSumExp", 1, 2, 1, InferReduction, MakeReduction<LogOfSumOfExponentials>},
    {"ReduceMax", 1, 2, 1, InferReduction, MakeReduction<Max>},
    {"ReduceMean", 1, 2, 1, InferReduction, MakeReduction<Mean>},
    {"ReduceMin", 1, 2, 1, InferReduction, MakeReduction<Min>},
    {"ReduceProd", 1, 2, 1, InferReduction, MakeReduction<Product>},
    {"ReduceSum", 1, 2, 1, InferReduction, MakeReduction<Sum>},
    {"ReduceSumSquare", 1, 2, 1, InferReduction, MakeReduction<SumOfSquares>},
};

}  // namespace

std::span<const Operator> ReductionOperators() { return kOperators; }

}  // namespace graph
