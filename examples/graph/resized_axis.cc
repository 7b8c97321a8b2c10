#include "graph/resized_axis.h"

#include <algorithm>
#include <cmath>
#include <map>
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

// The weights of the elements from floor(at) + first on.
struct Kernel {
  int64_t first = 0;
  std::vector<float> weights{};
};

float Linear(float distance) { return std::max(0.0f, 1.0f - std::abs(distance)); }

float Cubic(float distance, float a) {
  const float x = std::abs(distance);
  if (x <= 1.0f) return ((a + 2.0f) * x - (a + 3.0f)) * x * x + 1.0f;
  if (x < 2.0f) return (((x - 5.0f) * x + 8.0f) * x - 4.0f) * a;
  return 0.0f;
}

Kernel KernelAt(const ResizedAxis& axis, float fraction) {
  const bool linear = axis.mode == Mode::kLinear;
  const int64_t reach = linear ? 1 : 2;
  const float shrink = axis.antialias ? std::min(axis.scale, 1.0f) : 1.0f;
  Kernel kernel;
  kernel.first = static_cast<int64_t>(std::floor(static_cast<float>(-reach) / shrink)) + 1;
  for (int64_t k = kernel.first; k < 2 - kernel.first; ++k) {
    const float distance = (static_cast<float>(k) - fraction) * shrink;
    kernel.weights.push_back(linear ? Linear(distance) : Cubic(distance, axis.cubic));
  }
  if (axis.antialias) {
    float sum = 0.0f;
    for (const float weight : kernel.weights) sum += weight;
    for (float& weight : kernel.weights) weight /= sum;
  }
  return kernel;
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

std::vector<ResizedAxis::Term> ResizedAxis::Terms() const {
  std::vector<Term> terms(static_cast<size_t>(output));
  for (int64_t i = 0; i < output; ++i) {
    Term& term = terms[static_cast<size_t>(i)];
    float at = At(i);
    if (IsOutside(at)) {
      term.constant = extrapolation;
      continue;
    }
    if (mode == Mode::kLinear && !antialias) at = std::clamp(at, 0.0f, static_cast<float>(input - 1));
    const auto below = static_cast<int64_t>(std::floor(at));
    const Kernel kernel = KernelAt(*this, at - static_cast<float>(below));
    std::map<int64_t, float> weights;  // those that the edge repeats are one
    float sum = 0.0f;
    for (size_t k = 0; k < kernel.weights.size(); ++k) {
      const int64_t index = below + kernel.first + static_cast<int64_t>(k);
      if (exclude_outside && (index < 0 || index >= input)) continue;
      weights[std::clamp<int64_t>(index, 0, input - 1)] += kernel.weights[k];
      sum += kernel.weights[k];
    }
    for (const auto& [index, weight] : weights) {
      if (weight == 0.0f) continue;
      term.index.push_back(index);
      term.weight.push_back(exclude_outside ? weight / sum : weight);
    }
  }
  return terms;
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
  if (sized && policy != AspectRatio::kStretch) {
    std::optional<float> one;
    for (size_t i = 0; i < axes.size(); ++i) {
      const float own = static_cast<float>(sizes[i]) / static_cast<float>(std::max<int64_t>(x[axes[i]], 1));
      one = !one.has_value() ? own : policy == AspectRatio::kNotLarger ? std::min(*one, own) : std::max(*one, own);
    }
    for (size_t i = 0; i < axes.size(); ++i) sizes[i] = std::llround(*one * static_cast<float>(x[axes[i]]));
  }
  std::vector<ResizedAxis> resized(x.size(), common);
  for (size_t axis = 0; axis < x.size(); ++axis) resized[axis].input = resized[axis].output = x[axis];
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis& axis = resized[axes[i]];
    const auto input = static_cast<float>(axis.input);
    const float output = sized ? static_cast<float>(sizes[i]) : std::floor(input * scales[i]);
    axis.scale = sized ? output / std::max(input, 1.0f) : scales[i];
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
  }
  return resized;
}

}  // namespace graph
