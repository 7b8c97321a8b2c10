// Graph: a network as plain data, the common ground of import, shape inference and execution.

#ifndef LACUNA_EXAMPLES_GRAPH_GRAPH_H_
#define LACUNA_EXAMPLES_GRAPH_GRAPH_H_

#include "lacuna/core/checked.h"
#include "lacuna/core/status.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace graph {

using lacuna::Result;
using lacuna::Status;
using lacuna::StatusCode;

using Shape = std::vector<int64_t>;

// "[1, 64, 224, 224]"
std::string ToString(const Shape& shape);

// The product of all extents, 1 for a scalar. Preconditions: no negative extent; overflow was ruled out by
// CheckedElements.
int64_t Elements(const Shape& shape);

// The product of all extents, or an error that names `what` if an extent is negative or the product exceeds `limit`.
Result<int64_t> CheckedElements(const Shape& shape, int64_t limit, const std::string& what);

// kFloat is what layers compute on. kInteger holds any integer or boolean constant (the target of a Reshape, say) as
// int64_t.
enum class ElementType : uint8_t { kFloat, kInteger };

struct Tensor {
  ElementType type = ElementType::kFloat;
  Shape shape{};
  std::vector<float> floats{};      // kFloat: Elements(shape) values, the last axis fastest
  std::vector<int64_t> integers{};  // kInteger
  // Writes the values of a kFloat tensor whose `floats` stay empty, the same ones each time: weights of a Conv, Gemm,
  // MatMul, RNN, GRU or LSTM that exist only while their layer is packed. Nothing else may be generated.
  std::function<void(std::span<float>)> generate{};
};

using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                               std::vector<std::string>, Tensor>;

struct Node {
  std::string name;  // never empty after import: an anonymous node takes the name of its first output
  std::string op;
  std::vector<std::string> inputs;   // an empty name is an optional input that is absent
  std::vector<std::string> outputs;  // likewise
  std::map<std::string, Attribute> attributes;

  bool HasInput(size_t i) const { return i < inputs.size() && !inputs[i].empty(); }
  // Those that are not absent, at least one.
  std::vector<std::string> PresentOutputs() const;
  // "Conv node 'features.0'", the way messages speak of a node.
  std::string Label() const { return op + " node '" + name + "'"; }
  // Prefixes what lacuna says with the node it says it about.
  Status About(const Status& status) const;
};

struct ValueInfo {
  std::string name;
  Shape shape;
};

// Nodes are in topological order; every input of a node is a graph input, an initializer or an output of an earlier
// node.
struct Graph {
  std::string name;
  int64_t opset = 17;
  std::vector<ValueInfo> inputs;  // kFloat all
  std::vector<std::string> outputs;
  std::map<std::string, Tensor> initializers;
  std::vector<Node> nodes;
  std::map<std::string, std::string> metadata;

  // The initializer `name`, or null.
  const Tensor* Constant(const std::string& value_name) const {
    const auto found = initializers.find(value_name);
    return found == initializers.end() ? nullptr : &found->second;
  }
};

// Shape of every value of a graph by name.
using Shapes = std::map<std::string, Shape>;

// One tensor may have at most this many elements (1 GiB of float): a damaged file must not allocate the machine away.
inline constexpr int64_t kMaxTensorElements = int64_t{1} << 28;

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_GRAPH_H_
