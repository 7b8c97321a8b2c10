// Operators that move elements: Concat, DepthToSpace, Expand, Pad, ReverseSequence, Slice, SpaceToDepth, Split, Tile,
// Transpose.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "graph/attributes.h"
#include "graph/index_map.h"
#include "graph/operator.h"
#include "graph/operators/axis_view.h"
#include "graph/operators/index_map_step.h"
#include "graph/operators/storage.h"
#include "graph/shape_inference.h"

namespace graph {
namespace {

// Less than this is copied sooner than it is dealt out.
constexpr int64_t kMinShared = int64_t{1} << 14;

// f(begin, end) over parts of [0, count), of `elements` each.
template <class F>
void ForParts(const Threads& threads, int64_t count, int64_t elements, const F& f) {
  if (count * elements < kMinShared) return f(int64_t{0}, count);
  threads.parallel_ranges(count, [&](size_t, int64_t begin, int64_t end) { f(begin, end); });
}

template <class T>
void CopyPart(const Threads& threads, const T* x, int64_t count, T* y) {
  ForParts(threads, count, 1, [&](int64_t begin, int64_t end) { std::copy_n(x + begin, end - begin, y + begin); });
}

// Copies `rows` runs of `run` elements, whose beginnings lie x_step and y_step apart.
template <class T>
void CopyRuns(const Threads& threads, const T* x, int64_t x_step, T* y, int64_t y_step, int64_t rows, int64_t run) {
  if (rows == 1) return CopyPart(threads, x, run, y);
  ForParts(threads, rows, run, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) std::copy_n(x + row * x_step, run, y + row * y_step);
  });
}

// ---- Concat

InferResult InferConcat(const NodeContext& at) {
  TensorInfo y = at.inputs[0];
  LACUNA_ASSIGN_OR_RETURN(given, IntAttribute(at.node, "axis", 1));
  LACUNA_ASSIGN_OR_RETURN(axis, at.Axis(given, at.rank()));
  for (size_t i = 1; i < at.inputs.size(); ++i) {
    Shape rest = at.shape(i);
    if (rest.size() != y.shape.size()) return at.ShapeError(i, "have the axes of input 0");
    const int64_t extent = rest[axis];
    rest[axis] = y.shape[axis];
    if (rest != y.shape) return at.ShapeError(i, "equal " + ToString(at.shape(0)) + " but for the axis");
    if (at.type(i) != at.type()) {
      return Status::InvalidArgument("%s: input %zu is %s, must be %s", at.node.Label().c_str(), i,
                                     ToString(at.type(i)), ToString(at.type()));
    }
    y.shape[axis] += extent;
  }
  return std::vector<TensorInfo>{std::move(y)};
}

template <class T>
class ConcatStep : public Step {
 public:
  ConcatStep(const StepContext& context, size_t axis) : Step(context.layer.node->inputs) {
    outer_ = AxisView(context.OutputShape(), axis).outer;
    for (size_t i = 0; i < inputs().size(); ++i) {
      const AxisView view(context.InputShape(i), axis);
      run_.push_back(view.extent * view.inner);
      whole_ += run_.back();
    }
  }

  Status Run(const StepArgs& args) const override {
    T* y = args.out<T>();
    for (size_t i = 0; i < run_.size(); ++i) {
      if (run_[i] == 0) continue;
      CopyRuns(args.threads, args.in<T>(i), run_[i], y, whole_, outer_, run_[i]);
      y += run_[i];
    }
    return Status();
  }

 private:
  int64_t outer_ = 1;
  int64_t whole_ = 0;         // elements from one run of an input to its next
  std::vector<int64_t> run_;  // neighbouring elements that one input contributes
};

StepResult MakeConcatStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(given, IntAttribute(*context.layer.node, "axis", 1));
  LACUNA_ASSIGN_OR_RETURN(axis, context.At().Axis(given, static_cast<int64_t>(context.OutputShape().size())));
  return MakeStored<ConcatStep>(context.OutputType(), context, axis);
}

// ---- Transpose, and what takes elements of x at regular steps

// y[i_0, i_1, ...] = x[first + i_0 * strides[0] + i_1 * strides[1] + ...], where i_k is in [0, extents[k]). Strides may
// be 0, where x is repeated, or negative.
template <class T>
class StridedStep : public Step {
 public:
  // Precondition: no extent is 0.
  StridedStep(const StepContext& context, const Shape& extents, const Shape& strides, int64_t first = 0)
      : Step({context.layer.node->inputs[0]}), first_(first) {
    // Neighbouring axes that follow each other in x too are one.
    for (size_t axis = 0; axis < extents.size(); ++axis) {
      if (extents[axis] == 1) continue;
      if (!extent_.empty() && stride_.back() == strides[axis] * extents[axis]) {
        extent_.back() *= extents[axis];
        stride_.back() = strides[axis];
      } else {
        extent_.push_back(extents[axis]);
        stride_.push_back(strides[axis]);
      }
    }
    if (extent_.empty() || (stride_.back() != 1 && stride_.back() != 0)) {
      extent_.push_back(1);
      stride_.push_back(1);
    }
    columns_ = extent_.back();
    repeats_ = stride_.back() == 0;
    extent_.pop_back();
    stride_.pop_back();
    // The axis of y along which x runs on, whose lines are tiled with those of the last axis.
    along_ = extent_.size();
    if (columns_ == 1 && extent_.size() > 1) {
      along_ = static_cast<size_t>(std::find(stride_.begin(), stride_.end() - 1, 1) - stride_.begin());
      if (along_ == extent_.size() - 1) along_ = extent_.size();
    }
  }

  Status Run(const StepArgs& args) const override {
    const T* x = args.in<T>(0) + first_;
    T* y = args.out<T>();
    if (along_ < extent_.size()) {
      Transpose(args.threads, x, y);
    } else if (extent_.empty()) {
      CopyOrFill(args.threads, x, y);
    } else {
      ForParts(args.threads, Elements(extent_), columns_,
               [&](int64_t begin, int64_t end) { Rows(x, y + begin * columns_, begin, end); });
    }
    return Status();
  }

 private:
  static constexpr int64_t kTileRows = 16, kTileColumns = 1024;

  void CopyOrFill(const Threads& threads, const T* x, T* y) const {
    if (!repeats_) return CopyPart(threads, x, columns_, y);
    ForParts(threads, columns_, 1, [&](int64_t begin, int64_t end) { std::fill_n(y + begin, end - begin, *x); });
  }

  // Rows [begin, end) of `columns_` elements.
  void Rows(const T* x, T* y, int64_t begin, int64_t end) const {
    const int64_t lines = extent_.back(), step = stride_.back();
    while (begin < end) {
      const int64_t line = begin % lines, last = std::min(lines, line + end - begin);
      const T* from = x + Offset(begin / lines) + line * step;
      for (int64_t l = line; l < last; ++l, from += step) {
        if (columns_ == 1) {
          *y++ = *from;
        } else {
          y = repeats_ ? std::fill_n(y, columns_, *from) : std::copy_n(from, columns_, y);
        }
      }
      begin += last - line;
    }
  }

  // In tiles: what is read together shares cache lines, and few lines are written at a time.
  void Transpose(const Threads& threads, const T* x, T* y) const {
    const size_t last = extent_.size() - 1;
    const int64_t width = extent_[last], height = extent_[along_];
    const int64_t across = (width + kTileColumns - 1) / kTileColumns, down = (height + kTileRows - 1) / kTileRows;
    const Shape y_strides = StridesOf(extent_);
    const int64_t x_step = stride_[last], y_step = y_strides[along_];
    const int64_t planes = Elements(extent_) / (width * height);
    ForParts(threads, planes * across * down, std::min(kTileRows, height) * std::min(kTileColumns, width),
             [&](int64_t begin, int64_t end) {
               for (int64_t i = begin; i < end; ++i) {
                 int64_t plane = i / (across * down), x_at = 0, y_at = 0;
                 for (size_t axis = last; axis-- > 0;) {
                   if (axis == along_) continue;
                   x_at += plane % extent_[axis] * stride_[axis];
                   y_at += plane % extent_[axis] * y_strides[axis];
                   plane /= extent_[axis];
                 }
                 const int64_t row = i / across % down * kTileRows, column = i % across * kTileColumns;
                 const T* __restrict from = x + x_at + row + column * x_step;
                 T* __restrict to = y + y_at + row * y_step + column;
                 const int64_t rows = std::min(kTileRows, height - row),
                               columns = std::min(kTileColumns, width - column);
                 for (int64_t c = 0; c < columns; ++c) {
                   for (int64_t r = 0; r < rows; ++r) to[r * y_step + c] = from[r + c * x_step];
                 }
               }
             });
  }

  // Where in x the lines along the last of `extent_` begin.
  int64_t Offset(int64_t plane) const {
    int64_t offset = 0;
    for (size_t axis = extent_.size() - 1; axis-- > 0;) {
      offset += plane % extent_[axis] * stride_[axis];
      plane /= extent_[axis];
    }
    return offset;
  }

  int64_t first_;
  Shape extent_, stride_;  // of y, in x, without the columns
  int64_t columns_ = 1;    // neighbours in y that are neighbours in x, or one element of it
  bool repeats_ = false;   // the latter
  size_t along_ = 0;       // behind all axes where there is nothing to transpose
};

// Of x seen as `shape`, its axes in another order.
StepResult MakeReordered(const StepContext& context, const Shape& shape, const std::vector<size_t>& order) {
  const Shape strides = StridesOf(shape);
  Shape extents, steps;
  for (const size_t axis : order) {
    extents.push_back(shape[axis]);
    steps.push_back(strides[axis]);
  }
  return MakeStored<StridedStep>(context.OutputType(), context, extents, steps);
}

InferResult InferTranspose(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(order, TransposeOrder(at.node, at.shape(0).size()));
  Shape y;
  for (const size_t axis : order) y.push_back(at.shape(0)[axis]);
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

StepResult MakeTransposeStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(order, TransposeOrder(*context.layer.node, context.InputShape(0).size()));
  return MakeReordered(context, context.InputShape(0), order);
}

Result<int64_t> BlockSize(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(size, IntAttribute(at.node, "blocksize", 0));
  if (at.rank() != 4) return at.ShapeError(0, "have four axes");
  if (size < 1 || size > 65536) {
    return Status::InvalidArgument("%s: attribute 'blocksize' is %lld, must be in [1, 65536]", at.node.Label().c_str(),
                                   static_cast<long long>(size));
  }
  return size;
}

InferResult InferDepthToSpace(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(size, BlockSize(at));
  LACUNA_ASSIGN_OR_RETURN(mode, StringAttribute(at.node, "mode", "DCR"));
  if (mode != "DCR" && mode != "CRD") return at.Unsupported("attribute 'mode' is '" + mode + "', must be DCR or CRD");
  const Shape& x = at.shape(0);
  if (x[1] % (size * size) != 0) return at.ShapeError(0, "have a multiple of blocksize^2 channels");
  return std::vector<TensorInfo>{{at.type(), {x[0], x[1] / (size * size), x[2] * size, x[3] * size}}};
}

StepResult MakeDepthToSpaceStep(const StepContext& context) {
  const Node& node = *context.layer.node;
  LACUNA_ASSIGN_OR_RETURN(b, IntAttribute(node, "blocksize", 0));
  LACUNA_ASSIGN_OR_RETURN(mode, StringAttribute(node, "mode", "DCR"));
  const Shape& x = context.InputShape(0);
  const int64_t channels = x[1] / (b * b);
  if (mode == "DCR") return MakeReordered(context, {x[0], b, b, channels, x[2], x[3]}, {0, 3, 4, 1, 5, 2});
  return MakeReordered(context, {x[0], channels, b, b, x[2], x[3]}, {0, 1, 4, 2, 5, 3});
}

InferResult InferSpaceToDepth(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(size, BlockSize(at));
  const Shape& x = at.shape(0);
  if (x[2] % size != 0 || x[3] % size != 0) return at.ShapeError(0, "have multiples of blocksize as height and width");
  return std::vector<TensorInfo>{{at.type(), {x[0], x[1] * size * size, x[2] / size, x[3] / size}}};
}

StepResult MakeSpaceToDepthStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(b, IntAttribute(*context.layer.node, "blocksize", 0));
  const Shape& x = context.InputShape(0);
  return MakeReordered(context, {x[0], x[1], x[2] / b, b, x[3] / b, b}, {0, 3, 5, 1, 2, 4});
}

// ---- Slice

InferResult InferSlice(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(axes, SliceOf(at.graph, at.node, at.shape(0)));
  Shape y;
  for (const SlicedAxis& axis : axes) y.push_back(axis.extent);
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

StepResult MakeSliceStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axes, SliceOf(context.graph, *context.layer.node, context.InputShape(0)));
  Shape strides = StridesOf(context.InputShape(0));
  int64_t first = 0;
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    first += axes[axis].start * strides[axis];
    strides[axis] *= axes[axis].extent > 1 ? axes[axis].step : 0;  // a step that is never made may be of any size
  }
  return MakeStored<StridedStep>(context.OutputType(), context, context.OutputShape(), strides, first);
}

// ---- Pad

struct Padding {
  Shape begin, end;  // of each axis; negative ones crop
  std::string mode;
};

Result<Padding> PaddingOf(const NodeContext& at) {
  Padding padding;
  LACUNA_ASSIGN_OR_RETURN(mode, StringAttribute(at.node, "mode", "constant"));
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") {
    return at.Unsupported("attribute 'mode' is '" + mode + "', must be constant, reflect, edge or wrap");
  }
  padding.mode = mode;
  const char* name = at.graph.opset < 2 ? "paddings" : "pads";
  LACUNA_ASSIGN_OR_RETURN(pads, at.IntegersSince(11, 1, name));
  LACUNA_ASSIGN_OR_RETURN(given, at.Integers(3));
  if (!given.has_value()) {
    given.emplace();
    for (int64_t axis = 0; axis < at.rank(); ++axis) given->push_back(axis);
  }
  LACUNA_ASSIGN_OR_RETURN(axes, at.Axes(*given, at.rank()));
  if (!pads.has_value() || pads->size() != 2 * axes.size()) {
    return Status::InvalidArgument("%s: it has %zu pads, must have two for each of %zu axes", at.node.Label().c_str(),
                                   pads.has_value() ? pads->size() : 0, axes.size());
  }
  padding.begin.assign(at.shape(0).size(), 0);
  padding.end = padding.begin;
  for (size_t i = 0; i < axes.size(); ++i) {
    padding.begin[axes[i]] = (*pads)[i];
    padding.end[axes[i]] = (*pads)[i + axes.size()];
  }
  for (size_t axis = 0; axis < padding.begin.size(); ++axis) {
    const int64_t extent = at.shape(0)[axis], begin = padding.begin[axis], end = padding.end[axis];
    const bool fits = std::max(begin, end) <= kMaxTensorElements && std::min(begin, end) >= -extent;
    // What is left of the axis is what modes other than "constant" pad from.
    const int64_t left = fits ? extent + std::min<int64_t>(begin, 0) + std::min<int64_t>(end, 0) : -1;
    const int64_t most = std::max(begin, end);
    const bool reaches = mode == "constant" || most <= 0 || (mode == "reflect" ? most < left : left > 0);
    if (left < 0 || !reaches) {
      return Status::InvalidArgument("%s: axis %zu of extent %lld cannot be padded by %lld and %lld in mode %s",
                                     at.node.Label().c_str(), axis, static_cast<long long>(extent),
                                     static_cast<long long>(begin), static_cast<long long>(end), mode.c_str());
    }
  }
  return padding;
}

// Which of the elements [0, extent) stands at position i, negative for a constant.
int64_t PaddedIndex(int64_t i, int64_t extent, const std::string& mode) {
  if (i >= 0 && i < extent) return i;
  if (mode == "constant") return -1;
  if (mode == "edge") return std::clamp<int64_t>(i, 0, extent - 1);
  if (mode == "wrap") return ((i % extent) + extent) % extent;
  return i < 0 ? -i : 2 * (extent - 1) - i;
}

InferResult InferPad(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(padding, PaddingOf(at));
  if (at.node.HasInput(2)) {
    const Tensor* value = at.Constant(2);
    if (value == nullptr || Elements(value->shape) != 1 || value->IsFloats() != IsFloating(at.type())) {
      return at.Unsupported("input 2, the value, must be a constant with one element of the type of input 0");
    }
  }
  Shape y = at.shape(0);
  for (size_t axis = 0; axis < y.size(); ++axis) y[axis] += padding.begin[axis] + padding.end[axis];
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

StepResult MakePadStep(const StepContext& context) {
  const NodeContext at = context.At();
  LACUNA_ASSIGN_OR_RETURN(padding, PaddingOf(at));
  std::vector<Shape> index;
  for (size_t axis = 0; axis < padding.begin.size(); ++axis) {
    const int64_t cropped = std::max<int64_t>(-padding.begin[axis], 0);
    const int64_t left = at.shape(0)[axis] - cropped + std::min<int64_t>(padding.end[axis], 0);
    Shape& along = index.emplace_back();
    for (int64_t i = 0; i < context.OutputShape()[axis]; ++i) {
      const int64_t from = PaddedIndex(i - std::max<int64_t>(padding.begin[axis], 0), left, padding.mode);
      along.push_back(from < 0 ? from : from + cropped);
    }
  }
  const Tensor* value = at.Constant(2);
  if (!IsFloating(at.type())) {
    const int64_t fill = value == nullptr ? 0 : value->integers[0];
    return std::unique_ptr<Step>(new IndexMapStep<int64_t>(context, std::move(index), fill));
  }
  LACUNA_ASSIGN_OR_RETURN(fill, FloatAttribute(at.node, "value", 0.0f));
  return std::unique_ptr<Step>(
      new IndexMapStep<float>(context, std::move(index), value == nullptr ? fill : value->floats[0]));
}

// ---- Tile, Expand

Result<Shape> Repeats(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, at.Integers(1));
  if (at.graph.opset < 6) return at.Unsupported("operator sets before 6 are not supported");
  if (!given.has_value() || static_cast<int64_t>(given->size()) != at.rank() ||
      std::any_of(given->begin(), given->end(), [](int64_t r) { return r < 0 || r > kMaxTensorElements; })) {
    return Status::InvalidArgument("%s: its repeats must be one for each axis of %s, at least 0",
                                   at.node.Label().c_str(), ToString(at.shape(0)).c_str());
  }
  return *given;
}

InferResult InferTile(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(repeats, Repeats(at));
  Shape y = at.shape(0);
  for (size_t axis = 0; axis < y.size(); ++axis) y[axis] *= repeats[axis];
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

StepResult MakeTileStep(const StepContext& context) {
  const Shape& x = context.InputShape(0);
  const Shape strides = StridesOf(x);
  Shape extents, steps;
  for (size_t axis = 0; axis < x.size(); ++axis) {
    extents.insert(extents.end(), {context.OutputShape()[axis] / x[axis], x[axis]});
    steps.insert(steps.end(), {0, strides[axis]});
  }
  return MakeStored<StridedStep>(context.OutputType(), context, extents, steps);
}

InferResult InferExpand(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, at.Integers(1));
  const Shape target = given.value_or(Shape{});
  if (std::any_of(target.begin(), target.end(), [](int64_t extent) { return extent < 0; })) {
    return Status::InvalidArgument("%s: its shape is %s, extents must be at least 0", at.node.Label().c_str(),
                                   ToString(target).c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(y, BroadcastShapes(at.node, at.shape(0), target));
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

StepResult MakeExpandStep(const StepContext& context) {
  const Shape& x = context.InputShape(0);
  const Shape& y = context.OutputShape();
  const Shape strides = StridesOf(x);
  Shape steps(y.size(), 0);
  for (size_t i = 1; i <= x.size(); ++i) {  // from the last axis
    if (x[x.size() - i] != 1) steps[y.size() - i] = strides[x.size() - i];
  }
  return MakeStored<StridedStep>(context.OutputType(), context, y, steps);
}

// ---- Split

struct Parts {
  size_t axis;
  Shape extents;  // of each output, absent ones among them
};

Result<Parts> PartsOf(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given_axis, IntAttribute(at.node, "axis", 0));
  LACUNA_ASSIGN_OR_RETURN(axis, at.Axis(given_axis, at.rank()));
  LACUNA_ASSIGN_OR_RETURN(given, at.IntegersSince(13, 1, "split"));
  const int64_t extent = at.shape(0)[axis];
  Parts parts{axis, given.value_or(Shape{})};
  if (!given.has_value()) {
    const auto outputs = static_cast<int64_t>(at.node.outputs.size());
    LACUNA_ASSIGN_OR_RETURN(count, IntAttribute(at.node, "num_outputs", outputs));
    if (count != outputs) {
      return Status::InvalidArgument("%s: attribute 'num_outputs' is %lld, but it has %lld outputs",
                                     at.node.Label().c_str(), static_cast<long long>(count),
                                     static_cast<long long>(outputs));
    }
    if (at.graph.opset < 18 && extent % count != 0) {
      return at.ShapeError(0,
                           "be cut into " + std::to_string(count) + " equal parts along axis " + std::to_string(axis));
    }
    const int64_t part = (extent + count - 1) / count;  // the last one may be smaller
    for (int64_t i = 0; i < count; ++i) parts.extents.push_back(std::clamp<int64_t>(extent - i * part, 0, part));
  }
  int64_t sum = 0;
  for (const int64_t part : parts.extents) {
    if (part < 0 || part > extent) sum = extent + 1;
    if (sum <= extent) sum += part;
  }
  if (sum != extent || parts.extents.size() != at.node.outputs.size()) {
    return Status::InvalidArgument("%s: its parts are %s, must be one for each output and add up to %lld",
                                   at.node.Label().c_str(), ToString(parts.extents).c_str(),
                                   static_cast<long long>(extent));
  }
  return parts;
}

InferResult InferSplit(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(parts, PartsOf(at));
  std::vector<TensorInfo> outputs(parts.extents.size(), at.inputs[0]);
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i].shape[parts.axis] = parts.extents[i];
  return outputs;
}

template <class T>
class SplitStep : public Step {
 public:
  SplitStep(const StepContext& context, const Parts& parts)
      : Step({context.layer.node->inputs[0]}), view_(context.InputShape(0), parts.axis) {
    int64_t first = 0;
    for (size_t i = 0; i < parts.extents.size(); ++i) {
      if (!context.layer.node->outputs[i].empty())
        parts_.emplace_back(first * view_.inner, parts.extents[i] * view_.inner);
      first += parts.extents[i];
    }
  }

  Status Run(const StepArgs& args) const override {
    const int64_t whole = view_.extent * view_.inner;
    for (size_t i = 0; i < parts_.size(); ++i) {
      const auto [first, count] = parts_[i];
      if (count > 0) CopyRuns(args.threads, args.in<T>(0) + first, whole, args.out<T>(i), count, view_.outer, count);
    }
    return Status();
  }

 private:
  AxisView view_;
  std::vector<std::pair<int64_t, int64_t>> parts_;  // of outputs that are present: first element of a run and how many
};

StepResult MakeSplitStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(parts, PartsOf(context.At()));
  return MakeStored<SplitStep>(context.InputType(), context, parts);
}

// ---- ReverseSequence

InferResult InferReverseSequence(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(batch, IntAttribute(at.node, "batch_axis", 1));
  LACUNA_ASSIGN_OR_RETURN(time, IntAttribute(at.node, "time_axis", 0));
  if (at.rank() < 2) return at.ShapeError(0, "have at least two axes");
  if (!(batch == 0 && time == 1) && !(batch == 1 && time == 0)) {
    return Status::InvalidArgument("%s: batch_axis and time_axis are %lld and %lld, must be 0 and 1",
                                   at.node.Label().c_str(), static_cast<long long>(batch),
                                   static_cast<long long>(time));
  }
  if (at.shape(1) != Shape{at.shape(0)[static_cast<size_t>(batch)]} || IsFloating(at.type(1))) {
    return at.ShapeError(1, "be integers, one for each sequence");
  }
  return SameAsInput(at);
}

template <class T>
class ReverseSequenceStep : public Step {
 public:
  ReverseSequenceStep(const StepContext& context, bool batch_first)
      : Step(context.layer.node->inputs), batch_first_(batch_first), label_(context.layer.node->Label()) {
    const Shape& x = context.InputShape(0);
    steps_ = x[batch_first ? 1 : 0];
    batch_ = x[batch_first ? 0 : 1];
    inner_ = Elements(Shape(x.begin() + 2, x.end()));
  }

  Status Run(const StepArgs& args) const override {
    for (int64_t b = 0; b < batch_; ++b) {
      const int64_t length = args.in<int64_t>(1)[b];
      if (length < 0 || length > steps_) {
        return Status::InvalidArgument("%s: input 1, the lengths, has %lld, must be in [0, %lld]", label_.c_str(),
                                       static_cast<long long>(length), static_cast<long long>(steps_));
      }
      for (int64_t t = 0; t < steps_; ++t) {
        const int64_t from = t < length ? length - 1 - t : t;
        std::copy_n(args.in<T>(0) + At(b, from), inner_, args.out<T>() + At(b, t));
      }
    }
    return Status();
  }

 private:
  int64_t At(int64_t b, int64_t t) const { return (batch_first_ ? b * steps_ + t : t * batch_ + b) * inner_; }

  bool batch_first_;
  std::string label_;
  int64_t steps_, batch_, inner_;
};

StepResult MakeReverseSequenceStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(batch, IntAttribute(*context.layer.node, "batch_axis", 1));
  return MakeStored<ReverseSequenceStep>(context.OutputType(), context, batch == 0);
}

constexpr Operator kMovementOperators[] = {
    {"Concat", 1, Operator::kAny, 1, InferConcat, MakeConcatStep},
    {"DepthToSpace", 1, 1, 1, InferDepthToSpace, MakeDepthToSpaceStep},
    {"Expand", 2, 2, 1, InferExpand, MakeExpandStep},
    {"Pad", 1, 4, 1, InferPad, MakePadStep},
    {"ReverseSequence", 2, 2, 1, InferReverseSequence, MakeReverseSequenceStep},
    {"Slice", 1, 5, 1, InferSlice, MakeSliceStep},
    {"SpaceToDepth", 1, 1, 1, InferSpaceToDepth, MakeSpaceToDepthStep},
    {"Split", 1, 2, Operator::kAny, InferSplit, MakeSplitStep},
    {"Tile", 2, 2, 1, InferTile, MakeTileStep},
    {"Transpose", 1, 1, 1, InferTranspose, MakeTransposeStep},
};

}  // namespace

std::span<const Operator> MovementOperators() { return kMovementOperators; }

}  // namespace graph
