#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/overlap.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/forms.h"
#include "lacuna/op/gemm.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/layer_plan.h"
#include "lacuna/op/panel_plan.h"
#include "lacuna/policy/choices.h"

#include <cstdint>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace op {

template <class T>
ActivationView<T> ToActivations(const MatrixView<T>& view) {
  return {view.data, 0, view.row_stride, {0, 0, view.column_stride}};
}

template <class T>
Status CheckLayout(const char* name, const MatrixView<T>& view, int64_t rows, int64_t columns) {
  LACUNA_RETURN_IF_ERROR(CheckExtents(name, view, rows, columns));
  const bool row_major = view.column_stride == 1 && (rows == 1 || view.row_stride >= columns);
  const bool column_major = view.row_stride == 1 && (columns == 1 || view.column_stride >= rows);
  if (!row_major && !column_major) {
    return Status::InvalidArgument(
        "%s has strides %lld and %lld, one must be 1 and the other at least the extent it steps over", name,
        static_cast<long long>(view.row_stride), static_cast<long long>(view.column_stride));
  }
  return Status();
}

}  // namespace op

LACUNA_FUNC Status Gemm::Run(const MatrixView<const float>& x, const MatrixView<float>& y, const GemmArgs& args,
                             ExecutorRef executor) const {
  if (x.columns < 1 || x.columns > max_n_) {
    return Status::InvalidArgument("x.columns is %lld, must be in [1, %lld]", static_cast<long long>(x.columns),
                                   static_cast<long long>(max_n_));
  }
  LACUNA_RETURN_IF_ERROR(op::CheckLayout("x", x, k(), x.columns));
  LACUNA_RETURN_IF_ERROR(op::CheckLayout("y", y, m(), x.columns));
  LACUNA_RETURN_IF_ERROR(CheckDisjoint("x", x, "y", y));
  ActivationView<const float> residual;
  if (residual_) {
    LACUNA_RETURN_IF_ERROR(op::CheckLayout("args.residual", args.residual, m(), x.columns));
    LACUNA_RETURN_IF_ERROR(CheckResidual("args.residual", args.residual, "y", y));
    residual = op::ToActivations(args.residual);
  }
  return plan_->Run({op::ToActivations(x), op::ToActivations(y), residual, /*batch=*/1, x.columns, args.workspace},
                    executor);
}

LACUNA_COLD_FUNC Explanation Gemm::Explain() const {
  Explanation explanation = plan_->Explain();
  record_.AddTo(explanation);
  return explanation;
}

LACUNA_COLD_FUNC Result<Gemm> Gemm::Make(const KernelTable& kernels, const LayerWeights& weights,
                                         const GemmShape& shape, const Epilogue& epilogue, const PlanPolicy& policy) {
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
