// KernelSelection: how layers with weights choose among lacuna's kernels when a network is compiled.

#ifndef LACUNA_EXAMPLES_GRAPH_KERNEL_SELECTION_H_
#define LACUNA_EXAMPLES_GRAPH_KERNEL_SELECTION_H_

#include "lacuna/policy/policy.h"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <variant>

#include "graph/graph.h"

namespace graph {

enum class SelectBy : uint8_t { kCostModel, kMeasurement, kName };

// Where measuring the layers of a network stands, before each measurement and after the last one of a layer.
struct TuningProgress {
  size_t layer, layers;     // the layer's number, from 1, in the order of packing; layers with weights
  const std::string& name;  // of the layer
  const char* candidate;    // to be measured next, "" after the last
  size_t done, total;       // measurements of the layer, as lacuna::MeasureProgress counts them
};

struct KernelSelection {
  SelectBy by = SelectBy::kCostModel;
  std::string candidate{};                         // kName: where a layer has none of that name, its cost model chooses
  double seconds = lacuna::kMeasureSeconds;        // kMeasurement: for a layer
  lacuna::Choices* choices = nullptr;              // kMeasurement: layers in them are not measured again; may be null
  double winograd_error = lacuna::kWinogradError;  // the largest WinogradError that layers may have; 0: none
  lacuna::CostFactors cost{};                      // of the machine
  std::function<void(const TuningProgress&)> progress{};  // kMeasurement: may be empty

  // kInvalidArgument names the member.
  Status Validate() const;
};

// The selector of one layer: KernelSelection as lacuna asks it.
class KernelSelector {
 public:
  using Progress = lacuna::FunctionRef<void(const lacuna::MeasureProgress&)>;

  KernelSelector() = default;
  // `selection` and what `progress` refers to outlive the selector.
  KernelSelector(const KernelSelection& selection, Progress progress);

  lacuna::Choice Choose(const lacuna::LayerKey& layer, std::span<const lacuna::Candidate> candidates) const;

 private:
  std::variant<lacuna::SelectByCostModel, lacuna::SelectByMeasurement, lacuna::SelectByName> selector_;
};

// One type, whatever is selected by, so that kernels are compiled once.
struct KernelPolicy : lacuna::WinogradPolicy {
  using Select = KernelSelector;
  KernelSelector select{};
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_KERNEL_SELECTION_H_
