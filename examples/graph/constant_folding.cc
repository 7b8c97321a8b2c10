#include "graph/constant_folding.h"

#include "lacuna/core/buffer.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/problem_list.h"
#include "graph/shape_inference.h"

namespace graph {
namespace {

// Larger results (64 Mi elements) are left to the network, which computes them each time.
constexpr int64_t kMaxFoldedElements = int64_t{1} << 26;
// Iterations that a model may unroll to, and nodes: a damaged file must not keep the importer for ever.
constexpr int64_t kMaxIterations = 10000;
constexpr size_t kMaxNodes = 1000000;

using Names = std::map<std::string, std::string>;

const Graph* SubgraphOf(const Node& node, const std::string& name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return nullptr;
  const auto* graph = std::get_if<std::shared_ptr<const Graph>>(&found->second);
  return graph == nullptr ? nullptr : graph->get();
}

// Every name that a node reads, those that its subgraphs read included.
void CollectReads(const Node& node, std::set<std::string>& read) {
  read.insert(node.inputs.begin(), node.inputs.end());
  for (const auto& [name, attribute] : node.attributes) {
    const auto* body = std::get_if<std::shared_ptr<const Graph>>(&attribute);
    if (body == nullptr) continue;
    read.insert((*body)->outputs.begin(), (*body)->outputs.end());
    for (const Node& inner : (*body)->nodes) CollectReads(inner, read);
  }
}

std::string Renamed(const Names& names, const std::string& name) {
  const auto found = names.find(name);
  return found == names.end() ? name : found->second;
}

void RenameReads(const Names& names, Node& node);

// What a body reads from around it. Names that it defines itself hide those outside.
std::shared_ptr<const Graph> WithRenamedReads(const Graph& body, Names names) {
  auto renamed = std::make_shared<Graph>(body);
  for (const ValueInfo& input : body.inputs) names.erase(input.name);
  for (const auto& [name, tensor] : body.initializers) names.erase(name);
  for (const Node& node : body.nodes) {
    for (const std::string& output : node.outputs) names.erase(output);
  }
  for (Node& node : renamed->nodes) RenameReads(names, node);
  for (std::string& output : renamed->outputs) output = Renamed(names, output);
  return renamed;
}

void RenameReads(const Names& names, Node& node) {
  for (std::string& input : node.inputs) input = Renamed(names, input);
  for (auto& [name, attribute] : node.attributes) {
    auto* body = std::get_if<std::shared_ptr<const Graph>>(&attribute);
    if (body != nullptr) *body = WithRenamedReads(**body, names);
  }
}

class Folder {
 public:
  Folder(Graph& graph, int64_t max_elements) : graph_(graph), max_elements_(max_elements) {
    for (const auto& [name, tensor] : graph.initializers) values_[name] = {tensor.type, tensor.shape};
    for (const ValueInfo& input : graph.inputs) values_[input.name] = {input.type, input.shape};
    for (const Node& node : graph.nodes) CollectReads(node, read_);
    read_.insert(graph.outputs.begin(), graph.outputs.end());
    outputs_.insert(graph.outputs.begin(), graph.outputs.end());
  }

  Status Fold(std::vector<std::string>* problems) {
    for (Node& node : std::exchange(graph_.nodes, {})) Process(std::move(node));
    LACUNA_RETURN_IF_ERROR(problems_.Report(problems));
    if (!late_.empty()) SplitLate();
    RemoveUnread();
    return Status();
  }

 private:
  // A value that stands for `name`: itself unless an Identity was removed.
  std::string Resolved(const std::string& name) const { return Renamed(aliases_, name); }

  void Fail(const Node& node, const Status& status) {
    problems_.Add(status);
    Forget(node);
  }

  // What hangs on something that cannot be run is not reported again.
  void Forget(const Node& node) {
    for (const std::string& output : node.outputs) unknown_.insert(output);
  }

  void Process(Node node) {
    RenameReads(aliases_, node);
    for (size_t i = 1; i < node.outputs.size(); ++i) {
      if (!read_.contains(node.outputs[i])) node.outputs[i].clear();
    }
    if (FindOperator(node.op) == nullptr && !IsControlFlow(node)) return Fail(node, CheckOperator(node));
    const bool dangling = std::any_of(node.inputs.begin(), node.inputs.end(),
                                      [&](const std::string& input) { return unknown_.contains(input); });
    if (dangling) return Forget(node);
    if (IsLate(node)) return Defer(std::move(node));
    if (IsControlFlow(node)) return Unroll(node);
    auto inferred = InferNode(graph_, node, values_, max_elements_);
    if (!inferred.ok()) return Fail(node, inferred.status());
    for (size_t i = 0; i < std::min(node.outputs.size(), inferred->size()); ++i) {
      if (!node.outputs[i].empty()) values_[node.outputs[i]] = (*inferred)[i];
    }
    if ((node.op == "Identity" || node.op == "Dropout") && !outputs_.contains(node.outputs[0])) {
      aliases_[node.outputs[0]] = node.inputs[0];
      return;
    }
    if (IsKnown(node)) {
      if (const Status status = Compute(node); !status.ok()) Fail(node, status);
      return;
    }
    if (graph_.nodes.size() >= kMaxNodes) {
      return Fail(node, Status::Make(StatusCode::kUnsupported, "the graph unrolls to more than %zu nodes", kMaxNodes));
    }
    graph_.nodes.push_back(std::move(node));
  }

  // ---- what is known only while the network runs

  // Whether its extents depend on data, or it reads what such a node makes.
  bool IsLate(const Node& node) const {
    const Operator* op = FindOperator(node.op);
    if (op != nullptr && op->extents_by_data && !AreKnown(node.inputs)) return true;
    if (late_.empty()) return false;
    std::set<std::string> read;
    CollectReads(node, read);
    return std::any_of(read.begin(), read.end(), [&](const std::string& name) { return late_.contains(name); });
  }

  void Defer(Node node) {
    late_.insert(node.outputs.begin(), node.outputs.end());
    late_.erase("");
    late_nodes_.push_back(std::move(node));
  }

  // Gives the late nodes a graph of their own, whose inputs are this one's outputs.
  void SplitLate() {
    auto late = std::make_shared<Graph>();
    late->name = graph_.name;
    late->opset = graph_.opset;
    late->outputs = std::exchange(graph_.outputs, {});
    std::set<std::string> read(late->outputs.begin(), late->outputs.end());
    for (const Node& node : late_nodes_) CollectReads(node, read);
    for (const std::string& name : read) {
      if (const Tensor* constant = graph_.Constant(name); constant != nullptr) {
        late->initializers[name] = *constant;
      } else if (const auto value = values_.find(name); value != values_.end()) {
        late->inputs.push_back({name, value->second.shape, value->second.type});
        graph_.outputs.push_back(name);
      }
    }
    late->nodes = std::move(late_nodes_);
    outputs_ = {graph_.outputs.begin(), graph_.outputs.end()};
    graph_.late = std::move(late);
  }

  // ---- what is known

  bool AreKnown(const std::vector<std::string>& inputs) const {
    return std::all_of(inputs.begin(), inputs.end(), [&](const std::string& input) {
      const Tensor* tensor = graph_.Constant(input);
      return input.empty() || (tensor != nullptr && !tensor->generate);
    });
  }

  // Whether all that decides the node's outputs is known.
  bool IsKnown(const Node& node) const {
    for (const std::string& output : node.outputs) {
      if (!output.empty() && Elements(values_.at(output).shape) > kMaxFoldedElements) return false;
    }
    if (node.op == "Shape" || node.op == "Size") return true;
    return AreKnown(node.inputs);
  }

  void Define(const std::string& name, Tensor tensor) {
    values_[name] = {tensor.type, tensor.shape};
    graph_.initializers[name] = std::move(tensor);
  }

  Status Compute(const Node& node) {
    if (IsView(node)) {
      Tensor tensor = *graph_.Constant(node.inputs[0]);
      tensor.shape = values_.at(node.outputs[0]).shape;
      Define(node.outputs[0], std::move(tensor));
      return Status();
    }
    Layer layer;
    layer.node = &node;
    layer.further = node.PresentOutputs();
    layer.output = layer.further[0];
    std::vector<Tensor> computed;
    std::vector<void*> outputs;
    for (const std::string& output : layer.further) {
      computed.push_back(Tensor::Zeros(values_.at(output).type, values_.at(output).shape));
    }
    for (Tensor& tensor : computed) outputs.push_back(tensor.data());
    const std::vector<std::string> names = layer.further;
    layer.further.erase(layer.further.begin());
    const KernelSelection kernels;
    LACUNA_ASSIGN_OR_RETURN(step, MakeStep({.graph = graph_, .values = values_, .layer = layer, .kernels = kernels}));
    std::vector<const void*> inputs;
    for (const std::string& input : step->inputs()) inputs.push_back(graph_.Constant(input)->data());
    LACUNA_ASSIGN_OR_RETURN(threads, Threads::Make(1));
    LACUNA_ASSIGN_OR_RETURN(workspace, lacuna::Buffer<std::byte>::Make(step->WorkspaceBytes(1)));
    LACUNA_RETURN_IF_ERROR(step->Run(
        {.inputs = inputs, .outputs = outputs, .workspace = {workspace.data(), workspace.size()}, .threads = threads}));
    for (size_t i = 0; i < names.size(); ++i) Define(names[i], std::move(computed[i]));
    return Status();
  }

  // ---- control flow

  static bool IsControlFlow(const Node& node) { return node.op == "If" || node.op == "Loop" || node.op == "Scan"; }

  void Unroll(const Node& node) {
    const size_t problems = problems_.size();
    const Status status = node.op == "If" ? UnrollIf(node) : node.op == "Loop" ? UnrollLoop(node) : UnrollScan(node);
    if (!status.ok()) return Fail(node, status);
    if (problems_.size() != problems) Forget(node);
  }

  // The body's nodes with its inputs bound to values; the values that its outputs are.
  std::vector<std::string> Inline(const Graph& body, const std::string& prefix,
                                  const std::vector<std::string>& inputs) {
    Names names;
    for (size_t i = 0; i < body.inputs.size(); ++i) names[body.inputs[i].name] = Resolved(inputs[i]);
    for (const auto& [name, tensor] : body.initializers) {
      if (names.contains(name)) continue;
      names[name] = prefix + name;
      Define(prefix + name, tensor);
    }
    for (const Node& node : body.nodes) CollectReads(node, body_read_);
    for (Node node : body.nodes) {
      RenameReads(names, node);
      node.name = prefix + node.name;
      for (std::string& output : node.outputs) {
        if (output.empty()) continue;
        const std::string renamed = prefix + output;
        if (IsReadIn(body, output)) read_.insert(renamed);
        names[output] = renamed;
        output = renamed;
      }
      Process(std::move(node));
    }
    std::vector<std::string> outputs;
    for (const std::string& output : body.outputs) outputs.push_back(Resolved(Renamed(names, output)));
    return outputs;
  }

  bool IsReadIn(const Graph& body, const std::string& name) const {
    return body_read_.contains(name) || std::find(body.outputs.begin(), body.outputs.end(), name) != body.outputs.end();
  }

  // Lets output `name` of a node that is gone be `value`.
  void Bind(const std::string& name, const std::string& value) {
    if (name.empty()) return;
    if (unknown_.contains(value)) {
      unknown_.insert(name);
    } else if (outputs_.contains(name)) {
      Node identity;
      identity.op = "Identity";
      identity.name = name;
      identity.inputs = {value};
      identity.outputs = {name};
      Process(std::move(identity));
    } else {
      aliases_[name] = value;
    }
  }

  Status MustBeKnown(const Node& node, const std::string& value) const {
    return Status::Make(StatusCode::kUnsupported,
                        "%s: '%s' decides what runs and is known only at run time; if it is an input, give it as a "
                        "constant",
                        node.Label().c_str(), value.c_str());
  }

  // A known condition or count.
  const Tensor* Known(const std::string& value) const {
    const Tensor* tensor = graph_.Constant(Resolved(value));
    return tensor != nullptr && !tensor->IsFloats() && tensor->integers.size() == 1 ? tensor : nullptr;
  }

  Status UnrollIf(const Node& node) {
    if (node.inputs.size() != 1) return Status::InvalidArgument("%s must have one input", node.Label().c_str());
    const Tensor* condition = Known(node.inputs[0]);
    if (condition == nullptr) return SelectBranch(node);
    const Graph* branch = SubgraphOf(node, condition->integers[0] != 0 ? "then_branch" : "else_branch");
    if (branch == nullptr || branch->outputs.size() < node.outputs.size() || !branch->inputs.empty()) {
      return Status::InvalidArgument("%s: its branch is missing or has other outputs", node.Label().c_str());
    }
    const std::vector<std::string> outputs = Inline(*branch, node.name + "/", {});
    for (size_t i = 0; i < node.outputs.size(); ++i) Bind(node.outputs[i], outputs[i]);
    return Status();
  }

  // An If whose condition is computed: both branches run, and their outputs are selected from, which needs equal types
  // and shapes.
  Status SelectBranch(const Node& node) {
    const Graph* branches[] = {SubgraphOf(node, "then_branch"), SubgraphOf(node, "else_branch")};
    std::vector<std::string> outputs[2];
    for (size_t k = 0; k < 2; ++k) {
      if (branches[k] == nullptr || branches[k]->outputs.size() < node.outputs.size() || !branches[k]->inputs.empty()) {
        return Status::InvalidArgument("%s: its branch is missing or has other outputs", node.Label().c_str());
      }
      outputs[k] = Inline(*branches[k], node.name + (k == 0 ? "/then/" : "/else/"), {});
    }
    if (!problems_.empty()) return Status();
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      if (values_.at(outputs[0][i]) != values_.at(outputs[1][i])) return MustBeKnown(node, node.inputs[0]);
      Node select;
      select.op = "Where";
      select.name = node.name;
      select.inputs = {node.inputs[0], outputs[0][i], outputs[1][i]};
      select.outputs = {node.outputs[i]};
      Process(std::move(select));
    }
    return Status();
  }

  std::string DefineInteger(const std::string& name, int64_t value, bool list = false) {
    Tensor tensor = Tensor::Integers({value});
    if (!list) tensor.shape.clear();
    Define(name, std::move(tensor));
    return name;
  }

  // [a, b, ...] along a new axis.
  void Stack(const std::vector<std::string>& parts, int64_t axis, const std::string& output) {
    Node concat;
    concat.op = "Concat";
    concat.name = output;
    concat.attributes["axis"] = axis;
    for (size_t i = 0; i < parts.size(); ++i) {
      Node unsqueeze;
      unsqueeze.op = "Unsqueeze";
      unsqueeze.name = output + "/" + std::to_string(i);
      unsqueeze.inputs = {parts[i]};
      if (graph_.opset >= 13) {
        unsqueeze.inputs.push_back(DefineInteger(unsqueeze.name + "/axes", axis, /*list=*/true));
      } else {
        unsqueeze.attributes["axes"] = std::vector<int64_t>{axis};
      }
      unsqueeze.outputs = {unsqueeze.name};
      concat.inputs.push_back(unsqueeze.name);
      Process(std::move(unsqueeze));
    }
    concat.outputs = {output};
    Process(std::move(concat));
  }

  Status UnrollLoop(const Node& node) {
    const Graph* body = SubgraphOf(node, "body");
    const size_t carried = node.inputs.size() < 2 ? 0 : node.inputs.size() - 2;
    if (body == nullptr || node.inputs.size() < 2 || body->inputs.size() != carried + 2 ||
        body->outputs.size() < carried + 1 || body->outputs.size() - 1 < node.outputs.size()) {
      return Status::InvalidArgument("%s: its body is missing or does not fit its %zu inputs", node.Label().c_str(),
                                     node.inputs.size());
    }
    int64_t count = kMaxIterations + 1;
    if (node.HasInput(0)) {
      const Tensor* known = Known(node.inputs[0]);
      if (known == nullptr) return MustBeKnown(node, node.inputs[0]);
      count = known->integers[0];
    }
    std::vector<std::string> state(node.inputs.begin() + 2, node.inputs.end());
    std::vector<std::vector<std::string>> scanned(body->outputs.size() - 1 - carried);
    std::string condition = node.inputs[1];
    for (int64_t i = 0; i < count; ++i) {
      const std::string prefix = node.name + "/" + std::to_string(i) + "/";
      if (!condition.empty()) {
        const Tensor* known = Known(condition);
        if (known == nullptr) return MustBeKnown(node, condition);
        if (known->integers[0] == 0) break;
      }
      if (i == kMaxIterations) {
        return Status::Make(StatusCode::kUnsupported, "%s: it has more than %lld iterations", node.Label().c_str(),
                            static_cast<long long>(kMaxIterations));
      }
      std::vector<std::string> inputs = {DefineInteger(prefix + "iteration", i)};
      Tensor going = Tensor::Zeros(ElementType::kBool, {});
      going.integers[0] = 1;
      Define(prefix + "condition", std::move(going));
      inputs.push_back(prefix + "condition");
      inputs.insert(inputs.end(), state.begin(), state.end());
      const std::vector<std::string> outputs = Inline(*body, prefix, inputs);
      if (!problems_.empty()) return Status();
      condition = outputs[0];
      state.assign(outputs.begin() + 1, outputs.begin() + 1 + static_cast<int64_t>(carried));
      for (size_t k = 0; k < scanned.size(); ++k) scanned[k].push_back(outputs[1 + carried + k]);
    }
    for (size_t k = 0; k < node.outputs.size(); ++k) {
      if (k < carried) {
        Bind(node.outputs[k], Resolved(state[k]));
      } else if (!node.outputs[k].empty()) {
        if (scanned[k - carried].empty()) {
          return Status::Make(StatusCode::kUnsupported, "%s has no iteration, so that the shape of output %zu is open",
                              node.Label().c_str(), k);
        }
        Stack(scanned[k - carried], 0, node.outputs[k]);
      }
    }
    return Status();
  }

  Status UnrollScan(const Node& node) {
    const Graph* body = SubgraphOf(node, "body");
    LACUNA_ASSIGN_OR_RETURN(scans, IntAttribute(node, "num_scan_inputs", 0));
    if (graph_.opset < 9) {
      return Status::Make(StatusCode::kUnsupported, "%s: operator sets before 9 are not supported",
                          node.Label().c_str());
    }
    const auto all = static_cast<int64_t>(node.inputs.size());
    if (body == nullptr || scans < 1 || scans > all || body->inputs.size() != node.inputs.size() ||
        static_cast<int64_t>(body->outputs.size()) < all - scans || body->outputs.size() < node.outputs.size()) {
      return Status::InvalidArgument("%s: its body is missing or does not fit its inputs", node.Label().c_str());
    }
    const auto carried = static_cast<size_t>(all - scans);
    const size_t stacked = body->outputs.size() - carried;
    const auto list = [&](const char* name, size_t size) -> Result<Shape> {
      LACUNA_ASSIGN_OR_RETURN(values, IntsAttribute(node, name, Shape(size, 0)));
      if (values.size() == size) return std::move(values);
      return Status::InvalidArgument("%s: attribute '%s' has %zu entries, must have %zu", node.Label().c_str(), name,
                                     values.size(), size);
    };
    LACUNA_ASSIGN_OR_RETURN(input_axes, list("scan_input_axes", static_cast<size_t>(scans)));
    LACUNA_ASSIGN_OR_RETURN(backwards, list("scan_input_directions", static_cast<size_t>(scans)));
    LACUNA_ASSIGN_OR_RETURN(output_axes, list("scan_output_axes", stacked));
    LACUNA_ASSIGN_OR_RETURN(reversed, list("scan_output_directions", stacked));
    int64_t length = -1;
    for (size_t k = 0; k < input_axes.size(); ++k) {
      const Shape& shape = values_.at(node.inputs[carried + k]).shape;
      const auto rank = static_cast<int64_t>(shape.size());
      if (input_axes[k] < 0) input_axes[k] += rank;
      const bool valid = input_axes[k] >= 0 && input_axes[k] < rank;
      const int64_t extent = valid ? shape[static_cast<size_t>(input_axes[k])] : 0;
      if (extent < 1 || extent > kMaxIterations || (length >= 0 && extent != length)) {
        return Status::InvalidArgument(
            "%s: input %zu of shape %s is scanned along axis %lld, must have the other's "
            "extent there, 1 to %lld",
            node.Label().c_str(), carried + k, ToString(shape).c_str(), static_cast<long long>(input_axes[k]),
            static_cast<long long>(kMaxIterations));
      }
      length = extent;
    }
    std::vector<std::string> state(node.inputs.begin(), node.inputs.begin() + static_cast<int64_t>(carried));
    std::vector<std::vector<std::string>> scanned(stacked);
    for (int64_t t = 0; t < length; ++t) {
      const std::string prefix = node.name + "/" + std::to_string(t) + "/";
      std::vector<std::string> inputs = state;
      for (size_t k = 0; k < input_axes.size(); ++k) {
        Node gather;
        gather.op = "Gather";
        gather.name = prefix + "input" + std::to_string(k);
        gather.attributes["axis"] = input_axes[k];
        const int64_t at = backwards[k] != 0 ? length - 1 - t : t;
        gather.inputs = {node.inputs[carried + k], DefineInteger(gather.name + "/index", at)};
        gather.outputs = {gather.name};
        inputs.push_back(gather.name);
        Process(std::move(gather));
      }
      const std::vector<std::string> outputs = Inline(*body, prefix, inputs);
      if (!problems_.empty()) return Status();
      state.assign(outputs.begin(), outputs.begin() + static_cast<int64_t>(carried));
      for (size_t k = 0; k < stacked; ++k) scanned[k].push_back(outputs[carried + k]);
    }
    for (size_t k = 0; k < node.outputs.size(); ++k) {
      if (node.outputs[k].empty()) continue;
      if (k < carried) {
        Bind(node.outputs[k], Resolved(state[k]));
        continue;
      }
      std::vector<std::string>& parts = scanned[k - carried];
      if (reversed[k - carried] != 0) std::reverse(parts.begin(), parts.end());
      Stack(parts, output_axes[k - carried], node.outputs[k]);
    }
    return Status();
  }

  // ---- what nothing needs

  void RemoveUnread() {
    std::set<std::string> needed = outputs_;
    std::vector<Node> kept;
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      Node& node = graph_.nodes[i];
      const bool reads = std::any_of(node.outputs.begin(), node.outputs.end(),
                                     [&](const std::string& output) { return needed.contains(output); });
      if (!reads) continue;
      needed.insert(node.inputs.begin(), node.inputs.end());
      kept.push_back(std::move(node));
    }
    std::reverse(kept.begin(), kept.end());
    graph_.nodes = std::move(kept);
    std::erase_if(graph_.initializers, [&](const auto& entry) { return !needed.contains(entry.first); });
  }

  Graph& graph_;
  int64_t max_elements_;
  Values values_;
  Names aliases_;                  // outputs of nodes that are gone -> the value they are
  std::set<std::string> outputs_;  // of the graph: their names stay
  std::set<std::string> read_;
  std::set<std::string> body_read_;
  std::set<std::string> unknown_;
  std::set<std::string> late_;  // values whose extents depend on data
  std::vector<Node> late_nodes_;
  ProblemList problems_;
};

}  // namespace

Status FoldConstants(Graph& graph, int64_t max_elements, std::vector<std::string>* problems) {
  return Folder(graph, max_elements).Fold(problems);
}

}  // namespace graph
