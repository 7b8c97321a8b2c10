#include "graph/calibrated_model.h"

#include <map>
#include <string>
#include <utility>

#include "graph/onnx_file.h"
#include "graph/onnx_import.h"

namespace graph {
namespace {

// How the importer calls a node.
std::string NameOf(const onnx::NodeProto& node) {
  return node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
}

WritableConstants WritableOf(onnx::GraphProto& graph) {
  WritableConstants writable;
  for (const auto& [name, tensor] : ConstantsOf(graph)) writable.constants.insert(name);
  for (const auto& node : graph.node()) writable.nodes.insert(NameOf(node));
  return writable;
}

void Write(const FittedBias& bias, onnx::GraphProto& graph) {
  const auto constants = ConstantsOf(graph);
  if (!bias.is_new) return SetFloats(bias.values, *constants.at(bias.initializer));
  int32_t type = onnx::TensorProto::FLOAT;
  for (auto& node : *graph.mutable_node()) {
    if (NameOf(node) != bias.node) continue;
    const auto weights = constants.find(node.input(1));
    if (weights != constants.end()) type = weights->second->data_type();
    node.mutable_input()->DeleteSubrange(2, node.input_size() - 2);
    node.add_input(bias.initializer);
  }
  onnx::TensorProto* tensor = graph.add_initializer();
  tensor->set_name(bias.initializer);
  tensor->set_data_type(type);
  tensor->add_dims(static_cast<int64_t>(bias.values.size()));
  SetFloats(bias.values, *tensor);
}

}  // namespace

const Tensor* FindInput(const Sample& sample, const std::string& name) {
  const auto found = sample.find(name);
  return found == sample.end() ? nullptr : &found->second;
}

Result<CalibratedModel> CalibrateModel(const PruneOptions& options, const std::vector<Sample>& samples,
                                       const CalibrationOptions& calibration, onnx::ModelProto& model) {
  if (samples.empty()) return Status::InvalidArgument("there are no samples, must be at least 1");
  // Which layers are selected, and at which rate.
  onnx::ModelProto projected = model;
  LACUNA_ASSIGN_OR_RETURN(selected, PruneModel(options, projected));
  projected.Clear();
  std::map<std::string, lacuna::prune::Scheme> schemes;
  for (const PrunedLayer& layer : selected.layers) schemes[layer.executed] = selected.scheme;

  ImportOptions importing;
  importing.given = [&](const std::string& name) { return FindInput(samples[0], name); };
  LACUNA_ASSIGN_OR_RETURN(graph, ImportOnnx(model.SerializeAsString(), importing));
  CalibrationOptions with_constants = calibration;
  with_constants.writable = WritableOf(*model.mutable_graph());
  LACUNA_ASSIGN_OR_RETURN(calibrated, CalibrateGraph(schemes, samples, with_constants, graph));
  PruneOptions replace = options;
  replace.scheme = selected.scheme;
  replace.flops_rate.reset();
  replace.pruned = &calibrated.weights;
  LACUNA_ASSIGN_OR_RETURN(pruned, PruneModel(replace, model));
  // PruneModel writes only what it prunes.
  const auto constants = ConstantsOf(*model.mutable_graph());
  for (const auto& [name, values] : calibrated.refitted) SetFloats(values, *constants.at(name));
  for (const FittedBias& bias : calibrated.biases) Write(bias, *model.mutable_graph());
  return CalibratedModel{std::move(pruned), std::move(calibrated.layers)};
}

}  // namespace graph
