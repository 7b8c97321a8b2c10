#include "graph/recurrent_node.h"
#include "graph/step.h"

namespace graph {

bool IsView(const Node& node) {
  return node.op == "Identity" || node.op == "Dropout" || node.op == "Flatten" || node.op == "Reshape" ||
         node.op == "Squeeze" || node.op == "Unsqueeze";
}

KernelPolicy StepContext::PolicyFor(std::string_view scheme) const {
  KernelPolicy policy;
  policy.cost = kernels.cost;
  policy.winograd_error = kernels.winograd_error;
  policy.scheme = scheme;
  policy.select = KernelSelector(kernels, measuring);
  return policy;
}

StepResult MakeStep(const StepContext& context) {
  const Node& node = *context.layer.node;
  if (IsRecurrent(node)) return MakeRecurrentStep(context);
  LACUNA_ASSIGN_OR_RETURN(matrix, WeightMatrixOf(context.graph, context.shapes, node));
  if (matrix.has_value()) return MakeWeightStep(context, *matrix);
  if (node.op == "Conv") {
    return Status::Make(StatusCode::kUnsupported, "%s: input 1, '%s', must be a constant FLOAT tensor",
                        node.Label().c_str(), node.inputs[1].c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(activation, ActivationOf(context.graph, node));
  if (activation.has_value()) return MakeActivationStep(context, *activation);
  if (node.op == "Gemm" || node.op == "MatMul") return MakeMatMulStep(context);
  if (node.op == "MaxPool" || node.op == "AveragePool") return MakePoolStep(context);
  if (node.op == "GlobalAveragePool") return MakeGlobalAveragePoolStep(context);
  if (node.op == "HardSigmoid") return MakeHardSigmoidStep(context);
  if (node.op == "Add" || node.op == "Mul") return MakeBinaryStep(context);
  if (node.op == "BatchNormalization") return MakeBatchNormalizationStep(context);
  if (node.op == "Concat") return MakeConcatStep(context);
  if (node.op == "Softmax") return MakeSoftmaxStep(context);
  if (node.op == "Transpose") return MakeTransposeStep(context);
  if (node.op == "Slice") return MakeSliceStep(context);
  if (node.op == "Resize" || node.op == "Upsample") return MakeResizeStep(context);
  return Status::Make(StatusCode::kUnsupported, "node '%s': operator %s is not supported", node.name.c_str(),
                      node.op.c_str());
}

}  // namespace graph
