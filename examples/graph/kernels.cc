#include "graph/kernels.h"

#include <lacuna/lacuna.h>

#include "graph/kernel_selection.h"
#include "graph/target.h"

namespace graph {

const lacuna::KernelTable& ActiveKernels() { return lacuna::ActiveKernels<KernelPolicy>(); }

const lacuna::VectorKernels& ActiveVectorKernels() { return lacuna::ActiveVectorKernels(); }

std::string ActiveTargetName() { return lacuna::ActiveTargetName(); }

Result<lacuna::CostFactors> MeasuredCost() {
  const Result<lacuna::MachineFacts>& facts = lacuna::MeasuredMachine();
  if (!facts.ok()) return facts.status();
  return lacuna::CostFactors::Of(*facts);
}

}  // namespace graph
