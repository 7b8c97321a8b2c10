#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/overlap.h"
#include "lacuna/core/target.h"
#include "lacuna/core/value_traits.h"
#include "lacuna/op/gemv.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/policy/choices.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

LACUNA_COLD_FUNC Result<Gemv> Gemv::Make(const VectorKernels& kernels, const GemvWeights& weights,
                                         const Epilogue& epilogue, const SelectorRef& selector) {
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  Gemv plan;
  plan.kernels_ = &kernels;
  if (weights.packed() != nullptr) {
    plan.weights_ = *weights.packed();
  } else {
    LACUNA_RETURN_IF_ERROR(plan.Pack(*weights.rows(), selector));
  }
  const PackedGemv<float>& packed = *plan.weights_;
  for (const GemvKernel& kernel : kernels.gemv) {
    if (kernel.layout == packed.layout && IsAvailable(kernel)) plan.kernel_ = &kernel;
  }
  if (plan.kernel_ == nullptr) {
    return Status::Make(StatusCode::kUnsupported,
                        "weights are packed in form %d for panels of %d rows, there is no such kernel on %s",
                        static_cast<int>(packed.layout.form), packed.layout.rows, TargetName(kernels.target));
  }
  LACUNA_RETURN_IF_ERROR(epilogue.Validate(packed.shape.rows));
  LACUNA_ASSIGN_OR_RETURN(bias, Buffer<float>::Make(packed.blocks() * kGemvBlockRows));
  std::copy(epilogue.bias.begin(), epilogue.bias.end(), bias.begin());
  plan.bias_ = std::move(bias);
  plan.epilogue_ = epilogue;
  plan.epilogue_.bias = {};
  return plan;
}

LACUNA_FUNC Status Gemv::Pack(const RowSource<float>& weights, const SelectorRef& selector) {
  const MatrixShape& shape = weights.shape();
  if (shape.groups != 1) {
    return Status::InvalidArgument("weights have %lld groups, must have 1 for a matrix-vector product",
                                   static_cast<long long>(shape.groups));
  }
  std::array<Candidate, Explanation::kMaxOptions> candidates{};
  std::array<std::optional<GemvCount<float>>, Explanation::kMaxOptions> counts;
  size_t used = 0;
  for (const GemvKernel& kernel : kernels_->gemv) {
    if (!IsAvailable(kernel)) continue;
    LACUNA_ASSIGN_OR_RETURN(count, GemvCount<float>::Of(weights, kernel.layout));
    if (!count.fits || used == candidates.size()) continue;
    const double step = kernel.cost * static_cast<double>(kernel.layout.weights()) / 16 +
                        kGemvLineCost * static_cast<double>(kernel.layout.StepBytes()) / 64;
    const double cost = step * static_cast<double>(count.steps()) / static_cast<double>(kernel.layout.wide_steps());
    candidates[used] = {kernel.name, cost};
    counts[used++] = std::move(count);
  }
  const LayerKey key{.in_channels = shape.columns,
                     .out_channels = shape.rows,
                     .scheme = "gemv",
                     .density = static_cast<double>(weights.nnz()) / static_cast<double>(shape.elements())};
  const std::span<const Candidate> offered(candidates.data(), used);
  LACUNA_ASSIGN_OR_RETURN(choice, selector.Choose(key, offered));
  record_.Set(offered, choice);
  LACUNA_ASSIGN_OR_RETURN(packed, kernels_->pack_weights(weights, *std::move(counts[choice.index])));
  LACUNA_ASSIGN_OR_RETURN(shared, Shared<PackedGemv<float>>::Make(std::move(packed)));
  weights_ = std::move(shared);
  return Status();
}

LACUNA_FUNC Status Gemv::Run(const MatrixView<const float>& x, const MatrixView<float>& y, const GemvRunArgs& args,
                             ExecutorRef executor) const {
  const int64_t n = x.columns;
  if (n < 1 || n > kMaxElements / k()) {
    return Status::InvalidArgument("x.columns is %lld, must be in [1, %lld]", static_cast<long long>(n),
                                   static_cast<long long>(kMaxElements / k()));
  }
  LACUNA_RETURN_IF_ERROR(Check("x", x, k(), n));
  LACUNA_RETURN_IF_ERROR(Check("y", y, m(), n));
  LACUNA_RETURN_IF_ERROR(CheckDisjoint("x", x, "y", y));
  Job job{x, y, {}};
  if (epilogue_.residual) {
    LACUNA_RETURN_IF_ERROR(Check("args.residual", args.residual, m(), n));
    LACUNA_RETURN_IF_ERROR(CheckResidual("args.residual", args.residual, "y", y));
    job.residual = args.residual;
  }
  const size_t slots = std::min(executor.concurrency(), weights_->blocks());
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

LACUNA_FUNC void Gemv::RunSlot(Job& job, std::byte* slice) const {
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

LACUNA_FUNC void Gemv::PackInput(const MatrixView<const float>& x, float* packed) const {
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

LACUNA_FUNC void Gemv::RunBlock(const Job& job, size_t block, const Chunk& chunk, const float* packed,
                                float* sums) const {
  const PackedGemv<float>& weights = *weights_;
  // As many as there are, so that compilers leave it to the library: what they inline for 512 bytes takes 4 % of a
  // product of 128 x 1024 weights at 8x.
  const size_t bias_bytes = RoundUp(weights.BlockRows(block), kLookupRows) * sizeof(float);
  const float* bias = bias_.data() + block * kGemvBlockRows;
  const bool scaled = weights.layout.storage == ValueType::kS8;
  for (int64_t j = 0; j < chunk.columns(); ++j) {
    float* sum = sums + static_cast<size_t>(j) * kSumStride;
    if (scaled) {
      std::memset(sum, 0, bias_bytes);
    } else {
      std::memcpy(sum, bias, bias_bytes);
    }
  }
  const GemvLayout& layout = weights.layout;
  const bool is_lookup = layout.form == GemvForm::kLookup;
  const size_t bands_at_once = is_lookup ? weights.bands() : 1;
  for (size_t band = 0; band < weights.bands(); band += bands_at_once) {
    const uint64_t step = weights.FirstStep(block, band, 0);
    const size_t row = is_lookup ? block * weights.bands() : block;
    kernel_->run[chunk.width](
        {packed, weights.index.data() + step * layout.indices(), weights.mask.data() + step * layout.masks(),
         weights.cells.data() + step * layout.cells(), weights.StepWeights(step), weights.GroupScales(block, band),
         weights.steps.data() + weights.PanelIndex(block, band, 0), weights.BlockPanels(block), bands_at_once,
         weights.row.data() + (weights.row.size() == 0 ? 0 : row * kGemvBlockRows), sums, kSumStride});
    packed += BandFloats(band, chunk);
  }
  for (int64_t j = 0; scaled && j < chunk.columns(); ++j) {
    float* sum = sums + static_cast<size_t>(j) * kSumStride;
    const float* scale = weights.row_scale.data() + block * kGemvBlockRows;
    for (size_t r = 0; r < weights.BlockRows(block); ++r) sum[r] = sum[r] * scale[r] + bias[r];
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

LACUNA_COLD_FUNC Explanation Gemv::Explain() const {
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
  record_.AddTo(explanation);
  return explanation;
}

}  // namespace lacuna::inline LACUNA_ABI
