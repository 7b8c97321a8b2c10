#include "graph/onnx_functions.h"

#include <map>
#include <string>
#include <utility>

namespace graph {
namespace {

constexpr int kMaxDepth = 64;
constexpr int kMaxNodes = 1000000;

class Expander {
 public:
  explicit Expander(const onnx::ModelProto& model) {
    for (const onnx::FunctionProto& function : model.functions()) {
      functions_[{function.domain(), function.name()}] = &function;
    }
  }

  bool empty() const { return functions_.empty(); }

  Status Expand(google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, int depth) {
    google::protobuf::RepeatedPtrField<onnx::NodeProto> expanded;
    for (onnx::NodeProto& node : nodes) {
      for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
        if (attribute.has_g()) LACUNA_RETURN_IF_ERROR(Expand(*attribute.mutable_g()->mutable_node(), depth));
      }
      const auto found = functions_.find({node.domain(), node.op_type()});
      if (found == functions_.end()) {
        expanded.Add()->Swap(&node);
        continue;
      }
      if (depth >= kMaxDepth || (calls_ += found->second->node_size()) > kMaxNodes) {
        return Status::InvalidArgument("node '%s': function %s calls itself, or too many others", node.name().c_str(),
                                       node.op_type().c_str());
      }
      google::protobuf::RepeatedPtrField<onnx::NodeProto> body = BodyFor(node, *found->second);
      LACUNA_RETURN_IF_ERROR(Expand(body, depth + 1));
      for (onnx::NodeProto& inner : body) expanded.Add()->Swap(&inner);
    }
    nodes.Swap(&expanded);
    return Status();
  }

 private:
  using Names = std::map<std::string, std::string>;

  static void Rename(const Names& names, std::string& name) {
    if (const auto found = names.find(name); found != names.end()) name = found->second;
  }

  static void RenameAll(const Names& names, onnx::NodeProto& node) {
    for (std::string& input : *node.mutable_input()) Rename(names, input);
    for (std::string& output : *node.mutable_output()) Rename(names, output);
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (!attribute.has_g()) continue;
      for (onnx::NodeProto& inner : *attribute.mutable_g()->mutable_node()) RenameAll(names, inner);
      for (onnx::ValueInfoProto& output : *attribute.mutable_g()->mutable_output()) {
        Rename(names, *output.mutable_name());
      }
    }
  }

  // Attributes that refer to one of the call's are replaced by it, or left out where the call has none.
  static void BindAttributes(const onnx::NodeProto& call, onnx::NodeProto& node) {
    google::protobuf::RepeatedPtrField<onnx::AttributeProto> bound;
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) {
        for (onnx::NodeProto& inner : *attribute.mutable_g()->mutable_node()) BindAttributes(call, inner);
      }
      if (attribute.ref_attr_name().empty()) {
        bound.Add()->Swap(&attribute);
        continue;
      }
      for (const onnx::AttributeProto& given : call.attribute()) {
        if (given.name() != attribute.ref_attr_name()) continue;
        onnx::AttributeProto* copy = bound.Add();
        *copy = given;
        copy->set_name(attribute.name());
      }
    }
    node.mutable_attribute()->Swap(&bound);
  }

  google::protobuf::RepeatedPtrField<onnx::NodeProto> BodyFor(const onnx::NodeProto& call,
                                                              const onnx::FunctionProto& function) {
    const std::string prefix =
        (call.name().empty() ? call.op_type() : call.name()) + "/" + std::to_string(count_++) + "/";
    Names names;
    for (const onnx::NodeProto& node : function.node()) {
      for (const std::string& output : node.output()) {
        if (!output.empty()) names[output] = prefix + output;
      }
    }
    for (int i = 0; i < function.input_size(); ++i)
      names[function.input(i)] = i < call.input_size() ? call.input(i) : "";
    for (int i = 0; i < function.output_size() && i < call.output_size(); ++i) {
      if (!call.output(i).empty()) names[function.output(i)] = call.output(i);
    }
    google::protobuf::RepeatedPtrField<onnx::NodeProto> body = function.node();
    for (onnx::NodeProto& node : body) {
      node.set_name(prefix + node.name());
      BindAttributes(call, node);
      RenameAll(names, node);
    }
    return body;
  }

  std::map<std::pair<std::string, std::string>, const onnx::FunctionProto*> functions_;
  int count_ = 0;
  int calls_ = 0;
};

}  // namespace

Status ExpandFunctions(onnx::ModelProto& model) {
  Expander expander(model);
  return expander.empty() ? Status() : expander.Expand(*model.mutable_graph()->mutable_node(), 0);
}

}  // namespace graph
