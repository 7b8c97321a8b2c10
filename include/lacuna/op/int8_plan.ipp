#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/op/int8_plan.h"
#include "lacuna/op/tile_job.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/packed_weights.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

LACUNA_COLD_FUNC Result<Int8Plan> Int8Plan::Make(const Int8Kernels& kernels, const RowSource<int8_t>& weights,
                                                 const LayerGeometry& geometry, const QuantizedEpilogue& epilogue,
                                                 const PlanPolicy& policy) {
  Int8Plan plan;
  plan.kernels_ = &kernels;
  plan.channels_per_group_ = geometry.channels_per_group;
  plan.stored_weights_ = weights.nnz();
  plan.padding_ = static_cast<uint8_t>(epilogue.x.zero_point);
  const bool flips = (epilogue.x.type == ValueType::kS8) != kernels.signed_input;
  plan.flip_ = flips ? 0x80 : 0;
  plan.tile_zero_ = epilogue.x.zero_point + (flips ? (kernels.signed_input ? -128 : 128) : 0);
  plan.y_type_ = epilogue.y;
  plan.residual_type_ = epilogue.residual;
  plan.values_ = Requantization::Of(epilogue);

  const int64_t taps = weights.shape().columns / geometry.channels_per_group;
  LACUNA_ASSIGN_OR_RETURN(groups, Groups::Of(weights, taps));
  LACUNA_RETURN_IF_ERROR(plan.PackWeights(groups, policy));
  LACUNA_RETURN_IF_ERROR(plan.MakeRows(groups, epilogue));

  const Packed& packed = *plan.weights_;
  plan.cutting_ = {kernels.lanes, plan.kernel_->Widths(), /*few=*/false};
  const TileBudget<> budget{
      .cutting = plan.cutting_,
      .bytes = policy.input_tile_bytes,
      .weights_per_group = static_cast<double>(packed.weight.size()) / static_cast<double>(packed.shape.groups),
      .rows_per_group = packed.shape.rows_per_group(),
      .cost = policy.cost};
  const auto tile_groups =
      static_cast<int64_t>(DivideUp(static_cast<size_t>(geometry.channels_per_group), Int8Traits::kColumnGroup));
  LACUNA_ASSIGN_OR_RETURN(tile, ChooseInputTile(geometry.axis, tile_groups, budget));
  plan.tile_ = tile;
  plan.slack_ =
      static_cast<size_t>(plan.kernel_->tile.vectors) * kernels.lanes + static_cast<size_t>(tile.axis[2].shared);
  LACUNA_ASSIGN_OR_RETURN(offset, ColumnOffsets::Make(packed.column, packed.column_begin,
                                                      [&](uint32_t column) { return tile.Offset(column); }));
  plan.offset_ = std::move(offset);
  return plan;
}

// For the register tile that is predicted to cost least.
LACUNA_FUNC Status Int8Plan::PackWeights(const Groups& groups, const PlanPolicy& policy) {
  const RowSource<Groups::value_type> rows(groups);
  LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows(rows, policy.reorder));
  double least = std::numeric_limits<double>::infinity();
  for (const Int8PanelKernel& kernel : kernels_->panels) {
    LACUNA_ASSIGN_OR_RETURN(cost, PredictPanelCost(rows, kernel.tile, order));
    if (cost >= least) continue;
    least = cost;
    kernel_ = &kernel;
  }
  LACUNA_ASSIGN_OR_RETURN(packed, Pack(rows, kernel_->tile, std::move(order)));
  LACUNA_ASSIGN_OR_RETURN(shared, Shared<Packed>::Make(std::move(packed)));
  weights_ = std::move(shared);
  return Status();
}

LACUNA_COLD_FUNC Status Int8Plan::MakeRows(const Groups& groups, const QuantizedEpilogue& epilogue) {
  const auto tile_rows = static_cast<size_t>(weights_->tile.rows);
  LACUNA_ASSIGN_OR_RETURN(bias, Buffer<int32_t>::Make(weights_->panels() * tile_rows));
  LACUNA_ASSIGN_OR_RETURN(multiplier, Buffer<float>::Make(weights_->panels() * tile_rows));
  LACUNA_ASSIGN_OR_RETURN(channel, Buffer<uint32_t>::Make(weights_->panels() * tile_rows));
  for (size_t panel = 0; panel < weights_->panels(); ++panel) {
    const auto [first, count] = weights_->PanelRows(panel);
    for (int64_t r = 0; r < count; ++r) {
      const size_t at = panel * tile_rows + static_cast<size_t>(r);
      const auto packed_row = static_cast<size_t>(first + r);
      const auto row =
          weights_->row_order.size() == 0 ? static_cast<uint32_t>(packed_row) : weights_->row_order[packed_row];
      channel[at] = row;
      multiplier[at] = Requantization::Multiplier(epilogue, row);
      const int64_t given = epilogue.bias.empty() ? 0 : epilogue.bias[row];
      bias[at] = static_cast<int32_t>(static_cast<uint64_t>(given - tile_zero_ * groups.RowSum(row)));  // modulo 2^32
    }
  }
  bias_ = std::move(bias);
  multiplier_ = std::move(multiplier);
  channel_ = std::move(channel);
  return Status();
}

LACUNA_FUNC Status Int8Plan::Run(const Int8Run& run, ExecutorRef executor) const {
  Job job(run, run.batch * weights_->shape.groups * tile_.tiles(), executor.concurrency(),
          weights_->panels_per_group());
  const auto run_slot = [&](std::byte* slice) { RunSlot(job, slice); };
  return RunInSlices(executor, job.items(), run.workspace, SliceBytes(), run_slot);
}

LACUNA_FUNC void Int8Plan::PackTile(const Job& job, int64_t index, const std::array<int64_t, 3>& origin,
                                    int32_t* to) const {
  const ActivationView<const std::byte>& x = job.run.x;
  const int64_t groups = weights_->shape.groups;
  const int64_t image = index / tile_.tiles() / groups, group = index / tile_.tiles() % groups;
  const std::byte* data = x.data + image * x.batch_stride + group * channels_per_group_ * x.channel_stride;
  kernels_->pack_input(
      tile_, origin,
      {reinterpret_cast<const uint8_t*>(data), x.channel_stride, x.axis_stride, channels_per_group_, padding_, flip_},
      to);
}

LACUNA_FUNC void Int8Plan::RunSlot(Job& job, std::byte* slice) const {
  auto* packed = reinterpret_cast<int32_t*>(slice);
  auto* sub_tiles = reinterpret_cast<SubTile*>(slice + TileBytes() + SumBytes());
  auto* spans = reinterpret_cast<OutputSpan*>(slice + TileBytes() + SumBytes() + SubTileBytes());
  std::memset(packed + tile_.floats(), static_cast<uint8_t>(tile_zero_), slack_ * sizeof(int32_t));

  int64_t packed_tile = -1;
  size_t sub_tile_count = 0;
  std::array<int64_t, 3> cut{};  // the outputs that sub-tiles were last made for: most tiles are alike
  for (int64_t item = job.Claim(); item < job.items(); item = job.Claim()) {
    const int64_t index = job.TileOf(item);
    if (index != packed_tile) {
      packed_tile = index;
      const std::array<int64_t, 3> origin = tile_.Origin(index % tile_.tiles());
      std::array<int64_t, 3> outputs;
      for (size_t a = 0; a < 3; ++a) outputs[a] = std::min(tile_.axis[a].tile, tile_.axis[a].output - origin[a]);
      PackTile(job, index, origin, packed);
      if (outputs != cut) {
        const auto rows_touch = [&](const auto& view) {
          return view.data == nullptr || view.axis_stride[1] == outputs[2] * view.axis_stride[2];
        };
        cut = outputs;
        sub_tile_count =
            cutting_.Cut(tile_, outputs, rows_touch(job.run.y) && rows_touch(job.run.residual), sub_tiles, spans);
      }
    }
    RunPanels(job, index, job.PanelsOf(item), sub_tile_count, slice);
  }
}

// Panels outermost, sub-tiles inside, as PanelPlan does.
LACUNA_FUNC void Int8Plan::RunPanels(const Job& job, int64_t index, std::pair<size_t, size_t> panels,
                                     size_t sub_tile_count, std::byte* slice) const {
  const Packed& weights = *weights_;
  const auto* input = reinterpret_cast<const int32_t*>(slice);
  auto* sums = reinterpret_cast<int32_t*>(slice + TileBytes());
  const auto* sub_tiles = reinterpret_cast<const SubTile*>(slice + TileBytes() + SumBytes());
  const auto* spans = reinterpret_cast<const OutputSpan*>(slice + TileBytes() + SumBytes() + SubTileBytes());
  const int64_t image_group = index / tile_.tiles();
  const int64_t image = image_group / weights.shape.groups, group = image_group % weights.shape.groups;
  const std::array<int64_t, 3> origin = tile_.Origin(index % tile_.tiles());
  const auto corner = [&](const auto& view, ValueType type) {
    const int64_t element = image * view.batch_stride + origin[0] * view.axis_stride[0] +
                            origin[1] * view.axis_stride[1] + origin[2] * view.axis_stride[2];
    return view.data + element * (type == ValueType::kF32 ? 4 : 1);
  };

  int64_t y_offset[kMaxPanelRows], residual_offset[kMaxPanelRows];
  Int8StoreArgs store{};
  store.acc = sums;
  store.values = &values_;
  store.y_type = &y_type_;
  store.residual_type = &residual_type_;
  store.y_offset = y_offset;
  store.residual_offset = residual_offset;
  store.y = corner(job.run.y, y_type_.type);
  store.y_stride = job.run.y.axis_stride;
  if (job.run.residual.data != nullptr) {
    store.residual = corner(job.run.residual, residual_type_.type);
    store.residual_stride = job.run.residual.axis_stride;
  }
  for (size_t p = panels.first; p < panels.second; ++p) {
    const size_t panel = static_cast<size_t>(group) * weights.panels_per_group() + p;
    const size_t first_row = panel * static_cast<size_t>(weights.tile.rows);
    store.rows = static_cast<int>(weights.PanelRows(panel).count);
    store.multiplier = multiplier_.data() + first_row;
    for (int r = 0; r < store.rows; ++r) {
      const int64_t channel = channel_[first_row + static_cast<size_t>(r)];
      y_offset[r] = channel * job.run.y.channel_stride;
      residual_offset[r] = channel * job.run.residual.channel_stride;
    }
    Int8PanelArgs args{nullptr,
                       offset_.Of(panel),
                       weights.weight.data() + weights.weight_begin[panel],
                       weights.count.data() + panel * weights.tile.masks.size(),
                       bias_.data() + first_row,
                       sums};
    for (size_t s = 0; s < sub_tile_count; ++s) {
      const SubTile& sub = sub_tiles[s];
      args.x = input + sub.begin;
      kernel_->ForWidth(sub.width)(args);
      store.acc_stride = static_cast<size_t>(sub.width) * kernels_->lanes;
      store.spans = {spans + sub.span_begin, spans + sub.span_end};
      kernels_->store(store);
    }
  }
}

LACUNA_COLD_FUNC Explanation Int8Plan::Explain() const {
  Explanation explanation;
  explanation.algorithm = "panel, 8 bits";
  explanation.tile = kernel_->name;
  explanation.target = kernels_->target;
  explanation.lanes = kernels_->lanes;
  explanation.rows = weights_->shape.rows;
  explanation.columns = channels_per_group_ * (weights_->shape.columns / tile_.channels);
  explanation.groups = weights_->shape.groups;
  explanation.nnz = stored_weights_;
  explanation.fill = static_cast<int64_t>(weights_->weight.size()) * Int8Traits::kColumnGroup - stored_weights_;
  explanation.packed_bytes = weights_->StorageBytes();
  explanation.offset_bytes = offset_.size_bytes();
  for (size_t a = 0; a < 3; ++a) {
    explanation.tile_extent[a] = tile_.axis[a].tile;
    explanation.tiles[a] = tile_.axis[a].tiles();
  }
  explanation.shifted_copies = tile_.axis[2].shifted;
  explanation.input_tile_bytes = tile_.floats() * sizeof(int32_t);
  return explanation;
}

}  // namespace lacuna::inline LACUNA_ABI
