#include "graph/onnx_import.h"

#include <new>
#include <set>
#include <utility>
#include <vector>

#include "graph/onnx_file.h"
#include "graph/operators.h"

namespace graph {
namespace {

Result<Attribute> ToAttribute(const onnx::AttributeProto& proto, const std::string& label, int64_t max_elements) {
  switch (proto.type()) {
    case onnx::AttributeProto::INT: return Attribute(proto.i());
    case onnx::AttributeProto::FLOAT: return Attribute(proto.f());
    case onnx::AttributeProto::STRING: return Attribute(proto.s());
    case onnx::AttributeProto::INTS: return Attribute(std::vector<int64_t>(proto.ints().begin(), proto.ints().end()));
    case onnx::AttributeProto::FLOATS:
      return Attribute(std::vector<float>(proto.floats().begin(), proto.floats().end()));
    case onnx::AttributeProto::STRINGS:
      return Attribute(std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case onnx::AttributeProto::TENSOR: {
      LACUNA_ASSIGN_OR_RETURN(tensor, ToTensor(proto.t(), max_elements));
      return Attribute(std::move(tensor));
    }
    default:
      return Status::Make(StatusCode::kUnsupported, "%s: attribute '%s' has a type that is not supported",
                          label.c_str(), proto.name().c_str());
  }
}

Result<Node> ToNode(const onnx::NodeProto& proto, int64_t max_elements) {
  Node node;
  node.op = proto.op_type();
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  const std::vector<std::string> outputs = node.PresentOutputs();
  node.name = !proto.name().empty() || outputs.empty() ? proto.name() : outputs[0];
  if (!proto.domain().empty() && proto.domain() != "ai.onnx") {
    return Status::Make(StatusCode::kUnsupported, "node '%s': operator %s of domain '%s' is not supported",
                        node.name.c_str(), node.op.c_str(), proto.domain().c_str());
  }
  if (outputs.empty()) return Status::InvalidArgument("%s has no output", node.Label().c_str());
  LACUNA_RETURN_IF_ERROR(CheckOperator(node));
  for (const onnx::AttributeProto& attribute : proto.attribute()) {
    LACUNA_ASSIGN_OR_RETURN(value, ToAttribute(attribute, node.Label(), max_elements));
    node.attributes[attribute.name()] = std::move(value);
  }
  return node;
}

Result<Tensor> ConstantValue(const Node& node) {
  const auto list = [](auto values) {
    Tensor tensor;
    tensor.shape = {static_cast<int64_t>(values.size())};
    if constexpr (std::is_same_v<decltype(values), std::vector<float>>) {
      tensor.floats = std::move(values);
    } else {
      tensor.type = ElementType::kInteger;
      tensor.integers = std::move(values);
    }
    return tensor;
  };
  const auto scalar = [&list](auto value) {
    Tensor tensor = list(std::vector{value});
    tensor.shape.clear();
    return tensor;
  };
  for (const auto& [name, value] : node.attributes) {
    if (const auto* tensor = std::get_if<Tensor>(&value); tensor != nullptr && name == "value") return *tensor;
    if (const auto* number = std::get_if<float>(&value); number != nullptr && name == "value_float")
      return scalar(*number);
    if (const auto* number = std::get_if<int64_t>(&value); number != nullptr && name == "value_int")
      return scalar(*number);
    if (const auto* v = std::get_if<std::vector<float>>(&value); v != nullptr && name == "value_floats")
      return list(*v);
    if (const auto* v = std::get_if<std::vector<int64_t>>(&value); v != nullptr && name == "value_ints")
      return list(*v);
  }
  return Status::Make(StatusCode::kUnsupported, "%s: its value must be a tensor, float, integer or a list of them",
                      node.Label().c_str());
}

// Builds a Graph from a GraphProto and remembers which values exist so far.
class Importer {
 public:
  explicit Importer(const ImportOptions& options) : options_(options) {}

  // Takes the values out of the model, initializer by initializer, so that they never exist twice.
  Result<Graph> Import(onnx::ModelProto& model) {
    LACUNA_RETURN_IF_ERROR(ReadOpset(model));
    graph_.name = model.graph().name();
    for (const auto& entry : model.metadata_props()) graph_.metadata[entry.key()] = entry.value();
    for (onnx::TensorProto& proto : *model.mutable_graph()->mutable_initializer()) {
      LACUNA_ASSIGN_OR_RETURN(tensor, ToTensor(proto, options_.max_elements));
      std::string().swap(*proto.mutable_raw_data());
      google::protobuf::RepeatedField<float>().Swap(proto.mutable_float_data());
      LACUNA_RETURN_IF_ERROR(AddConstant(proto.name(), std::move(tensor)));
    }
    if (model.graph().sparse_initializer_size() != 0) {
      return Status::Make(StatusCode::kUnsupported, "the graph has sparse_initializer, which is not supported");
    }
    for (const onnx::ValueInfoProto& proto : model.graph().input()) LACUNA_RETURN_IF_ERROR(AddInput(proto));
    for (const onnx::NodeProto& proto : model.graph().node()) LACUNA_RETURN_IF_ERROR(AddNode(proto));
    for (const onnx::ValueInfoProto& proto : model.graph().output()) {
      if (!values_.contains(proto.name())) {
        return Status::InvalidArgument("graph output '%s' is defined by no node", proto.name().c_str());
      }
      graph_.outputs.push_back(proto.name());
    }
    if (graph_.outputs.empty()) return Status::InvalidArgument("the graph has no output");
    return std::move(graph_);
  }

 private:
  Status ReadOpset(const onnx::ModelProto& model) {
    graph_.opset = 0;
    for (const auto& entry : model.opset_import()) {
      if (entry.domain().empty() || entry.domain() == "ai.onnx") graph_.opset = entry.version();
    }
    if (graph_.opset >= 1) return Status();
    return Status::Make(StatusCode::kUnsupported, "the model's operator set is version %lld, must be at least 1",
                        static_cast<long long>(graph_.opset));
  }

  Status Define(const std::string& name) {
    if (name.empty()) return Status::InvalidArgument("the graph has an input or initializer without a name");
    if (values_.insert(name).second) return Status();
    return Status::InvalidArgument("value '%s' is defined twice", name.c_str());
  }

  Status AddConstant(const std::string& name, Tensor tensor) {
    LACUNA_RETURN_IF_ERROR(Define(name));
    graph_.initializers[name] = std::move(tensor);
    return Status();
  }

  Status AddInput(const onnx::ValueInfoProto& proto) {
    if (graph_.initializers.contains(proto.name())) return Status();  // a default value, as IR versions below 4 list it
    if (const auto bound = options_.constants.find(proto.name()); bound != options_.constants.end()) {
      return AddConstant(proto.name(), bound->second);
    }
    LACUNA_RETURN_IF_ERROR(Define(proto.name()));
    if (!proto.type().has_tensor_type() || proto.type().tensor_type().elem_type() != onnx::TensorProto::FLOAT) {
      return Status::Make(StatusCode::kUnsupported, "graph input '%s' must be a tensor of FLOAT", proto.name().c_str());
    }
    ValueInfo input{proto.name(), {}};
    for (const auto& dim : proto.type().tensor_type().shape().dim()) {
      if (dim.has_dim_value() && dim.dim_value() >= 0) {
        input.shape.push_back(dim.dim_value());
      } else if (input.shape.empty()) {
        input.shape.push_back(options_.batch);
      } else {
        return Status::Make(StatusCode::kUnsupported,
                            "graph input '%s': extent of axis %zu is open, only the first may be", proto.name().c_str(),
                            input.shape.size());
      }
    }
    LACUNA_RETURN_IF_ERROR(
        CheckedElements(input.shape, options_.max_elements, "graph input '" + input.name + "'").status());
    graph_.inputs.push_back(std::move(input));
    return Status();
  }

  Status AddNode(const onnx::NodeProto& proto) {
    LACUNA_ASSIGN_OR_RETURN(node, ToNode(proto, options_.max_elements));
    for (const std::string& input : node.inputs) {
      if (input.empty() || values_.contains(input)) continue;
      return Status::InvalidArgument(
          "%s: input '%s' is no graph input, no initializer and no output of an earlier node", node.Label().c_str(),
          input.c_str());
    }
    if (node.op == "Constant") {
      LACUNA_ASSIGN_OR_RETURN(tensor, ConstantValue(node));
      return AddConstant(node.outputs[0], std::move(tensor));
    }
    for (const std::string& output : node.PresentOutputs()) LACUNA_RETURN_IF_ERROR(Define(output));
    graph_.nodes.push_back(std::move(node));
    return Status();
  }

  const ImportOptions& options_;
  Graph graph_;
  std::set<std::string> values_;
};

}  // namespace

Result<Graph> ImportOnnx(std::span<const char> bytes, const ImportOptions& options, const std::string& source) {
  try {
    LACUNA_ASSIGN_OR_RETURN(model, ParseModel(bytes, source));
    return Importer(options).Import(model);
  } catch (const std::bad_alloc&) {
    return Status::OutOfMemory("ImportOnnx", bytes.size());
  }
}

Result<Graph> ImportOnnxFile(const std::string& path, const ImportOptions& options) {
  try {
    LACUNA_ASSIGN_OR_RETURN(model, ReadModel(path));
    return Importer(options).Import(model);
  } catch (const std::bad_alloc&) {
    return Status::OutOfMemory("ImportOnnxFile", 0);
  }
}

Result<Tensor> ImportTensorFile(const std::string& path) {
  LACUNA_ASSIGN_OR_RETURN(bytes, ReadFile(path));
  onnx::TensorProto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Status::Make(StatusCode::kDataLoss, "'%s' is truncated or not an ONNX tensor (%zu bytes)", path.c_str(),
                        bytes.size());
  }
  return ToTensor(proto, kMaxTensorElements);
}

}  // namespace graph
