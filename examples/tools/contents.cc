// What a model holds.

#include <cstdio>
#include <map>

#include "graph/builtin.h"
#include "graph/flops_rate.h"
#include "graph/shape_inference.h"
#include "graph/weight_matrix.h"
#include "tools/report.h"

namespace report {

namespace {

struct Content {
  int64_t weights = 0;
  double flops = 0.0;
};

// Calls per_layer(node, matrix, flops) for each layer with weights; their sums.
template <class PerLayer>
graph::Result<Content> Count(const graph::Graph& model, const graph::Values& values, const PerLayer& per_layer) {
  Content content;
  for (const graph::Node& node : model.nodes) {
    LACUNA_ASSIGN_OR_RETURN(matrices, graph::WeightMatricesOf(model, values, node));
    for (const graph::WeightMatrix& matrix : matrices) {
      const double flops = graph::FlopsOf(values, node, matrix);
      content.flops += flops;
      content.weights += matrix.shape.elements();
      per_layer(node, matrix, flops);
    }
  }
  return content;
}

}  // namespace

graph::Status PrintNetworks() {
  std::printf("%-18s %12s %10s  source\n", "network", "M weights", "GFLOPs");
  for (const graph::BuiltinSource& network : graph::BuiltinNetworks()) {
    LACUNA_ASSIGN_OR_RETURN(model, graph::BuiltinNetwork(network.name));
    LACUNA_ASSIGN_OR_RETURN(values, graph::InferValues(model));
    LACUNA_ASSIGN_OR_RETURN(content, Count(model, values, [](const auto&...) {}));
    std::printf("%-18s %12.3f %10.2f  %s\n", network.name, static_cast<double>(content.weights) * 1e-6,
                content.flops * 1e-9, network.source);
  }
  return graph::Status();
}

graph::Status PrintContents(const std::string& name, const graph::Graph& model) {
  LACUNA_ASSIGN_OR_RETURN(values, graph::InferValues(model));
  std::printf("%s: operator set %lld\n\ninputs\n", name.c_str(), static_cast<long long>(model.opset));
  const auto print = [&](const std::string& value) {
    const graph::TensorInfo& info = values.at(value);
    std::printf("  %-40s %-8s %s\n", value.c_str(), graph::ToString(info.type), graph::ToString(info.shape).c_str());
  };
  for (const graph::ValueInfo& input : model.inputs) print(input.name);
  std::printf("outputs\n");
  for (const std::string& output : model.model_outputs()) {
    if (values.contains(output)) print(output);
    if (!values.contains(output)) std::printf("  %-40s extents that depend on data\n", output.c_str());
  }
  std::map<std::string, int> operators;
  for (const graph::Node& node : model.nodes) ++operators[node.op];
  std::printf("operators, after what is constant was computed\n");
  for (const auto& [op, count] : operators) std::printf("  %5d %s\n", count, op.c_str());
  std::printf("layers with weights\n");
  const auto print_layer = [&](const graph::Node& node, const graph::WeightMatrix& matrix, double flops) {
    std::printf("  %-40s %-14s %-44s %8.2f MFLOPs\n", node.name.c_str(), node.op.c_str(),
                (matrix.initializer + " " + graph::ToString(model.Constant(matrix.initializer)->shape)).c_str(),
                flops * 1e-6);
  };
  LACUNA_ASSIGN_OR_RETURN(content, Count(model, values, print_layer));
  std::printf("%.3f M weights, %.3f GFLOPs\n", static_cast<double>(content.weights) * 1e-6, content.flops * 1e-9);
  return graph::Status();
}

}  // namespace report
