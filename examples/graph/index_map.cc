#include "graph/index_map.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "graph/attributes.h"
#include "graph/step.h"

namespace graph {
namespace {

// The integers of the constant input `i`, nothing if it is absent.
Result<std::optional<Shape>> IntegerInput(const Graph& graph, const Node& node, size_t i) {
  if (!node.HasInput(i)) return std::optional<Shape>();
  const Tensor* tensor = graph.Constant(node.inputs[i]);
  if (tensor != nullptr && tensor->type == ElementType::kInteger && tensor->shape.size() == 1) {
    return std::optional<Shape>(tensor->integers);
  }
  return Status::Make(StatusCode::kUnsupported, "%s: input %zu, '%s', must be a constant list of integers",
                      node.Label().c_str(), i, node.inputs[i].c_str());
}

// The lists of a Slice: input `i`, or the attribute in operator sets before 10.
Result<std::optional<Shape>> SliceList(const Graph& graph, const Node& node, size_t i, const std::string& name) {
  if (graph.opset >= 10) return IntegerInput(graph, node, i);
  if (!node.attributes.contains(name)) return std::optional<Shape>();
  LACUNA_ASSIGN_OR_RETURN(values, IntsAttribute(node, name, {}));
  return std::optional<Shape>(std::move(values));
}

// `index` counted from the front of an axis, clamped to [low, high].
int64_t ClampIndex(int64_t index, int64_t extent, int64_t low, int64_t high) {
  if (index < 0) index = index < -extent ? -1 : index + extent;  // no overflow for INT64_MIN, ONNX's "before the front"
  return std::clamp(index, low, high);
}

SlicedAxis SliceAxis(int64_t extent, int64_t start, int64_t end, int64_t step) {
  if (extent == 0) return {0, 1, 0};
  if (step > 0) {
    const int64_t first = ClampIndex(start, extent, 0, extent);
    const int64_t length = ClampIndex(end, extent, 0, extent) - first;
    return {first, step, length > 0 ? (length - 1) / step + 1 : 0};
  }
  const int64_t first = ClampIndex(start, extent, 0, extent - 1);
  const int64_t length = first - ClampIndex(end, extent, -1, extent - 1);
  return {first, step, length > 0 ? (length - 1) / -step + 1 : 0};
}

template <class T>
struct Named {
  const char* name;
  T value;
};

template <class T, size_t kCount>
Result<T> OneOf(const Node& node, const std::string& attribute, const std::string& fallback,
                const Named<T> (&entries)[kCount]) {
  LACUNA_ASSIGN_OR_RETURN(value, StringAttribute(node, attribute, fallback));
  for (const Named<T>& entry : entries) {
    if (value == entry.name) return entry.value;
  }
  return Status::Make(StatusCode::kUnsupported, "%s: attribute '%s' is '%s', which is not supported",
                      node.Label().c_str(), attribute.c_str(), value.c_str());
}

using Coordinate = ResizedAxis::Coordinate;
constexpr Named<Coordinate> kCoordinates[] = {{"half_pixel", Coordinate::kHalfPixel},
                                              {"pytorch_half_pixel", Coordinate::kPytorchHalfPixel},
                                              {"align_corners", Coordinate::kAlignCorners},
                                              {"asymmetric", Coordinate::kAsymmetric},
                                              {"tf_half_pixel_for_nn", Coordinate::kTfHalfPixelForNn}};
using Nearest = ResizedAxis::Nearest;
constexpr Named<Nearest> kNearest[] = {{"round_prefer_floor", Nearest::kRoundPreferFloor},
                                       {"round_prefer_ceil", Nearest::kRoundPreferCeil},
                                       {"floor", Nearest::kFloor},
                                       {"ceil", Nearest::kCeil}};
constexpr Named<bool> kModes[] = {{"nearest", true}};
constexpr Named<bool> kAspectRatios[] = {{"stretch", true}};

// One scale per axis: an attribute before operator set 9, input 1 of Upsample and of Resize 10, input 2 after.
Result<std::vector<float>> ScalesOf(const Graph& graph, const Node& node) {
  if (node.attributes.contains("scales")) return FloatsAttribute(node, "scales", {});
  const size_t input = node.op == "Resize" && graph.opset >= 11 ? 2 : 1;
  if (!node.HasInput(input)) return std::vector<float>();
  const Tensor* tensor = graph.Constant(node.inputs[input]);
  if (tensor != nullptr && tensor->type == ElementType::kFloat && tensor->shape.size() == 1) return tensor->floats;
  return Status::Make(StatusCode::kUnsupported, "%s: input %zu, the scales, must be a constant list of floats",
                      node.Label().c_str(), input);
}

// y[i, j, ...] = x[index[0][i], index[1][j], ...]
class IndexMapStep : public Step {
 public:
  IndexMapStep(const StepContext& context, std::vector<Shape> index)
      : Step({context.layer.node->inputs[0]}), index_(std::move(index)) {
    const Shape& x = context.InputShape(0);
    stride_.assign(x.size(), 1);
    for (size_t axis = x.size(); axis-- > 1;) stride_[axis - 1] = stride_[axis] * x[axis];
    // Trailing axes that are taken whole are copied as one run.
    while (!index_.empty() && TakesAll(index_.back(), x[index_.size() - 1])) {
      run_ *= x[index_.size() - 1];
      index_.pop_back();
    }
    elements_ = Elements(context.OutputShape());
  }

  Status Run(const StepArgs& args) const override {
    if (elements_ == 0) return Status();
    const int64_t columns = index_.empty() ? 1 : static_cast<int64_t>(index_.back().size());
    args.threads.parallel_ranges(elements_ / (columns * run_), [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        CopyRow(args.inputs[0] + RowOffset(row), args.output + row * columns * run_);
      }
    });
    return Status();
  }

 private:
  static bool TakesAll(const Shape& index, int64_t extent) {
    if (static_cast<int64_t>(index.size()) != extent) return false;
    for (size_t i = 0; i < index.size(); ++i) {
      if (index[i] != static_cast<int64_t>(i)) return false;
    }
    return true;
  }

  // Where in x the row-th row of outputs is taken from; a row runs along the last selected axis.
  int64_t RowOffset(int64_t row) const {
    int64_t offset = 0;
    for (size_t axis = index_.empty() ? 0 : index_.size() - 1; axis-- > 0;) {
      const auto extent = static_cast<int64_t>(index_[axis].size());
      offset += index_[axis][static_cast<size_t>(row % extent)] * stride_[axis];
      row /= extent;
    }
    return offset;
  }

  void CopyRow(const float* x, float* y) const {
    if (index_.empty()) {
      std::copy_n(x, run_, y);
      return;
    }
    const int64_t stride = stride_[index_.size() - 1];
    if (run_ == 1) {
      for (const int64_t i : index_.back()) *y++ = x[i * stride];
      return;
    }
    for (const int64_t i : index_.back()) y = std::copy_n(x + i * stride, run_, y);
  }

  std::vector<Shape> index_;  // of the leading axes, up to the last that is not taken whole
  Shape stride_;              // of x
  int64_t run_ = 1;
  int64_t elements_ = 0;
};

}  // namespace

Result<std::vector<SlicedAxis>> SliceOf(const Graph& graph, const Node& node, const Shape& x) {
  const auto rank = static_cast<int64_t>(x.size());
  LACUNA_ASSIGN_OR_RETURN(starts, SliceList(graph, node, 1, "starts"));
  LACUNA_ASSIGN_OR_RETURN(ends, SliceList(graph, node, 2, "ends"));
  LACUNA_ASSIGN_OR_RETURN(axes, SliceList(graph, node, 3, "axes"));
  LACUNA_ASSIGN_OR_RETURN(steps, SliceList(graph, node, 4, "steps"));
  if (!starts.has_value() || !ends.has_value()) {
    return Status::InvalidArgument("%s: starts and ends must be given", node.Label().c_str());
  }
  const size_t count = starts->size();
  if (ends->size() != count || (axes.has_value() && axes->size() != count) ||
      (steps.has_value() && steps->size() != count) || (!axes.has_value() && count > x.size())) {
    return Status::InvalidArgument("%s: starts, ends, axes and steps must have one entry per sliced axis of %s",
                                   node.Label().c_str(), ToString(x).c_str());
  }
  std::vector<SlicedAxis> sliced;
  for (const int64_t extent : x) sliced.push_back({0, 1, extent});
  std::vector<bool> seen(x.size(), false);
  for (size_t i = 0; i < count; ++i) {
    int64_t axis = axes.has_value() ? (*axes)[i] : static_cast<int64_t>(i);
    if (axis < 0 && axis >= -rank) axis += rank;
    if (axis < 0 || axis >= rank || seen[static_cast<size_t>(axis)]) {
      return Status::InvalidArgument("%s: axes is %s, entries must differ and be in [%lld, %lld]", node.Label().c_str(),
                                     ToString(*axes).c_str(), static_cast<long long>(-rank),
                                     static_cast<long long>(rank - 1));
    }
    const int64_t step = steps.has_value() ? (*steps)[i] : 1;
    if (step == 0 || step == std::numeric_limits<int64_t>::min()) {
      return Status::InvalidArgument("%s: steps is %s, entries must not be 0 or %lld", node.Label().c_str(),
                                     ToString(*steps).c_str(), static_cast<long long>(step));
    }
    const auto at = static_cast<size_t>(axis);
    seen[at] = true;
    sliced[at] = SliceAxis(x[at], (*starts)[i], (*ends)[i], step);
  }
  return sliced;
}

int64_t ResizedAxis::Source(int64_t i) const {
  double at = 0.0;
  const auto position = static_cast<double>(i);
  switch (coordinate) {
    case Coordinate::kHalfPixel: at = (position + 0.5) / scale - 0.5; break;
    case Coordinate::kPytorchHalfPixel: at = output > 1 ? (position + 0.5) / scale - 0.5 : 0.0; break;
    case Coordinate::kAlignCorners:
      at = output > 1 ? position * static_cast<double>(input - 1) / static_cast<double>(output - 1) : 0.0;
      break;
    case Coordinate::kAsymmetric: at = position / scale; break;
    case Coordinate::kTfHalfPixelForNn: at = (position + 0.5) / scale; break;
  }
  switch (nearest) {
    case Nearest::kRoundPreferFloor: at = std::ceil(at - 0.5); break;
    case Nearest::kRoundPreferCeil: at = std::floor(at + 0.5); break;
    case Nearest::kFloor: at = std::floor(at); break;
    case Nearest::kCeil: at = std::ceil(at); break;
  }
  return static_cast<int64_t>(std::clamp(at, 0.0, static_cast<double>(input - 1)));
}

Result<std::vector<ResizedAxis>> ResizeOf(const Graph& graph, const Node& node, const Shape& x) {
  LACUNA_RETURN_IF_ERROR(OneOf(node, "mode", "nearest", kModes).status());
  LACUNA_RETURN_IF_ERROR(OneOf(node, "keep_aspect_ratio_policy", "stretch", kAspectRatios).status());
  if (node.attributes.contains("axes")) {
    return Status::Make(StatusCode::kUnsupported, "%s: attribute 'axes' is not supported", node.Label().c_str());
  }
  // Before operator set 11, and in Upsample, there is one definition.
  ResizedAxis axis{.coordinate = Coordinate::kAsymmetric, .nearest = Nearest::kFloor};
  std::optional<Shape> sizes;
  if (node.op == "Resize" && graph.opset >= 11) {
    LACUNA_ASSIGN_OR_RETURN(coordinate, OneOf(node, "coordinate_transformation_mode", "half_pixel", kCoordinates));
    LACUNA_ASSIGN_OR_RETURN(nearest, OneOf(node, "nearest_mode", "round_prefer_floor", kNearest));
    axis.coordinate = coordinate;
    axis.nearest = nearest;
    LACUNA_ASSIGN_OR_RETURN(given, IntegerInput(graph, node, 3));
    sizes = std::move(given);
  }
  LACUNA_ASSIGN_OR_RETURN(scales, ScalesOf(graph, node));
  if ((sizes.has_value() ? sizes->size() : scales.size()) != x.size()) {
    return Status::InvalidArgument("%s: scales or sizes must have one entry per axis of %s", node.Label().c_str(),
                                   ToString(x).c_str());
  }
  std::vector<ResizedAxis> resized;
  for (size_t a = 0; a < x.size(); ++a) {
    const auto input = static_cast<double>(x[a]);
    const double output = sizes.has_value() ? static_cast<double>((*sizes)[a]) : std::floor(input * double{scales[a]});
    axis.scale = sizes.has_value() ? output / std::max(input, 1.0) : double{scales[a]};
    if (!(axis.scale > 0.0 && output >= 0.0 && output <= static_cast<double>(kMaxTensorElements)) ||
        (x[a] == 0 && output > 0.0)) {
      return Status::InvalidArgument(
          "%s: axis %zu of %s is resized by %g to %g elements, must be by more than 0 to at "
          "most %lld",
          node.Label().c_str(), a, ToString(x).c_str(), axis.scale, output, static_cast<long long>(kMaxTensorElements));
    }
    axis.input = x[a];
    axis.output = static_cast<int64_t>(output);
    resized.push_back(axis);
  }
  return resized;
}

StepResult MakeSliceStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axes, SliceOf(context.graph, *context.layer.node, context.InputShape(0)));
  std::vector<Shape> index;
  for (const SlicedAxis& axis : axes) {
    Shape& along = index.emplace_back();
    for (int64_t i = 0; i < axis.extent; ++i) along.push_back(axis.start + i * axis.step);
  }
  return std::unique_ptr<Step>(new IndexMapStep(context, std::move(index)));
}

StepResult MakeResizeStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axes, ResizeOf(context.graph, *context.layer.node, context.InputShape(0)));
  std::vector<Shape> index;
  for (const ResizedAxis& axis : axes) {
    Shape& along = index.emplace_back();
    for (int64_t i = 0; i < axis.output; ++i) along.push_back(axis.Source(i));
  }
  return std::unique_ptr<Step>(new IndexMapStep(context, std::move(index)));
}

}  // namespace graph
