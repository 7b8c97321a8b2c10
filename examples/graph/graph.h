// Graph: a network as plain data, the common ground of import, shape inference and execution.

#ifndef LACUNA_EXAMPLES_GRAPH_GRAPH_H_
#define LACUNA_EXAMPLES_GRAPH_GRAPH_H_

#include "lacuna/core/checked.h"
#include "lacuna/core/status.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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

// What a model says its elements are. In memory there are two kinds: floating-point types are float, whatever their
// width in the model; integers and booleans are int64_t, and operators wrap their results to the type (Wrapped).
enum class ElementType : uint8_t {
  kFloat,
  kDouble,
  kFloat16,
  kBfloat16,
  kInt64,
  kInt32,
  kInt16,
  kInt8,
  kUint64,
  kUint32,
  kUint16,
  kUint8,
  kBool
};

constexpr bool IsFloating(ElementType type) { return type <= ElementType::kBfloat16; }

// "FLOAT", as ONNX names it.
const char* ToString(ElementType type);

// Bytes of an element in memory.
constexpr size_t BytesOf(ElementType type) { return IsFloating(type) ? sizeof(float) : sizeof(int64_t); }

// The type of number `type` in ONNX's TensorProto.DataType; nothing for strings, complex numbers and what it lacks.
std::optional<ElementType> ElementTypeOfOnnx(int64_t type);
int64_t OnnxTypeOf(ElementType type);

// `value` rounded to what a floating-point type can hold, to nearest even.
float RoundedTo(ElementType type, float value);

// `value` modulo the range of an integer type; of kBool whether it is not 0.
int64_t Wrapped(ElementType type, int64_t value);

struct Tensor {
  ElementType type = ElementType::kFloat;
  Shape shape{};
  std::vector<float> floats{};      // IsFloating(type): Elements(shape) values, the last axis fastest
  std::vector<int64_t> integers{};  // all other types
  // Writes the values of a floating-point tensor whose `floats` stay empty, the same ones each time: weights of a Conv,
  // Gemm, MatMul, RNN, GRU or LSTM that exist only while their layer is packed. Nothing else may be generated.
  std::function<void(std::span<float>)> generate{};

  bool IsFloats() const { return IsFloating(type); }
  // A constant list (or scalar) of integers.
  bool IsIntegers() const { return !IsFloats(); }
  const void* data() const { return IsFloats() ? static_cast<const void*>(floats.data()) : integers.data(); }
  void* data() { return IsFloats() ? static_cast<void*>(floats.data()) : integers.data(); }
  // Of the given type and shape, all zeros.
  static Tensor Zeros(ElementType type, Shape shape);
  static Tensor Integers(std::vector<int64_t> values);  // kInt64, one axis
};

struct Graph;

using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                               std::vector<std::string>, Tensor, std::shared_ptr<const Graph>>;

struct Node {
  std::string name;  // never empty after import: an anonymous node takes the name of its first output
  std::string op;
  std::vector<std::string> inputs;   // an empty name is an optional input that is absent
  std::vector<std::string> outputs;  // likewise
  std::map<std::string, Attribute> attributes;

  bool HasInput(size_t i) const { return i < inputs.size() && !inputs[i].empty(); }
  // Those that are not absent, at least one.
  std::vector<std::string> PresentOutputs() const;
  std::vector<std::string> PresentInputs() const;
  // "Conv node 'features.0'", the way messages speak of a node.
  std::string Label() const { return op + " node '" + name + "'"; }
  // Prefixes what lacuna says with the node it says it about.
  Status About(const Status& status) const;
};

// What is known of a value before it is computed.
struct TensorInfo {
  ElementType type = ElementType::kFloat;
  Shape shape{};

  bool operator==(const TensorInfo&) const = default;
};

struct ValueInfo {
  std::string name;
  Shape shape;
  ElementType type = ElementType::kFloat;
};

// Nodes are in topological order; every input of a node is a graph input, an initializer or an output of an earlier
// node.
struct Graph {
  std::string name;
  int64_t opset = 17;
  std::vector<ValueInfo> inputs;
  std::vector<std::string> outputs;
  std::map<std::string, Tensor> initializers;
  std::vector<Node> nodes;
  std::map<std::string, std::string> metadata;
  // What depends on extents that are known only once this graph has run (operators with extents_by_data), or null. Its
  // inputs are outputs of this graph, its outputs those of the model.
  std::shared_ptr<const Graph> late{};

  const std::vector<std::string>& model_outputs() const { return late == nullptr ? outputs : late->outputs; }
  // The initializer `name`, or null.
  const Tensor* Constant(const std::string& value_name) const {
    const auto found = initializers.find(value_name);
    return found == initializers.end() ? nullptr : &found->second;
  }
};

// Type and shape of every value of a graph by name.
using Values = std::map<std::string, TensorInfo>;

// One tensor may have at most this many elements (1 GiB of float): a damaged file must not allocate the machine away.
inline constexpr int64_t kMaxTensorElements = int64_t{1} << 28;

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_GRAPH_H_
