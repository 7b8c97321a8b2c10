#include "graph/attributes.h"

namespace graph {
namespace {

template <class T>
Result<T> Read(const Node& node, const std::string& name, const T& fallback, const char* expected) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return fallback;
  if (const T* value = std::get_if<T>(&found->second)) return *value;
  return Status::InvalidArgument("%s: attribute '%s' must be %s", node.Label().c_str(), name.c_str(), expected);
}

}  // namespace

Result<int64_t> IntAttribute(const Node& node, const std::string& name, int64_t fallback) {
  return Read<int64_t>(node, name, fallback, "an integer");
}

Result<float> FloatAttribute(const Node& node, const std::string& name, float fallback) {
  return Read<float>(node, name, fallback, "a float");
}

Result<std::string> StringAttribute(const Node& node, const std::string& name, const std::string& fallback) {
  return Read<std::string>(node, name, fallback, "a string");
}

Result<std::vector<int64_t>> IntsAttribute(const Node& node, const std::string& name,
                                           const std::vector<int64_t>& fallback) {
  return Read<std::vector<int64_t>>(node, name, fallback, "a list of integers");
}

Result<std::vector<float>> FloatsAttribute(const Node& node, const std::string& name,
                                           const std::vector<float>& fallback) {
  return Read<std::vector<float>>(node, name, fallback, "a list of floats");
}

Result<std::vector<std::string>> StringsAttribute(const Node& node, const std::string& name,
                                                  const std::vector<std::string>& fallback) {
  return Read<std::vector<std::string>>(node, name, fallback, "a list of strings");
}

Result<int64_t> AxisAttribute(const Node& node, int64_t fallback, int64_t limit) {
  LACUNA_ASSIGN_OR_RETURN(axis, IntAttribute(node, "axis", fallback));
  if (axis < -limit || axis >= limit) {
    return Status::InvalidArgument("%s: attribute 'axis' is %lld, must be in [%lld, %lld]", node.Label().c_str(),
                                   static_cast<long long>(axis), static_cast<long long>(-limit),
                                   static_cast<long long>(limit - 1));
  }
  return axis < 0 ? axis + limit : axis;
}

Result<std::vector<size_t>> TransposeOrder(const Node& node, size_t rank) {
  std::vector<int64_t> reverse(rank);
  for (size_t axis = 0; axis < rank; ++axis) reverse[axis] = static_cast<int64_t>(rank - 1 - axis);
  LACUNA_ASSIGN_OR_RETURN(perm, IntsAttribute(node, "perm", reverse));
  std::vector<size_t> order;
  std::vector<bool> seen(rank, false);
  for (const int64_t axis : perm) {
    if (axis < 0 || axis >= static_cast<int64_t>(rank) || seen[static_cast<size_t>(axis)]) break;
    order.push_back(static_cast<size_t>(axis));
    seen[order.back()] = true;
  }
  if (order.size() == rank && perm.size() == rank) return order;
  return Status::InvalidArgument("%s: attribute 'perm' is %s, must name each of %zu axes once", node.Label().c_str(),
                                 ToString(perm).c_str(), rank);
}

}  // namespace graph
