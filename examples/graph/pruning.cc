#include "graph/pruning.h"

#include "lacuna/prune/project.h"

#include <map>
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

// Projects one initializer and writes the result back.
Result<int64_t> PruneInitializer(const lacuna::prune::Scheme& scheme, const WeightMatrix& matrix,
                                 onnx::TensorProto& tensor, onnx::ModelProto& model) {
  LACUNA_ASSIGN_OR_RETURN(values, ToTensor(tensor, kMaxTensorElements));
  LACUNA_ASSIGN_OR_RETURN(pruned, PruneValues(scheme, matrix, WeightValues(values, matrix)));
  SetFloats(pruned.values, tensor);
  SetMetadata(kSchemeMetadataPrefix + matrix.initializer, SchemeMetadata(scheme, matrix), model);
  return pruned.nnz;
}

// The weights of nodes by their names, and single ones by theirs where no node has that name: the first of several.
Result<std::map<std::string, std::vector<WeightMatrix>>> WeightsByLayer(const Graph& graph) {
  LACUNA_ASSIGN_OR_RETURN(shapes, InferShapes(graph));
  std::map<std::string, std::vector<WeightMatrix>> by_node, by_weights;
  for (const Node& node : graph.nodes) {
    LACUNA_ASSIGN_OR_RETURN(matrices, WeightMatricesOf(graph, shapes, node));
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

std::vector<float> WeightValues(const Tensor& tensor, const WeightMatrix& matrix) {
  if (!tensor.generate) return ToRowMajor(matrix, tensor.floats);
  std::vector<float> generated(static_cast<size_t>(matrix.shape.elements()));
  tensor.generate(generated);
  return matrix.transposed ? ToRowMajor(matrix, generated) : generated;
}

Result<std::vector<PrunedLayer>> PruneGraph(const SchemePlan& plan, Graph& graph) {
  LACUNA_ASSIGN_OR_RETURN(planned, FindPlanned(plan, graph));
  std::vector<PrunedLayer> layers;
  std::vector<std::vector<float>> values;  // of each layer, empty for dense ones
  for (const auto& [layer, matrix] : planned) {
    const Tensor& tensor = graph.initializers.at(matrix.initializer);
    layers.push_back({layer->layer, matrix.initializer, matrix.shape.elements(), matrix.shape.elements()});
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

Result<PrunedModel> PruneModel(const PruneOptions& options, onnx::ModelProto& model) {
  if (options.scheme.kind == lacuna::prune::SchemeKind::kDense) {
    return Status::InvalidArgument("scheme is dense, which prunes nothing");
  }
  const std::string bytes = model.SerializeAsString();
  LACUNA_ASSIGN_OR_RETURN(graph, ImportOnnx(bytes));
  LACUNA_ASSIGN_OR_RETURN(shapes, InferShapes(graph));
  LACUNA_ASSIGN_OR_RETURN(selection, LayerSelection::Make(options.layers, options.skip_first, options.scheme.kind));
  LACUNA_ASSIGN_OR_RETURN(flops, CountConvolutionFlops(graph, shapes, selection));
  PrunedModel pruned{.scheme = options.scheme, .dense_flops = flops.all, .flops = flops.all};
  if (options.flops_rate.has_value()) {
    LACUNA_ASSIGN_OR_RETURN(rate, RateForFlops(flops, *options.flops_rate));
    pruned.scheme.rate = rate;
  }
  std::map<std::string, onnx::TensorProto*> tensors;
  for (auto& tensor : *model.mutable_graph()->mutable_initializer()) tensors[tensor.name()] = &tensor;

  std::map<std::string, int64_t> done;  // weights that several nodes share are pruned once
  for (const Node& node : graph.nodes) {
    LACUNA_ASSIGN_OR_RETURN(matrices, WeightMatricesOf(graph, shapes, node));
    for (const WeightMatrix& matrix : matrices) {
      if (!selection.Selects(node, matrix)) continue;
      const auto found = tensors.find(matrix.initializer);
      if (found == tensors.end()) {
        return Status::Make(StatusCode::kUnsupported, "%s: its weights '%s' are no initializer", node.Label().c_str(),
                            matrix.initializer.c_str());
      }
      if (!done.contains(matrix.initializer)) {
        LACUNA_ASSIGN_OR_RETURN(nnz, PruneInitializer(pruned.scheme, matrix, *found->second, model));
        done[matrix.initializer] = nnz;
      }
      const PrunedLayer layer{node.name, matrix.initializer, matrix.shape.elements(), done[matrix.initializer]};
      if (node.op == "Conv") {
        const double kept = static_cast<double>(layer.nnz) / static_cast<double>(layer.weights);
        pruned.flops -= (1.0 - kept) * FlopsOf(shapes, node, matrix);
      }
      pruned.layers.push_back(layer);
    }
  }
  if (!pruned.layers.empty()) return pruned;
  return Status::InvalidArgument("no layer is selected by layers '%s'%s", options.layers.c_str(),
                                 options.skip_first ? " with the first Conv skipped" : "");
}

}  // namespace graph
