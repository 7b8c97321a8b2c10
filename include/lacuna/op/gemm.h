// Gemm: a matrix product with sparse weights, ready to run.

#ifndef LACUNA_OP_GEMM_H_
#define LACUNA_OP_GEMM_H_

#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/pack_for.h"
#include "lacuna/op/panel_plan.h"
#include "lacuna/policy/choices.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna {

// M and K are the rows and columns of the weights.
struct GemmShape {
  int64_t n = 0;                       // the most columns of x that a Run may bring
  SumOrder sums = SumOrder::kFastest;  // kUniform: a column of y depends, to the bit, on its column of x alone
};

struct GemmArgs {
  std::span<std::byte> workspace{};    // at least WorkspaceBytes(executor.concurrency())
  MatrixView<const float> residual{};  // read if Epilogue::residual; extents of y; may be y
};

// A plan for Y[M, N] = activation(W[M, K] X[K, N] + bias[M] + residual[M, N]). It is a convolution of kernel 1 over an
// image of one row: X[k, n] is channel k of position n. Movable; Run may be called from many threads at once. Made by
// MakeGemm.
class Gemm {
 public:
  int64_t m() const { return plan_.weights().shape.rows; }
  int64_t k() const { return plan_.weights().shape.columns; }
  int64_t max_n() const { return max_n_; }
  int64_t target() const { return plan_.target(); }
  const Shared<PackedWeights<float>>& weights() const { return choice_.weights; }
  size_t WorkspaceBytes(size_t threads) const { return plan_.WorkspaceBytes(threads); }

  // x is K x N, y is M x N, N <= max_n(). Row-major views are [K, N] activations, column-major ones [N, K] (a row a
  // token); x and y need not agree in that. x and y must not overlap. Fails if an extent or the workspace does not fit;
  // allocates nothing.
  template <Executor E = const SerialExecutor>
  Status Run(const MatrixView<const float>& x, const MatrixView<float>& y, const GemmArgs& args,
             E&& executor = SerialExecutor{}) const {
    if (x.columns < 1 || x.columns > max_n_) {
      return Status::InvalidArgument("x.columns is %lld, must be in [1, %lld]", static_cast<long long>(x.columns),
                                     static_cast<long long>(max_n_));
    }
    LACUNA_RETURN_IF_ERROR(Check("x", x, k(), x.columns));
    LACUNA_RETURN_IF_ERROR(Check("y", y, m(), x.columns));
    ActivationView<const float> residual;
    if (plan_.epilogue().residual) {
      LACUNA_RETURN_IF_ERROR(Check("args.residual", args.residual, m(), x.columns));
      residual = ToActivations(args.residual);
    }
    return plan_.Run(ToActivations(x), ToActivations(y), residual, /*batch=*/1, x.columns, args.workspace, executor);
  }

  Explanation Explain() const {
    Explanation explanation = plan_.Explain();
    choice_.AddTo(explanation);
    return explanation;
  }

  // See MakeGemm of lacuna.h; `kernels` as for Convolution::Make.
  template <Policy P, class Weights>
  static Result<Gemm> Make(const KernelTable& kernels, const Weights& weights, const GemmShape& shape,
                           const Epilogue& epilogue, const P& policy) {
    if (shape.n < 1 || shape.n > kMaxElements) {
      return Status::InvalidArgument("shape.n is %lld, must be in [1, %lld]", static_cast<long long>(shape.n),
                                     static_cast<long long>(kMaxElements));
    }
    LayerGeometry geometry;
    geometry.axis[2].input = geometry.axis[2].output = shape.n;
    const LayerKey key = KeyOf(weights, shape);
    geometry.channels_per_group = key.in_channels;
    LACUNA_ASSIGN_OR_RETURN(choice, PackFor(kernels, weights, policy, &geometry, key));
    if (choice.weights->LayerShape().groups != 1) {
      return Status::InvalidArgument("weights have %lld groups, must have 1 for a GEMM",
                                     static_cast<long long>(choice.weights->LayerShape().groups));
    }
    LACUNA_RETURN_IF_ERROR(epilogue.Validate(choice.weights->shape.rows));
    geometry.channels_per_group = choice.weights->shape.columns;
    LACUNA_ASSIGN_OR_RETURN(plan, PanelPlan::Make(kernels, choice.weights, geometry, epilogue, policy.input_tile_bytes,
                                                  policy.cost, shape.sums));
    return Gemm(shape.n, std::move(choice), std::move(plan));
  }

 private:
  Gemm(int64_t max_n, PackedChoice choice, PanelPlan plan)
      : max_n_(max_n), choice_(std::move(choice)), plan_(std::move(plan)) {}

  template <class Weights>
  static LayerKey KeyOf(const Weights& weights, const GemmShape& shape) {
    LayerKey key{.input = {1, 1, shape.n}};
    if constexpr (requires { weights.shape(); }) {
      key.in_channels = weights.shape().columns;
      key.out_channels = weights.shape().rows;
    }
    return key;
  }

  template <class T>
  static ActivationView<T> ToActivations(const MatrixView<T>& view) {
    return {view.data, 0, view.row_stride, {0, 0, view.column_stride}};
  }

  template <class T>
  static Status Check(const char* name, const MatrixView<T>& view, int64_t rows, int64_t columns) {
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

  int64_t max_n_;
  PackedChoice choice_;
  PanelPlan plan_;
};

}  // namespace lacuna

#endif  // LACUNA_OP_GEMM_H_
