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

// Projects one initializer and writes the result back.
Result<int64_t> PruneInitializer(const lacuna::prune::Scheme& scheme, const WeightMatrix& matrix,
                                 onnx::TensorProto& tensor, onnx::ModelProto& model) {
  LACUNA_ASSIGN_OR_RETURN(values, ToTensor(tensor, kMaxTensorElements));
  const std::vector<float> rows = ToRowMajor(matrix, values.floats);
  LACUNA_ASSIGN_OR_RETURN(dense, lacuna::DenseWeights<float>::View(matrix.shape, rows));
  LACUNA_ASSIGN_OR_RETURN(pruned, lacuna::prune::Project(dense, scheme, matrix.taps));
  LACUNA_ASSIGN_OR_RETURN(zeroed, pruned.ToDense());
  SetFloats(FromRowMajor(matrix, zeroed.values()), tensor);
  SetMetadata(kSchemeMetadataPrefix + matrix.initializer, SchemeMetadata(scheme, matrix), model);
  return pruned.nnz();
}

}  // namespace

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
    LACUNA_ASSIGN_OR_RETURN(matrix, WeightMatrixOf(graph, shapes, node));
    if (!matrix.has_value() || !selection.Selects(node, *matrix)) continue;
    const auto found = tensors.find(matrix->initializer);
    if (found == tensors.end()) {
      return Status::Make(StatusCode::kUnsupported, "%s: its weights '%s' are no initializer", node.Label().c_str(),
                          matrix->initializer.c_str());
    }
    if (!done.contains(matrix->initializer)) {
      LACUNA_ASSIGN_OR_RETURN(nnz, PruneInitializer(pruned.scheme, *matrix, *found->second, model));
      done[matrix->initializer] = nnz;
    }
    const PrunedLayer layer{node.name, matrix->initializer, matrix->shape.elements(), done[matrix->initializer]};
    if (node.op == "Conv") {
      const double kept = static_cast<double>(layer.nnz) / static_cast<double>(layer.weights);
      pruned.flops -= (1.0 - kept) * FlopsOf(shapes, node, *matrix);
    }
    pruned.layers.push_back(layer);
  }
  if (!pruned.layers.empty()) return pruned;
  return Status::InvalidArgument("no layer is selected by layers '%s'%s", options.layers.c_str(),
                                 options.skip_first ? " with the first Conv skipped" : "");
}

}  // namespace graph
