#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/op/forms.h"
#include "lacuna/op/gemm.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/panel_plan.h"
#include "lacuna/policy/choices.h"

#include <cstdint>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

LACUNA_FUNC Result<Gemm> Gemm::Make(const KernelTable& kernels, const LayerWeights& weights, const GemmShape& shape,
                                    const Epilogue& epilogue, const PlanPolicy& policy) {
  if (shape.n < 1 || shape.n > kMaxElements) {
    return Status::InvalidArgument("shape.n is %lld, must be in [1, %lld]", static_cast<long long>(shape.n),
                                   static_cast<long long>(kMaxElements));
  }
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  const MatrixShape matrix = weights.shape();
  if (matrix.groups != 1) {
    return Status::InvalidArgument("weights have %lld groups, must have 1 for a GEMM",
                                   static_cast<long long>(matrix.groups));
  }
  LACUNA_RETURN_IF_ERROR(epilogue.Validate(matrix.rows));
  LayerGeometry layer;
  layer.axis[2].input = layer.axis[2].output = shape.n;
  layer.channels_per_group = matrix.columns;
  const LayerKey key{.in_channels = matrix.columns, .out_channels = matrix.rows, .input = {1, 1, shape.n}};
  LACUNA_ASSIGN_OR_RETURN(form, op::ChooseForm(kernels, weights, policy, &layer, key));
  LACUNA_ASSIGN_OR_RETURN(
      plan, PanelPlan::Make(kernels, form.weights, layer, epilogue, policy.input_tile_bytes, policy.cost, shape.sums));
  LACUNA_ASSIGN_OR_RETURN(owned, OwnPlan(std::move(plan)));
  Gemm gemm;
  gemm.m_ = matrix.rows;
  gemm.k_ = matrix.columns;
  gemm.max_n_ = shape.n;
  gemm.target_ = kernels.target;
  gemm.residual_ = epilogue.residual;
  gemm.weights_ = std::move(form.weights);
  gemm.record_ = form.record;
  gemm.plan_ = std::move(owned);
  return gemm;
}

}  // namespace lacuna::inline LACUNA_ABI
