#include "graph/window.h"

#include <algorithm>
#include <string>

#include "graph/attributes.h"

namespace graph {
namespace {

// Keeps every product of two of them inside 64 bits.
constexpr int64_t kMaxGeometry = (int64_t{1} << 31) - 1;

// Attribute `name` with `count` entries in [least, kMaxGeometry].
Result<Shape> GeometryAttribute(const Node& node, const std::string& name, size_t count, int64_t fallback,
                                int64_t least) {
  LACUNA_ASSIGN_OR_RETURN(values, IntsAttribute(node, name, Shape(count, fallback)));
  if (values.size() != count) {
    return Status::InvalidArgument("%s: attribute '%s' has %zu entries, must have %zu", node.Label().c_str(),
                                   name.c_str(), values.size(), count);
  }
  for (const int64_t value : values) {
    if (value < least || value > kMaxGeometry) {
      return Status::InvalidArgument("%s: attribute '%s' is %s, entries must be in [%lld, %lld]", node.Label().c_str(),
                                     name.c_str(), ToString(values).c_str(), static_cast<long long>(least),
                                     static_cast<long long>(kMaxGeometry));
    }
  }
  return std::move(values);
}

Status SetPadding(const Node& node, Window& window) {
  const size_t rank = window.rank();
  LACUNA_ASSIGN_OR_RETURN(auto_pad, StringAttribute(node, "auto_pad", "NOTSET"));
  LACUNA_ASSIGN_OR_RETURN(pads, GeometryAttribute(node, "pads", 2 * rank, 0, 0));
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && auto_pad != "NOTSET" && auto_pad != "VALID") {
    return Status::InvalidArgument("%s: attribute 'auto_pad' is '%s', must be NOTSET, VALID, SAME_UPPER or SAME_LOWER",
                                   node.Label().c_str(), auto_pad.c_str());
  }
  window.pad_begin.assign(rank, 0);
  window.pad_end.assign(rank, 0);
  for (size_t axis = 0; axis < rank; ++axis) {
    if (same) {
      const int64_t reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
      const int64_t output = (window.input[axis] + window.stride[axis] - 1) / window.stride[axis];
      const int64_t total = std::max<int64_t>(0, (output - 1) * window.stride[axis] + reach - window.input[axis]);
      const int64_t smaller = total / 2;
      window.pad_begin[axis] = auto_pad == "SAME_UPPER" ? smaller : total - smaller;
      window.pad_end[axis] = total - window.pad_begin[axis];
    } else if (auto_pad == "NOTSET") {
      window.pad_begin[axis] = pads[axis];
      window.pad_end[axis] = pads[axis + rank];
    }
  }
  return Status();
}

Status SetOutput(const Node& node, bool ceil_mode, Window& window) {
  window.output.assign(window.rank(), 0);
  for (size_t axis = 0; axis < window.rank(); ++axis) {
    const int64_t reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
    const int64_t padded = window.input[axis] + window.pad_begin[axis] + window.pad_end[axis];
    // Rounded up, the one window may end behind the padding.
    const bool reaches_over = ceil_mode ? reach - padded >= window.stride[axis] : reach > padded;
    if (reaches_over || window.input[axis] < 1) {
      return Status::InvalidArgument(
          "%s: the kernel reaches over %lld inputs of axis %zu, the padded input has only %lld", node.Label().c_str(),
          static_cast<long long>(reach), axis + 2, static_cast<long long>(padded));
    }
    const int64_t slack = std::max<int64_t>(0, padded - reach);
    int64_t steps = ceil_mode ? (slack + window.stride[axis] - 1) / window.stride[axis] : slack / window.stride[axis];
    // A window that begins in the padding behind the input has nothing to pool.
    if (ceil_mode && steps * window.stride[axis] >= window.input[axis] + window.pad_begin[axis]) --steps;
    window.output[axis] = steps + 1;
  }
  return Status();
}

// Everything but the kernel's extents, which are set.
Status Complete(const Node& node, const Shape& x, bool ceil_mode, Window& window) {
  window.input.assign(x.begin() + 2, x.end());
  LACUNA_ASSIGN_OR_RETURN(stride, GeometryAttribute(node, "strides", window.rank(), 1, 1));
  LACUNA_ASSIGN_OR_RETURN(dilation, GeometryAttribute(node, "dilations", window.rank(), 1, 1));
  window.stride = std::move(stride);
  window.dilation = std::move(dilation);
  LACUNA_RETURN_IF_ERROR(SetPadding(node, window));
  return SetOutput(node, ceil_mode, window);
}

Status CheckRank(const Node& node, const Shape& x) {
  if (x.size() >= 3 && x.size() <= 5) return Status();
  return Status::Make(StatusCode::kUnsupported, "%s: its input has shape %s, supported are 1 to 3 spatial axes",
                      node.Label().c_str(), ToString(x).c_str());
}

}  // namespace

Result<Window> PoolWindow(const Node& node, const Shape& x) {
  LACUNA_RETURN_IF_ERROR(CheckRank(node, x));
  LACUNA_ASSIGN_OR_RETURN(ceil_mode, IntAttribute(node, "ceil_mode", 0));
  if (!node.attributes.contains("kernel_shape")) {
    return Status::InvalidArgument("%s: attribute 'kernel_shape' is missing", node.Label().c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(kernel, GeometryAttribute(node, "kernel_shape", x.size() - 2, 1, 1));
  Window window;
  window.kernel = kernel;
  LACUNA_RETURN_IF_ERROR(Complete(node, x, ceil_mode != 0, window));
  for (size_t axis = 0; axis < window.rank(); ++axis) {
    const int64_t reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
    if (window.pad_begin[axis] >= reach || window.pad_end[axis] >= reach) {
      return Status::InvalidArgument("%s: attribute 'pads' of axis %zu must be less than the kernel's reach, %lld",
                                     node.Label().c_str(), axis + 2, static_cast<long long>(reach));
    }
  }
  return window;
}

Result<Window> ConvWindow(const Node& node, const Shape& x, const Shape& w) {
  LACUNA_RETURN_IF_ERROR(CheckRank(node, x));
  if (w.size() != x.size()) {
    return Status::InvalidArgument("%s: its weights have shape %s, must have as many axes as the input's %s",
                                   node.Label().c_str(), ToString(w).c_str(), ToString(x).c_str());
  }
  Window window;
  window.kernel.assign(w.begin() + 2, w.end());
  for (const int64_t extent : window.kernel) {
    if (extent >= 1 && extent <= kMaxGeometry) continue;
    return Status::InvalidArgument("%s: its weights have shape %s, extents must be at least 1", node.Label().c_str(),
                                   ToString(w).c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(declared, IntsAttribute(node, "kernel_shape", window.kernel));
  if (declared != window.kernel) {
    return Status::InvalidArgument("%s: attribute 'kernel_shape' is %s, its weights have %s", node.Label().c_str(),
                                   ToString(declared).c_str(), ToString(window.kernel).c_str());
  }
  LACUNA_RETURN_IF_ERROR(Complete(node, x, /*ceil_mode=*/false, window));
  return window;
}

}  // namespace graph
