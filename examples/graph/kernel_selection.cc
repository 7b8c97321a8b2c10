#include "graph/kernel_selection.h"

#include <type_traits>

namespace graph {

Status KernelSelection::Validate() const {
  if (!(winograd_error >= 0.0)) {  // catches NaN
    return Status::InvalidArgument("winograd_error is %g, must be at least 0", winograd_error);
  }
  if (by == SelectBy::kMeasurement && !(seconds >= 0.0 && seconds <= 3600.0)) {
    return Status::InvalidArgument("seconds to measure a layer are %g, must be in [0, 3600]", seconds);
  }
  return Status();
}

KernelSelector::KernelSelector(const KernelSelection& selection, Progress progress) {
  switch (selection.by) {
    case SelectBy::kCostModel: break;
    case SelectBy::kMeasurement:
      selector_ = lacuna::SelectByMeasurement{
          .budget_seconds = selection.seconds, .choices = selection.choices, .progress = progress};
      break;
    case SelectBy::kName: selector_ = lacuna::SelectByName{selection.candidate.c_str()}; break;
  }
}

lacuna::Choice KernelSelector::Choose(const lacuna::LayerKey& layer,
                                      std::span<const lacuna::Candidate> candidates) const {
  return std::visit(
      [&](const auto& selector) {
        if constexpr (std::is_same_v<std::decay_t<decltype(selector)>, lacuna::SelectByCostModel>) {
          return *lacuna::ChooseCandidate(lacuna::WinogradPolicy{}, layer, candidates);  // fails only without any
        } else {
          return selector.Choose(layer, candidates);
        }
      },
      selector_);
}

}  // namespace graph
