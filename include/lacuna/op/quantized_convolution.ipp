#include "lacuna/core/abi.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/op/forms.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/quantized_convolution.h"

#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace op {

LACUNA_FUNC Result<QuantizedPlan> PlanQuantized(const Int8Kernels& kernels, const RowSource<int8_t>& weights,
                                                const ConvShape<3>& shape, const QuantizedEpilogue& epilogue,
                                                const PlanPolicy& policy) {
  LACUNA_RETURN_IF_ERROR(epilogue.Validate(shape.out_channels));
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  LACUNA_RETURN_IF_ERROR(CheckMatrix(weights.shape(), shape));
  if (shape.groups > 1 && shape.channels_per_group() == 1) {
    LACUNA_ASSIGN_OR_RETURN(plan, Int8DepthwisePlan::Make(kernels, weights, GeometryOf(shape), epilogue));
    return QuantizedPlan(std::move(plan));
  }
  LACUNA_ASSIGN_OR_RETURN(plan, Int8Plan::Make(kernels, weights, GeometryOf(shape), epilogue, policy));
  return QuantizedPlan(std::move(plan));
}

}  // namespace op

}  // namespace lacuna::inline LACUNA_ABI
