// ReduceMean, ReduceSum and their kin.

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/axis_view.h"
#include "graph/operators/storage.h"

namespace graph {
namespace {

// Which axes are reduced, perhaps none, and the shape that is left.
struct Reduced {
  std::vector<bool> axes;
  Shape output;
};

// ReduceSum takes its axes as an input since operator set 13, the others since 18.
Result<Reduced> ReducedBy(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, at.IntegersSince(at.node.op == "ReduceSum" ? 13 : 18, 1, "axes"));
  LACUNA_ASSIGN_OR_RETURN(keeps, IntAttribute(at.node, "keepdims", 1));
  LACUNA_ASSIGN_OR_RETURN(noop, IntAttribute(at.node, "noop_with_empty_axes", 0));
  LACUNA_ASSIGN_OR_RETURN(axes, at.Axes(given.value_or(Shape{}), at.rank()));
  Reduced reduced;
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

// Sums and products of floats are kept in double; integers wrap around.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, int64_t>;

template <class S>
S Plus(S a, S b) {
  if constexpr (std::is_same_v<S, int64_t>) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}

template <class S>
S Times(S a, S b) {
  if constexpr (std::is_same_v<S, int64_t>) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  } else {
    return a * b;
  }
}

// f(sum) of a function that integers lack, toward zero.
template <class S, class F>
S Rounded(S sum, const F& f) {
  const double value = f(static_cast<double>(sum));
  if constexpr (std::is_same_v<S, int64_t>) {
    return std::abs(value) < 9.2e18 ? static_cast<int64_t>(value) : std::numeric_limits<int64_t>::min();
  } else {
    return value;
  }
}

// The least and the greatest value of a type.
template <class T>
T Least(ElementType type) {
  if constexpr (std::is_same_v<T, float>) {
    return -std::numeric_limits<float>::infinity();
  } else {
    switch (type) {
      case ElementType::kInt32: return std::numeric_limits<int32_t>::min();
      case ElementType::kInt16: return std::numeric_limits<int16_t>::min();
      case ElementType::kInt8: return std::numeric_limits<int8_t>::min();
      case ElementType::kInt64:
      case ElementType::kUint64: return std::numeric_limits<int64_t>::min();
      default: return 0;
    }
  }
}
template <class T>
T Greatest(ElementType type) {
  if constexpr (std::is_same_v<T, float>) {
    return std::numeric_limits<float>::infinity();
  } else {
    switch (type) {
      case ElementType::kInt64:
      case ElementType::kUint64: return std::numeric_limits<int64_t>::max();
      case ElementType::kBool: return 1;
      default: return Wrapped(type, ~Least<int64_t>(type));
    }
  }
}

// A reduction: the state that begins a result, what an element makes of it, how two states join, and the result.
template <class T>
struct Sum {
  using State = Wide<T>;
  static State Start(ElementType) { return 0; }
  static State Add(State state, T x) { return Plus(state, State(x)); }
  static State Join(State a, State b) { return Plus(a, b); }
  static State Finish(State state, int64_t) { return state; }
};
template <class T>
struct Mean : Sum<T> {
  using State = Wide<T>;
  // Of nothing it is 0, as ONNX Runtime has it.
  static State Finish(State state, int64_t count) { return count == 0 ? 0 : state / static_cast<State>(count); }
};
template <class T>
struct Max {
  using State = T;
  static State Start(ElementType type) { return Least<T>(type); }
  static State Add(State state, T x) { return ((x > state) | (x != x)) ? x : state; }  // NaN stays
  static State Join(State a, State b) { return Add(a, b); }
  static State Finish(State state, int64_t) { return state; }
};
template <class T>
struct Min {
  using State = T;
  static State Start(ElementType type) { return Greatest<T>(type); }
  static State Add(State state, T x) { return ((x < state) | (x != x)) ? x : state; }
  static State Join(State a, State b) { return Add(a, b); }
  static State Finish(State state, int64_t) { return state; }
};
template <class T>
struct Product {
  using State = Wide<T>;
  static State Start(ElementType) { return 1; }
  static State Add(State state, T x) { return Times(state, State(x)); }
  static State Join(State a, State b) { return Times(a, b); }
  static State Finish(State state, int64_t) { return state; }
};
template <class T>
struct Norm1 : Sum<T> {
  using State = Wide<T>;
  static State Add(State state, T x) { return Plus(state, x < 0 ? Times<State>(-1, State(x)) : State(x)); }
};
template <class T>
struct SumOfSquares : Sum<T> {
  using State = Wide<T>;
  static State Add(State state, T x) { return Plus(state, Times(State(x), State(x))); }
};
template <class T>
struct Norm2 : SumOfSquares<T> {
  using State = Wide<T>;
  static State Finish(State state, int64_t) {
    return Rounded(state, [](double sum) { return std::sqrt(sum); });
  }
};
template <class T>
struct LogOfSum : Sum<T> {
  using State = Wide<T>;
  static State Finish(State state, int64_t) {
    return Rounded(state, [](double sum) { return std::log(sum); });
  }
};
// The sum is kept relative to the greatest element so far, so that it can neither overflow nor vanish.
template <class T>
struct LogOfSumOfExponentials {
  struct State {
    double greatest, sum;
  };
  static State Start(ElementType) { return {-std::numeric_limits<double>::infinity(), 0.0}; }
  static State Add(State state, T x) { return Join(state, {static_cast<double>(x), 1.0}); }
  static State Join(State a, State b) {
    if (b.greatest > a.greatest) std::swap(a, b);
    if (a.greatest != b.greatest) b.sum *= std::exp(b.greatest - a.greatest);  // infinities may be equal
    return {a.greatest, a.sum + b.sum};
  }
  static Wide<T> Finish(State state, int64_t) {
    return Rounded(Wide<T>(1), [&](double) { return state.greatest + std::log(state.sum); });
  }
};

template <class T, template <class> class R>
class ReductionStep : public Step {
 public:
  ReductionStep(const StepContext& context, const Reduced& reduced)
      : Step({context.layer.node->inputs[0]}), type_(context.OutputType()) {
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
    if (reduced_.back()) {
      args.threads.parallel_ranges(results_, [&](size_t, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) args.out<T>()[i] = AlongRuns(args.in<T>(0) + Offset(i, false));
      });
      return Status();
    }
    // Results that lie next to each other are made together.
    const int64_t width = extent_.back();
    const int64_t parts = (width + kPart - 1) / kPart;
    args.threads.parallel_ranges(results_ / width * parts, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i % parts * kPart;
        AcrossRows(args.in<T>(0) + Offset(i / parts, false) + first, args.out<T>() + i / parts * width + first,
                   std::min(kPart, width - first));
      }
    });
    return Status();
  }

 private:
  using Reduction = R<T>;
  using State = typename Reduction::State;
  static constexpr int64_t kPart = 2048;

  T Finished(const State& state) const {
    const auto result = Reduction::Finish(state, count_);
    if constexpr (std::is_same_v<T, float>) {
      return static_cast<float>(result);
    } else {
      return Wrapped(type_, result);
    }
  }

  T AlongRuns(const T* x) const {
    // Independent states, as a compiler may not reorder one: of extremes so many that it makes a loop of vectors.
    constexpr int64_t kLanes = std::is_same_v<State, T> ? 32 : 8;
    const int64_t run = extent_.back();
    const int64_t lanes = std::clamp<int64_t>(run, 1, kLanes);
    State lane[kLanes];
    std::fill_n(lane, kLanes, Reduction::Start(type_));
    for (int64_t i = 0; i < (run == 0 ? 0 : count_ / run); ++i) {
      const T* __restrict from = x + Offset(i, true);
      int64_t k = 0;
      for (; k + kLanes <= run; k += kLanes) {
        for (int64_t l = 0; l < kLanes; ++l) lane[l] = Reduction::Add(lane[l], from[k + l]);
      }
      for (int64_t l = 0; l < run - k; ++l) lane[l] = Reduction::Add(lane[l], from[k + l]);
    }
    for (int64_t l = 1; l < lanes; ++l) lane[0] = Reduction::Join(lane[0], lane[l]);
    return Finished(lane[0]);
  }

  void AcrossRows(const T* x, T* y, int64_t width) const {
    State state[kPart];
    std::fill_n(state, width, Reduction::Start(type_));
    for (int64_t i = 0; i < count_; ++i) {
      const T* __restrict from = x + Offset(i, true);
      for (int64_t k = 0; k < width; ++k) state[k] = Reduction::Add(state[k], from[k]);
    }
    for (int64_t k = 0; k < width; ++k) y[k] = Finished(state[k]);
  }

  // Where combination i of the axes that are reduced begins, or of those that are not; of the last axis it is all.
  int64_t Offset(int64_t i, bool of_reduced) const {
    int64_t offset = 0;
    for (size_t axis = extent_.size() - 1; axis-- > 0;) {
      if (reduced_[axis] != of_reduced) continue;
      offset += i % extent_[axis] * stride_[axis];
      i /= extent_[axis];
    }
    return offset;
  }

  ElementType type_;
  Shape extent_, stride_;
  std::vector<bool> reduced_;
  int64_t count_ = 1, results_ = 1;
};

template <template <class> class R>
StepResult MakeReduction(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(reduced, ReducedBy(context.At()));
  return WithStorage(context.InputType(), [&](auto storage) {
    using T = typename decltype(storage)::type;
    return StepResult(std::unique_ptr<Step>(new ReductionStep<T, R>(context, reduced)));
  });
}

constexpr Operator kReductionOperators[] = {
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

std::span<const Operator> ReductionOperators() { return kReductionOperators; }

}  // namespace graph
