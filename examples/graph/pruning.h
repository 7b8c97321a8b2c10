// Pruning of ONNX models and of graphs: zeros written into the weights, the scheme recorded in the metadata.

#ifndef LACUNA_EXAMPLES_GRAPH_PRUNING_H_
#define LACUNA_EXAMPLES_GRAPH_PRUNING_H_

#include "lacuna/prune/scheme.h"

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/flops_rate.h"
#include "graph/graph.h"
#include "graph/scheme_plan.h"
#include "graph/weight_matrix.h"

namespace graph {

struct PruneOptions {
  lacuna::prune::Scheme scheme{};
  std::optional<double> flops_rate{};  // if set, of all convolutions; scheme.rate gives way to the rate it takes
  std::string layers{};                // which layers are pruned, as LayerSelection takes it
  bool skip_first = false;             // the first Conv of the model stays as it is
  // W[M, K] by rows with zeros where `scheme` pruned, by PrunedLayer::executed: of these nothing is projected.
  const std::map<std::string, std::vector<float>>* pruned = nullptr;
};

struct PrunedLayer {
  std::string name;
  std::string initializer;
  int64_t weights;
  int64_t nnz;
  std::string executed{};  // how the executor calls the initializer, which names those of inner graphs by their nodes
};

// Weights that stay as they are.
struct UnprunedLayer {
  std::string name;
  std::string initializer;
  int64_t weights;
  std::string reason;
};

struct PrunedModel {
  lacuna::prune::Scheme scheme{};  // with the rate that was applied
  std::vector<PrunedLayer> layers{};
  std::vector<UnprunedLayer> left{};
  double dense_flops = 0.0;  // of all convolutions; 0 where the model cannot be run, so that extents are not known
  double flops = 0.0;        // of the weights that they keep
};

// Prunes the selected Conv, ConvTranspose, Gemm, MatMul, RNN, GRU and LSTM weights of `model` in place, wherever the
// model keeps them: as initializers, in Constant nodes, behind Identity nodes. All else passes through as it is,
// operators and types that the executor does not know among it. The metadata entry of each is read by StoredSchemeOf
// (layer_weights.h). Data in other files must have been embedded. Errors: an invalid model, no layer selected, scheme
// dense, a FLOPs rate of a model that cannot be run.
Result<PrunedModel> PruneModel(const PruneOptions& options, onnx::ModelProto& model);

// Prunes the weights of each layer of `plan` in place, for a network that is compiled with CompileOptions::stored;
// layers of scheme dense lose what the metadata say of them. Generated weights are stored from then on. `graph` stays
// as it is where the plan does not fit it: kNotFound names a layer without weights of its own, kInvalidArgument one
// whose weights have another shape, two layers that share weights but no scheme, a scheme that cannot prune the layer.
Result<std::vector<PrunedLayer>> PruneGraph(const SchemePlan& plan, Graph& graph);

// Where a model's graph keeps its constants, by the names of their values: initializers and Constant nodes.
std::map<std::string, onnx::TensorProto*> ConstantsOf(onnx::GraphProto& graph);

// The values of an initializer as a row-major M x K matrix, those of a generated one generated.
std::vector<float> WeightValues(const Tensor& tensor, const WeightMatrix& matrix);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_PRUNING_H_
