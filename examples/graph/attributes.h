// Typed reading of node attributes with the operator's default for an absent one.

#ifndef LACUNA_EXAMPLES_GRAPH_ATTRIBUTES_H_
#define LACUNA_EXAMPLES_GRAPH_ATTRIBUTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

// Each returns the attribute `name` of `node`, `fallback` if it is absent, or an error naming both if its type differs.
Result<int64_t> IntAttribute(const Node& node, const std::string& name, int64_t fallback);
Result<float> FloatAttribute(const Node& node, const std::string& name, float fallback);
Result<std::string> StringAttribute(const Node& node, const std::string& name, const std::string& fallback);
Result<std::vector<int64_t>> IntsAttribute(const Node& node, const std::string& name,
                                           const std::vector<int64_t>& fallback);
Result<std::vector<float>> FloatsAttribute(const Node& node, const std::string& name,
                                           const std::vector<float>& fallback);
Result<std::vector<std::string>> StringsAttribute(const Node& node, const std::string& name,
                                                  const std::vector<std::string>& fallback);

// `axis` counted from the front. `limit` is one more than the largest valid axis; negative values count from `limit`.
Result<int64_t> AxisAttribute(const Node& node, int64_t fallback, int64_t limit);

// perm of a Transpose: which input axis each output axis is, in reverse by default. An error unless it names each of
// the `rank` axes once.
Result<std::vector<size_t>> TransposeOrder(const Node& node, size_t rank);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_ATTRIBUTES_H_
