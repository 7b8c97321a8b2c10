#include "graph/ort_custom.h"

#include "lacuna/prune/scheme.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "graph/layer_weights.h"
#include "graph/onnx_file.h"
#include "graph/pruning.h"

namespace graph {

namespace {

const onnx::AttributeProto* Find(const onnx::NodeProto& node, std::string_view name) {
  const auto found = std::find_if(node.attribute().begin(), node.attribute().end(),
                                  [&](const onnx::AttributeProto& attribute) { return attribute.name() == name; });
  return found == node.attribute().end() ? nullptr : &*found;
}
int64_t IntegerOf(const onnx::NodeProto& node, std::string_view name, int64_t otherwise) {
  const auto* attribute = Find(node, name);
  return attribute != nullptr ? attribute->i() : otherwise;
}

void SetText(onnx::NodeProto& node, const char* name, const std::string& value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(value);
}
void SetNumber(onnx::NodeProto& node, const char* name, float value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}
void SetInteger(onnx::NodeProto& node, const char* name, int64_t value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

class Emitter {
 public:
  explicit Emitter(onnx::ModelProto& model) : graph_(*model.mutable_graph()), constants_(ConstantsOf(graph_)) {
    for (const auto& entry : model.metadata_props()) {
      if (!entry.key().starts_with(kSchemeMetadataPrefix)) continue;
      const auto value = nlohmann::json::parse(entry.value(), nullptr, /*allow_exceptions=*/false);
      if (!value.is_object() || !value.contains("scheme") || !value["scheme"].is_string()) continue;
      schemes_[entry.key().substr(std::string_view(kSchemeMetadataPrefix).size())] = value["scheme"].get<std::string>();
    }
    for (const auto& node : graph_.node()) {
      for (const std::string& input : node.input()) ++readers_[input];
      for (const auto& attribute : node.attribute()) {
        if (attribute.has_g()) has_inner_graphs_ = true;  // which may read anything by its name
      }
    }
    for (const auto& output : graph_.output()) ++readers_[output.name()];
  }

  std::vector<CustomLayer> Emit() {
    std::vector<CustomLayer> layers;
    for (onnx::NodeProto& node : *graph_.mutable_node()) {
      if (node.domain() != "" && node.domain() != "ai.onnx") continue;
      if (node.input_size() < 2 || (SchemeOf(node, 1) == nullptr && SchemeOf(node, 2) == nullptr)) continue;
      CustomLayer layer{node.name()};
      layer.left = WhyNot(node);
      if (layer.left.empty()) {
        Convert(node);
        layer.op = "lacuna." + node.op_type();
        if (const auto activation = TakeActivation(node)) layer.op += " + " + *activation;
      }
      layers.push_back(std::move(layer));
    }
    DropTaken();
    return layers;
  }

 private:
  const std::string* SchemeOf(const onnx::NodeProto& node, int input) const {
    if (input >= node.input_size()) return nullptr;
    const auto found = schemes_.find(node.input(input));
    return found == schemes_.end() ? nullptr : &found->second;
  }
  bool IsConstant(const onnx::NodeProto& node, int input) const { return constants_.contains(node.input(input)); }
  // Whether `input` is left out, or a constant of as many values.
  bool IsRowVector(const onnx::NodeProto& node, int input, int64_t rows) const {
    if (input >= node.input_size() || node.input(input).empty()) return true;
    const auto found = constants_.find(node.input(input));
    if (found == constants_.end()) return false;
    const auto& dims = found->second->dims();
    int64_t elements = 1;
    for (const int64_t extent : dims) elements *= extent;
    return elements == rows && (dims.empty() || dims.Get(dims.size() - 1) == rows);
  }

  // Why a layer cannot become an operator of lacuna; "" if it can.
  std::string WhyNot(const onnx::NodeProto& node) const {
    const std::string& op = node.op_type();
    if (op == "Conv") {
      const auto* automatic = Find(node, "auto_pad");
      if (automatic != nullptr && automatic->s() != "NOTSET" && automatic->s() != "VALID") return "auto_pad";
      if (!IsConstant(node, 1) || (node.input_size() > 2 && !node.input(2).empty() && !IsConstant(node, 2))) {
        return "weights or bias are computed";
      }
      return "";
    }
    if (op == "Gemm" || op == "MatMul") {
      if (SchemeOf(node, 1) == nullptr || !IsConstant(node, 1)) return "the weights are not the second operand";
      const auto& weights = *constants_.at(node.input(1));
      if (weights.dims_size() != 2) return "the weights are no matrix";
      if (IntegerOf(node, "transA", 0) != 0) return "transA";
      const int64_t rows = weights.dims(IntegerOf(node, "transB", 0) != 0 ? 0 : 1);
      return IsRowVector(node, 2, rows) ? "" : "C is not one constant for each row of the weights";
    }
    if (op == "GRU") {
      if (!IsConstant(node, 1) || !IsConstant(node, 2)) return "weights are computed";
      if (node.input_size() > 3 && !node.input(3).empty() && !IsConstant(node, 3)) return "the bias is computed";
      for (const char* unusual : {"activations", "activation_alpha", "activation_beta", "clip"}) {
        if (Find(node, unusual) != nullptr) return unusual;
      }
      return IntegerOf(node, "layout", 0) == 0 ? "" : "layout";
    }
    return "lacuna has no operator for " + op;
  }

  void Convert(onnx::NodeProto& node) const {
    const bool transposes = node.op_type() == "MatMul";
    if (transposes) {
      node.set_op_type("Gemm");
      SetInteger(node, "transB", 0);
    }
    node.set_domain("lacuna");
    for (int i = node.attribute_size() - 1; i >= 0; --i) {
      const std::string& name = node.attribute(i).name();
      if (name == "auto_pad" || name == "kernel_shape" || name == "transA" || name == "layout") {
        node.mutable_attribute()->DeleteSubrange(i, 1);
      }
    }
    const auto scheme = [&](int input) {
      const std::string* of = SchemeOf(node, input);
      return of != nullptr ? *of : std::string("dense");
    };
    SetText(node, "scheme", scheme(1));
    if (node.op_type() == "GRU") SetText(node, "recurrent_scheme", scheme(2));
  }

  // The value of a constant of one float.
  std::optional<float> ScalarOf(const onnx::NodeProto& node, int input, float otherwise) const {
    if (input >= node.input_size() || node.input(input).empty()) return otherwise;
    const auto found = constants_.find(node.input(input));
    if (found == constants_.end()) return std::nullopt;
    const auto tensor = ToTensor(*found->second, kMaxTensorElements);
    if (!tensor.ok() || tensor->floats.size() != 1) return std::nullopt;
    return tensor->floats[0];
  }

  // Lets `node` compute the activation that is all that reads it, and names that.
  std::optional<std::string> TakeActivation(onnx::NodeProto& node) {
    if (node.op_type() == "GRU" || has_inner_graphs_ || readers_[node.output(0)] != 1) return std::nullopt;
    const auto reader = std::find_if(
        graph_.mutable_node()->begin(), graph_.mutable_node()->end(),
        [&](const onnx::NodeProto& other) { return other.input_size() > 0 && other.input(0) == node.output(0); });
    if (reader == graph_.mutable_node()->end() || !reader->domain().empty()) return std::nullopt;
    static const std::map<std::string, std::string> kPlain = {
        {"Relu", "relu"}, {"Sigmoid", "sigmoid"}, {"Tanh", "tanh"}, {"HardSwish", "hard_swish"}};
    const std::string& op = reader->op_type();
    if (const auto plain = kPlain.find(op); plain != kPlain.end()) {
      SetText(node, "activation", plain->second);
    } else if (op == "LeakyRelu") {
      const auto* alpha = Find(*reader, "alpha");
      SetText(node, "activation", "leaky_relu");
      SetNumber(node, "slope", alpha != nullptr ? alpha->f() : 0.01f);
    } else if (op == "Clip" && reader->input_size() > 1) {
      const auto low = ScalarOf(*reader, 1, std::numeric_limits<float>::lowest());
      const auto high = ScalarOf(*reader, 2, std::numeric_limits<float>::max());
      if (!low.has_value() || !high.has_value() || *low > *high) return std::nullopt;
      SetText(node, "activation", "clamp");
      SetNumber(node, "low", *low);
      SetNumber(node, "high", *high);
    } else {
      return std::nullopt;
    }
    node.set_output(0, reader->output(0));
    taken_.push_back(&*reader);
    return op;
  }

  void DropTaken() {
    auto& nodes = *graph_.mutable_node();
    for (int i = nodes.size() - 1; i >= 0; --i) {
      if (std::find(taken_.begin(), taken_.end(), &nodes.Get(i)) != taken_.end()) nodes.DeleteSubrange(i, 1);
    }
  }

  onnx::GraphProto& graph_;
  std::map<std::string, onnx::TensorProto*> constants_;
  std::map<std::string, std::string> schemes_;  // by initializer
  std::map<std::string, int> readers_;          // how many inputs and outputs of the graph name a value
  bool has_inner_graphs_ = false;
  std::vector<const onnx::NodeProto*> taken_;
};

}  // namespace

Result<std::vector<CustomLayer>> EmitOrtCustom(onnx::ModelProto& model) {
  auto layers = Emitter(model).Emit();
  if (layers.empty()) {
    return Status::InvalidArgument("no layer of the model's graph has an entry %s... in the metadata: none is pruned",
                                   kSchemeMetadataPrefix);
  }
  const bool any =
      std::any_of(layers.begin(), layers.end(), [](const CustomLayer& layer) { return !layer.op.empty(); });
  if (any) {
    auto& opset = *model.add_opset_import();
    opset.set_domain("lacuna");
    opset.set_version(1);
  }
  return layers;
}

}  // namespace graph
