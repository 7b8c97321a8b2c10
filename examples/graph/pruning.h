// Pruning of ONNX models: zeros written into the file's own weights, the scheme recorded in its metadata.

#ifndef LACUNA_EXAMPLES_GRAPH_PRUNING_H_
#define LACUNA_EXAMPLES_GRAPH_PRUNING_H_

#include "lacuna/prune/scheme.h"

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

struct PruneOptions {
  lacuna::prune::Scheme scheme{};
  std::string layers{};     // which layers are pruned, as LayerSelection takes it
  bool skip_first = false;  // the first Conv of the model stays as it is
};

struct PrunedLayer {
  std::string name;
  std::string initializer;
  int64_t weights;
  int64_t nnz;
};

// Prunes the selected Conv, Gemm and MatMul weights of `model` in place. The metadata entry of each is read by
// StoredSchemeOf (layer_weights.h). Errors: an invalid model, no layer selected, scheme dense.
Result<std::vector<PrunedLayer>> PruneModel(const PruneOptions& options, onnx::ModelProto& model);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_PRUNING_H_
