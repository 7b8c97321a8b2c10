// LayerSelection: which layers a pruning scheme applies to.

#ifndef LACUNA_EXAMPLES_GRAPH_LAYER_SELECTION_H_
#define LACUNA_EXAMPLES_GRAPH_LAYER_SELECTION_H_

#include "lacuna/prune/scheme.h"

#include <optional>
#include <regex>
#include <string>

#include "graph/graph.h"
#include "graph/weight_matrix.h"

namespace graph {

// What the tools say about schemes.
inline constexpr const char* kSchemeHelp =
    "Schemes: unstructured (single weights), pattern and pattern_g4 (kernels keep one of 8 patterns of 4 of 9 cells, "
    "then whole kernels go; 1x1 layers lose whole kernels only), bcr, bcr_col and bcr_kernel (rows and columns of "
    "8 x 16 blocks), punched and punched_balanced (cells, the same for 8 filters x 4 channels; balanced: as many in "
    "each such block), block_8x1, block_4x4, block_RxC (whole blocks), block_kernel_8x4, "
    "block_kernel_RxC (whole blocks of output x input channels, with all taps), connectivity (whole kernels), filter "
    "(whole output channels; they stay in the layer, as zeros)";

// Whether a scheme suits kernels that share no input channel: where it has no blocks of several filters or channels.
bool PrunesDepthwise(lacuna::prune::SchemeKind scheme);

class LayerSelection {
 public:
  // `layers` is a regular expression searched in node and weight names; empty selects every Conv and ConvTranspose,
  // depthwise ones only where PrunesDepthwise(scheme), and every RNN, GRU and LSTM; in a `graph` that has none of them
  // but one Conv at most (perceptrons, transformers) every Gemm and MatMul too. kInvalidArgument if it is no regular
  // expression.
  static Result<LayerSelection> Make(const std::string& layers, bool skip_first, lacuna::prune::SchemeKind scheme,
                                     const Graph& graph);

  // Called once for each weight matrix of each node, in execution order.
  bool Selects(const Node& node, const WeightMatrix& matrix);

 private:
  LayerSelection() = default;

  std::optional<std::regex> pattern_;
  lacuna::prune::SchemeKind scheme_ = lacuna::prune::SchemeKind::kDense;
  bool skip_first_ = false;
  bool products_ = false;
  int convolutions_ = 0;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_LAYER_SELECTION_H_
