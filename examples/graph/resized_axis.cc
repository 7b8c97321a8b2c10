#include "graph/resized_axis.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "graph/attributes.h"

namespace graph {
namespace {

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
                                              {"tf_half_pixel_for_nn", Coordinate::kTfHalfPixelForNn},
                                              {"half_pixel_symmetric", Coordinate::kHalfPixelSymmetric},
                                              {"tf_crop_and_resize", Coordinate::kTfCropAndResize}};
using Nearest = ResizedAxis::Nearest;
constexpr Named<Nearest> kNearest[] = {{"round_prefer_floor", Nearest::kRoundPreferFloor},
                                       {"round_prefer_ceil", Nearest::kRoundPreferCeil},
                                       {"floor", Nearest::kFloor},
                                       {"ceil", Nearest::kCeil}};
using Mode = ResizedAxis::Mode;
constexpr Named<Mode> kModes[] = {{"nearest", Mode::kNearest},
                                  {"linear", Mode::kLinear},
                                  {"bilinear", Mode::kLinear},  // of operator sets before 9
                                  {"cubic", Mode::kCubic}};
enum class AspectRatio : uint8_t { kStretch, kNotLarger, kNotSmaller };
constexpr Named<AspectRatio> kAspectRatios[] = {{"stretch", AspectRatio::kStretch},
                                                {"not_larger", AspectRatio::kNotLarger},
                                                {"not_smaller", AspectRatio::kNotSmaller}};

// A list of floats that must be known; nothing if it is absent or empty, as exporters write an absent one.
Result<std::vector<float>> FloatsInput(const Graph& graph, const Node& node, size_t i) {
  if (!node.HasInput(i)) return std::vector<float>();
  const Tensor* tensor = graph.Constant(node.inputs[i]);
  if (tensor != nullptr && tensor->IsFloats() && tensor->shape.size() == 1) return tensor->floats;
  return Status::Make(StatusCode::kUnsupported, "%s: input %zu, '%s', must be a constant list of floats",
                      node.Label().c_str(), i, node.inputs[i].c_str());
}

Result<Shape> SizesInput(const Graph& graph, const Node& node, size_t i) {
  if (!node.HasInput(i)) return Shape();
  const Tensor* tensor = graph.Constant(node.inputs[i]);
  if (tensor != nullptr && !tensor->IsFloats() && tensor->shape.size() == 1) return tensor->integers;
  return Status::Make(StatusCode::kUnsupported, "%s: input %zu, '%s', must be a constant list of integers",
                      node.Label().c_str(), i, node.inputs[i].c_str());
}

// Scales, sizes and regions name these axes, in their order.
Result<std::vector<size_t>> NamedAxes(const Node& node, const Shape& x) {
  std::vector<size_t> axes;
  const auto rank = static_cast<int64_t>(x.size());
  Shape all;
  for (int64_t axis = 0; axis < rank; ++axis) all.push_back(axis);
  LACUNA_ASSIGN_OR_RETURN(given, IntsAttribute(node, "axes", all));
  for (const int64_t axis : given) {
    const int64_t from_front = axis < 0 ? axis + rank : axis;
    if (from_front < 0 || from_front >= rank ||
        std::find(axes.begin(), axes.end(), static_cast<size_t>(from_front)) != axes.end()) {
      return Status::InvalidArgument("%s: attribute 'axes' is %s, must name different axes of %s", node.Label().c_str(),
                                     ToString(given).c_str(), ToString(x).c_str());
    }
    axes.push_back(static_cast<size_t>(from_front));
  }
  return axes;
}

// What all axes have in common.
Result<ResizedAxis> Common(const Graph& graph, const Node& node) {
  ResizedAxis axis;
  LACUNA_ASSIGN_OR_RETURN(mode, OneOf(node, "mode", "nearest", kModes));
  axis.mode = mode;
  if (node.op != "Resize" || graph.opset < 11) {
    axis.coordinate = Coordinate::kAsymmetric;
    axis.nearest = Nearest::kSimple;
    return axis;
  }
  LACUNA_ASSIGN_OR_RETURN(coordinate, OneOf(node, "coordinate_transformation_mode", "half_pixel", kCoordinates));
  LACUNA_ASSIGN_OR_RETURN(nearest, OneOf(node, "nearest_mode", "round_prefer_floor", kNearest));
  LACUNA_ASSIGN_OR_RETURN(cubic, FloatAttribute(node, "cubic_coeff_a", -0.75f));
  LACUNA_ASSIGN_OR_RETURN(exclude, IntAttribute(node, "exclude_outside", 0));
  LACUNA_ASSIGN_OR_RETURN(antialias, IntAttribute(node, "antialias", 0));
  LACUNA_ASSIGN_OR_RETURN(extrapolation, FloatAttribute(node, "extrapolation_value", 0.0f));
  axis.coordinate = coordinate;
  axis.nearest = nearest;
  axis.cubic = cubic;
  axis.exclude_outside = exclude != 0;
  axis.antialias = antialias != 0;
  axis.extrapolation = extrapolation;
  return axis;
}

float Linear(float distance) { return std::max(0.0f, 1.0f - std::abs(distance)); }

float Cubic(float distance, float a) {
  const float x = std::abs(distance);
  if (x <= 1.0f) return ((a + 2.0f) * x - (a + 3.0f)) * x * x + 1.0f;
  if (x < 2.0f) return (((x - 5.0f) * x + 8.0f) * x - 4.0f) * a;
  return 0.0f;
}

// How much wider a kernel gets that smooths what is left out.
float Shrink(const ResizedAxis& axis) { return axis.antialias ? std::min(axis.scale, 1.0f) : 1.0f; }

// Sizes of the same aspect ratio as the input, by the one scale that fits them.
struct Fitted {
  float scale = 1.0f;
  Shape sizes{};
};

Result<Fitted> FitSizes(const Node& node, const Shape& x, const std::vector<size_t>& axes, const Shape& sizes,
                        bool not_larger) {
  std::optional<float> one;
  for (size_t i = 0; i < axes.size(); ++i) {
    const float own = static_cast<float>(sizes[i]) / static_cast<float>(std::max<int64_t>(x[axes[i]], 1));
    one = !one.has_value() ? own : not_larger ? std::min(*one, own) : std::max(*one, own);
  }
  Fitted fitted{one.value_or(1.0f), {}};
  for (const size_t axis : axes) {
    const float size = std::round(fitted.scale * static_cast<float>(x[axis]));
    if (!(size >= 0.0f && size <= static_cast<float>(kMaxTensorElements))) {
      return Status::InvalidArgument("%s: axis %zu of %s is resized to %g elements, must be at most %lld",
                                     node.Label().c_str(), axis, ToString(x).c_str(), static_cast<double>(size),
                                     static_cast<long long>(kMaxTensorElements));
    }
    fitted.sizes.push_back(static_cast<int64_t>(size));
  }
  return fitted;
}

}  // namespace

float ResizedAxis::At(int64_t i) const {
  const auto position = static_cast<float>(i);
  const auto in = static_cast<float>(input), out = static_cast<float>(output);
  switch (coordinate) {
    case Coordinate::kHalfPixel: return (position + 0.5f) / scale - 0.5f;
    case Coordinate::kPytorchHalfPixel: return output > 1 ? (position + 0.5f) / scale - 0.5f : 0.0f;
    case Coordinate::kAlignCorners: return output > 1 ? position * (in - 1.0f) / (out - 1.0f) : 0.0f;
    case Coordinate::kAsymmetric: return position / scale;
    case Coordinate::kTfHalfPixelForNn: return (position + 0.5f) / scale;
    case Coordinate::kHalfPixelSymmetric: {
      const float adjustment = out / (scale * in);
      return in / 2.0f * (1.0f - adjustment) + (position + 0.5f) / scale - 0.5f;
    }
    case Coordinate::kTfCropAndResize:
      if (output > 1) return roi_begin * (in - 1.0f) + position * (roi_end - roi_begin) * (in - 1.0f) / (out - 1.0f);
      return 0.5f * (roi_begin + roi_end) * (in - 1.0f);
  }
  return 0.0f;
}

int64_t ResizedAxis::Source(int64_t i) const {
  if (IsIdentity()) return i;  // kTfHalfPixelForNn lies half an element off even there
  float at = At(i);
  if (IsOutside(at)) return -1;
  switch (nearest) {
    case Nearest::kRoundPreferFloor: at = at == std::floor(at) + 0.5f ? std::floor(at) : std::round(at); break;
    case Nearest::kRoundPreferCeil: at = std::round(at); break;
    case Nearest::kFloor: at = std::floor(at); break;
    case Nearest::kCeil: at = std::ceil(at); break;
    case Nearest::kSimple: at = scale < 1.0f ? std::ceil(at) : std::floor(at); break;
  }
  return std::clamp<int64_t>(static_cast<int64_t>(at), 0, input - 1);
}

int64_t ResizedAxis::Reach() const {
  const int64_t reach = mode == Mode::kCubic ? 2 : 1;
  return -static_cast<int64_t>(std::floor(static_cast<float>(-reach) / Shrink(*this)));
}

float ResizedAxis::Weight(float distance) const {
  return mode == Mode::kLinear ? Linear(distance * Shrink(*this)) : Cubic(distance * Shrink(*this), cubic);
}

ResizedAxis::Taps ResizedAxis::AllTaps() const {
  const int64_t reach = Reach();
  Taps taps{.count = 2 * reach};
  const auto count = static_cast<size_t>(taps.count);
  taps.index.resize(static_cast<size_t>(output) * count);
  taps.weight.resize(taps.index.size());
  if (coordinate == Coordinate::kTfCropAndResize) taps.constant.resize(static_cast<size_t>(output));
  for (int64_t i = 0; i < output; ++i) {
    float at = At(i);
    if (IsOutside(at)) {
      taps.constant[static_cast<size_t>(i)] = extrapolation;
      continue;
    }
    if (mode == Mode::kLinear && !antialias) at = std::clamp(at, 0.0f, static_cast<float>(input - 1));
    const auto first = static_cast<int64_t>(std::floor(at)) - reach + 1;
    const float fraction = at - std::floor(at);
    int32_t* index = &taps.index[static_cast<size_t>(i) * count];
    float* weight = &taps.weight[static_cast<size_t>(i) * count];
    float sum = 0.0f;
    size_t heaviest = 0;
    for (size_t k = 0; k < count; ++k) {
      const int64_t from = first + static_cast<int64_t>(k);
      index[k] = static_cast<int32_t>(std::clamp<int64_t>(from, 0, input - 1));
      weight[k] = Weight(static_cast<float>(static_cast<int64_t>(k) - reach + 1) - fraction);
      if (exclude_outside && index[k] != from) weight[k] = 0.0f;
      sum += weight[k];
      if (std::abs(weight[k]) > std::abs(weight[heaviest])) heaviest = k;
    }
    for (size_t k = 0; k < count; ++k) {
      if ((exclude_outside || antialias) && sum != 0.0f) weight[k] /= sum;
    }
    // 0 * infinity is NaN: a tap that does not count takes half of one that does.
    for (size_t k = 0; k < count; ++k) {
      if (weight[k] != 0.0f) continue;
      index[k] = index[heaviest];
      weight[k] = weight[heaviest] *= 0.5f;
    }
  }
  return taps;
}

Result<std::vector<ResizedAxis>> ResizeOf(const Graph& graph, const Node& node, const Shape& x) {
  LACUNA_ASSIGN_OR_RETURN(common, Common(graph, node));
  LACUNA_ASSIGN_OR_RETURN(axes, NamedAxes(node, x));
  LACUNA_ASSIGN_OR_RETURN(policy, OneOf(node, "keep_aspect_ratio_policy", "stretch", kAspectRatios));
  const bool modern = node.op == "Resize" && graph.opset >= 11;
  std::vector<float> scales;
  if (node.attributes.contains("scales")) {  // operator sets before 9
    LACUNA_ASSIGN_OR_RETURN(attribute, FloatsAttribute(node, "scales", {}));
    scales = attribute;
  } else {
    LACUNA_ASSIGN_OR_RETURN(given, FloatsInput(graph, node, modern ? 2 : 1));
    scales = given;
  }
  Shape sizes;
  std::vector<float> roi;
  if (modern) {
    LACUNA_ASSIGN_OR_RETURN(given, SizesInput(graph, node, 3));
    sizes = given;
    if (common.coordinate == Coordinate::kTfCropAndResize) {
      LACUNA_ASSIGN_OR_RETURN(region, FloatsInput(graph, node, 1));
      roi = region;
    }
  }
  const bool sized = !sizes.empty();
  if ((sized ? sizes.size() : scales.size()) != axes.size() || (!roi.empty() && roi.size() != 2 * axes.size())) {
    return Status::InvalidArgument("%s: scales or sizes must have one entry per axis of %s", node.Label().c_str(),
                                   ToString(x).c_str());
  }
  std::optional<float> fitted_scale;
  if (sized && policy != AspectRatio::kStretch) {
    LACUNA_ASSIGN_OR_RETURN(fitted, FitSizes(node, x, axes, sizes, policy == AspectRatio::kNotLarger));
    sizes = fitted.sizes;
    fitted_scale = fitted.scale;
  }
  std::vector<ResizedAxis> resized(x.size(), common);
  for (size_t axis = 0; axis < x.size(); ++axis) resized[axis].input = resized[axis].output = x[axis];
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis& axis = resized[axes[i]];
    const auto input = static_cast<float>(axis.input);
    const float output = sized ? static_cast<float>(sizes[i]) : std::floor(input * scales[i]);
    axis.scale = sized ? fitted_scale.value_or(output / std::max(input, 1.0f)) : scales[i];
    if (!(axis.scale > 0.0f && output >= 0.0f && output <= static_cast<float>(kMaxTensorElements)) ||
        (axis.input == 0 && output > 0.0f)) {
      return Status::InvalidArgument(
          "%s: axis %zu of %s is resized by %g to %g elements, must be by more than 0 to at "
          "most %lld",
          node.Label().c_str(), axes[i], ToString(x).c_str(), static_cast<double>(axis.scale),
          static_cast<double>(output), static_cast<long long>(kMaxTensorElements));
    }
    axis.output = sized ? sizes[i] : static_cast<int64_t>(output);
    if (!roi.empty()) {
      axis.roi_begin = roi[i];
      axis.roi_end = roi[i + axes.size()];
    }
    if (axis.mode != Mode::kNearest && axis.output > 0 && axis.TapCount() > ResizedAxis::kMaxTaps / axis.output) {
      return Status::Make(StatusCode::kUnsupported,
                          "%s: axis %zu of %s is resized to %lld elements of %lld inputs each, more than %lld together",
                          node.Label().c_str(), axes[i], ToString(x).c_str(), static_cast<long long>(axis.output),
                          static_cast<long long>(axis.TapCount()), static_cast<long long>(ResizedAxis::kMaxTaps));
    }
  }
  return resized;
}

}  // namespace graph
