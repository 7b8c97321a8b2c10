// Gemm: a matrix product with sparse weights, ready to run.

#ifndef LACUNA_OP_GEMM_H_
#define LACUNA_OP_GEMM_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/layer_plan.h"
#include "lacuna/op/plan_policy.h"
#include "lacuna/op/sum_order.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/policy/policy.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

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
  int64_t m() const { return m_; }
  int64_t k() const { return k_; }
  int64_t max_n() const { return max_n_; }
  int64_t target() const { return target_; }
  const Shared<PackedWeights<float>>& weights() const { return weights_; }
  size_t WorkspaceBytes(size_t threads) const { return plan_->WorkspaceBytes(threads); }

  // x is K x N, y is M x N, N <= max_n(). Row-major views are [K, N] activations, column-major ones [N, K] (a row a
  // token); x and y need not agree in that. x and y must not overlap. Fails if an extent or the workspace does not fit;
  // allocates nothing.
  LACUNA_API Status Run(const MatrixView<const float>& x, const MatrixView<float>& y, const GemmArgs& args,
                        ExecutorRef executor = SerialExecutor{}) const;

  LACUNA_API Explanation Explain() const;

  // See MakeGemm; `kernels` as for Convolution::Make.
  template <Policy P>
  static Result<Gemm> Make(const KernelTable& kernels, const LayerWeights& weights, const GemmShape& shape,
                           const Epilogue& epilogue, const P& policy) {
    return Make(kernels, weights, shape, epilogue, PlanPolicy::Of(policy));
  }
  LACUNA_API static Result<Gemm> Make(const KernelTable& kernels, const LayerWeights& weights, const GemmShape& shape,
                                      const Epilogue& epilogue, const PlanPolicy& policy);

 private:
  Gemm() = default;

  int64_t m_ = 0, k_ = 0, max_n_ = 0;
  int64_t target_ = 0;
  bool residual_ = false;
  Shared<PackedWeights<float>> weights_;
  ChoiceRecord record_;
  OwnedLayerPlan plan_;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/gemm.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_GEMM_H_
