// Step: one layer, ready to run.

#ifndef LACUNA_EXAMPLES_GRAPH_STEP_H_
#define LACUNA_EXAMPLES_GRAPH_STEP_H_

#include "lacuna/op/explain.h"
#include "lacuna/prune/scheme.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/fusion.h"
#include "graph/graph.h"
#include "graph/kernel_selection.h"
#include "graph/layout.h"
#include "graph/narrow_values.h"
#include "graph/threads.h"
#include "graph/weight_matrix.h"

namespace graph {

struct NodeContext;  // graph/operator.h
class Step;

// What a step is made from. The graph outlives the step; its weights need to only where they are kept.
struct StepContext {
  const Graph& graph;
  const Values& values;
  const Layer& layer;
  const KernelSelection& kernels;        // of layers with weights
  KernelSelector::Progress measuring{};  // told while `kernels` are measured; may be null
  // How weights are pruned when the step is made, in the order of WeightMatricesOf; none: all stay dense.
  std::vector<lacuna::prune::Scheme> schemes{};
  const Layouts* layouts = nullptr;      // null: all values are planar
  const NarrowValues* narrow = nullptr;  // null: no values are
  bool stored = false;                   // take schemes and zeros from the model instead
  bool reference = false;                // layers with weights run lacuna's naive loops
  bool keep_weights = false;             // beside their packed form, for ErrorOverBound
  const Step* sibling = nullptr;         // of the same node in other extents, to share packed weights with; may be null

  const Shape& InputShape(size_t i) const { return values.at(layer.node->inputs[i]).shape; }
  ElementType InputType(size_t i = 0) const { return values.at(layer.node->inputs[i]).type; }
  const Shape& OutputShape() const { return values.at(layer.output).shape; }
  ElementType OutputType() const { return values.at(layer.output).type; }
  bool IsChannelsLast(const std::string& value) const {
    return layouts != nullptr && layouts->contains(value) && layouts->at(value) == Layout::kChannelsLast;
  }
  // Whether 8-bit integers stand as bytes.
  bool IsNarrow(const std::string& value) const { return narrow != nullptr && narrow->contains(value); }
  NodeContext At() const;
  lacuna::prune::Scheme SchemeOf(size_t matrix) const {
    return matrix < schemes.size() ? schemes[matrix] : lacuna::prune::Scheme{};
  }
  // What plans of layers with weights are made by; `scheme` is the kind by which choices are saved. Valid as long as
  // the context and what `scheme` refers to.
  KernelPolicy PolicyFor(std::string_view scheme) const;
};

struct StepArgs {
  std::span<const void* const> inputs;  // as Step::inputs() names them
  // Of Layer::output, then Layer::further. They overlap no input, but for steps in place, nor each other.
  std::span<void* const> outputs;
  std::span<std::byte> workspace;  // WorkspaceBytes(threads.concurrency()), aligned to lacuna::kAlignment
  const Threads& threads;

  // T: float, or int64_t for values of integer types.
  template <class T = float>
  const T* in(size_t i) const {
    return static_cast<const T*>(inputs[i]);
  }
  template <class T = float>
  T* out(size_t i = 0) const {
    return static_cast<T*>(outputs[i]);
  }
};

// What layers with weights tell about themselves.
struct WeightInfo {
  std::string geometry;      // "64x64x3x3 s1", "45x3x1x7x7 s1x2x2"
  std::string scheme;        // "bcr_col-8x"
  std::string explanation;   // the plan's own words, or "reference"
  lacuna::Explanation plan;  // without options where the reference runs
  int64_t weights = 0;       // of the dense matrix
  int64_t nnz = 0;           // stored
  size_t storage_bytes = 0;  // of the format
  size_t packed_bytes = 0;   // of packed weights
  size_t offset_bytes = 0;   // of the plan's tables from packed columns to inputs
  size_t kept_bytes = 0;  // of weights that are kept beside it, zero for those viewed in the graph
  double dense_flops = 0.0;
  // Of a recurrent layer, whose own numbers are sums over `products`: those with W and R of each direction.
  std::vector<WeightInfo> products{};
  int64_t steps = 0, sequences = 0;
};

class Step {
 public:
  explicit Step(std::vector<std::string> inputs) : inputs_(std::move(inputs)) {}
  virtual ~Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  // Names of the values that Run reads, in its order.
  const std::vector<std::string>& inputs() const { return inputs_; }

  virtual size_t WorkspaceBytes(size_t /*threads*/) const { return 0; }
  // Whether its first output may share the memory of its first input, which has as many bytes; where nobody reads that
  // input later, it does.
  virtual bool InPlace() const { return false; }
  virtual Status Run(const StepArgs& args) const = 0;

  // Null for steps without weights.
  virtual const WeightInfo* weight_info() const { return nullptr; }
  // The largest |output - reference| over the bound that rounding allows; at most 1 if the step computes what it
  // should. Expects the output that Run left. Zero for steps without weights, kInvalidArgument for one whose weights
  // were not kept.
  virtual Result<double> ErrorOverBound(const StepArgs& /*args*/) const { return 0.0; }

 private:
  std::vector<std::string> inputs_;
};

using StepResult = Result<std::unique_ptr<Step>>;

// By the table of operators. Precondition: context.layer.node passed CheckOperator and is no view.
StepResult MakeStep(const StepContext& context);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_STEP_H_
