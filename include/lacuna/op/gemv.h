// Gemv: the product of sparse weights and a vector, or a few, ready to run.

#ifndef LACUNA_OP_GEMV_H_
#define LACUNA_OP_GEMV_H_

#include "lacuna/core/buffer.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/format/any.h"
#include "lacuna/kernel/vector_table.h"
#include "lacuna/op/explain.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/policy/policy.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "hwy/targets.h"

namespace lacuna {

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
  template <Executor E = const SerialExecutor>
  Status Run(const MatrixView<const float>& x, const MatrixView<float>& y, const GemvRunArgs& args,
             E&& executor = SerialExecutor{}) const {
    const int64_t n = x.columns;
    if (n < 1 || n > kMaxElements / k()) {
      return Status::InvalidArgument("x.columns is %lld, must be in [1, %lld]", static_cast<long long>(n),
                                     static_cast<long long>(kMaxElements / k()));
    }
    LACUNA_RETURN_IF_ERROR(Check("x", x, k(), n));
    LACUNA_RETURN_IF_ERROR(Check("y", y, m(), n));
    Job job{x, y, {}};
    if (epilogue_.residual) {
      LACUNA_RETURN_IF_ERROR(Check("args.residual", args.residual, m(), n));
      job.residual = args.residual;
    }
    const size_t threads = std::max<size_t>(1, static_cast<size_t>(executor.concurrency()));
    const size_t slots = std::min(threads, weights_->blocks());
    if (args.workspace.size() < WorkspaceBytes(slots, n)) {
      return Status::InvalidArgument("args.workspace has %zu bytes, must have WorkspaceBytes(%zu, %lld) = %zu",
                                     args.workspace.size(), slots, static_cast<long long>(n), WorkspaceBytes(slots, n));
    }
    const auto address = reinterpret_cast<uintptr_t>(args.workspace.data());
    std::byte* aligned = args.workspace.data() + (RoundUp(address, kAlignment) - address);
    const auto run_slot = [&](size_t slot) { RunSlot(job, aligned + slot * SliceBytes(n)); };
    executor.parallel_for(slots, run_slot);
    return Status();
  }

  Explanation Explain() const;

  // See MakeGemv of lacuna.h; `kernels` as for Convolution::Make.
  template <Policy P, class Weights>
  static Result<Gemv> Make(const VectorKernels& kernels, const Weights& weights, const Epilogue& epilogue,
                           const P& policy);

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

  // Weights that are packed already are taken as they are.
  template <Policy P>
  Status Pack(const Shared<PackedGemv<float>>& weights, const P&) {
    if (!weights) return Status::InvalidArgument("weights is an empty Shared, must hold packed weights");
    weights_ = weights;
    return Status();
  }
  template <Policy P>
  Status Pack(const AnyWeights<float>& weights, const P& policy) {
    return weights.Visit([&](const auto& format) { return Pack(format, policy); });
  }
  template <Policy P, class Weights>
  Status Pack(const Weights& weights, const P& policy);

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
  std::array<Explanation::Option, Explanation::kMaxOptions> options_{};  // none if the weights were packed already
  size_t option_count_ = 0;
  size_t chosen_ = 0;
  std::array<char, 256> reason_{};
};

template <Policy P, class Weights>
Result<Gemv> Gemv::Make(const VectorKernels& kernels, const Weights& weights, const Epilogue& epilogue,
                        const P& policy) {
  Gemv plan;
  plan.kernels_ = &kernels;
  LACUNA_RETURN_IF_ERROR(plan.Pack(weights, policy));
  const PackedGemv<float>& packed = *plan.weights_;
  for (const GemvKernel& kernel : kernels.gemv) {
    if (kernel.layout == packed.layout && IsAvailable(kernel)) plan.kernel_ = &kernel;
  }
  if (plan.kernel_ == nullptr) {
    return Status::Make(StatusCode::kUnsupported,
                        "weights are packed in form %d for panels of %d rows, there is no such kernel on %s",
                        static_cast<int>(packed.layout.form), packed.layout.rows, hwy::TargetName(kernels.target));
  }
  LACUNA_RETURN_IF_ERROR(epilogue.Validate(packed.shape.rows));
  LACUNA_ASSIGN_OR_RETURN(bias, Buffer<float>::Make(packed.blocks() * kGemvBlockRows));
  std::copy(epilogue.bias.begin(), epilogue.bias.end(), bias.begin());
  plan.bias_ = std::move(bias);
  plan.epilogue_ = epilogue;
  plan.epilogue_.bias = {};
  return plan;
}

template <Policy P, class Weights>
Status Gemv::Pack(const Weights& weights, const P& policy) {
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  const MatrixShape& shape = weights.shape();
  if (shape.groups != 1) {
    return Status::InvalidArgument("weights have %lld groups, must have 1 for a matrix-vector product",
                                   static_cast<long long>(shape.groups));
  }
  std::array<Candidate, Explanation::kMaxOptions> candidates{};
  std::array<std::optional<GemvCount<float>>, Explanation::kMaxOptions> counts;
  for (const GemvKernel& kernel : kernels_->gemv) {
    if (!IsAvailable(kernel)) continue;
    LACUNA_ASSIGN_OR_RETURN(count, GemvCount<float>::Of(weights, kernel.layout));
    if (!count.fits || option_count_ == candidates.size()) continue;
    const double step = kernel.cost * static_cast<double>(kernel.layout.weights()) / 16 +
                        kGemvLineCost * static_cast<double>(kernel.layout.StepBytes<float>()) / 64;
    const double cost = step * static_cast<double>(count.steps());
    options_[option_count_] = {kernel.name, cost};
    candidates[option_count_] = {kernel.name, cost};
    counts[option_count_++] = std::move(count);
  }
  const LayerKey key{.in_channels = shape.columns,
                     .out_channels = shape.rows,
                     .scheme = "gemv",
                     .density = static_cast<double>(weights.nnz()) / static_cast<double>(shape.elements())};
  LACUNA_ASSIGN_OR_RETURN(choice, ChooseCandidate(policy, key, {candidates.data(), option_count_}));
  chosen_ = choice.index;
  static_assert(sizeof(choice.reason) == sizeof(reason_));
  std::copy(std::begin(choice.reason), std::end(choice.reason), reason_.begin());
  LACUNA_ASSIGN_OR_RETURN(packed, PackGemv(weights, *std::move(counts[choice.index])));
  LACUNA_ASSIGN_OR_RETURN(shared, Shared<PackedGemv<float>>::Make(std::move(packed)));
  weights_ = std::move(shared);
  return Status();
}

inline void Gemv::RunSlot(Job& job, std::byte* slice) const {
  auto* packed = reinterpret_cast<float*>(slice);
  auto* sums = reinterpret_cast<float*>(slice + PackedBytes(job.x.columns));
  bool is_packed = false;
  for (size_t block = job.Claim(); block < weights_->blocks(); block = job.Claim()) {
    // Every slot packs X for itself: that is little next to its weights, and waits for nobody.
    if (!std::exchange(is_packed, true)) PackInput(job.x, packed);
    const float* from = packed;
    VisitChunks(job.x.columns, [&](const Chunk& chunk) {
      RunBlock(job, block, chunk, from, sums);
      from += ChunkFloats(chunk);
    });
  }
}

inline void Gemv::PackInput(const MatrixView<const float>& x, float* packed) const {
  VisitChunks(x.columns, [&](const Chunk& chunk) {
    const float* from = x.data + chunk.first * x.column_stride;
    float* to = packed;
    for (size_t band = 0; band < weights_->bands(); ++band) {
      const int64_t rows = weights_->BandColumns(band);
      kernel_->pack({from, x.row_stride, x.column_stride, rows, weights_->layout.PackedRows(rows, chunk.columns()),
                     chunk.count, chunk.columns(), to});
      from += rows * x.row_stride;
      to += BandFloats(band, chunk);
    }
    packed += ChunkFloats(chunk);
  });
}

inline void Gemv::RunBlock(const Job& job, size_t block, const Chunk& chunk, const float* packed, float* sums) const {
  const PackedGemv<float>& weights = *weights_;
  // As many as there are, so that compilers leave it to the library: what they inline for 512 bytes takes 4 % of a
  // product of 128 x 1024 weights at 8x.
  const size_t bias_bytes = RoundUp(weights.BlockRows(block), kLookupRows) * sizeof(float);
  for (int64_t j = 0; j < chunk.columns(); ++j) {
    std::memcpy(sums + static_cast<size_t>(j) * kSumStride, bias_.data() + block * kGemvBlockRows, bias_bytes);
  }
  const GemvLayout& layout = weights.layout;
  const bool is_lookup = layout.form == GemvForm::kLookup;
  const size_t bands_at_once = is_lookup ? weights.bands() : 1;
  for (size_t band = 0; band < weights.bands(); band += bands_at_once) {
    const uint64_t step = weights.FirstStep(block, band, 0);
    const size_t row = is_lookup ? block * weights.bands() : block;
    kernel_->run[chunk.width](
        {packed, weights.index.data() + step * layout.indices(), weights.mask.data() + step * layout.masks(),
         weights.cells.data() + step * layout.cells(), weights.weight.data() + step * layout.weights(),
         weights.steps.data() + weights.PanelIndex(block, band, 0), weights.BlockPanels(block), bands_at_once,
         weights.row.data() + (weights.row.size() == 0 ? 0 : row * kGemvBlockRows), sums, kSumStride});
    packed += BandFloats(band, chunk);
  }

  // To the store, columns of X are rows and rows of the block positions.
  std::array<int64_t, kGemvWidths.back()> y_offset, residual_offset;
  for (size_t j = 0; j < static_cast<size_t>(chunk.count); ++j) {
    const int64_t column = chunk.first + static_cast<int64_t>(j);
    y_offset[j] = column * job.y.column_stride;
    residual_offset[j] = column * job.residual.column_stride;
  }
  const auto first_row = static_cast<int64_t>(block * kGemvBlockRows);
  const OutputSpan span{0, static_cast<int32_t>(weights.BlockRows(block)), 0, 0, 0};
  const float* residual =
      job.residual.data == nullptr ? nullptr : job.residual.data + first_row * job.residual.row_stride;
  kernels_->store({sums,
                   kSumStride,
                   static_cast<int>(chunk.count),
                   y_offset.data(),
                   residual_offset.data(),
                   job.y.data + first_row * job.y.row_stride,
                   residual,
                   {0, 0, job.y.row_stride},
                   {0, 0, job.residual.row_stride},
                   {&span, 1},
                   &epilogue_});
}

inline Explanation Gemv::Explain() const {
  Explanation explanation;
  explanation.algorithm = "gemv";
  explanation.tile = kernel_->name;
  explanation.target = kernels_->target;
  explanation.lanes = kernels_->lanes;
  explanation.SetMatrix(weights_->shape);
  explanation.nnz = weights_->nnz;
  explanation.fill = weights_->fill();
  explanation.packed_bytes = weights_->StorageBytes();
  explanation.tile_extent = explanation.tiles = {1, 1, 1};
  explanation.input_tile_bytes = PackedBytes(1);
  explanation.options = options_;
  explanation.option_count = option_count_;
  explanation.chosen = chosen_;
  explanation.reason = reason_;
  return explanation;
}

}  // namespace lacuna

#endif  // LACUNA_OP_GEMV_H_
