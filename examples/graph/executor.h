// Network: a graph compiled into steps over one arena.

#ifndef LACUNA_EXAMPLES_GRAPH_EXECUTOR_H_
#define LACUNA_EXAMPLES_GRAPH_EXECUTOR_H_

#include "lacuna/core/buffer.h"
#include "lacuna/prune/scheme.h"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/kernel_selection.h"
#include "graph/step.h"
#include "graph/threads.h"

namespace graph {

class Network;

struct CompileOptions {
  lacuna::prune::Scheme scheme{};  // of the layers that `layers` selects
  // If set, scheme.rate gives way to the rate that makes the FLOPs of all convolutions this many times fewer.
  std::optional<double> flops_rate{};
  bool stored = false;        // schemes come from the model's metadata, whatever `scheme` and `layers` say
  std::string layers{};       // as LayerSelection takes it
  bool prune_first = false;   // the first Conv has few weights and hurts most; it stays dense unless this is set
  bool reference = false;     // layers with weights run lacuna's naive double-precision loops
  bool keep_weights = false;  // beside their packed form, which Verify needs
  KernelSelection kernels{};
  bool choose_layouts = true;  // else all values are planar, and integers of 8 bits wide
  // A network of the same model with the same options, but other extents: layers share the packed weights that it has,
  // if only for as long as this one is compiled. Those in Winograd form, depthwise, transposed and recurrent ones are
  // packed anew. Ignored with `reference` or `keep_weights`.
  const Network* sibling = nullptr;
  size_t threads = 1;
  int64_t max_elements = kMaxTensorElements;  // of any one value
};

struct LayerInfo {
  std::string name;
  std::string op;
  std::vector<std::string> fused;  // nodes that run in this layer's epilogue
  Shape input;                     // empty for a layer without one
  Shape output;
  bool channels_last = false;           // how its output stands in memory; `output` names the axes as ONNX does
  const WeightInfo* weights = nullptr;  // null for layers without weights
};

struct LayerError {
  std::string name;
  double over_bound;  // the largest |difference| from the reference, in units of what rounding allows
};

// Bytes that a network holds between runs.
struct MemoryUse {
  size_t activations = 0;  // the arena: every value for its lifetime
  size_t packed_weights = 0;
  size_t offsets = 0;  // of the plans: where in the input each packed column reads
  size_t workspace = 0;
  size_t constants = 0;  // values of the graph that it still holds, and weights kept beside their packed form
};

// Not thread-safe: a network owns the memory that it runs in.
class Network {
 public:
  // `graph` is viewed and outlives the network. Layers are packed from the largest to the smallest, so that the memory
  // needed meanwhile is least. Errors name the node; kOutOfMemory if the arena cannot be allocated.
  static Result<Network> Compile(const Graph& graph, const CompileOptions& options = {});
  // Takes the graph over and frees the weights of each layer as soon as they are packed, unless they are kept.
  static Result<Network> Compile(Graph&& graph, const CompileOptions& options = {});

  size_t input_count() const { return inputs_.size(); }
  const ValueInfo& input_info(size_t i) const { return graph_->inputs[i]; }
  // Filled by the caller before Run, which leaves it untouched. Precondition: its type is floating-point.
  std::span<float> input(size_t i) { return {static_cast<float*>(inputs_[i]), InputElements(i)}; }
  // The same of integer and boolean types.
  std::span<int64_t> integer_input(size_t i) { return {static_cast<int64_t*>(inputs_[i]), InputElements(i)}; }
  // Copies `values`, whose shape must be that of the input, converting between types as Cast does.
  Status SetInput(size_t i, const Tensor& values);
  size_t output_count() const { return graph_->model_outputs().size(); }
  const std::string& output_name(size_t i) const { return graph_->model_outputs()[i]; }
  // Where extents depend on data, those of the last Run; before there was one they are 0.
  const Shape& output_shape(size_t i) const { return IsLate() ? late_outputs_[i].shape : output_infos_[i].shape; }
  ElementType output_type(size_t i) const { return IsLate() ? late_outputs_[i].type : output_infos_[i].type; }
  // What the last Run computed. Precondition: its type is floating-point.
  std::span<const float> output(size_t i) const {
    if (IsLate()) return late_outputs_[i].floats;
    return {static_cast<const float*>(outputs_[i]), OutputElements(i)};
  }
  // The same of integer and boolean types.
  std::span<const int64_t> integer_output(size_t i) const {
    if (IsLate()) return late_outputs_[i].integers;
    return {static_cast<const int64_t*>(outputs_[i]), OutputElements(i)};
  }
  Tensor OutputTensor(size_t i) const;

  const std::vector<LayerInfo>& layers() const { return layers_; }
  size_t arena_bytes() const { return arena_.size(); }
  size_t workspace_bytes() const { return workspace_.size(); }
  MemoryUse memory() const;

  // If `layer_ms` is not empty it receives the wall time of each layer in milliseconds. Preconditions: its size is
  // layers().size() or 0.
  Status Run(std::span<double> layer_ms = {});

  // Runs and compares each layer that has weights with lacuna::reference on that layer's own input. kInvalidArgument if
  // the weights were not kept.
  Result<std::vector<LayerError>> Verify();

 private:
  struct Scheduled {
    std::unique_ptr<Step> step;
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
  };
  friend class Compiler;

  explicit Network(const Graph& graph, Threads threads) : graph_(&graph), threads_(std::move(threads)) {}
  bool IsLate() const { return graph_->late != nullptr; }
  // Runs Graph::late on what the steps left.
  Status RunLate();
  // Of the graph itself, whatever is late.
  Tensor StepOutput(size_t i) const;
  size_t InputElements(size_t i) const { return static_cast<size_t>(Elements(input_info(i).shape)); }
  size_t OutputElements(size_t i) const { return static_cast<size_t>(Elements(output_infos_[i].shape)); }
  StepArgs Args(const Scheduled& scheduled) {
    return {.inputs = scheduled.inputs,
            .outputs = scheduled.outputs,
            .workspace = {workspace_.data(), workspace_.size()},
            .threads = threads_};
  }

  std::unique_ptr<Graph> owned_graph_;  // null if it is viewed
  const Graph* graph_;
  Threads threads_;
  lacuna::Buffer<std::byte> arena_;
  lacuna::Buffer<std::byte> workspace_;
  std::vector<Scheduled> schedule_;
  std::vector<LayerInfo> layers_;
  std::vector<void*> inputs_;
  std::vector<const void*> outputs_;
  std::vector<TensorInfo> output_infos_;
  std::vector<Tensor> late_outputs_;
  int64_t max_elements_ = kMaxTensorElements;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_EXECUTOR_H_
