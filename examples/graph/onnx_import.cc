#include "graph/onnx_import.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <new>
#include <set>
#include <utility>
#include <vector>

#include "graph/constant_folding.h"
#include "graph/onnx_file.h"
#include "graph/onnx_functions.h"
#include "graph/operator.h"
#include "graph/problem_list.h"
#include "graph/quantized_rewriting.h"
#include "graph/rewriting.h"
#include "graph/shape_inference.h"

namespace graph {
namespace {

bool IsOnnxDomain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

Result<Tensor> ConstantValue(const Node& node) {
  const auto list = [](auto values) {
    Tensor tensor;
    tensor.shape = {static_cast<int64_t>(values.size())};
    if constexpr (std::is_same_v<decltype(values), std::vector<float>>) {
      tensor.floats = std::move(values);
    } else {
      tensor.type = ElementType::kInt64;
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

// Builds a Graph from a GraphProto and remembers which values exist so far. Subgraphs have an importer of their own, to
// which the values around them are known.
class Importer {
 public:
  Importer(const ImportOptions& options, std::string folder, ProblemList& problems, const Importer* outer = nullptr)
      : options_(options), folder_(std::move(folder)), problems_(problems), outer_(outer) {}

  // Takes the values out of the model, initializer by initializer, so that they never exist twice.
  Result<Graph> Import(onnx::ModelProto& model) {
    LACUNA_RETURN_IF_ERROR(ReadOpset(model));
    LACUNA_RETURN_IF_ERROR(ExpandFunctions(model));
    for (const auto& entry : model.metadata_props()) graph_.metadata[entry.key()] = entry.value();
    LACUNA_RETURN_IF_ERROR(ImportGraph(*model.mutable_graph()));
    LACUNA_RETURN_IF_ERROR(CheckOptions());
    for (const std::string& output : options_.further_outputs) {
      if (!values_.contains(output)) return Status::InvalidArgument("the model has no value '%s'", output.c_str());
      if (std::find(graph_.outputs.begin(), graph_.outputs.end(), output) == graph_.outputs.end()) {
        graph_.outputs.push_back(output);
      }
    }
    return std::move(graph_);
  }

 private:
  Status ReadOpset(const onnx::ModelProto& model) {
    graph_.opset = 0;
    for (const auto& entry : model.opset_import()) {
      if (IsOnnxDomain(entry.domain())) graph_.opset = entry.version();
    }
    if (graph_.opset >= 1) return Status();
    return Status::Make(StatusCode::kUnsupported, "the model's operator set is version %lld, must be at least 1",
                        static_cast<long long>(graph_.opset));
  }

  Status ImportGraph(onnx::GraphProto& proto) {
    graph_.name = proto.name();
    for (onnx::TensorProto& tensor : *proto.mutable_initializer()) LACUNA_RETURN_IF_ERROR(AddInitializer(tensor));
    for (const onnx::SparseTensorProto& sparse : proto.sparse_initializer()) {
      LACUNA_RETURN_IF_ERROR(
          AddUnreadable(sparse.values().name(),
                        Status::Make(StatusCode::kUnsupported, "tensor '%s' is sparse, which is not supported",
                                     sparse.values().name().c_str())));
    }
    for (const onnx::ValueInfoProto& input : proto.input()) LACUNA_RETURN_IF_ERROR(AddInput(input));
    LACUNA_RETURN_IF_ERROR(AddNodes(proto));
    for (const onnx::ValueInfoProto& output : proto.output()) {
      if (!IsDefined(output.name())) {
        return Status::InvalidArgument("graph output '%s' is defined by no node", output.name().c_str());
      }
      graph_.outputs.push_back(output.name());
    }
    if (graph_.outputs.empty()) return Status::InvalidArgument("the graph has no output");
    return Status();
  }

  bool IsDefined(const std::string& name) const {
    return values_.contains(name) || (outer_ != nullptr && outer_->IsDefined(name));
  }

  // Why a constant that exists could not be read; null if it could.
  const Status* Unreadable(const std::string& name) const {
    const auto found = unreadable_.find(name);
    if (found != unreadable_.end()) return &found->second;
    return outer_ == nullptr ? nullptr : outer_->Unreadable(name);
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

  // It is an error only where something reads it.
  Status AddUnreadable(const std::string& name, const Status& why) {
    LACUNA_RETURN_IF_ERROR(Define(name));
    unreadable_.emplace(name, why);
    return Status();
  }

  Status AddInitializer(onnx::TensorProto& proto) {
    auto tensor = ToTensor(proto, options_.max_elements, folder_);
    std::string().swap(*proto.mutable_raw_data());
    google::protobuf::RepeatedField<float>().Swap(proto.mutable_float_data());
    if (tensor.ok()) return AddConstant(proto.name(), *std::move(tensor));
    if (tensor.status().code() != StatusCode::kUnsupported) return tensor.status();
    return AddUnreadable(proto.name(), tensor.status());
  }

  // ---- inputs

  Status AddInput(const onnx::ValueInfoProto& proto) {
    if (graph_.initializers.contains(proto.name())) return Status();  // a default value, as IR versions below 4 list it
    if (const auto bound = options_.constants.find(proto.name());
        outer_ == nullptr && bound != options_.constants.end()) {
      return AddBoundInput(proto, bound->second);
    }
    const Tensor* given = outer_ == nullptr && options_.given ? options_.given(proto.name()) : nullptr;
    if (given != nullptr && !given->IsFloats() && given->integers.size() == 1) return AddBoundInput(proto, *given);
    LACUNA_RETURN_IF_ERROR(Define(proto.name()));
    ValueInfo input{proto.name(), {}};
    if (outer_ == nullptr) {
      const std::optional<ElementType> type = ElementTypeOfOnnx(proto.type().tensor_type().elem_type());
      if (!proto.type().has_tensor_type() || !type.has_value()) {
        Problem(Status::Make(StatusCode::kUnsupported, "graph input '%s' must be a tensor of numbers",
                             proto.name().c_str()));
      }
      input.type = type.value_or(ElementType::kFloat);
      LACUNA_RETURN_IF_ERROR(SetShape(proto, input));
    }
    graph_.inputs.push_back(std::move(input));
    return Status();
  }

  Status AddBoundInput(const onnx::ValueInfoProto& proto, Tensor tensor) {
    const std::optional<ElementType> type = ElementTypeOfOnnx(proto.type().tensor_type().elem_type());
    if (static_cast<int64_t>(std::max(tensor.floats.size(), tensor.integers.size())) != Elements(tensor.shape)) {
      return Status::InvalidArgument("graph input '%s': the constant given does not have the elements of its shape",
                                     proto.name().c_str());
    }
    if (type.has_value() && *type != tensor.type) {
      if (IsFloating(*type) != tensor.IsFloats()) {
        return Status::InvalidArgument("graph input '%s' is %s, the constant given is %s", proto.name().c_str(),
                                       ToString(*type), ToString(tensor.type));
      }
      tensor.type = *type;
    }
    return AddConstant(proto.name(), std::move(tensor));
  }

  // Fixed extents, then those given for the input, then those given for another input by the same name.
  Status SetShape(const onnx::ValueInfoProto& proto, ValueInfo& input) {
    const auto named = options_.shapes.find(input.name);
    const Tensor* values = options_.given ? options_.given(input.name) : nullptr;
    const bool is_given = named != options_.shapes.end() || values != nullptr;
    const Shape given = named != options_.shapes.end() ? named->second : values != nullptr ? values->shape : Shape();
    const auto& type = proto.type().tensor_type();
    const auto fallback = options_.fallback_shapes.find(input.name);
    bool falls_back = !is_given && fallback != options_.fallback_shapes.end();
    if (!type.has_shape()) {
      if (is_given || falls_back) input.shape = is_given ? given : fallback->second;
      if (!is_given && !falls_back) Problem(OpenShape(input.name, "its shape", "AxBx..."));
      return CheckInput(input);
    }
    if (is_given && static_cast<int>(given.size()) != type.shape().dim_size()) {
      return Status::InvalidArgument("graph input '%s' has %d axes, the shape given, %s, has %zu", input.name.c_str(),
                                     type.shape().dim_size(), ToString(given).c_str(), given.size());
    }
    falls_back = falls_back && static_cast<int>(fallback->second.size()) == type.shape().dim_size();
    std::string open, example;
    for (int i = 0; i < type.shape().dim_size(); ++i) {
      const auto& dim = type.shape().dim(i);
      const int64_t fixed = dim.has_dim_value() && dim.dim_value() >= 0 ? dim.dim_value() : -1;
      int64_t extent = fixed;
      if (is_given) {
        extent = given[static_cast<size_t>(i)];
        if (fixed >= 0 && extent != fixed) {
          return Status::InvalidArgument(
              "graph input '%s': axis %d has extent %lld, the shape given, %s, contradicts it", input.name.c_str(), i,
              static_cast<long long>(fixed), ToString(given).c_str());
        }
      } else if (fixed < 0 && falls_back) {
        extent = fallback->second[static_cast<size_t>(i)];
      } else if (fixed < 0 && named_extents_.contains(dim.dim_param())) {
        extent = named_extents_.at(dim.dim_param());
      } else if (fixed < 0 && i == 0) {
        extent = options_.batch.value_or(1);
      }
      if (i == 0 && fixed >= 0 && options_.batch.has_value() && fixed != *options_.batch && !is_given) {
        return Status::InvalidArgument("graph input '%s' has a batch of %lld, %lld was asked for", input.name.c_str(),
                                       static_cast<long long>(fixed), static_cast<long long>(*options_.batch));
      }
      if (fixed < 0 && extent >= 0 && !dim.dim_param().empty()) named_extents_[dim.dim_param()] = extent;
      const std::string name = dim.dim_param().empty() ? "axis" + std::to_string(i) : dim.dim_param();
      if (extent < 0) open += (open.empty() ? "" : ", ") + name;
      example += (example.empty() ? "" : "x") + (extent < 0 ? name : std::to_string(extent));
      input.shape.push_back(extent);
    }
    if (!open.empty()) Problem(OpenShape(input.name, "the extents " + open, example));
    return CheckInput(input);
  }

  static Status OpenShape(const std::string& input, const std::string& what, const std::string& example) {
    return Status::Make(StatusCode::kUnsupported, "graph input '%s' leaves %s open: give its shape, --shape %s=%s",
                        input.c_str(), what.c_str(), input.c_str(), example.c_str());
  }

  Status CheckInput(const ValueInfo& input) const {
    if (std::any_of(input.shape.begin(), input.shape.end(), [](int64_t extent) { return extent < 0; })) return Status();
    return CheckedElements(input.shape, options_.max_elements, "graph input '" + input.name + "'").status();
  }

  // What was given for inputs must name some.
  Status CheckOptions() const {
    const auto exists = [&](const std::string& name) {
      return graph_.Constant(name) != nullptr || std::any_of(graph_.inputs.begin(), graph_.inputs.end(),
                                                             [&](const auto& input) { return input.name == name; });
    };
    for (const auto& [name, shape] : options_.shapes) {
      if (!exists(name))
        return Status::InvalidArgument("a shape is given for '%s', which is no graph input", name.c_str());
    }
    for (const auto& [name, tensor] : options_.constants) {
      if (!exists(name))
        return Status::InvalidArgument("a value is given for '%s', which is no graph input", name.c_str());
    }
    return Status();
  }

  // ---- nodes

  // Something that keeps the model from being run, but not from being looked at.
  void Problem(const Status& status) {
    if (options_.for_execution) problems_.Add(status);
  }

  // Each node once its inputs are defined, in the model's order as far as that goes.
  Status AddNodes(onnx::GraphProto& proto) {
    std::vector<onnx::NodeProto*> waiting;
    for (onnx::NodeProto& node : *proto.mutable_node()) {
      if (IsReady(node)) {
        LACUNA_RETURN_IF_ERROR(AddNode(node));
      } else {
        waiting.push_back(&node);
      }
    }
    for (bool progress = true; progress && !waiting.empty();) {
      progress = false;
      for (onnx::NodeProto*& node : waiting) {
        if (!IsReady(*node)) continue;
        LACUNA_RETURN_IF_ERROR(AddNode(*node));
        node = nullptr;
        progress = true;
      }
      std::erase(waiting, nullptr);
    }
    if (waiting.empty()) return Status();
    const onnx::NodeProto& node = *waiting[0];
    for (const std::string& input : node.input()) {
      if (input.empty() || IsDefined(input)) continue;
      return Status::InvalidArgument(
          "%s node '%s': input '%s' is no graph input, no initializer and no output of a node that can run before it",
          node.op_type().c_str(), node.name().c_str(), input.c_str());
    }
    return Status::InvalidArgument("%s node '%s': a subgraph reads values that nothing defines", node.op_type().c_str(),
                                   node.name().c_str());
  }

  bool IsReady(const onnx::NodeProto& node) const {
    for (const std::string& input : node.input()) {
      if (!input.empty() && !IsDefined(input)) return false;
    }
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (attribute.has_g() && !BodyIsReady(attribute.g(), {})) return false;
    }
    return true;
  }

  // `local` are values of the bodies around it.
  bool BodyIsReady(const onnx::GraphProto& body, std::set<std::string> local) const {
    for (const auto& input : body.input()) local.insert(input.name());
    for (const auto& tensor : body.initializer()) local.insert(tensor.name());
    for (const auto& node : body.node()) local.insert(node.output().begin(), node.output().end());
    for (const auto& node : body.node()) {
      for (const std::string& input : node.input()) {
        if (!input.empty() && !local.contains(input) && !IsDefined(input)) return false;
      }
      for (const auto& attribute : node.attribute()) {
        if (attribute.has_g() && !BodyIsReady(attribute.g(), local)) return false;
      }
    }
    return true;
  }

  Status AddNode(onnx::NodeProto& proto) {
    LACUNA_ASSIGN_OR_RETURN(node, ToNode(proto));
    for (const std::string& input : node.inputs) {
      if (const Status* why = Unreadable(input); why != nullptr) Problem(node.About(*why));
    }
    const bool known_domain = IsOnnxDomain(proto.domain());
    if (known_domain && node.op == "Constant") {
      auto tensor = ConstantValue(node);
      if (!tensor.ok()) {
        if (tensor.status().code() != StatusCode::kUnsupported) return tensor.status();
        return AddUnreadable(node.outputs[0], tensor.status());
      }
      return AddConstant(node.outputs[0], *std::move(tensor));
    }
    for (const std::string& output : node.PresentOutputs()) LACUNA_RETURN_IF_ERROR(Define(output));
    if (proto.domain() == "com.microsoft") {
      if (TakeApart(node)) return Status();
    }
    if (!known_domain) {
      Problem(Status::Make(StatusCode::kUnsupported, "node '%s': operator %s of domain '%s' is not supported",
                           node.name.c_str(), node.op.c_str(), proto.domain().c_str()));
      node.op = proto.domain() + "." + node.op;  // nobody takes it for ONNX's
      if (options_.for_execution) {
        for (const std::string& output : node.outputs) unreadable_.emplace(output, Status());
      }
    }
    graph_.nodes.push_back(std::move(node));
    return Status();
  }

  Result<Node> ToNode(onnx::NodeProto& proto) {
    Node node;
    node.op = proto.op_type();
    node.inputs.assign(proto.input().begin(), proto.input().end());
    node.outputs.assign(proto.output().begin(), proto.output().end());
    const std::vector<std::string> outputs = node.PresentOutputs();
    node.name = !proto.name().empty() || outputs.empty() ? proto.name() : outputs[0];
    if (outputs.empty()) return Status::InvalidArgument("%s has no output", node.Label().c_str());
    for (onnx::AttributeProto& attribute : *proto.mutable_attribute()) {
      auto value = ToAttribute(attribute, node.Label());
      if (value.ok()) {
        node.attributes[attribute.name()] = *std::move(value);
      } else if (options_.for_execution || value.status().code() != StatusCode::kUnsupported) {
        return value.status();
      }
    }
    return node;
  }

  Result<Attribute> ToAttribute(onnx::AttributeProto& proto, const std::string& label) {
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
        LACUNA_ASSIGN_OR_RETURN(tensor, ToTensor(proto.t(), options_.max_elements, folder_));
        std::string().swap(*proto.mutable_t()->mutable_raw_data());
        return Attribute(std::move(tensor));
      }
      case onnx::AttributeProto::GRAPH: {
        Importer body(options_, folder_, problems_, this);
        body.graph_.opset = graph_.opset;
        if (depth_ >= kMaxDepth) return Status::InvalidArgument("%s: its subgraphs are too deep", label.c_str());
        body.depth_ = depth_ + 1;
        LACUNA_RETURN_IF_ERROR(body.ImportGraph(*proto.mutable_g()));
        return Attribute(std::make_shared<const Graph>(std::move(body.graph_)));
      }
      default:
        return Status::Make(StatusCode::kUnsupported, "%s: attribute '%s' has a type that is not supported",
                            label.c_str(), proto.name().c_str());
    }
  }

  // ONNX Runtime's fused operators as the nodes that they stand for; false if it is none of them.
  bool TakeApart(const Node& node) {
    std::vector<Node> parts;
    const auto add = [&](const std::string& op, std::vector<std::string> inputs) -> Node& {
      Node part;
      part.op = op;
      part.name = parts.empty() ? node.name : node.name + "/" + op;
      part.inputs = std::move(inputs);
      part.outputs = {node.outputs[0] + "/" + op};
      parts.push_back(std::move(part));
      return parts.back();
    };
    const auto text = [&](const char* name) {
      const auto found = node.attributes.find(name);
      const auto* value = found == node.attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
      return value == nullptr ? std::string() : *value;
    };
    if (node.op == "FusedConv" || node.op == "FusedGemm") {
      const size_t own = std::min<size_t>(node.inputs.size(), 3);
      Node& layer = add(node.op.substr(5), {node.inputs.begin(), node.inputs.begin() + static_cast<int64_t>(own)});
      layer.attributes = node.attributes;
      for (const char* name : {"activation", "activation_params", "activation_alpha", "activation_beta"}) {
        layer.attributes.erase(name);
      }
      if (node.HasInput(3)) add("Add", {parts.back().outputs[0], node.inputs[3]});
      if (const std::string op = text("activation"); !op.empty())
        AddActivation(node, op, add(op, {parts.back().outputs[0]}));
    } else if (node.op == "Gelu" || node.op == "BiasGelu" || node.op == "FastGelu" || node.op == "QuickGelu") {
      std::string x = node.inputs[0];
      if (node.HasInput(1)) x = add("Add", {x, node.inputs[1]}).outputs[0];
      if (node.op == "QuickGelu") return false;
      Node& gelu = add("Gelu", {x});
      if (node.op == "FastGelu") gelu.attributes["approximate"] = std::string("tanh");
    } else {
      return false;
    }
    parts.back().outputs[0] = node.outputs[0];
    for (Node& part : parts) {
      if (part.outputs[0] != node.outputs[0]) values_.insert(part.outputs[0]);
      graph_.nodes.push_back(std::move(part));
    }
    return true;
  }

  void AddActivation(const Node& node, const std::string& op, Node& activation) {
    std::vector<float> parameters;
    const auto found = node.attributes.find("activation_params");
    if (found != node.attributes.end()) {
      if (const auto* list = std::get_if<std::vector<float>>(&found->second)) parameters = *list;
    }
    for (const char* name : {"activation_alpha", "activation_beta"}) {
      const auto single = node.attributes.find(name);
      if (single == node.attributes.end()) continue;
      if (const auto* value = std::get_if<float>(&single->second)) parameters.push_back(*value);
    }
    if (op == "Clip" && parameters.size() == 2) {
      for (size_t i = 0; i < 2; ++i) {
        const std::string name = activation.outputs[0] + (i == 0 ? "/min" : "/max");
        Tensor bound = Tensor::Zeros(ElementType::kFloat, {});
        bound.floats[0] = parameters[i];
        graph_.initializers[name] = std::move(bound);
        values_.insert(name);
        activation.inputs.push_back(name);
        activation.attributes[i == 0 ? "min" : "max"] = parameters[i];  // where they were before operator set 11
      }
      return;
    }
    if (!parameters.empty()) activation.attributes["alpha"] = parameters[0];
    if (parameters.size() > 1) activation.attributes["beta"] = parameters[1];
  }

  static constexpr int kMaxDepth = 16;

  const ImportOptions& options_;
  std::string folder_;
  ProblemList& problems_;
  const Importer* outer_;
  int depth_ = 0;
  Graph graph_;
  std::set<std::string> values_;
  std::map<std::string, Status> unreadable_;  // constants whose values cannot be had
  std::map<std::string, int64_t> named_extents_;
};

Result<Graph> ImportModel(onnx::ModelProto& model, const ImportOptions& options, const std::string& folder) {
  ProblemList problems;
  LACUNA_ASSIGN_OR_RETURN(graph, Importer(options, folder, problems).Import(model));
  if (!options.for_execution) return std::move(graph);
  model.Clear();
  if (problems.empty()) {
    RewriteQuantized(graph);
    LACUNA_RETURN_IF_ERROR(FoldConstants(graph, options.max_elements, options.problems));
    LACUNA_ASSIGN_OR_RETURN(values, InferValues(graph, options.max_elements));
    RewritePatterns(graph, values);
    return std::move(graph);
  }
  // What else is wrong is said too, as far as it can be known.
  for (const Node& node : graph.nodes) {
    if (FindOperator(node.op) == nullptr && node.op.find('.') == std::string::npos && node.op != "If" &&
        node.op != "Loop" && node.op != "Scan") {
      problems.Add(CheckOperator(node));
    }
  }
  return problems.Report(options.problems);
}

}  // namespace

Result<Graph> ImportOnnx(std::span<const char> bytes, const ImportOptions& options, const std::string& source) {
  try {
    LACUNA_ASSIGN_OR_RETURN(model, ParseModel(bytes, source));
    return ImportModel(model, options, "");
  } catch (const std::bad_alloc&) {
    return Status::OutOfMemory("ImportOnnx", bytes.size());
  }
}

Result<Graph> ImportOnnxFile(const std::string& path, const ImportOptions& options) {
  try {
    LACUNA_ASSIGN_OR_RETURN(model, ReadModel(path));
    const std::string folder = std::filesystem::path(path).parent_path().string();
    return ImportModel(model, options, folder.empty() ? "." : folder);
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
