// Pruning of ONNX models: zeros written into the file's own weights, the scheme recorded in its metadata.

#ifndef LACUNA_EXAMPLES_GRAPH_PRUNING_H_
#define LACUNA_EXAMPLES_GRAPH_PRUNING_H_

#include "lacuna/prune/scheme.h"

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/flops_rate.h"
#include "graph/graph.h"

namespace graph {

struct PruneOptions {
  lacuna::prune::Scheme scheme{};
  std::optional<double> flops_rate{};  // if set, of all convolutions; scheme.rate gives way to the rate it takes
  std::string layers{};                // which layers are pruned, as LayerSelection takes it
  bool skip_first = false;             // the first Conv of the model stays as it is
};

struct PrunedLayer {
  std::string name;
  std::string initializer;
  int64_t weights;
  int64_t nnz;
};

struct PrunedModel {
  lacuna::prune::Scheme scheme{};  // with the rate that was applied
  std::vector<PrunedLayer> layers{};
  double dense_flops = 0.0;  // of all convolutions
  double flops = 0.0;        // of the weights that they keep
};

// Prunes the selected Conv, Gemm and MatMul weights of `model` in place. The metadata entry of each is read by
// StoredSchemeOf (layer_weights.h). Errors: an invalid model, no layer selected, scheme dense.
Result<PrunedModel> PruneModel(const PruneOptions& options, onnx::ModelProto& model);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_PRUNING_H_
