#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/prefetch.h"
#include "lacuna/op/tile_job.h"
#include "lacuna/op/winograd_plan.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/winograd.h"
#include "lacuna/pack/winograd_blocks.h"
#include "lacuna/policy/defaults.h"
#include "lacuna/policy/product.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

LACUNA_COLD_FUNC Result<WinogradPlan> WinogradPlan::Make(const KernelTable& kernels,
                                                         Shared<WinogradWeights<float>> weights,
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
  plan.chunk_ = std::max<size_t>(kWinogradSumBytes / panel, 1);
  if (plan.InputBytes() > kWinogradBlockBytes && !plan.is_dense()) {
    const double density = static_cast<double>(weights->product_weights) /
                           (static_cast<double>(packed.shape.rows) * static_cast<double>(packed.shape.columns));
    plan.chunk_ = std::max(plan.chunk_, static_cast<size_t>(std::ceil(kWinogradStreamPanels / density)));
    plan.fetches_ahead_ = density <= kWinogradFetchDensity;
  }
  plan.chunk_ = std::min(plan.chunk_, packed.panels_per_group());
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

  LACUNA_ASSIGN_OR_RETURN(offset, ColumnOffsets::Make(packed.column, packed.column_begin,
                                                      [&](uint32_t column) { return int64_t{column} * plan.pitch(); }));
  LACUNA_ASSIGN_OR_RETURN(rows, OutputRows::Of(packed, epilogue));
  LACUNA_ASSIGN_OR_RETURN(zero, Buffer<float>::Make(static_cast<size_t>(packed.tile.rows)));
  plan.offset_ = std::move(offset);
  plan.rows_ = std::move(rows);
  plan.zero_ = std::move(zero);
  plan.epilogue_ = epilogue;
  plan.epilogue_.bias = {};
  return plan;
}

LACUNA_COLD_FUNC Status WinogradPlan::PrepareProducts() {
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

LACUNA_FUNC WinogradPlan::Block WinogradPlan::BlockAt(int64_t i) const {
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

LACUNA_FUNC WinogradPlan::Slice WinogradPlan::SliceAt(std::byte* at) const {
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

LACUNA_FUNC Status WinogradPlan::Run(const LayerRun& run, ExecutorRef executor) const {
  TileJob job(run.x, run.y, run.residual, run.batch * index().shape.groups * blocks_.count(), executor.concurrency(),
              DivideUp(index().panels_per_group(), step_));
  const auto run_slot = [&](std::byte* slice) { RunSlot(job, slice); };
  return RunInSlices(executor, job.items(), run.workspace, SliceBytes(), run_slot);
}

LACUNA_FUNC void WinogradPlan::RunSlot(TileJob& job, std::byte* workspace) const {
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

// Rows are read where they lie. Where they are not contiguous, some channels at a time are copied first.
LACUNA_FUNC void WinogradPlan::TransformInput(const TileJob& job, const Block& block, const Slice& slice) const {
  WinogradInputArgs args{};
  args.tile = &weights_->tile;
  args.tiles = block.tiles;
  args.scratch = slice.scratch;
  args.y = slice.input;
  args.y_channel = pitch();
  args.point_stride = input_point();
  InputTile input = input_;
  const InputPlanes x = {job.x.data + block.image * job.x.batch_stride + block.group * channels_ * job.x.channel_stride,
                         job.x.channel_stride, job.x.axis_stride};
  std::array<int64_t, 3> extent;  // of the block's input
  for (size_t a = 0; a < 3; ++a) extent[a] = (block.tiles[a] - 1) * tile().outputs[a] + tile().points(a);
  if (x.axis_stride[2] == 1) {
    for (size_t a = 0; a < 3; ++a) {
      const AxisWindow window = WindowOf(input.axis[a], 0, block.origin[a]);
      args.window[a] = {window.first, std::min(window.begin, extent[a]), std::min(window.end, extent[a])};
    }
    args.x = x.data;
    args.channels = channels_;
    args.channel_stride = x.channel_stride;
    args.stride = {x.axis_stride[0], x.axis_stride[1]};
    kernels_->winograd.input(args);
    return;
  }
  for (size_t a = 0; a < 3; ++a) args.window[a] = {0, 0, extent[a]};
  args.x = slice.padded;
  args.channel_stride = input.channel_stride;
  args.stride = {input.axis[1].extent() * input.axis[2].extent(), input.axis[2].extent()};
  for (int64_t first = 0; first < channels_; first += kWinogradChannels) {
    args.channels = input.channels = std::min(kWinogradChannels, channels_ - first);
    kernels_->pack_input(input, block.origin, {x.data + first * x.channel_stride, x.channel_stride, x.axis_stride},
                         slice.padded);
    kernels_->winograd.input(args);
    args.y += args.channels * pitch();
  }
}

// The outputs of a block as a panel's rows of TransformOutput hold them.
LACUNA_FUNC size_t WinogradPlan::MakeSpans(const Block& block, OutputSpan* spans) const {
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

LACUNA_FUNC void WinogradPlan::MultiplyPanels(const Block& block, std::pair<size_t, size_t> chunk,
                                              const Slice& slice) const {
  const PackedWeights<float>& packed = index();
  const int64_t rows = packed.tile.rows, count = block.count();
  const size_t first_panel = static_cast<size_t>(block.group) * packed.panels_per_group();
  int64_t sum_offset[kMaxPanelRows];
  for (int64_t r = 0; r < rows; ++r) sum_offset[r] = r * pitch();
  const float infinity = std::numeric_limits<float>::infinity();
  DirectOutput direct{static_cast<int>(rows), sum_offset, nullptr, nullptr, nullptr, -infinity, infinity};
  // While a product is computed, the inputs of the next are brought from the last-level cache.
  const auto calls = static_cast<int64_t>(chunk.second - chunk.first) * (count / cutting_.Widest() + 1);
  const int64_t lines = fetches_ahead_ ? input_point() / kLineFloats : 0;
  const int64_t lines_per_call = lines / calls + 1;
  for (int64_t product = 0; product < tile().products(); ++product) {
    const float* ahead = slice.input + (product + 1) * input_point();
    int64_t lines_left = product + 1 < tile().products() ? lines : 0;
    for (size_t p = chunk.first; p < chunk.second; ++p) {
      const size_t panel = first_panel + p;
      float* sum = SumsOf(slice, p - chunk.first) + product * sum_point();
      PanelArgs args{nullptr,
                     offset_.Of(panel),
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
        for (int64_t i = std::min(lines_per_call, lines_left); i > 0; --i, --lines_left, ahead += kLineFloats) {
          PrefetchToL2(ahead);
        }
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

LACUNA_FUNC void WinogradPlan::MultiplyDense(const Block& block, std::pair<size_t, size_t> chunk,
                                             const Slice& slice) const {
  const MatrixShape& shape = index().shape;
  const auto& kernel = product_kernel_[block.ends];
  const int64_t begin = static_cast<int64_t>(chunk.first) * index().tile.rows;
  const int64_t end = std::min(static_cast<int64_t>(chunk.second) * index().tile.rows, shape.rows_per_group());
  for (int64_t product = 0; product < tile().products(); ++product) {
    const float* weights = weights_->Product(product).data() + block.group * shape.rows_per_group() * shape.columns;
    for (int64_t row = begin; row < end; row += step_rows()) {
      weights_->product->Run(
          kernel[end - row < step_rows() ? 1 : 0], weights + row * shape.columns, slice.input + product * input_point(),
          SumsOf(slice, static_cast<size_t>((row - begin) / index().tile.rows)) + product * sum_point());
    }
  }
}

LACUNA_FUNC void WinogradPlan::RunPanels(const TileJob& job, const Block& block, std::pair<size_t, size_t> panels,
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
        back.x = SumsOf(slice, p - chunk) + r * pitch();
        back.bias = rows_.bias[row];
        back.y = slice.output + static_cast<size_t>(r) * store.acc_stride;
        kernels_->winograd.output(back);
      }
      kernels_->store(store);
    }
  }
}

LACUNA_COLD_FUNC Explanation WinogradPlan::Explain() const {
  Explanation explanation;
  explanation.algorithm = weights_->name;
  explanation.tile = is_dense() ? weights_->product->name() : kernel_->name;
  explanation.target = kernels_->target;
  explanation.lanes = kernels_->lanes;
  explanation.SetMatrix(index().shape);
  explanation.nnz = index().nnz;
  explanation.fill = static_cast<int64_t>(weights_->product_weights) - index().nnz;
  explanation.packed_bytes = weights_->StorageBytes();
  explanation.offset_bytes = offset_.size_bytes();
  for (size_t a = 0; a < 3; ++a) {
    explanation.tile_extent[a] = blocks_.block[a] * tile().outputs[a];
    explanation.tiles[a] = blocks_.count(a);
  }
  explanation.input_tile_bytes = InputBytes();
  return explanation;
}

}  // namespace lacuna::inline LACUNA_ABI
