#include "graph/onnx_export.h"

#include <type_traits>
#include <vector>

#include "graph/onnx_file.h"
#include "graph/shape_inference.h"

namespace graph {
namespace {

void SetValues(const Tensor& tensor, onnx::TensorProto& proto) {
  proto.set_data_type(static_cast<int32_t>(OnnxTypeOf(tensor.type)));
  for (const int64_t extent : tensor.shape) proto.add_dims(extent);
  if (tensor.IsFloats()) {
    if (!tensor.generate) return SetFloats(tensor.floats, proto);
    std::vector<float> values(static_cast<size_t>(Elements(tensor.shape)));
    tensor.generate(values);
    return SetFloats(values, proto);
  }
  for (const int64_t value : tensor.integers) {
    switch (tensor.type) {
      case ElementType::kInt64: proto.add_int64_data(value); break;
      case ElementType::kUint64:
      case ElementType::kUint32: proto.add_uint64_data(static_cast<uint64_t>(value)); break;
      default: proto.add_int32_data(static_cast<int32_t>(value)); break;
    }
  }
}

Status SetAttribute(const Node& node, const Attribute& value, onnx::AttributeProto& proto) {
  using onnx::AttributeProto;
  return std::visit(
      [&]<class T>(const T& held) -> Status {
        if constexpr (std::is_same_v<T, int64_t>) {
          proto.set_type(AttributeProto::INT);
          proto.set_i(held);
        } else if constexpr (std::is_same_v<T, float>) {
          proto.set_type(AttributeProto::FLOAT);
          proto.set_f(held);
        } else if constexpr (std::is_same_v<T, std::string>) {
          proto.set_type(AttributeProto::STRING);
          proto.set_s(held);
        } else if constexpr (std::is_same_v<T, std::vector<int64_t>>) {
          proto.set_type(AttributeProto::INTS);
          proto.mutable_ints()->Add(held.begin(), held.end());
        } else if constexpr (std::is_same_v<T, std::vector<float>>) {
          proto.set_type(AttributeProto::FLOATS);
          proto.mutable_floats()->Add(held.begin(), held.end());
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          proto.set_type(AttributeProto::STRINGS);
          for (const std::string& text : held) proto.add_strings(text);
        } else if constexpr (std::is_same_v<T, Tensor>) {
          proto.set_type(AttributeProto::TENSOR);
          SetValues(held, *proto.mutable_t());
        } else {
          return Status::Make(StatusCode::kUnsupported, "%s: attribute '%s' is a graph, which is not written",
                              node.Label().c_str(), proto.name().c_str());
        }
        return Status();
      },
      value);
}

void Describe(const ValueInfo& value, onnx::ValueInfoProto& proto) {
  proto.set_name(value.name);
  auto& type = *proto.mutable_type()->mutable_tensor_type();
  type.set_elem_type(static_cast<int32_t>(OnnxTypeOf(value.type)));
  auto& shape = *type.mutable_shape();
  for (const int64_t extent : value.shape) shape.add_dim()->set_dim_value(extent);
}

}  // namespace

Result<onnx::ModelProto> ToModel(const Graph& graph) {
  LACUNA_ASSIGN_OR_RETURN(values, InferValues(graph));
  onnx::ModelProto model;
  model.set_ir_version(graph.opset <= 15 ? 8 : 9);
  model.set_producer_name("lacuna");
  auto& opset = *model.add_opset_import();
  opset.set_version(graph.opset);
  for (const auto& [key, value] : graph.metadata) {
    auto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  onnx::GraphProto& to = *model.mutable_graph();
  to.set_name(graph.name);
  for (const ValueInfo& input : graph.inputs) Describe(input, *to.add_input());
  for (const std::string& output : graph.outputs) {
    const TensorInfo& info = values.at(output);
    Describe({output, info.shape, info.type}, *to.add_output());
  }
  for (const auto& [name, tensor] : graph.initializers) {
    auto& initializer = *to.add_initializer();
    initializer.set_name(name);
    SetValues(tensor, initializer);
  }
  for (const Node& node : graph.nodes) {
    auto& proto = *to.add_node();
    proto.set_name(node.name);
    proto.set_op_type(node.op);
    for (const std::string& input : node.inputs) proto.add_input(input);
    for (const std::string& output : node.outputs) proto.add_output(output);
    for (const auto& [name, value] : node.attributes) {
      auto& attribute = *proto.add_attribute();
      attribute.set_name(name);
      LACUNA_RETURN_IF_ERROR(SetAttribute(node, value, attribute));
    }
  }
  return model;
}

}  // namespace graph
