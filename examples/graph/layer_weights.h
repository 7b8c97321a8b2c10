// LayerWeights: the weights of one layer, pruned as asked and with its BatchNormalization multiplied in.

#ifndef LACUNA_EXAMPLES_GRAPH_LAYER_WEIGHTS_H_
#define LACUNA_EXAMPLES_GRAPH_LAYER_WEIGHTS_H_

#include "lacuna/format/bcr.h"
#include "lacuna/format/dense.h"

#include <string>
#include <variant>
#include <vector>

#include "graph/step.h"
#include "graph/weight_matrix.h"

namespace graph {

// What the metadata of a pruned model say about one initializer.
struct StoredScheme {
  std::string scheme = "dense";
  lacuna::BlockShape block{};
};

inline constexpr const char* kSchemeMetadataPrefix = "lacuna.scheme/";

// The entry "lacuna.scheme/<initializer>", {"scheme":"bcr_col-8x","rows":8,"columns":16,"column_group":1} in JSON,
// where rows and columns are the block's extents. Scheme "dense" if there is no entry.
Result<StoredScheme> StoredSchemeOf(const Graph& graph, const std::string& initializer);

struct LayerWeights {
  std::variant<lacuna::DenseWeights<float>, lacuna::BcrWeights<float>> format;
  std::vector<float> bias;  // one value per row, or none
  std::string scheme;

  int64_t nnz() const;
  size_t StorageBytes() const;
  Result<lacuna::DenseWeights<float>> ToDense() const;
};

// Prunes the initializer's own values, so that the result is the same whatever is fused, then scales rows: by `alpha`
// and by the layer's scale. Dense weights that need no change view the graph.
Result<LayerWeights> MakeLayerWeights(const StepContext& context, const WeightMatrix& matrix);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_LAYER_WEIGHTS_H_
