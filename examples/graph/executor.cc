#include "graph/executor.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <new>
#include <numeric>
#include <utility>

#include "graph/constant_folding.h"
#include "graph/flops_rate.h"
#include "graph/layer_selection.h"
#include "graph/memory_plan.h"
#include "graph/operator.h"
#include "graph/shape_inference.h"

namespace graph {
namespace {

// A larger arena is taken for damage in the file rather than a network.
constexpr size_t kMaxArenaBytes = size_t{1} << 32;

}  // namespace

// Frees the values of weights once no node needs them.
class WeightRelease {
 public:
  // Nothing is freed if `graph` is null.
  explicit WeightRelease(Graph* graph) : graph_(graph) {
    if (graph == nullptr) return;
    for (const Node& node : graph->nodes) {
      for (const std::string& input : node.inputs) ++uses_[input];
    }
    for (const std::string& output : graph->outputs) ++uses_[output];
  }

  // Tells that one use of `initializer` is over.
  void Drop(const std::string& initializer) {
    if (graph_ == nullptr || --uses_[initializer] != 0) return;
    std::vector<float>().swap(graph_->initializers.at(initializer).floats);
  }

 private:
  Graph* graph_;
  std::map<std::string, int> uses_;
};

// Builds the steps, then gives every value its place.
class Compiler {
 public:
  // `release` is `graph`, or null if it is to stay as it is.
  Compiler(const Graph& graph, Graph* release, const CompileOptions& options)
      : graph_(graph), release_(options.keep_weights || options.reference ? nullptr : release), options_(options) {}

  Result<Network> Compile() {
    LACUNA_RETURN_IF_ERROR(options_.kernels.Validate());
    LACUNA_ASSIGN_OR_RETURN(threads, Threads::Make(options_.threads));
    Network network(graph_, std::move(threads));
    LACUNA_ASSIGN_OR_RETURN(values, InferValues(graph_, options_.max_elements));
    values_ = std::move(values);
    LACUNA_ASSIGN_OR_RETURN(layers, FuseLayers(graph_, values_));
    if (options_.choose_layouts) layouts_ = ChooseLayouts(graph_, values_, layers);
    if (options_.choose_layouts) narrow_ = ChooseNarrowValues(graph_, values_, layers);
    LACUNA_RETURN_IF_ERROR(MakeSteps(layers, network));
    LACUNA_RETURN_IF_ERROR(PlaceValues(network));
    LACUNA_RETURN_IF_ERROR(AllocateWorkspace(network));
    return network;
  }

 private:
  // Follows views to the value that owns the memory.
  const std::string& Owner(const std::string& value) const {
    const auto found = viewed_.find(value);
    return found == viewed_.end() ? value : found->second;
  }

  // A step that is yet to be made.
  struct Planned {
    StepContext context;
    std::vector<WeightMatrix> matrices;

    int64_t weights() const {
      int64_t sum = 0;
      for (const WeightMatrix& matrix : matrices) sum += matrix.shape.elements();
      return sum;
    }
  };

  Result<lacuna::prune::Scheme> SchemeToApply(const LayerSelection& selection) const {
    lacuna::prune::Scheme scheme = options_.scheme;
    if (!options_.flops_rate.has_value()) return scheme;
    LACUNA_ASSIGN_OR_RETURN(flops, CountConvolutionFlops(graph_, values_, selection));
    LACUNA_ASSIGN_OR_RETURN(rate, RateForFlops(flops, *options_.flops_rate));
    scheme.rate = rate;
    return scheme;
  }

  Result<std::vector<Planned>> PlanSteps(const std::vector<Layer>& layers) {
    LACUNA_ASSIGN_OR_RETURN(selection,
                            LayerSelection::Make(options_.layers, !options_.prune_first, options_.scheme.kind, graph_));
    LACUNA_ASSIGN_OR_RETURN(scheme, SchemeToApply(selection));
    std::vector<Planned> planned;
    for (const Layer& layer : layers) {
      if (IsView(*layer.node)) {
        viewed_[layer.output] = Owner(layer.node->inputs[0]);
        continue;
      }
      StepContext context{.graph = graph_, .values = values_, .layer = layer, .kernels = options_.kernels};
      context.layouts = &layouts_;
      context.narrow = &narrow_;
      context.stored = options_.stored;
      context.reference = options_.reference;
      context.keep_weights = options_.keep_weights;
      if (!options_.reference && !options_.keep_weights) context.sibling = SiblingOf(*layer.node);
      LACUNA_ASSIGN_OR_RETURN(matrices, WeightMatricesOf(graph_, values_, *layer.node));
      for (const WeightMatrix& matrix : matrices) {
        context.schemes.push_back(selection.Selects(*layer.node, matrix) ? scheme : lacuna::prune::Scheme{});
      }
      planned.push_back({std::move(context), std::move(matrices)});
    }
    return planned;
  }

  // The sibling's step of a node of that name, or null.
  const Step* SiblingOf(const Node& node) const {
    if (options_.sibling == nullptr) return nullptr;
    const Network& sibling = *options_.sibling;
    for (size_t i = 0; i < sibling.layers_.size(); ++i) {
      if (sibling.layers_[i].name == node.name) return sibling.schedule_[i].step.get();
    }
    return nullptr;
  }

  // While a layer is packed both forms of its weights exist: the largest come first, when little else does.
  Status MakeSteps(const std::vector<Layer>& layers, Network& network) {
    LACUNA_ASSIGN_OR_RETURN(planned, PlanSteps(layers));
    std::vector<size_t> order(planned.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return planned[a].weights() > planned[b].weights(); });
    WeightRelease release(release_);
    std::vector<std::unique_ptr<Step>> steps(planned.size());
    const auto layers_with_weights = static_cast<size_t>(
        std::count_if(planned.begin(), planned.end(), [](const Planned& p) { return !p.matrices.empty(); }));
    size_t layer_number = 0;
    for (const size_t i : order) {
      StepContext context = planned[i].context;
      if (!planned[i].matrices.empty()) ++layer_number;
      const auto measuring = [&](const lacuna::MeasureProgress& progress) {
        options_.kernels.progress({layer_number, layers_with_weights, context.layer.node->name, progress.candidate,
                                   progress.done, progress.total});
      };
      if (options_.kernels.progress) context.measuring = measuring;
      LACUNA_ASSIGN_OR_RETURN(step, MakeStep(context));
      steps[i] = std::move(step);
      for (const WeightMatrix& matrix : planned[i].matrices) release.Drop(matrix.initializer);
    }
    for (size_t i = 0; i < planned.size(); ++i) {
      const Layer& layer = planned[i].context.layer;
      LayerInfo info;
      info.name = layer.node->name;
      info.op = layer.node->op;
      for (const Node* node : layer.fused) info.fused.push_back(node->name);
      if (!steps[i]->inputs().empty()) info.input = values_.at(steps[i]->inputs()[0]).shape;
      info.output = planned[i].context.OutputShape();
      info.weights = steps[i]->weight_info();
      info.channels_last = planned[i].context.IsChannelsLast(layer.output);
      network.layers_.push_back(std::move(info));
      network.schedule_.push_back({std::move(steps[i]), {}, {}});
      made_.push_back({layer.output});
      made_.back().insert(made_.back().end(), layer.further.begin(), layer.further.end());
    }
    return Status();
  }

  Status PlaceValues(Network& network) {
    const int steps = static_cast<int>(network.schedule_.size());
    for (const ValueInfo& input : graph_.inputs) AddValue(input.name, -1, steps);  // the caller's to fill once
    for (int i = 0; i < steps; ++i) {
      for (const std::string& output : made_[static_cast<size_t>(i)]) AddValue(output, i, i);
      for (const std::string& input : network.schedule_[static_cast<size_t>(i)].step->inputs()) Extend(input, i);
    }
    for (const std::string& output : graph_.outputs) Extend(output, steps);
    ShareInPlace(network);
    const MemoryPlan plan = PlanMemory(lifetimes_);
    if (plan.bytes > kMaxArenaBytes) {
      return Status::InvalidArgument("the network's values need %zu bytes, the limit is %zu", plan.bytes,
                                     kMaxArenaBytes);
    }
    LACUNA_ASSIGN_OR_RETURN(arena, lacuna::Buffer<std::byte>::Make(plan.bytes));
    network.arena_ = std::move(arena);
    for (const auto& [name, index] : index_) memory_[name] = network.arena_.data() + plan.offset[index];
    LACUNA_RETURN_IF_ERROR(CheckConstants(network));
    Connect(network);
    return Status();
  }

  // Constants that are read while the network runs must hold their values.
  Status CheckConstants(const Network& network) const {
    std::vector<std::string> read = graph_.outputs;
    for (const Network::Scheduled& scheduled : network.schedule_) {
      read.insert(read.end(), scheduled.step->inputs().begin(), scheduled.step->inputs().end());
    }
    for (const std::string& value : read) {
      const Tensor* constant = graph_.Constant(Owner(value));
      if (constant == nullptr || !constant->IsFloats() ||
          static_cast<int64_t>(constant->floats.size()) == Elements(constant->shape)) {
        continue;
      }
      return Status::Make(StatusCode::kUnsupported,
                          "'%s' is generated, which only weights of Conv, Gemm, MatMul, RNN, GRU and LSTM may be",
                          Owner(value).c_str());
    }
    return Status();
  }

  // Steps that may work in place take over the memory of an input that nobody reads after them.
  void ShareInPlace(const Network& network) {
    for (size_t i = 0; i < network.schedule_.size(); ++i) {
      const Step& step = *network.schedule_[i].step;
      if (!step.InPlace()) continue;
      const auto input = index_.find(Owner(step.inputs()[0]));
      if (input == index_.end()) continue;  // a constant
      size_t& output = index_.at(made_[i][0]);
      Lifetime& from = lifetimes_[input->second];
      if (from.first < 0 || from.last != static_cast<int>(i) || from.bytes != lifetimes_[output].bytes) continue;
      from.last = lifetimes_[output].last;
      lifetimes_[output].bytes = 0;
      output = input->second;
    }
  }

  void AddValue(const std::string& name, int first, int last) {
    index_[name] = lifetimes_.size();
    const TensorInfo& value = values_.at(name);
    const size_t bytes = narrow_.contains(name) ? 1 : BytesOf(value.type);
    lifetimes_.push_back({static_cast<size_t>(Elements(value.shape)) * bytes, first, last});
  }

  void Extend(const std::string& value, int step) {
    const auto found = index_.find(Owner(value));
    if (found == index_.end()) return;  // a constant
    int& last = lifetimes_[found->second].last;
    last = std::max(last, step);
  }

  const void* Memory(const std::string& value) const {
    const std::string& owner = Owner(value);
    const auto found = memory_.find(owner);
    return found != memory_.end() ? found->second : graph_.Constant(owner)->data();
  }

  void Connect(Network& network) const {
    for (size_t i = 0; i < network.schedule_.size(); ++i) {
      Network::Scheduled& scheduled = network.schedule_[i];
      for (const std::string& input : scheduled.step->inputs()) scheduled.inputs.push_back(Memory(input));
      for (const std::string& output : made_[i]) scheduled.outputs.push_back(memory_.at(output));
    }
    for (const ValueInfo& input : graph_.inputs) network.inputs_.push_back(memory_.at(input.name));
    for (const std::string& output : graph_.outputs) {
      network.outputs_.push_back(Memory(output));
      network.output_infos_.push_back(values_.at(output));
    }
    network.max_elements_ = options_.max_elements;
    network.late_outputs_.assign(graph_.model_outputs().size(), Tensor{.shape = {0}});
  }

  Status AllocateWorkspace(Network& network) const {
    size_t bytes = 0;
    for (const Network::Scheduled& scheduled : network.schedule_) {
      bytes = std::max(bytes, scheduled.step->WorkspaceBytes(options_.threads));
    }
    LACUNA_ASSIGN_OR_RETURN(workspace, lacuna::Buffer<std::byte>::Make(bytes));
    network.workspace_ = std::move(workspace);
    return Status();
  }

  const Graph& graph_;
  Graph* release_;
  const CompileOptions& options_;
  Values values_;
  Layouts layouts_;
  NarrowValues narrow_;
  std::map<std::string, std::string> viewed_;   // value -> the value whose memory it shares
  std::vector<std::vector<std::string>> made_;  // the outputs of each step
  std::map<std::string, size_t> index_;         // into lifetimes_
  std::vector<Lifetime> lifetimes_;
  std::map<std::string, void*> memory_;
};

Result<Network> Network::Compile(const Graph& graph, const CompileOptions& options) {
  try {
    return Compiler(graph, nullptr, options).Compile();
  } catch (const std::bad_alloc&) {
    return Status::OutOfMemory("Network::Compile", 0);
  }
}

Result<Network> Network::Compile(Graph&& graph, const CompileOptions& options) {
  try {
    auto owned = std::make_unique<Graph>(std::move(graph));
    auto network = Compiler(*owned, owned.get(), options).Compile();
    if (network.ok()) network->owned_graph_ = std::move(owned);
    return network;
  } catch (const std::bad_alloc&) {
    return Status::OutOfMemory("Network::Compile", 0);
  }
}

MemoryUse Network::memory() const {
  MemoryUse use{.activations = arena_.size(), .workspace = workspace_.size()};
  for (const LayerInfo& layer : layers_) {
    if (layer.weights == nullptr) continue;
    use.packed_weights += layer.weights->packed_bytes;
    use.offsets += layer.weights->offset_bytes;
    use.constants += layer.weights->kept_bytes;
  }
  for (const auto& [name, tensor] : graph_->initializers) {
    use.constants += tensor.floats.size() * sizeof(float) + tensor.integers.size() * sizeof(int64_t);
  }
  return use;
}

Status Network::SetInput(size_t i, const Tensor& values) {
  const ValueInfo& info = input_info(i);
  if (values.shape != info.shape) {
    return Status::InvalidArgument("input '%s' has shape %s, the values given have %s", info.name.c_str(),
                                   ToString(info.shape).c_str(), ToString(values.shape).c_str());
  }
  const auto convert = [&](const auto& from) {
    for (size_t at = 0; at < from.size(); ++at) {
      if (IsFloating(info.type)) {
        input(i)[at] = static_cast<float>(from[at]);
      } else {
        integer_input(i)[at] = Wrapped(info.type, static_cast<int64_t>(from[at]));
      }
    }
  };
  values.IsFloats() ? convert(values.floats) : convert(values.integers);
  return Status();
}

Tensor Network::StepOutput(size_t i) const {
  Tensor tensor{.type = output_infos_[i].type, .shape = output_infos_[i].shape};
  if (tensor.IsFloats()) {
    const auto* values = static_cast<const float*>(outputs_[i]);
    tensor.floats.resize(OutputElements(i));
    std::transform(values, values + tensor.floats.size(), tensor.floats.begin(),
                   [&](float value) { return RoundedTo(tensor.type, value); });
  } else {
    const auto* values = static_cast<const int64_t*>(outputs_[i]);
    tensor.integers.assign(values, values + OutputElements(i));
  }
  return tensor;
}

Tensor Network::OutputTensor(size_t i) const { return IsLate() ? late_outputs_[i] : StepOutput(i); }

// All values are known by now: what is left of the graph folds.
Status Network::RunLate() try {
  Graph late = *graph_->late;
  late.inputs.clear();
  for (size_t i = 0; i < graph_->outputs.size(); ++i) late.initializers[graph_->outputs[i]] = StepOutput(i);
  LACUNA_RETURN_IF_ERROR(FoldConstants(late, max_elements_));
  for (size_t i = 0; i < late.outputs.size(); ++i) {
    const Tensor* output = late.Constant(late.outputs[i]);
    if (output == nullptr) {
      return Status::Make(StatusCode::kUnsupported, "output '%s' is too large for what depends on data",
                          late.outputs[i].c_str());
    }
    late_outputs_[i] = *output;
  }
  return Status();
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory("Network::Run", 0);
}

Status Network::Run(std::span<double> layer_ms) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point before = Clock::now();
  for (size_t i = 0; i < schedule_.size(); ++i) {
    LACUNA_RETURN_IF_ERROR(schedule_[i].step->Run(Args(schedule_[i])));
    if (layer_ms.empty()) continue;
    const Clock::time_point after = Clock::now();
    layer_ms[i] = std::chrono::duration<double, std::milli>(after - before).count();
    before = after;
  }
  return IsLate() ? RunLate() : Status();
}

Result<std::vector<LayerError>> Network::Verify() {
  std::vector<LayerError> errors;
  for (size_t i = 0; i < schedule_.size(); ++i) {
    LACUNA_RETURN_IF_ERROR(schedule_[i].step->Run(Args(schedule_[i])));
    if (layers_[i].weights == nullptr) continue;
    LACUNA_ASSIGN_OR_RETURN(over_bound, schedule_[i].step->ErrorOverBound(Args(schedule_[i])));
    errors.push_back({layers_[i].name, over_bound});
  }
  return errors;
}

}  // namespace graph
