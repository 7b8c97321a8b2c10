#include "lacuna/core/abi.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/op/forms.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/quantized_convolution.h"

namespace lacuna::inline LACUNA_ABI {

namespace op {

LACUNA_FUNC Result<Int8Plan> PlanQuantized(const Int8Kernels& kernels, const RowSource<int8_t>& weights,
                                           const ConvShape<3>& shape, const QuantizedEpilogue& epilogue,
                                           const PlanPolicy& policy) {
  LACUNA_RETURN_IF_ERROR(epilogue.Validate(shape.out_channels));
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  LACUNA_RETURN_IF_ERROR(CheckMatrix(weights.shape(), shape));
  return Int8Plan::Make(kernels, weights, GeometryOf(shape), epilogue, policy);
}

}  // namespace op

}  // namespace lacuna::inline LACUNA_ABI
