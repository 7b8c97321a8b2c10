#include "graph/index_map.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "graph/attributes.h"

namespace graph {
namespace {

// The integers of the constant input `i`, nothing if it is absent.
Result<std::optional<Shape>> IntegerInput(const Graph& graph, const Node& node, size_t i) {
  if (!node.HasInput(i)) return std::optional<Shape>();
  const Tensor* tensor = graph.Constant(node.inputs[i]);
  if (tensor != nullptr && !tensor->IsFloats() && tensor->shape.size() == 1) {
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

}  // namespace graph
