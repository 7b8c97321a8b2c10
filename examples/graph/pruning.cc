#include "graph/pruning.h"

#include "lacuna/prune/project.h"

#include <map>
#include <set>
#include <utility>

#include "graph/layer_selection.h"
#include "graph/layer_weights.h"
#include "graph/onnx_file.h"
#include "graph/onnx_import.h"
#include "graph/shape_inference.h"
#include "graph/weight_matrix.h"

namespace graph {
namespace {

void SetMetadata(const std::string& key, const std::string& value, onnx::ModelProto& model) {
  for (auto& entry : *model.mutable_metadata_props()) {
    if (entry.key() != key) continue;
    entry.set_value(value);
    return;
  }
  auto* entry = model.add_metadata_props();
  entry->set_key(key);
  entry->set_value(value);
}

struct PrunedValues {
  std::vector<float> values;  // as the initializer stores them, zeros where pruned
  int64_t nnz;
};

// Projects the matrix `rows` of an initializer.
Result<PrunedValues> PruneValues(const lacuna::prune::Scheme& scheme, const WeightMatrix& matrix,
                                 const std::vector<float>& rows) {
  LACUNA_ASSIGN_OR_RETURN(dense, lacuna::DenseWeights<float>::View(matrix.shape, rows));
  LACUNA_ASSIGN_OR_RETURN(pruned, lacuna::prune::Project(dense, scheme, matrix.taps));
  LACUNA_ASSIGN_OR_RETURN(zeroed, pruned.ToDense());
  return PrunedValues{FromRowMajor(matrix, zeroed.values()), pruned.nnz()};
}

// The same of rows that are pruned already.
Result<PrunedValues> CoverValues(const lacuna::prune::Scheme& scheme, const WeightMatrix& matrix,
                                 const std::vector<float>& rows) {
  LACUNA_ASSIGN_OR_RETURN(dense, lacuna::DenseWeights<float>::View(matrix.shape, rows));
  LACUNA_ASSIGN_OR_RETURN(cover, lacuna::prune::Cover(dense, scheme, matrix.taps));
  return PrunedValues{FromRowMajor(matrix, rows), cover.nnz()};
}

// Prunes one initializer and writes the result back.
Result<int64_t> PruneInitializer(const PruneOptions& options, const lacuna::prune::Scheme& scheme,
                                 const WeightMatrix& matrix, const std::string& executed, onnx::TensorProto& tensor,
                                 onnx::ModelProto& model) {
  LACUNA_ASSIGN_OR_RETURN(values, ToTensor(tensor, kMaxTensorElements));
  const std::vector<float>* rows = nullptr;
  if (options.pruned != nullptr) {
    if (const auto found = options.pruned->find(executed); found != options.pruned->end()) rows = &found->second;
  }
  LACUNA_ASSIGN_OR_RETURN(pruned, rows != nullptr ? CoverValues(scheme, matrix, *rows)
                                                  : PruneValues(scheme, matrix, WeightValues(values, matrix)));
  SetFloats(pruned.values, tensor);
  SetMetadata(kSchemeMetadataPrefix + executed, SchemeMetadata(scheme, matrix), model);
  return pruned.nnz;
}

// The weights of nodes by their names, and single ones by theirs where no node has that name: the first of several.
Result<std::map<std::string, std::vector<WeightMatrix>>> WeightsByLayer(const Graph& graph) {
  LACUNA_ASSIGN_OR_RETURN(values, InferValues(graph));
  std::map<std::string, std::vector<WeightMatrix>> by_node, by_weights;
  for (const Node& node : graph.nodes) {
    LACUNA_ASSIGN_OR_RETURN(matrices, WeightMatricesOf(graph, values, node));
    if (matrices.empty()) continue;
    for (const WeightMatrix& matrix : matrices) by_weights.emplace(matrix.initializer, std::vector{matrix});
    by_node.emplace(node.name, std::move(matrices));
  }
  by_node.merge(by_weights);
  return by_node;
}

// A layer of a plan and the weights it stands for.
struct PlannedWeights {
  const PlannedLayer* layer;
  WeightMatrix matrix;
};

Result<std::vector<PlannedWeights>> FindPlanned(const SchemePlan& plan, const Graph& graph) {
  LACUNA_ASSIGN_OR_RETURN(weights, WeightsByLayer(graph));
  std::vector<PlannedWeights> planned;
  std::map<std::string, const PlannedLayer*> seen;  // by initializer
  for (const PlannedLayer& layer : plan.layers) {
    const auto found = weights.find(layer.layer);
    if (found == weights.end()) {
      return Status::Make(StatusCode::kNotFound, "layer '%.80s' of the plan is no layer with weights of the network",
                          layer.layer.c_str());
    }
    for (const WeightMatrix& matrix : found->second) {
      const Shape& shape = graph.Constant(matrix.initializer)->shape;
      if (!layer.shape.empty() && layer.shape != shape) {
        return Status::InvalidArgument("layer '%.60s' has weights of shape %s, must be %s as in the plan",
                                       layer.layer.c_str(), ToString(shape).c_str(), ToString(layer.shape).c_str());
      }
      const auto [before, added] = seen.emplace(matrix.initializer, &layer);
      if (added) {
        planned.push_back({&layer, matrix});
      } else if (before->second->scheme != layer.scheme) {
        return Status::InvalidArgument("layers '%.50s' and '%.50s' share weights, must have the same scheme",
                                       before->second->layer.c_str(), layer.layer.c_str());
      }
    }
  }
  return planned;
}

}  // namespace

std::map<std::string, onnx::TensorProto*> ConstantsOf(onnx::GraphProto& graph) {
  std::map<std::string, onnx::TensorProto*> tensors;
  for (auto& tensor : *graph.mutable_initializer()) tensors[tensor.name()] = &tensor;
  for (auto& node : *graph.mutable_node()) {
    if (node.op_type() != "Constant" || node.output_size() != 1) continue;
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.name() == "value" && attribute.has_t()) tensors[node.output(0)] = attribute.mutable_t();
    }
  }
  return tensors;
}

std::vector<float> WeightValues(const Tensor& tensor, const WeightMatrix& matrix) {
  if (!tensor.generate) return ToRowMajor(matrix, tensor.floats);
  std::vector<float> generated(static_cast<size_t>(matrix.shape.elements()));
  tensor.generate(generated);
  return matrix.IsStoredAsRows() ? generated : ToRowMajor(matrix, generated);
}

Result<std::vector<PrunedLayer>> PruneGraph(const SchemePlan& plan, Graph& graph) {
  LACUNA_ASSIGN_OR_RETURN(planned, FindPlanned(plan, graph));
  std::vector<PrunedLayer> layers;
  std::vector<std::vector<float>> values;  // of each layer, empty for dense ones
  for (const auto& [layer, matrix] : planned) {
    const Tensor& tensor = graph.initializers.at(matrix.initializer);
    layers.push_back(
        {layer->layer, matrix.initializer, matrix.shape.elements(), matrix.shape.elements(), matrix.initializer});
    values.emplace_back();
    if (layer->scheme.kind == lacuna::prune::SchemeKind::kDense) continue;
    auto pruned = PruneValues(layer->scheme, matrix, WeightValues(tensor, matrix));
    if (!pruned.ok()) {
      return Status::Make(pruned.status().code(), "layer '%.60s': %s", layer->layer.c_str(), pruned.status().message());
    }
    layers.back().nnz = pruned->nnz;
    values.back() = std::move(pruned->values);
  }
  for (size_t i = 0; i < planned.size(); ++i) {
    const auto& [layer, matrix] = planned[i];
    const std::string key = kSchemeMetadataPrefix + matrix.initializer;
    graph.metadata.erase(key);
    if (layer->scheme.kind == lacuna::prune::SchemeKind::kDense) continue;
    Tensor& tensor = graph.initializers.at(matrix.initializer);
    tensor.floats = std::move(values[i]);
    tensor.generate = nullptr;
    graph.metadata[key] = SchemeMetadata(layer->scheme, matrix);
  }
  return layers;
}

namespace {

// Lets nodes read constants by the name under which the model keeps them.
void LookThroughIdentities(Graph& graph) {
  std::map<std::string, std::string> kept;
  for (Node& node : graph.nodes) {
    for (std::string& input : node.inputs) {
      if (const auto found = kept.find(input); found != kept.end()) input = found->second;
    }
    if (node.op == "Identity" && graph.Constant(node.inputs[0]) != nullptr) kept[node.outputs[0]] = node.inputs[0];
  }
}

// What a model that can be run says of its convolutions; its values by name.
struct Runnable {
  Values values{};
  ConvolutionFlops flops{};
};

Result<Runnable> ReadRunnable(const std::string& bytes, const PruneOptions& options) {
  Runnable runnable;
  LACUNA_ASSIGN_OR_RETURN(graph, ImportOnnx(bytes));
  LACUNA_ASSIGN_OR_RETURN(values, InferValues(graph));
  LACUNA_ASSIGN_OR_RETURN(selection,
                          LayerSelection::Make(options.layers, options.skip_first, options.scheme.kind, graph));
  LACUNA_ASSIGN_OR_RETURN(flops, CountConvolutionFlops(graph, values, selection));
  runnable.values = std::move(values);
  runnable.flops = flops;
  return runnable;
}

Status NothingSelected(const PruneOptions& options, const PrunedModel& pruned) {
  if (pruned.left.empty()) return Status::InvalidArgument("the model has no weights that can be pruned");
  return Status::InvalidArgument("of %zu layers with weights none is selected by layers '%s'%s; '.' selects all",
                                 pruned.left.size(), options.layers.c_str(),
                                 options.skip_first ? " with the first Conv skipped" : "");
}

using Constants = std::map<std::string, onnx::TensorProto*>;

// Prunes a model's graph and the graphs of its control flow.
class Pruner {
 public:
  Pruner(const PruneOptions& options, onnx::ModelProto& model, LayerSelection selection, const Values& values,
         PrunedModel& pruned)
      : options_(options), model_(model), selection_(std::move(selection)), values_(values), pruned_(pruned) {}

  // `scope` are the constants around the graph; the executor calls values of its own `prefix` and their name.
  Status Prune(onnx::GraphProto& proto, Constants scope, const std::string& prefix) {
    LACUNA_ASSIGN_OR_RETURN(graph, ImportAlone(proto, scope));
    for (const auto& [name, tensor] : ConstantsOf(proto)) scope[name] = tensor;
    const Constants own = ConstantsOf(proto);
    for (const Node& node : graph.nodes) {
      LACUNA_ASSIGN_OR_RETURN(matrices, WeightMatricesOf(graph, values_, node));
      for (const WeightMatrix& matrix : matrices) {
        const bool is_own = own.contains(matrix.initializer);
        LACUNA_RETURN_IF_ERROR(PruneLayer(node, matrix, scope, is_own ? prefix : ""));
      }
    }
    for (onnx::NodeProto& node : *proto.mutable_node()) {
      for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
        if (!attribute.has_g()) continue;
        const std::string name = !node.name().empty() || node.output_size() == 0 ? node.name() : node.output(0);
        LACUNA_RETURN_IF_ERROR(Prune(*attribute.mutable_g(), scope, prefix + name + "/"));
      }
    }
    return Status();
  }

 private:
  // The graph by itself: what it reads from around it becomes a constant of its own, or an input.
  Result<Graph> ImportAlone(const onnx::GraphProto& proto, const Constants& scope) const {
    onnx::ModelProto alone;
    *alone.mutable_opset_import() = model_.opset_import();
    *alone.mutable_functions() = model_.functions();
    *alone.mutable_graph() = proto;
    std::set<std::string> defined, read;
    CollectNames(proto, defined, read);
    for (const std::string& name : read) {
      if (name.empty() || defined.contains(name)) continue;
      if (const auto found = scope.find(name); found != scope.end()) {
        *alone.mutable_graph()->add_initializer() = *found->second;
        alone.mutable_graph()->mutable_initializer(alone.graph().initializer_size() - 1)->set_name(name);
      } else {
        alone.mutable_graph()->add_input()->set_name(name);
      }
    }
    ImportOptions as_it_is;
    as_it_is.for_execution = false;
    LACUNA_ASSIGN_OR_RETURN(graph, ImportOnnx(alone.SerializeAsString(), as_it_is));
    LookThroughIdentities(graph);
    return std::move(graph);
  }

  // Names that a graph defines, and those that it and the graphs inside it read.
  static void CollectNames(const onnx::GraphProto& proto, std::set<std::string>& defined, std::set<std::string>& read) {
    for (const auto& input : proto.input()) defined.insert(input.name());
    for (const auto& tensor : proto.initializer()) defined.insert(tensor.name());
    for (const auto& tensor : proto.sparse_initializer()) defined.insert(tensor.values().name());
    for (const auto& output : proto.output()) read.insert(output.name());
    for (const auto& node : proto.node()) {
      defined.insert(node.output().begin(), node.output().end());
      read.insert(node.input().begin(), node.input().end());
      for (const auto& attribute : node.attribute()) {
        if (!attribute.has_g()) continue;
        std::set<std::string> inner_defined, inner_read;
        CollectNames(attribute.g(), inner_defined, inner_read);
        for (const std::string& name : inner_read) {
          if (!inner_defined.contains(name)) read.insert(name);
        }
      }
    }
  }

  Status PruneLayer(const Node& node, const WeightMatrix& matrix, const Constants& scope, const std::string& prefix) {
    const auto leave = [&](const char* why) {
      pruned_.left.push_back({node.name, matrix.initializer, matrix.shape.elements(), why});
      return Status();
    };
    if (!selection_.Selects(node, matrix)) return leave("not selected");
    const auto found = scope.find(matrix.initializer);
    if (found == scope.end()) return leave("computed from other constants");
    const auto [done, is_new] = done_.emplace(found->second, 0);
    if (is_new) {
      LACUNA_ASSIGN_OR_RETURN(
          nnz, PruneInitializer(options_, pruned_.scheme, matrix, prefix + matrix.initializer, *found->second, model_));
      done->second = nnz;
    }
    const PrunedLayer layer{node.name, matrix.initializer, matrix.shape.elements(), done->second,
                            prefix + matrix.initializer};
    if (node.op == "Conv" && values_.contains(node.outputs[0])) {
      const double kept = static_cast<double>(layer.nnz) / static_cast<double>(layer.weights);
      pruned_.flops -= (1.0 - kept) * FlopsOf(values_, node, matrix);
    }
    pruned_.layers.push_back(layer);
    return Status();
  }

  const PruneOptions& options_;
  onnx::ModelProto& model_;
  LayerSelection selection_;
  const Values& values_;
  PrunedModel& pruned_;
  std::map<const onnx::TensorProto*, int64_t> done_;  // weights that several nodes share are pruned once
};

}  // namespace

Result<PrunedModel> PruneModel(const PruneOptions& options, onnx::ModelProto& model) {
  if (options.scheme.kind == lacuna::prune::SchemeKind::kDense) {
    return Status::InvalidArgument("scheme is dense, which prunes nothing");
  }
  const std::string bytes = model.SerializeAsString();
  ImportOptions as_it_is;
  as_it_is.for_execution = false;
  LACUNA_ASSIGN_OR_RETURN(graph, ImportOnnx(bytes, as_it_is));
  PrunedModel pruned{.scheme = options.scheme};
  const auto runnable = ReadRunnable(bytes, options);
  if (runnable.ok()) pruned.dense_flops = pruned.flops = runnable->flops.all;
  if (options.flops_rate.has_value()) {
    if (!runnable.ok()) return runnable.status();
    LACUNA_ASSIGN_OR_RETURN(rate, RateForFlops(runnable->flops, *options.flops_rate));
    pruned.scheme.rate = rate;
  }
  const Values values = runnable.ok() ? runnable->values : Values();
  LACUNA_ASSIGN_OR_RETURN(selection,
                          LayerSelection::Make(options.layers, options.skip_first, options.scheme.kind, graph));
  LACUNA_RETURN_IF_ERROR(
      Pruner(options, model, std::move(selection), values, pruned).Prune(*model.mutable_graph(), {}, ""));
  if (pruned.layers.empty()) return NothingSelected(options, pruned);
  return pruned;
}

}  // namespace graph
