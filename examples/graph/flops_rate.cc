#include "graph/flops_rate.h"

#include <algorithm>
#include <cmath>

#include "graph/weight_matrix.h"

namespace graph {

double FlopsOf(const Values& values, const Node& node, const WeightMatrix& matrix) {
  const auto outputs = static_cast<double>(Elements(values.at(node.outputs[0]).shape));
  return 2.0 * static_cast<double>(matrix.shape.columns) * outputs;
}

Result<ConvolutionFlops> CountConvolutionFlops(const Graph& graph, const Values& values, LayerSelection selection) {
  ConvolutionFlops flops;
  for (const Node& node : graph.nodes) {
    LACUNA_ASSIGN_OR_RETURN(matrix, WeightMatrixOf(graph, values, node));
    if (!matrix.has_value()) continue;
    const bool selected = selection.Selects(node, *matrix);
    if (node.op != "Conv") continue;
    const double own = FlopsOf(values, node, *matrix);
    flops.all += own;
    if (selected) flops.selected += own;
  }
  return flops;
}

Result<double> RateForFlops(const ConvolutionFlops& flops, double flops_rate) {
  const double dense = flops.all - flops.selected;
  const double least = dense + flops.selected / lacuna::prune::kMaxRate;
  const double largest = flops.all > 0.0 ? flops.all / least : 1.0;
  if (!(flops_rate >= 1.0 && flops_rate <= largest)) {  // catches NaN
    return Status::InvalidArgument(
        "flops rate is %g, must be in [1, %g]: the layers to be pruned have %.4g of the %.4g GFLOPs of all "
        "convolutions",
        flops_rate, std::floor(largest * 1e3) * 1e-3, flops.selected * 1e-9, flops.all * 1e-9);
  }
  if (flops_rate == 1.0) return 1.0;
  return std::clamp(flops.selected / (flops.all / flops_rate - dense), 1.0, lacuna::prune::kMaxRate);
}

}  // namespace graph
