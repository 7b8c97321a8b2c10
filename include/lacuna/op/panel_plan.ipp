#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/target.h"
#include "lacuna/op/panel_plan.h"
#include "lacuna/op/tile_job.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/row_blocks.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

LACUNA_COLD_FUNC Result<PanelPlan> PanelPlan::Make(const KernelTable& kernels, Shared<PackedWeights<float>> weights,
                                                   const LayerGeometry& geometry, const Epilogue& epilogue,
                                                   size_t input_tile_bytes, const CostFactors& cost, SumOrder sums) {
  PanelPlan plan;
  plan.kernels_ = &kernels;
  plan.weights_ = weights;
  for (const PanelKernel& kernel : plan.is_pattern() ? kernels.patterns : kernels.panels) {
    if (!kernel.tile.SamePacking(weights->tile)) continue;
    // The tile the weights were packed for; a wider or narrower one if the policy has only that.
    if (plan.kernel_ == nullptr || kernel.tile.vectors == weights->tile.vectors) plan.kernel_ = &kernel;
  }
  if (plan.kernel_ == nullptr) {
    return Status::InvalidArgument(
        "weights are packed for %s of %d rows with %zu masks, the policy has no such tile on %s",
        plan.is_pattern() ? "the pattern kernel, panels" : "panels", weights->tile.rows, weights->tile.masks.size(),
        TargetName(kernels.target));
  }
  LACUNA_RETURN_IF_ERROR(plan.ChooseTile(geometry, input_tile_bytes, cost, sums));
  LACUNA_RETURN_IF_ERROR(plan.MakeLine(geometry, input_tile_bytes));

  const PackedWeights<float>& packed = *weights;
  LACUNA_ASSIGN_OR_RETURN(offset, ColumnOffsets::Make(packed.column, packed.column_begin,
                                                      [&](uint32_t column) { return plan.tile_.Offset(column); }));
  LACUNA_ASSIGN_OR_RETURN(rows, OutputRows::Of(packed, epilogue));
  plan.offset_ = std::move(offset);
  plan.rows_ = std::move(rows);
  plan.epilogue_ = epilogue;
  plan.epilogue_.bias = {};
  plan.clamp_ = ClampRange::Of(epilogue);
  return plan;
}

LACUNA_COLD_FUNC Status PanelPlan::MakeLine(const LayerGeometry& geometry, size_t input_tile_bytes) {
  if (is_pattern()) return Status();
  int64_t positions = 1;
  for (const TileAxis& axis : geometry.axis) {
    if (axis.kernel != 1 || axis.stride != 1 || axis.pad != 0 || axis.input != axis.output) return Status();
    positions *= axis.output;
  }
  const auto widest = static_cast<int64_t>(kernels_->lanes) * kernel_->tile.vectors;
  if (positions < widest) return Status();
  const int64_t channels = geometry.channels_per_group * weights_->merged_groups;
  if (positions > std::numeric_limits<int32_t>::max() / channels) return Status();
  TileAxis& line = line_tile_.axis[2];
  line.input = line.output = positions;
  const auto budget = static_cast<int64_t>(input_tile_bytes / sizeof(float)) / channels;
  line.tile = std::min(positions, std::max(widest, budget / widest * widest));
  line_tile_.channels = channels;
  LACUNA_ASSIGN_OR_RETURN(offset, ColumnOffsets::Make(weights_->column, weights_->column_begin,
                                                      [&](uint32_t column) { return int64_t{column} * positions; }));
  line_offset_ = std::move(offset);
  return Status();
}

LACUNA_COLD_FUNC Status PanelPlan::ChooseTile(const LayerGeometry& geometry, size_t input_tile_bytes,
                                              const CostFactors& cost, SumOrder sums) {
  const double weights_per_group =
      static_cast<double>(weights_->weight.size()) / static_cast<double>(weights_->shape.groups);
  const auto choose = [&](const auto& cutting, const std::array<TileAxis, 3>& axis) {
    return ChooseInputTile<std::remove_cvref_t<decltype(cutting)>>(
        axis, geometry.channels_per_group * weights_->merged_groups,
        {.cutting = cutting,
         .bytes = input_tile_bytes,
         .weights_per_group = weights_per_group,
         .rows_per_group = weights_->shape.rows_per_group(),
         .cost = cost});
  };
  if (!is_pattern()) {
    cutting_ = {kernels_->lanes, kernel_->Widths(), kernel_->few != nullptr && sums == SumOrder::kFastest};
    LACUNA_ASSIGN_OR_RETURN(tile, choose(cutting_, geometry.axis));
    tile_ = tile;
    slack_ = static_cast<size_t>(kernel_->tile.vectors) * kernels_->lanes + static_cast<size_t>(tile.axis[2].shared);
    return Status();
  }
  std::array<TileAxis, 3> axis = geometry.axis;
  for (size_t a = 0; a < 3; ++a) {
    const KernelAxis& kernel = weights_->kernel[a];
    if (kernel == KernelAxis{axis[a].kernel, axis[a].stride, axis[a].dilation}) continue;
    return Status::InvalidArgument(
        "weights are packed for kernel %lld, stride %lld, dilation %lld on axis %zu of (depth, height, width), the "
        "layer "
        "has %lld, %lld, %lld",
        static_cast<long long>(kernel.kernel), static_cast<long long>(kernel.stride),
        static_cast<long long>(kernel.dilation), a, static_cast<long long>(axis[a].kernel),
        static_cast<long long>(axis[a].stride), static_cast<long long>(axis[a].dilation));
  }
  blocks_ = RowBlocksOf(*kernels_, weights_->kernel);
  // Rows that begin alike in vectors; but kernels of one cell do better without gaps between rows.
  if (axis[1].kernel > 1 || axis[2].kernel > 1) axis[2].align = static_cast<int64_t>(kernels_->lanes);
  LACUNA_ASSIGN_OR_RETURN(tile, choose(blocks_, axis));
  tile_ = tile;
  slack_ = blocks_.Overread(tile.axis[2].extent());
  const size_t first = blocks_.First(tile, {1, tile.axis[1].tile, tile.axis[2].tile});
  kernel_ = &kernels_->patterns[first];
  return Status();
}

LACUNA_FUNC Status PanelPlan::Run(const LayerRun& run, ExecutorRef executor) const {
  InputTile tile = tile_;
  tile.axis[2].input += run.width - tile.axis[2].output;  // kernels of width 1 only: see Gemm
  tile.axis[2].output = run.width;
  const bool direct_input = CanReadInPlace(run.x, run.y, run.residual, run.width);
  if (direct_input) tile = line_tile_;
  Job job(tile, direct_input, run.x, run.y, run.residual, run.batch * weights_->shape.groups * tile.tiles(),
          executor.concurrency(), weights_->panels_per_group());
  const auto run_slot = [&](std::byte* slice) { RunSlot(job, slice); };
  return RunInSlices(executor, job.items(), run.workspace, SliceBytes(), run_slot);
}

LACUNA_FUNC void PanelPlan::RunSlot(Job& job, std::byte* slice) const {
  const InputTile& tile = job.tile;
  const int64_t groups = weights_->shape.groups;
  auto* packed = reinterpret_cast<float*>(slice);
  auto* sub_tiles = reinterpret_cast<SubTile*>(slice + TileBytes() + AccumulatorBytes());
  auto* spans = reinterpret_cast<OutputSpan*>(slice + TileBytes() + AccumulatorBytes() + SubTileBytes());
  if (!job.in_place) std::memset(packed + tile.floats(), 0, slack_ * sizeof(float));

  int64_t packed_tile = -1;
  size_t sub_tile_count = 0;
  std::array<int64_t, 3> cut{};  // the outputs that sub-tiles were last made for: most tiles are alike
  for (int64_t item = job.Claim(); item < job.items();) {
    const int64_t index = job.TileOf(item);
    if (index != packed_tile) {
      packed_tile = index;
      const std::array<int64_t, 3> origin = tile.Origin(index % tile.tiles());
      std::array<int64_t, 3> outputs;
      for (size_t a = 0; a < 3; ++a) outputs[a] = std::min(tile.axis[a].tile, tile.axis[a].output - origin[a]);
      if (!job.in_place) kernels_->pack_input(tile, origin, job.PlanesOf(index, groups), packed);
      const auto rows_touch = [&](const auto& view) {
        return view.data == nullptr || view.axis_stride[1] == outputs[2] * view.axis_stride[2];
      };
      if (outputs != cut) {
        cut = outputs;
        sub_tile_count = Cut(tile, outputs, rows_touch(job.y) && rows_touch(job.residual), sub_tiles, spans);
      }
      if (job.in_place) KeepInside(tile.axis[2].output - origin[2], {sub_tiles, sub_tile_count}, spans);
    }
    const int64_t next = job.Claim();
    InputPrefetcher ahead;
    if (next < job.items() && job.TileOf(next) != index) {
      const int64_t next_tile = job.TileOf(next);
      ahead = InputPrefetcher(tile, tile.Origin(next_tile % tile.tiles()), job.PlanesOf(next_tile, groups));
    }
    RunPanels(job, index, job.PanelsOf(item), sub_tile_count, ahead, slice);
    item = next;
  }
}

// Moves sub-tiles that would read beyond the `left` positions from the tile's origin on back to where they end there.
LACUNA_FUNC void PanelPlan::KeepInside(int64_t left, std::span<SubTile> sub_tiles, OutputSpan* spans) const {
  for (SubTile& sub : sub_tiles) {
    const int64_t beyond = sub.begin + sub.width * static_cast<int64_t>(kernels_->lanes) - left;
    if (sub.width == 0 || beyond <= 0) continue;
    sub.begin -= beyond;
    for (int32_t i = sub.span_begin; i < sub.span_end; ++i) spans[i].position += static_cast<int32_t>(beyond);
  }
}

// Panels outermost, sub-tiles inside: a panel's weights then stay in L1 or L2 while the input tile stays in L2.
LACUNA_FUNC void PanelPlan::RunPanels(const Job& job, int64_t tile_index, std::pair<size_t, size_t> panels,
                                      size_t sub_tile_count, InputPrefetcher ahead, std::byte* slice) const {
  const PackedWeights<float>& weights = *weights_;
  const float* input = reinterpret_cast<const float*>(slice);
  auto* acc = reinterpret_cast<float*>(slice + TileBytes());
  const auto* sub_tiles = reinterpret_cast<const SubTile*>(slice + TileBytes() + AccumulatorBytes());
  const auto* spans = reinterpret_cast<const OutputSpan*>(slice + TileBytes() + AccumulatorBytes() + SubTileBytes());
  const int64_t image_group = tile_index / job.tile.tiles();
  const int64_t image = image_group / weights.shape.groups, group = image_group % weights.shape.groups;
  const std::array<int64_t, 3> origin = job.tile.Origin(tile_index % job.tile.tiles());
  if (job.in_place) input = job.PlanesOf(tile_index, weights.shape.groups).data + origin[2];
  const ColumnOffsets& offset = job.in_place ? line_offset_ : offset_;
  const auto corner = [&](const auto& view) {
    return view.data + image * view.batch_stride + origin[0] * view.axis_stride[0] + origin[1] * view.axis_stride[1] +
           origin[2] * view.axis_stride[2];
  };

  int64_t y_offset[kMaxPanelRows], residual_offset[kMaxPanelRows];
  StoreArgs store{};
  store.acc = acc;
  store.y_offset = y_offset;
  store.residual_offset = residual_offset;
  store.y = corner(job.y);
  store.y_stride = job.y.axis_stride;
  if (job.residual.data != nullptr) {
    store.residual = corner(job.residual);
    store.residual_stride = job.residual.axis_stride;
  }
  store.epilogue = &epilogue_;
  const bool pattern = is_pattern();
  int64_t block_y[kMaxPatternHeight], block_residual[kMaxPatternHeight];  // of the rows of a pattern kernel's block
  DirectOutput direct{0,
                      pattern ? block_y : y_offset,
                      pattern ? block_residual : residual_offset,
                      nullptr,
                      nullptr,
                      clamp_.low,
                      clamp_.high};
  const bool contiguous =
      clamp_.is_clamp && store.y_stride[2] == 1 && (store.residual == nullptr || store.residual_stride[2] == 1);
  const auto calls = static_cast<int64_t>((panels.second - panels.first) * sub_tile_count);
  const int64_t lines_per_call = calls == 0 ? 0 : ahead.lines() / calls + 1;
  for (size_t p = panels.first; p < panels.second; ++p) {
    const size_t panel = static_cast<size_t>(group) * weights.panels_per_group() + p;
    const size_t first_row = panel * static_cast<size_t>(weights.tile.rows);
    store.rows = direct.rows = static_cast<int>(weights.PanelRows(panel).count);
    for (int r = 0; r < store.rows; ++r) {
      const int64_t channel = rows_.channel[first_row + static_cast<size_t>(r)];
      y_offset[r] = channel * job.y.channel_stride;
      residual_offset[r] = channel * job.residual.channel_stride;
    }
    PanelArgs args{nullptr,
                   offset.Of(panel),
                   weights.weight.data() + weights.weight_begin[panel],
                   weights.count.data() + panel * weights.tile.masks.size(),
                   rows_.bias.data() + first_row,
                   acc,
                   nullptr,
                   0,
                   weights.cells.data() + (pattern ? weights.column_begin[panel] : 0),
                   0};
    for (size_t s = 0; s < sub_tile_count; ++s) {
      const SubTile& sub = sub_tiles[s];
      const OutputSpan* span = spans + sub.span_begin;
      args.x = input + sub.begin;
      args.direct = nullptr;
      const auto at = [&](const auto& stride) { return span->d * stride[0] + span->h * stride[1] + span->w; };
      direct.y = store.y + at(store.y_stride);
      direct.residual = store.residual == nullptr ? nullptr : store.residual + at(store.residual_stride);
      ahead.Step(lines_per_call);
      size_t positions;
      if (pattern) {
        const PanelKernel& kernel = kernels_->patterns[static_cast<size_t>(sub.width)];
        const int64_t row = kernel.tile.vectors * static_cast<int64_t>(kernels_->lanes);
        positions = static_cast<size_t>(kernel.tile.height * row);
        args.pitch = sub.pitch;
        if (contiguous && span->length % row == 0) {
          // Rows of the block are rows of the output, or follow each other in one.
          const bool line = span->length > row;
          direct.rows = line ? static_cast<int>(span->length / row) : sub.span_end - sub.span_begin;
          for (int r = 0; r < direct.rows; ++r) {
            block_y[r] = y_offset[0] + r * (line ? row : store.y_stride[1]);
            block_residual[r] = residual_offset[0] + r * (line ? row : store.residual_stride[1]);
          }
          args.direct = &direct;
        }
        kernel.run[0](args);
      } else {
        positions = static_cast<size_t>(std::max(sub.width, 1)) * kernels_->lanes;
        if (contiguous && sub.width != 0 && span->length == static_cast<int64_t>(positions)) args.direct = &direct;
        if (sub.width == 0) {
          const OutputSpan& last = spans[sub.span_end - 1];
          args.positions = static_cast<size_t>(last.position + last.length);
          kernel_->few(args);
        } else {
          kernel_->ForWidth(sub.width)(args);
        }
      }
      if (args.direct != nullptr) continue;
      store.acc_stride = positions;
      store.spans = {span, spans + sub.span_end};
      kernels_->store(store);
    }
  }
}

LACUNA_COLD_FUNC Explanation PanelPlan::Explain() const {
  Explanation explanation;
  explanation.algorithm = is_pattern() ? "pattern" : "panel";
  explanation.tile = kernel_->name;
  explanation.target = kernels_->target;
  explanation.lanes = kernels_->lanes;
  const MatrixShape shape = weights_->LayerShape();
  explanation.SetMatrix(shape);
  explanation.nnz = weights_->nnz;
  explanation.fill = weights_->fill();
  explanation.packed_bytes = weights_->StorageBytes();
  explanation.offset_bytes = offset_.size_bytes() + line_offset_.size_bytes();
  for (size_t a = 0; a < 3; ++a) {
    explanation.tile_extent[a] = tile_.axis[a].tile;
    explanation.tiles[a] = tile_.axis[a].tiles();
  }
  explanation.shifted_copies = tile_.axis[2].shifted;
  explanation.input_tile_bytes = tile_.floats() * sizeof(float);
  return explanation;
}

}  // namespace lacuna::inline LACUNA_ABI
