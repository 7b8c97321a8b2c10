// LayerWeights: the weights of one layer, pruned as asked and with its BatchNormalization multiplied in.

#ifndef LACUNA_EXAMPLES_GRAPH_LAYER_WEIGHTS_H_
#define LACUNA_EXAMPLES_GRAPH_LAYER_WEIGHTS_H_

#include "lacuna/format/any.h"
#include "lacuna/format/dense.h"
#include "lacuna/prune/scheme.h"

#include <string>
#include <vector>

#include "graph/step.h"
#include "graph/weight_matrix.h"

namespace graph {

inline constexpr const char* kSchemeMetadataPrefix = "lacuna.scheme/";

// What the metadata of a pruned model say about the initializer of `matrix`, dense if nothing. The entry
// "lacuna.scheme/<initializer>" is a JSON object, {"scheme":"pattern-8x","taps":9}: the scheme and the cells of a
// kernel it was applied with; other members are ignored. kDataLoss names an entry that is malformed or does not fit
// `matrix`.
Result<lacuna::prune::Scheme> StoredSchemeOf(const Graph& graph, const WeightMatrix& matrix);

// The value of such an entry.
std::string SchemeMetadata(const lacuna::prune::Scheme& scheme, const WeightMatrix& matrix);

struct LayerWeights {
  lacuna::AnyWeights<float> format;
  std::vector<float> bias;  // one value per row, or none
  lacuna::prune::Scheme scheme;
  bool viewed = false;  // `format` views the graph
};

// Prunes the initializer's own values, so that the result is the same whatever is fused, then scales rows: by `alpha`
// and by the layer's scale. Dense weights that need no change view the graph.
Result<LayerWeights> MakeLayerWeights(const StepContext& context, const WeightMatrix& matrix);

// The i-th matrix of a recurrent layer, without bias: one LayerWeights for each of its groups, the directions.
Result<std::vector<LayerWeights>> MakeDirectionWeights(const StepContext& context, const WeightMatrix& matrix,
                                                       size_t i);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_LAYER_WEIGHTS_H_
