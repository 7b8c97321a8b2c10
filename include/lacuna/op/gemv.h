// Gemv: the product of sparse weights and a vector, or a few, ready to run.

#ifndef LACUNA_OP_GEMV_H_
#define LACUNA_OP_GEMV_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/policy.h"
#include "lacuna/policy/select.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI {

struct GemvRunArgs {
  std::span<std::byte> workspace{};    // at least WorkspaceBytes(executor.concurrency(), x.columns)
  MatrixView<const float> residual{};  // read if Epilogue::residual; extents of y; may be y
};

// A plan for Y[M, N] = activation(W[M, K] X[K, N] + bias[M] + residual[M, N]) with N = 1, or small: what recurrent
// cells and fully connected layers do for one input at a time. Bound by the bytes of the weights, which are read from
// memory once, whatever N; products of many columns are Gemm's. Movable; Run may be called from many threads at once.
// Made by MakeGemv.
class Gemv {
 public:
  int64_t m() const { return weights_->shape.rows; }
  int64_t k() const { return weights_->shape.columns; }
  int64_t target() const { return kernels_->target; }
  const Shared<PackedGemv<float>>& weights() const { return weights_; }
  // Of a Run with `n` columns of X by that many threads; any alignment will do. `n` is at least 1 and at most
  // kMaxElements / k().
  size_t WorkspaceBytes(size_t threads, int64_t n = 1) const { return threads * SliceBytes(n) + kAlignment; }

  // x is K x N, y is M x N, with any strides; a vector is a matrix of one column. y must not overlap with x or itself.
  // Sums do not depend on the number of threads. An infinite or NaN input reaches the rows that keep its column, and no
  // others. Fails if an extent or the workspace does not fit; allocates nothing.
  LACUNA_API Status Run(const MatrixView<const float>& x, const MatrixView<float>& y, const GemvRunArgs& args,
                        ExecutorRef executor = SerialExecutor{}) const;

  LACUNA_API Explanation Explain() const;

  // See MakeGemv; `kernels` as for Convolution::Make.
  template <Policy P>
  static Result<Gemv> Make(const VectorKernels& kernels, const GemvWeights& weights, const Epilogue& epilogue,
                           const P& policy) {
    return Make(kernels, weights, epilogue, SelectorRef::Of(policy));
  }
  LACUNA_API static Result<Gemv> Make(const VectorKernels& kernels, const GemvWeights& weights,
                                      const Epilogue& epilogue, const SelectorRef& selector);

 private:
  // The work of one Run; an item is a block of rows.
  struct Job {
    MatrixView<const float> x;
    MatrixView<float> y;
    MatrixView<const float> residual;
    std::atomic<size_t> next{0};

    Job(const MatrixView<const float>& in, const MatrixView<float>& out, const MatrixView<const float>& add)
        : x(in), y(out), residual(add) {}
    size_t Claim() { return next.fetch_add(1, std::memory_order_relaxed); }
  };
  // Columns [first, first + count) of X, which the kernel of kGemvWidths[width] takes.
  struct Chunk {
    int64_t first, count;
    size_t width;
    int64_t columns() const { return kGemvWidths[width]; }
  };

  // Sums of a block that a kernel call may touch.
  static constexpr size_t kSumStride = RoundUp(kGemvBlockRows, kMaxPanelRows) + kAlignment / sizeof(float);
  static_assert(kGemvBlockRows % kMaxPanelRows == 0 && kGemvBlockRows <= 256, "panels divide it, uint8_t counts it");

  Gemv() = default;

  static bool IsAvailable(const GemvKernel& kernel) { return kernel.is_available == nullptr || kernel.is_available(); }

  Status Pack(const RowSource<float>& weights, const SelectorRef& selector);

  template <class T>
  static Status Check(const char* name, const MatrixView<T>& view, int64_t rows, int64_t columns) {
    LACUNA_RETURN_IF_ERROR(CheckExtents(name, view, rows, columns));
    if ((rows > 1 && view.row_stride < 1) || (columns > 1 && view.column_stride < 1)) {
      return Status::InvalidArgument("%s has strides %lld and %lld, both must be at least 1", name,
                                     static_cast<long long>(view.row_stride),
                                     static_cast<long long>(view.column_stride));
    }
    return Status();
  }

  // f(chunk) for the chunks of n columns.
  template <class F>
  void VisitChunks(int64_t n, const F& f) const {
    for (int64_t first = 0; first < n;) {
      Chunk chunk{first, 0, kernel_->WidthFor(n - first)};
      chunk.count = std::min(n - first, chunk.columns());
      f(chunk);
      first += chunk.count;
    }
  }

  // A slot's slice of workspace: the packed columns of X, chunk by chunk and band by band, and sums of a block.
  size_t BandFloats(size_t band, const Chunk& chunk) const {
    const int64_t rows = weights_->layout.PackedRows(weights_->BandColumns(band), chunk.columns());
    return static_cast<size_t>(rows * chunk.columns());
  }
  size_t ChunkFloats(const Chunk& chunk) const {
    size_t floats = 0;
    for (size_t band = 0; band < weights_->bands(); ++band) floats += BandFloats(band, chunk);
    return RoundUp(floats, kAlignment / sizeof(float));
  }
  size_t PackedBytes(int64_t n) const {
    size_t floats = 0;
    VisitChunks(n, [&](const Chunk& chunk) { floats += ChunkFloats(chunk); });
    return floats * sizeof(float);
  }
  size_t SliceBytes(int64_t n) const {
    return PackedBytes(n) + RoundUp(kSumStride * static_cast<size_t>(kGemvWidths.back()) * sizeof(float), kAlignment);
  }

  void RunSlot(Job& job, std::byte* slice) const;
  void PackInput(const MatrixView<const float>& x, float* packed) const;
  void RunBlock(const Job& job, size_t block, const Chunk& chunk, const float* packed, float* sums) const;

  const VectorKernels* kernels_ = nullptr;
  const GemvKernel* kernel_ = nullptr;
  Shared<PackedGemv<float>> weights_;
  Buffer<float> bias_;  // [blocks][kGemvBlockRows], zero where there is none
  Epilogue epilogue_;
  ChoiceRecord record_;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/gemv.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_GEMV_H_
