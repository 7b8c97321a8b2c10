// Conv and ConvTranspose: lacuna runs it where its weights are constant.

#include "lacuna/reference/convolution.h"

#include <memory>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/weight_step.h"
#include "graph/window.h"

namespace graph {
namespace {

InferResult InferConv(const NodeContext& at) {
  const Shape& x = at.shape(0);
  const Shape& w = at.shape(1);
  LACUNA_ASSIGN_OR_RETURN(window, ConvWindow(at.node, x, w));
  LACUNA_ASSIGN_OR_RETURN(groups, IntAttribute(at.node, "group", 1));
  if (groups < 1 || x[1] % groups != 0 || w[0] % groups != 0 || x[1] / groups != w[1]) {
    return Status::InvalidArgument("%s: weights %s and group %lld do not fit the %lld input channels",
                                   at.node.Label().c_str(), ToString(w).c_str(), static_cast<long long>(groups),
                                   static_cast<long long>(x[1]));
  }
  if (at.node.HasInput(2) && at.shape(2) != Shape{w[0]}) return at.ShapeError(2, "be " + ToString({w[0]}));
  Shape y = {x[0], w[0]};
  y.insert(y.end(), window.output.begin(), window.output.end());
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

StepResult MakeConvStep(const StepContext& context) {
  const Node& node = *context.layer.node;
  LACUNA_ASSIGN_OR_RETURN(weights, WeightMatrixOf(context.graph, context.values, node));
  if (weights.has_value()) return MakeWeightStep(context, *weights);
  return context.At().Unsupported("input 1, '" + node.inputs[1] + "', must be a constant FLOAT tensor");
}

InferResult InferConvTranspose(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(deconvolution, DeconvolutionOf(at.node, at.shape(0), at.shape(1)));
  Shape y = {at.shape(0)[0], deconvolution.groups * deconvolution.out_per_group};
  if (at.node.HasInput(2) && at.shape(2) != Shape{y[1]}) return at.ShapeError(2, "be " + ToString({y[1]}));
  y.insert(y.end(), deconvolution.output.begin(), deconvolution.output.end());
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

constexpr Operator kConvolutionOperators[] = {
    {"Conv", 2, 3, 1, InferConv, MakeConvStep},
    {"ConvTranspose", 2, 3, 1, InferConvTranspose, MakeConvStep},
};

}  // namespace

std::span<const Operator> ConvolutionOperators() { return kConvolutionOperators; }

}  // namespace graph
