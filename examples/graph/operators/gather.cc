// Gather, GatherElements, GatherND, ScatterElements, ScatterND, OneHot, Compress: elements by index.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/axis_view.h"
#include "graph/operators/storage.h"

namespace graph {
namespace {

// Indices come when the network runs: each is checked before it is used.
class CheckedIndex {
 public:
  CheckedIndex(const Node& node, size_t input) : label_(node.Label()), input_(input) {}

  // `index` counted from the front of an axis, or -1 if it lies outside.
  static int64_t Of(int64_t index, int64_t extent) {
    if (index < 0) index += extent;
    return index >= 0 && index < extent ? index : -1;
  }

  // Ok if all of `count` indices lie inside.
  Status Check(const int64_t* indices, int64_t count, int64_t extent) const {
    for (int64_t i = 0; i < count; ++i) {
      if (indices[i] < -extent || indices[i] >= extent) return Error(indices[i], extent);
    }
    return Status();
  }

  Status Error(int64_t index, int64_t extent) const {
    return Status::InvalidArgument("%s: input %zu has index %lld, must be in [%lld, %lld]", label_.c_str(), input_,
                                   static_cast<long long>(index), static_cast<long long>(-extent),
                                   static_cast<long long>(extent - 1));
  }

 private:
  std::string label_;
  size_t input_;
};

Status MustBeIntegers(const NodeContext& at, size_t i) {
  return Status::InvalidArgument("%s: input %zu is %s, must be integers", at.node.Label().c_str(), i,
                                 ToString(at.type(i)));
}

// Indices that are known already are checked before the network runs.
Status CheckKnown(const NodeContext& at, size_t i, int64_t extent) {
  const Tensor* known = at.Constant(i);
  if (known == nullptr) return Status();
  return CheckedIndex(at.node, i).Check(known->integers.data(), static_cast<int64_t>(known->integers.size()), extent);
}

Result<size_t> AxisOf(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, IntAttribute(at.node, "axis", 0));
  return at.Axis(given, at.rank());
}

// ---- Gather: y[outer, i, inner] = x[outer, index[i], inner]

InferResult InferGather(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(axis, AxisOf(at));
  if (IsFloating(at.type(1))) return MustBeIntegers(at, 1);
  const Shape& x = at.shape(0);
  LACUNA_RETURN_IF_ERROR(CheckKnown(at, 1, x[axis]));
  Shape y(x.begin(), x.begin() + static_cast<int64_t>(axis));
  y.insert(y.end(), at.shape(1).begin(), at.shape(1).end());
  y.insert(y.end(), x.begin() + static_cast<int64_t>(axis) + 1, x.end());
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

template <class T>
class GatherStep : public Step {
 public:
  GatherStep(const StepContext& context, size_t axis)
      : Step(context.layer.node->inputs),
        view_(context.InputShape(0), axis),
        count_(Elements(context.InputShape(1))),
        check_(*context.layer.node, 1) {}

  Status Run(const StepArgs& args) const override {
    const int64_t* index = args.in<int64_t>(1);
    LACUNA_RETURN_IF_ERROR(check_.Check(index, count_, view_.extent));
    const int64_t runs = view_.outer * count_;
    if (runs * view_.inner < kMinShared) {
      Copy(args, 0, runs);
    } else {
      args.threads.parallel_ranges(runs, [&](size_t, int64_t begin, int64_t end) { Copy(args, begin, end); });
    }
    return Status();
  }

 private:
  // Less than this is copied sooner than it is dealt out.
  static constexpr int64_t kMinShared = int64_t{1} << 14;

  // Runs [begin, end) of `inner` elements.
  void Copy(const StepArgs& args, int64_t begin, int64_t end) const {
    const int64_t* index = args.in<int64_t>(1);
    T* y = args.out<T>() + begin * view_.inner;
    while (begin < end) {
      const int64_t first = begin % count_, last = std::min(count_, first + end - begin);
      const T* x = args.in<T>(0) + begin / count_ * view_.extent * view_.inner;
      for (int64_t i = first; i < last; ++i) {
        const T* from = x + CheckedIndex::Of(index[i], view_.extent) * view_.inner;
        if (view_.inner == 1) {
          *y++ = *from;
        } else {
          y = std::copy_n(from, view_.inner, y);
        }
      }
      begin += last - first;
    }
  }

  AxisView view_;
  int64_t count_;
  CheckedIndex check_;
};

StepResult MakeGatherStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axis, AxisOf(context.At()));
  return MakeStored<GatherStep>(context.OutputType(), context, axis);
}

// ---- GatherElements and ScatterElements: one index an element

Status CheckElementwise(const NodeContext& at, size_t axis) {
  if (IsFloating(at.type(1))) return MustBeIntegers(at, 1);
  if (at.rank(1) != at.rank()) return at.ShapeError(1, "have as many axes as input 0");
  for (size_t i = 0; i < at.shape(0).size(); ++i) {
    if (i != axis && at.shape(1)[i] > at.shape(0)[i]) return at.ShapeError(1, "not exceed " + ToString(at.shape(0)));
  }
  return CheckKnown(at, 1, at.shape(0)[axis]);
}

// Calls f(element of the indices, where in x it points) for each index, in order.
template <class F>
Status ForEachElement(const int64_t* index, const Shape& extents, const Shape& x, size_t axis,
                      const CheckedIndex& check, const F& f) {
  const int64_t elements = Elements(extents);
  LACUNA_RETURN_IF_ERROR(check.Check(index, elements, x[axis]));
  Shape strides = StridesOf(x);
  const int64_t step = std::exchange(strides[axis], 0);  // the index takes the place of the position along `axis`
  const int64_t columns = extents.back();
  for (int64_t i = 0; i < elements; i += columns) {
    int64_t offset = 0, rest = i / columns;
    for (size_t k = extents.size() - 1; k-- > 0;) {
      offset += rest % extents[k] * strides[k];
      rest /= extents[k];
    }
    for (int64_t c = 0; c < columns; ++c) {
      f(i + c, offset + c * strides.back() + CheckedIndex::Of(index[i + c], x[axis]) * step);
    }
  }
  return Status();
}

InferResult InferGatherElements(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(axis, AxisOf(at));
  LACUNA_RETURN_IF_ERROR(CheckElementwise(at, axis));
  return std::vector<TensorInfo>{{at.type(), at.shape(1)}};
}

template <class T>
class GatherElementsStep : public Step {
 public:
  GatherElementsStep(const StepContext& context, size_t axis)
      : Step(context.layer.node->inputs),
        x_(context.InputShape(0)),
        index_(context.InputShape(1)),
        axis_(axis),
        check_(*context.layer.node, 1) {}

  Status Run(const StepArgs& args) const override {
    return ForEachElement(args.in<int64_t>(1), index_, x_, axis_, check_,
                          [&](int64_t i, int64_t from) { args.out<T>()[i] = args.in<T>(0)[from]; });
  }

 private:
  Shape x_, index_;
  size_t axis_;
  CheckedIndex check_;
};

StepResult MakeGatherElementsStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axis, AxisOf(context.At()));
  return MakeStored<GatherElementsStep>(context.OutputType(), context, axis);
}

// How an update joins what is there.
enum class Reduction : uint8_t { kNone, kAdd, kMul, kMax, kMin };

Result<Reduction> ReductionOf(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(name, StringAttribute(at.node, "reduction", "none"));
  constexpr std::pair<const char*, Reduction> kNames[] = {{"none", Reduction::kNone},
                                                          {"add", Reduction::kAdd},
                                                          {"mul", Reduction::kMul},
                                                          {"max", Reduction::kMax},
                                                          {"min", Reduction::kMin}};
  for (const auto& [known, reduction] : kNames) {
    if (name == known) return reduction;
  }
  return at.Unsupported("attribute 'reduction' is '" + name + "', must be none, add, mul, max or min");
}

template <class T>
class Updater {
 public:
  Updater(ElementType type, Reduction reduction) : type_(type), reduction_(reduction) {}

  void Update(T& y, T value) const {
    switch (reduction_) {
      case Reduction::kNone: y = value; break;
      case Reduction::kAdd: y = Fitted(Wide(y) + Wide(value)); break;
      case Reduction::kMul: y = Fitted(Wide(y) * Wide(value)); break;
      case Reduction::kMax: y = IsLess(y, value) || value != value ? value : y; break;
      case Reduction::kMin: y = IsLess(value, y) || value != value ? value : y; break;
    }
  }

 private:
  // Integers wrap, which only unsigned ones may.
  using Wide = std::conditional_t<std::is_same_v<T, float>, float, uint64_t>;

  T Fitted(Wide value) const {
    if constexpr (std::is_same_v<T, float>) {
      return RoundedTo(type_, value);
    } else {
      return Wrapped(type_, static_cast<int64_t>(value));
    }
  }
  bool IsLess(T a, T b) const {
    return type_ == ElementType::kUint64 ? static_cast<uint64_t>(a) < static_cast<uint64_t>(b) : a < b;
  }

  ElementType type_;
  Reduction reduction_;
};

Status SameTypes(const NodeContext& at) {
  if (at.type(2) == at.type()) return Status();
  return Status::InvalidArgument("%s: input 2 is %s, must be %s", at.node.Label().c_str(), ToString(at.type(2)),
                                 ToString(at.type()));
}

InferResult InferScatterElements(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(axis, AxisOf(at));
  LACUNA_RETURN_IF_ERROR(ReductionOf(at).status());
  LACUNA_RETURN_IF_ERROR(CheckElementwise(at, axis));
  LACUNA_RETURN_IF_ERROR(SameTypes(at));
  if (at.shape(2) != at.shape(1)) return at.ShapeError(2, "be " + ToString(at.shape(1)));
  return SameAsInput(at);
}

template <class T>
class ScatterElementsStep : public Step {
 public:
  ScatterElementsStep(const StepContext& context, size_t axis, Reduction reduction)
      : Step(context.layer.node->inputs),
        x_(context.InputShape(0)),
        index_(context.InputShape(1)),
        axis_(axis),
        updater_(context.OutputType(), reduction),
        check_(*context.layer.node, 1) {}

  Status Run(const StepArgs& args) const override {
    std::copy_n(args.in<T>(0), Elements(x_), args.out<T>());
    return ForEachElement(args.in<int64_t>(1), index_, x_, axis_, check_,
                          [&](int64_t i, int64_t to) { updater_.Update(args.out<T>()[to], args.in<T>(2)[i]); });
  }

 private:
  Shape x_, index_;
  size_t axis_;
  Updater<T> updater_;
  CheckedIndex check_;
};

StepResult MakeScatterElementsStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axis, AxisOf(context.At()));
  LACUNA_ASSIGN_OR_RETURN(reduction, ReductionOf(context.At()));
  return MakeStored<ScatterElementsStep>(context.OutputType(), context, axis, reduction);
}

// ---- GatherND and ScatterND: an index tuple a run

// Tuples of `depth` indices into axes [batch, batch + depth) of x; runs of the axes after them.
struct Tuples {
  int64_t batches = 1;  // leading axes that x and the indices share
  int64_t count = 0;    // tuples a batch
  int64_t depth = 0;
  int64_t run = 1;
  int64_t whole = 1;  // elements of x a batch
  Shape extents, strides;

  // Where in its batch a tuple points, or -1.
  int64_t Offset(const int64_t* tuple, size_t& wrong) const {
    int64_t offset = 0;
    for (size_t k = 0; k < extents.size(); ++k) {
      const int64_t index = CheckedIndex::Of(tuple[k], extents[k]);
      if (index < 0) {
        wrong = k;
        return -1;
      }
      offset += index * strides[k];
    }
    return offset;
  }
};

Result<Tuples> TuplesOf(const NodeContext& at, int64_t batch = 0) {
  const Shape& x = at.shape(0);
  const Shape& index = at.shape(1);
  if (IsFloating(at.type(1))) return MustBeIntegers(at, 1);
  if (index.empty() || x.empty() || batch < 0 || batch >= std::min(at.rank(0), at.rank(1)) || index.back() < 1 ||
      index.back() > at.rank() - batch ||
      !std::equal(x.begin(), x.begin() + batch, index.begin(), index.begin() + batch)) {
    return at.ShapeError(
        1, "end with tuples of indices into " + ToString(x) + " behind " + std::to_string(batch) + " equal axes");
  }
  Tuples tuples;
  const auto first = static_cast<size_t>(batch), depth = static_cast<size_t>(index.back());
  const Shape strides = StridesOf(x);
  for (size_t k = 0; k < first; ++k) tuples.batches *= x[k];
  tuples.count = Elements(Shape(index.begin() + batch, index.end() - 1));
  tuples.depth = index.back();
  tuples.run = Elements(Shape(x.begin() + batch + tuples.depth, x.end()));
  tuples.whole = Elements(Shape(x.begin() + batch, x.end()));
  tuples.extents.assign(x.begin() + batch, x.begin() + batch + tuples.depth);
  tuples.strides.assign(strides.begin() + batch, strides.begin() + static_cast<int64_t>(first + depth));
  return tuples;
}

// Calls f(number of the run, where in x it lies).
template <class F>
Status ForEachTuple(const Tuples& tuples, const int64_t* index, const CheckedIndex& check, const F& f) {
  for (int64_t b = 0; b < tuples.batches; ++b) {
    for (int64_t i = 0; i < tuples.count; ++i, index += tuples.depth) {
      size_t wrong = 0;
      const int64_t offset = tuples.Offset(index, wrong);
      if (offset < 0) return check.Error(index[wrong], tuples.extents[wrong]);
      f(b * tuples.count + i, b * tuples.whole + offset);
    }
  }
  return Status();
}

// Of indices that are known already.
Status CheckKnown(const NodeContext& at, const Tuples& tuples) {
  const Tensor* known = at.Constant(1);
  if (known == nullptr) return Status();
  return ForEachTuple(tuples, known->integers.data(), CheckedIndex(at.node, 1), [](int64_t, int64_t) {});
}

InferResult InferGatherNd(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(batch, IntAttribute(at.node, "batch_dims", 0));
  LACUNA_ASSIGN_OR_RETURN(tuples, TuplesOf(at, batch));
  LACUNA_RETURN_IF_ERROR(CheckKnown(at, tuples));
  Shape y(at.shape(1).begin(), at.shape(1).end() - 1);
  y.insert(y.end(), at.shape(0).begin() + batch + tuples.depth, at.shape(0).end());
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

template <class T>
class GatherNdStep : public Step {
 public:
  GatherNdStep(const StepContext& context, Tuples tuples)
      : Step(context.layer.node->inputs), tuples_(std::move(tuples)), check_(*context.layer.node, 1) {}

  Status Run(const StepArgs& args) const override {
    return ForEachTuple(tuples_, args.in<int64_t>(1), check_, [&](int64_t i, int64_t from) {
      std::copy_n(args.in<T>(0) + from, tuples_.run, args.out<T>() + i * tuples_.run);
    });
  }

 private:
  Tuples tuples_;
  CheckedIndex check_;
};

StepResult MakeGatherNdStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(batch, IntAttribute(*context.layer.node, "batch_dims", 0));
  LACUNA_ASSIGN_OR_RETURN(tuples, TuplesOf(context.At(), batch));
  return MakeStored<GatherNdStep>(context.OutputType(), context, tuples);
}

InferResult InferScatterNd(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(tuples, TuplesOf(at));
  LACUNA_RETURN_IF_ERROR(ReductionOf(at).status());
  LACUNA_RETURN_IF_ERROR(SameTypes(at));
  LACUNA_RETURN_IF_ERROR(CheckKnown(at, tuples));
  Shape updates(at.shape(1).begin(), at.shape(1).end() - 1);
  updates.insert(updates.end(), at.shape(0).begin() + tuples.depth, at.shape(0).end());
  if (at.shape(2) != updates) return at.ShapeError(2, "be " + ToString(updates));
  return SameAsInput(at);
}

template <class T>
class ScatterNdStep : public Step {
 public:
  ScatterNdStep(const StepContext& context, Tuples tuples, Reduction reduction)
      : Step(context.layer.node->inputs),
        tuples_(std::move(tuples)),
        updater_(context.OutputType(), reduction),
        check_(*context.layer.node, 1) {}

  Status Run(const StepArgs& args) const override {
    std::copy_n(args.in<T>(0), tuples_.whole, args.out<T>());
    return ForEachTuple(tuples_, args.in<int64_t>(1), check_, [&](int64_t i, int64_t to) {
      for (int64_t k = 0; k < tuples_.run; ++k) {
        updater_.Update(args.out<T>()[to + k], args.in<T>(2)[i * tuples_.run + k]);
      }
    });
  }

 private:
  Tuples tuples_;
  Updater<T> updater_;
  CheckedIndex check_;
};

StepResult MakeScatterNdStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(tuples, TuplesOf(context.At()));
  LACUNA_ASSIGN_OR_RETURN(reduction, ReductionOf(context.At()));
  return MakeStored<ScatterNdStep>(context.OutputType(), context, tuples, reduction);
}

// ---- OneHot: y is off everywhere but at the index, where it is on

// What a float is as an index: rounded towards 0, and outside of every axis where no integer can be that.
int64_t IndexOf(float value) {
  return std::abs(value) <= static_cast<float>(kMaxTensorElements) ? static_cast<int64_t>(value)
                                                                   : -kMaxTensorElements - 1;
}

Result<int64_t> DepthOf(const NodeContext& at) {
  const Tensor* depth = at.Constant(1);
  if (depth == nullptr || Elements(depth->shape) != 1) return at.Unsupported("input 1, the depth, must be a constant");
  const int64_t value = depth->IsFloats() ? IndexOf(depth->floats[0]) : depth->integers[0];
  if (value >= 1 && value <= kMaxTensorElements) return value;
  return Status::InvalidArgument("%s: input 1, the depth, is %lld, must be in [1, %lld]", at.node.Label().c_str(),
                                 static_cast<long long>(value), static_cast<long long>(kMaxTensorElements));
}

Result<size_t> OneHotAxis(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, IntAttribute(at.node, "axis", -1));
  return at.Axis(given, at.rank() + 1);
}

InferResult InferOneHot(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(axis, OneHotAxis(at));
  LACUNA_ASSIGN_OR_RETURN(depth, DepthOf(at));
  if (at.shape(2) != Shape{2}) return at.ShapeError(2, "be [2]");
  Shape y = at.shape(0);
  y.insert(y.begin() + static_cast<int64_t>(axis), depth);
  return std::vector<TensorInfo>{{at.type(2), std::move(y)}};
}

template <class T>
class OneHotStep : public Step {
 public:
  OneHotStep(const StepContext& context, size_t axis)
      : Step({context.layer.node->inputs[0], context.layer.node->inputs[2]}),
        view_(context.OutputShape(), axis),
        floats_(IsFloating(context.InputType(0))) {}

  Status Run(const StepArgs& args) const override {
    const T off = args.in<T>(1)[0], on = args.in<T>(1)[1];
    std::fill_n(args.out<T>(), view_.outer * view_.extent * view_.inner, off);
    for (int64_t i = 0; i < view_.outer * view_.inner; ++i) {
      const int64_t given = floats_ ? IndexOf(args.in(0)[i]) : args.in<int64_t>(0)[i];
      const int64_t index = CheckedIndex::Of(given, view_.extent);
      if (index >= 0) args.out<T>()[(i / view_.inner * view_.extent + index) * view_.inner + i % view_.inner] = on;
    }
    return Status();
  }

 private:
  AxisView view_;
  bool floats_;
};

StepResult MakeOneHotStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axis, OneHotAxis(context.At()));
  return MakeStored<OneHotStep>(context.OutputType(), context, axis);
}

// ---- Compress: the slices of an axis whose condition is true, which must be known

struct Kept {
  std::optional<size_t> axis;  // nothing: of all elements in a row
  Shape indices;
};

Result<Kept> KeptBy(const NodeContext& at) {
  Kept kept;
  if (at.node.attributes.contains("axis")) {
    LACUNA_ASSIGN_OR_RETURN(axis, AxisOf(at));
    kept.axis = axis;
  }
  LACUNA_ASSIGN_OR_RETURN(condition, at.Integers(1));
  const int64_t extent = kept.axis.has_value() ? at.shape(0)[*kept.axis] : Elements(at.shape(0));
  for (size_t i = 0; i < condition->size(); ++i) {
    if ((*condition)[i] == 0) continue;
    if (static_cast<int64_t>(i) >= extent) return at.ShapeError(1, "not be longer than the axis");
    kept.indices.push_back(static_cast<int64_t>(i));
  }
  return kept;
}

InferResult InferCompress(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(kept, KeptBy(at));
  Shape y = kept.axis.has_value() ? at.shape(0) : Shape{0};
  y[kept.axis.value_or(0)] = static_cast<int64_t>(kept.indices.size());
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

template <class T>
class CompressStep : public Step {
 public:
  CompressStep(const StepContext& context, Kept kept)
      : Step({context.layer.node->inputs[0]}),
        view_(kept.axis.has_value() ? context.InputShape(0) : Shape{Elements(context.InputShape(0))},
              kept.axis.value_or(0)),
        indices_(std::move(kept.indices)) {}

  Status Run(const StepArgs& args) const override {
    T* y = args.out<T>();
    for (int64_t outer = 0; outer < view_.outer; ++outer) {
      for (const int64_t i : indices_) {
        y = std::copy_n(args.in<T>(0) + (outer * view_.extent + i) * view_.inner, view_.inner, y);
      }
    }
    return Status();
  }

 private:
  AxisView view_;
  Shape indices_;
};

StepResult MakeCompressStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(kept, KeptBy(context.At()));
  return MakeStored<CompressStep>(context.OutputType(), context, kept);
}

constexpr Operator kGatherOperators[] = {
    {"Compress", 2, 2, 1, InferCompress, MakeCompressStep},
    {"Gather", 2, 2, 1, InferGather, MakeGatherStep},
    {"GatherElements", 2, 2, 1, InferGatherElements, MakeGatherElementsStep},
    {"GatherND", 2, 2, 1, InferGatherNd, MakeGatherNdStep},
    {"OneHot", 3, 3, 1, InferOneHot, MakeOneHotStep},
    {"Scatter", 3, 3, 1, InferScatterElements, MakeScatterElementsStep},
    {"ScatterElements", 3, 3, 1, InferScatterElements, MakeScatterElementsStep},
    {"ScatterND", 3, 3, 1, InferScatterNd, MakeScatterNdStep},
};

}  // namespace

std::span<const Operator> GatherOperators() { return kGatherOperators; }

}  // namespace graph
