#include "graph/graph.h"

#include <algorithm>
#include <iterator>

namespace graph {

std::string ToString(const Shape& shape) {
  std::string text = "[";
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis != 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + "]";
}

int64_t Elements(const Shape& shape) {
  int64_t elements = 1;
  for (const int64_t extent : shape) elements *= extent;
  return elements;
}

std::vector<std::string> Node::PresentOutputs() const {
  std::vector<std::string> present;
  std::copy_if(outputs.begin(), outputs.end(), std::back_inserter(present),
               [](const std::string& output) { return !output.empty(); });
  return present;
}

Status Node::About(const Status& status) const {
  return status.ok() ? status : Status::Make(status.code(), "%s: %s", Label().c_str(), status.message());
}

Result<int64_t> CheckedElements(const Shape& shape, int64_t limit, const std::string& what) {
  lacuna::Checked elements = 1;  // an extent of 0 counts as 1, so that products over any of the axes are in range too
  for (const int64_t extent : shape) {
    if (extent < 0) {
      return Status::InvalidArgument("%s has an extent of %lld, must be at least 0", what.c_str(),
                                     static_cast<long long>(extent));
    }
    elements = elements * std::max<int64_t>(extent, 1);
  }
  if (!elements.ok() || elements.value() > limit) {
    return Status::InvalidArgument("%s has shape %s, more than the limit of %lld elements", what.c_str(),
                                   ToString(shape).c_str(), static_cast<long long>(limit));
  }
  return Elements(shape);
}

}  // namespace graph
