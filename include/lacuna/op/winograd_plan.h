// WinogradPlan: a convolution by Winograd transforms and one matrix product per point, dense or over whole-kernel
// sparsity, ready to run.

#ifndef LACUNA_OP_WINOGRAD_PLAN_H_
#define LACUNA_OP_WINOGRAD_PLAN_H_

#include "lacuna/core/buffer.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/output_rows.h"
#include "lacuna/op/panel_plan.h"
#include "lacuna/op/tile_job.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/winograd.h"
#include "lacuna/pack/winograd_blocks.h"
#include "lacuna/policy/cost.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/product.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace lacuna {

// Stride 1, dilation 1, 3 taps on the transformed axes and 1 on the others. Work is cut into blocks of Winograd tiles;
// for each, the input of all channels is transformed, then, some panels of output channels at a time, every product's
// matrix is multiplied, by the panel kernel or the weights' DenseProduct, and the sums are transformed back.
class WinogradPlan {
 public:
  // `weights` must have been packed for one of the panel tiles of `kernels`, or for a DenseProduct. Of `geometry` the
  // axes and channels_per_group are read. The bias is copied.
  static Result<WinogradPlan> Make(const KernelTable& kernels, Shared<WinogradWeights<float>> weights,
                                   const LayerGeometry& geometry, const Epilogue& epilogue,
                                   const CostFactors& cost = {});

  size_t WorkspaceBytes(size_t threads) const { return WorkspaceFor(threads, SliceBytes()); }

  // y = epilogue(convolution(x)) for `batch` images. Extents have been checked by the caller.
  template <class E>
  Status Run(const ActivationView<const float>& x, const ActivationView<float>& y,
             const ActivationView<const float>& residual, int64_t batch, std::span<std::byte> workspace,
             E&& executor) const {
    const size_t threads = std::max<size_t>(1, static_cast<size_t>(executor.concurrency()));
    TileJob job(x, y, residual, batch * index().shape.groups * blocks_.count(), threads,
                DivideUp(index().panels_per_group(), step_));
    return RunInSlices(executor, job.items(), workspace, SliceBytes(), [&](std::byte* slice) { RunSlot(job, slice); });
  }

  const WinogradTile& tile() const { return weights_->tile; }
  Explanation Explain() const;
  const std::array<int64_t, 3>& block() const { return blocks_.block; }

 private:
  // A block of tiles: of which image and group, and where.
  struct Block {
    int64_t image, group;
    std::array<int64_t, 3> origin;  // in outputs
    std::array<int64_t, 3> tiles;
    size_t ends;  // bit a: the last of axis a, with fewer tiles than others
    int64_t count() const { return tiles[0] * tiles[1] * tiles[2]; }
  };
  // A slot's slice of workspace.
  struct Slice {
    float* padded;   // the input of kWinogradChannels
    float* scratch;  // of the transforms
    float* input;    // [products][channels][pitch], products input_point() apart: transformed
    float* sums;     // [products][rows of a chunk][pitch], products sum_point() apart
    float* acc;      // of the panel kernel
    float* output;   // [rows of a panel][output_rows()][output_row()]
    OutputSpan* spans;
  };

  WinogradPlan() = default;

  const PackedWeights<float>& index() const { return weights_->index; }
  int64_t lanes() const { return static_cast<int64_t>(kernels_->lanes); }
  bool is_dense() const { return weights_->product != nullptr; }
  int64_t step_rows() const { return static_cast<int64_t>(step_) * index().tile.rows; }
  Block BlockAt(int64_t i) const;
  Slice SliceAt(std::byte* at) const;
  Status PrepareProducts();

  void RunSlot(TileJob& job, std::byte* workspace) const;
  void TransformInput(const TileJob& job, const Block& block, const Slice& slice) const;
  void RunPanels(const TileJob& job, const Block& block, std::pair<size_t, size_t> panels, const Slice& slice) const;
  // slice.sums of a chunk of panels: by the panel kernel, by the weights' DenseProduct.
  void MultiplyPanels(const Block& block, std::pair<size_t, size_t> chunk, const Slice& slice) const;
  void MultiplyDense(const Block& block, std::pair<size_t, size_t> chunk, const Slice& slice) const;
  size_t MakeSpans(const Block& block, OutputSpan* spans) const;

  int64_t pitch() const {
    return static_cast<int64_t>(RoundUp(static_cast<size_t>(blocks_.tiles_per_block()), kernels_->lanes));
  }
  // Whole vectors are written behind the last tile.
  int64_t input_point() const { return channels_ * pitch() + std::max(kWinogradStagger, lanes()); }
  int64_t sum_point() const { return static_cast<int64_t>(chunk_) * index().tile.rows * pitch() + kWinogradStagger; }
  int64_t output_row() const { return pitch() * tile().outputs[2]; }
  int64_t output_rows() const { return int64_t{tile().outputs[0]} * tile().outputs[1]; }
  static size_t Bytes(int64_t floats) { return RoundUp(static_cast<size_t>(floats) * sizeof(float), kAlignment); }
  // The last row is read up to outputs (6 at most) * lanes beyond its end.
  size_t TileBytes() const { return Bytes(static_cast<int64_t>(input_.floats()) + 8 * lanes()); }
  size_t ScratchBytes() const {
    return std::max(Bytes(WinogradScratch(tile(), blocks_.block, lanes()).floats()),
                    Bytes(2 * tile().products() * lanes()));
  }
  size_t InputBytes() const { return Bytes(tile().products() * input_point()); }
  size_t SumBytes() const { return Bytes(tile().products() * sum_point()); }
  size_t AccumulatorBytes() const {
    return is_dense() ? 0 : Bytes(int64_t{kernel_->tile.rows} * kernel_->tile.vectors * lanes());
  }
  size_t OutputBytes() const { return Bytes(index().tile.rows * output_rows() * output_row()); }
  size_t SpanBytes() const {
    return RoundUp(static_cast<size_t>(blocks_.block[0] * blocks_.block[1] * output_rows()) * sizeof(OutputSpan),
                   kAlignment);
  }
  size_t SliceBytes() const {
    return TileBytes() + ScratchBytes() + InputBytes() + SumBytes() + AccumulatorBytes() + OutputBytes() + SpanBytes();
  }

  const KernelTable* kernels_ = nullptr;
  const PanelKernel* kernel_ = nullptr;  // null if the weights are dense
  Shared<WinogradWeights<float>> weights_;
  std::array<TileAxis, 3> axis_;
  WinogradBlocks blocks_;
  int64_t channels_ = 0;  // of a group
  size_t chunk_ = 1;      // panels whose sums are kept at a time
  size_t step_ = 1;       // panels that are multiplied together, whatever the number of threads
  InputTile input_;       // kWinogradChannels of a block
  SubTiling cutting_;
  Buffer<int32_t> offset_;  // [columns + kPrefetchColumns] into the transformed input of a point
  OutputRows rows_;
  Buffer<float> zero_;  // [tile.rows]
  // The product's kernels for blocks by their `ends`; step_ panels, and what is left of them at the end of a group.
  std::array<std::array<const void*, 2>, 8> product_kernel_{};
  Epilogue epilogue_;
};

inline Result<WinogradPlan> WinogradPlan::Make(const KernelTable& kernels, Shared<WinogradWeights<float>> weights,
                                               const LayerGeometry& geometry, const Epilogue& epilogue,
                                               const CostFactors& cost) {
  WinogradPlan plan;
  plan.kernels_ = &kernels;
  plan.weights_ = weights;
  plan.axis_ = geometry.axis;
  plan.channels_ = geometry.channels_per_group;
  const PackedWeights<float>& packed = weights->index;
  WinogradBudget budget = DenseWinogradBudget(packed.shape, kernels.lanes, cost);
  if (!plan.is_dense()) {
    for (const PanelKernel& kernel : kernels.panels) {
      if (kernel.tile.SamePacking(packed.tile)) plan.kernel_ = &kernel;
    }
    if (plan.kernel_ == nullptr) {
      return Status::InvalidArgument(
          "weights are packed for panels of %d rows with %zu masks, the policy has no such tile", packed.tile.rows,
          packed.tile.masks.size());
    }
    budget.cutting = {kernels.lanes, plan.kernel_->Widths(), plan.kernel_->few != nullptr};
    budget.weights_per_group = static_cast<double>(weights->product_weights) / static_cast<double>(packed.shape.groups);
  }
  plan.cutting_ = budget.cutting;
  plan.blocks_ = ChooseWinogradBlocks(geometry.axis, weights->tile, budget);
  // As many panels as keep their sums in L2.
  const auto panel = static_cast<size_t>(weights->tile.products() * packed.tile.rows * plan.pitch()) * sizeof(float);
  plan.chunk_ = std::clamp<size_t>(kWinogradSumBytes / panel, 1, packed.panels_per_group());
  if (plan.is_dense()) LACUNA_RETURN_IF_ERROR(plan.PrepareProducts());

  plan.input_.axis = plan.axis_;
  for (size_t a = 0; a < 3; ++a) {
    TileAxis& axis = plan.input_.axis[a];
    axis.output = plan.blocks_.tiles[a] * weights->tile.outputs[a];
    axis.tile = plan.blocks_.block[a] * weights->tile.outputs[a];
    axis.shared = 0;
    axis.align = 1;
    axis.shifted = false;
  }
  plan.input_.channels = std::min(kWinogradChannels, plan.channels_);
  plan.input_.channel_stride = static_cast<int64_t>(RoundUp(static_cast<size_t>(plan.input_.plane()), 16)) + 16;

  LACUNA_ASSIGN_OR_RETURN(offset, Buffer<int32_t>::Make(packed.column.size() + kPrefetchColumns));
  for (size_t i = 0; i < packed.column.size(); ++i)
    offset[i] = static_cast<int32_t>(int64_t{packed.column[i]} * plan.pitch());
  LACUNA_ASSIGN_OR_RETURN(rows, OutputRows::Of(packed, epilogue));
  LACUNA_ASSIGN_OR_RETURN(zero, Buffer<float>::Make(static_cast<size_t>(packed.tile.rows)));
  plan.offset_ = std::move(offset);
  plan.rows_ = std::move(rows);
  plan.zero_ = std::move(zero);
  plan.epilogue_ = epilogue;
  plan.epilogue_.bias = {};
  return plan;
}

inline Status WinogradPlan::PrepareProducts() {
  const DenseProduct& product = *weights_->product;
  step_ = std::min(chunk_, static_cast<size_t>(kProductRows / index().tile.rows));
  chunk_ -= chunk_ % step_;
  const int64_t rows_per_group = index().shape.rows_per_group();
  const int64_t rest = rows_per_group % step_rows();
  const std::array<int64_t, 2> rows = {rows_per_group == rest ? 0 : step_rows(), rest};
  for (size_t ends = 0; ends < product_kernel_.size(); ++ends) {
    size_t tiles = 1;
    for (size_t a = 0; a < 3; ++a) {
      const int64_t last = blocks_.tiles[a] % blocks_.block[a];
      tiles *= static_cast<size_t>(ends >> a & 1 ? last : blocks_.block[a]);
    }
    // Whole vectors: the transformed input and the sums have them.
    const auto columns = static_cast<int64_t>(RoundUp(tiles, kernels_->lanes));
    for (size_t r = 0; r < rows.size(); ++r) {
      if (tiles == 0 || rows[r] == 0) continue;
      product_kernel_[ends][r] = product.Prepare({.rows = rows[r],
                                                  .columns = columns,
                                                  .depth = channels_,
                                                  .w_stride = channels_,
                                                  .x_stride = pitch(),
                                                  .y_stride = pitch()});
      if (product_kernel_[ends][r] != nullptr) continue;
      return Status::Make(StatusCode::kUnsupported, "product \"%s\" has no kernel for %lld x %lld times %lld x %lld",
                          product.name(), static_cast<long long>(rows[r]), static_cast<long long>(channels_),
                          static_cast<long long>(channels_), static_cast<long long>(columns));
    }
  }
  return Status();
}

inline WinogradPlan::Block WinogradPlan::BlockAt(int64_t i) const {
  Block block{};
  std::array<int64_t, 3> at;
  for (size_t a = 3; a-- > 0;) {
    at[a] = i % blocks_.count(a);
    i /= blocks_.count(a);
    block.origin[a] = at[a] * blocks_.block[a] * tile().outputs[a];
    block.tiles[a] = std::min(blocks_.block[a], blocks_.tiles[a] - at[a] * blocks_.block[a]);
    if (block.tiles[a] < blocks_.block[a]) block.ends |= size_t{1} << a;
  }
  block.group = i % index().shape.groups;
  block.image = i / index().shape.groups;
  return block;
}

inline WinogradPlan::Slice WinogradPlan::SliceAt(std::byte* at) const {
  Slice slice{};
  slice.padded = reinterpret_cast<float*>(at);
  slice.scratch = reinterpret_cast<float*>(at += TileBytes());
  slice.input = reinterpret_cast<float*>(at += ScratchBytes());
  slice.sums = reinterpret_cast<float*>(at += InputBytes());
  slice.acc = reinterpret_cast<float*>(at += SumBytes());
  slice.output = reinterpret_cast<float*>(at += AccumulatorBytes());
  slice.spans = reinterpret_cast<OutputSpan*>(at + OutputBytes());
  return slice;
}

inline void WinogradPlan::RunSlot(TileJob& job, std::byte* workspace) const {
  const Slice slice = SliceAt(workspace);
  int64_t transformed = -1;
  for (int64_t item = job.Claim(); item < job.items(); item = job.Claim()) {
    const int64_t i = job.TileOf(item);
    const Block block = BlockAt(i);
    if (i != transformed) TransformInput(job, block, slice);
    transformed = i;
    const auto [first, end] = job.PanelsOf(item);
    RunPanels(job, block, {first * step_, std::min(end * step_, index().panels_per_group())}, slice);
  }
}

inline void WinogradPlan::TransformInput(const TileJob& job, const Block& block, const Slice& slice) const {
  InputTile input = input_;
  WinogradInputArgs args{};
  args.tile = &weights_->tile;
  args.tiles = block.tiles;
  args.slice = input.axis[1].extent() * input.axis[2].extent();
  args.row = input.axis[2].extent();
  args.scratch = slice.scratch;
  args.point_stride = input_point();
  const float* x = job.x.data + block.image * job.x.batch_stride + block.group * channels_ * job.x.channel_stride;
  for (int64_t first = 0; first < channels_; first += kWinogradChannels) {
    input.channels = std::min(kWinogradChannels, channels_ - first);
    kernels_->pack_input(input, block.origin,
                         {x + first * job.x.channel_stride, job.x.channel_stride, job.x.axis_stride}, slice.padded);
    for (int64_t c = 0; c < input.channels; ++c) {
      args.x = slice.padded + c * input.channel_stride;
      args.y = slice.input + (first + c) * pitch();
      kernels_->winograd.input(args);
    }
  }
}

// The outputs of a block as a panel's rows of TransformOutput hold them.
inline size_t WinogradPlan::MakeSpans(const Block& block, OutputSpan* spans) const {
  size_t used = 0;
  const std::array<int, 3>& m = tile().outputs;
  const int64_t length = std::min(block.tiles[2] * m[2], axis_[2].output - block.origin[2]);
  for (int64_t d = 0; d < block.tiles[0] * m[0] && block.origin[0] + d < axis_[0].output; ++d) {
    for (int64_t h = 0; h < block.tiles[1] * m[1] && block.origin[1] + h < axis_[1].output; ++h) {
      const int64_t row = (d % m[0]) * m[1] + h % m[1];
      const int64_t first = (d / m[0] * block.tiles[1] + h / m[1]) * block.tiles[2];
      spans[used++] = {static_cast<int32_t>(row * output_row() + first * m[2]), static_cast<int32_t>(length),
                       static_cast<int32_t>(d), static_cast<int32_t>(h), 0};
    }
  }
  return used;
}

inline void WinogradPlan::MultiplyPanels(const Block& block, std::pair<size_t, size_t> chunk,
                                         const Slice& slice) const {
  const PackedWeights<float>& packed = index();
  const int64_t rows = packed.tile.rows, count = block.count();
  const size_t first_panel = static_cast<size_t>(block.group) * packed.panels_per_group();
  int64_t sum_offset[kMaxPanelRows];
  for (int64_t r = 0; r < rows; ++r) sum_offset[r] = r * pitch();
  const float infinity = std::numeric_limits<float>::infinity();
  DirectOutput direct{static_cast<int>(rows), sum_offset, nullptr, nullptr, nullptr, -infinity, infinity};
  for (int64_t product = 0; product < tile().products(); ++product) {
    for (size_t p = chunk.first; p < chunk.second; ++p) {
      const size_t panel = first_panel + p;
      float* sum = slice.sums + product * sum_point() + static_cast<int64_t>(p - chunk.first) * rows * pitch();
      PanelArgs args{nullptr,
                     offset_.data() + packed.column_begin[panel],
                     weights_->Product(product).data() + packed.weight_begin[panel],
                     packed.count.data() + panel * packed.tile.masks.size(),
                     zero_.data(),
                     slice.acc,
                     nullptr,
                     0,
                     nullptr,
                     0};
      for (int64_t t = 0; t < count;) {
        const int width = cutting_.WidthFor(count - t);
        args.x = slice.input + product * input_point() + t;
        if (width == 0) {
          args.direct = nullptr;
          args.positions = static_cast<size_t>(count - t);
          kernel_->few(args);
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t i = t; i < count; ++i) sum[r * pitch() + i] = slice.acc[r * lanes() + i - t];
          }
          break;
        }
        direct.y = sum + t;
        args.direct = &direct;
        kernel_->ForWidth(width)(args);
        t += width * lanes();
      }
    }
  }
}

inline void WinogradPlan::MultiplyDense(const Block& block, std::pair<size_t, size_t> chunk, const Slice& slice) const {
  const MatrixShape& shape = index().shape;
  const auto& kernel = product_kernel_[block.ends];
  const int64_t begin = static_cast<int64_t>(chunk.first) * index().tile.rows;
  const int64_t end = std::min(static_cast<int64_t>(chunk.second) * index().tile.rows, shape.rows_per_group());
  for (int64_t product = 0; product < tile().products(); ++product) {
    const float* weights = weights_->Product(product).data() + block.group * shape.rows_per_group() * shape.columns;
    for (int64_t row = begin; row < end; row += step_rows()) {
      weights_->product->Run(kernel[end - row < step_rows() ? 1 : 0], weights + row * shape.columns,
                             slice.input + product * input_point(),
                             slice.sums + product * sum_point() + (row - begin) * pitch());
    }
  }
}

inline void WinogradPlan::RunPanels(const TileJob& job, const Block& block, std::pair<size_t, size_t> panels,
                                    const Slice& slice) const {
  const PackedWeights<float>& packed = index();
  const int64_t rows = packed.tile.rows;
  const size_t first_panel = static_cast<size_t>(block.group) * packed.panels_per_group();

  int64_t y_offset[kMaxPanelRows], residual_offset[kMaxPanelRows];
  StoreArgs store{};
  store.acc = slice.output;
  store.acc_stride = static_cast<size_t>(output_rows() * output_row());
  store.y_offset = y_offset;
  store.residual_offset = residual_offset;
  const auto corner = [&](const auto& view) {
    return view.data + block.image * view.batch_stride + block.origin[0] * view.axis_stride[0] +
           block.origin[1] * view.axis_stride[1] + block.origin[2] * view.axis_stride[2];
  };
  store.y = corner(job.y);
  store.y_stride = job.y.axis_stride;
  if (job.residual.data != nullptr) {
    store.residual = corner(job.residual);
    store.residual_stride = job.residual.axis_stride;
  }
  store.spans = {slice.spans, MakeSpans(block, slice.spans)};
  store.epilogue = &epilogue_;
  const int64_t count = block.count();
  WinogradOutputArgs back{&weights_->tile, count, nullptr, sum_point(), 0.0f, slice.scratch, nullptr, output_row()};

  for (size_t chunk = panels.first; chunk < panels.second; chunk += chunk_) {
    const size_t end = std::min(panels.second, chunk + chunk_);
    is_dense() ? MultiplyDense(block, {chunk, end}, slice) : MultiplyPanels(block, {chunk, end}, slice);
    for (size_t p = chunk; p < end; ++p) {
      const size_t panel = first_panel + p;
      const size_t first_row = panel * static_cast<size_t>(rows);
      store.rows = static_cast<int>(packed.PanelRows(panel).count);
      for (int r = 0; r < store.rows; ++r) {
        const size_t row = first_row + static_cast<size_t>(r);
        y_offset[r] = int64_t{rows_.channel[row]} * job.y.channel_stride;
        residual_offset[r] = int64_t{rows_.channel[row]} * job.residual.channel_stride;
        back.x = slice.sums + (static_cast<int64_t>(p - chunk) * rows + r) * pitch();
        back.bias = rows_.bias[row];
        back.y = slice.output + static_cast<size_t>(r) * store.acc_stride;
        kernels_->winograd.output(back);
      }
      kernels_->store(store);
    }
  }
}

inline Explanation WinogradPlan::Explain() const {
  Explanation explanation;
  explanation.algorithm = weights_->name;
  explanation.tile = is_dense() ? weights_->product->name() : kernel_->name;
  explanation.target = kernels_->target;
  explanation.lanes = kernels_->lanes;
  explanation.SetMatrix(index().shape);
  explanation.nnz = index().nnz;
  explanation.fill = static_cast<int64_t>(weights_->product_weights) - index().nnz;
  explanation.packed_bytes = weights_->StorageBytes();
  for (size_t a = 0; a < 3; ++a) {
    explanation.tile_extent[a] = blocks_.block[a] * tile().outputs[a];
    explanation.tiles[a] = blocks_.count(a);
  }
  explanation.input_tile_bytes = InputBytes();
  return explanation;
}

}  // namespace lacuna

#endif  // LACUNA_OP_WINOGRAD_PLAN_H_
