#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/op/depthwise_plan.h"
#include "lacuna/pack/filter_steps.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace depthwise {

// Of a depthwise layer: rows and columns are those of the layer, zeros that packing filled in are visited too.
template <class F>
Status VisitPacked(const PackedWeights<float>& packed, const F& f) {
  const size_t masks = packed.tile.masks.size();
  const bool pattern = packed.tile.packing == Packing::kPattern;
  const int64_t columns = packed.LayerShape().columns;
  LACUNA_ASSIGN_OR_RETURN(rows, pack::StepRows::Make(packed.kernel[1]));
  for (size_t panel = 0; panel < packed.panels(); ++panel) {
    const auto first = static_cast<size_t>(packed.PanelRows(panel).first);
    const auto count = static_cast<size_t>(packed.PanelRows(panel).count);
    const auto row_of = [&](size_t r) -> int64_t {
      return packed.row_order.size() == 0 ? static_cast<int64_t>(first + r) : int64_t{packed.row_order[first + r]};
    };
    uint64_t column = packed.column_begin[panel], weight = packed.weight_begin[panel];
    for (size_t mask = 0; mask < masks; ++mask) {
      for (uint32_t i = 0; i < packed.count[panel * masks + mask]; ++i, ++column) {
        const int64_t at = packed.column[column] % columns;
        // Bit b is row b of the panel; of a step, the cell whose input is b rows below.
        for (unsigned left = pattern ? packed.cells[column] : packed.tile.masks[mask]; left != 0; left &= left - 1) {
          const int b = std::countr_zero(left);
          const float value = packed.weight[weight++];
          if (!pattern) {
            if (static_cast<size_t>(b) < count) f(row_of(static_cast<size_t>(b)), at, value);
            continue;
          }
          const int64_t width = packed.kernel[2].kernel, tap = at / width % packed.kernel[1].kernel;
          const int64_t below = b == 0 ? tap : rows.Below(tap, b);
          if (below >= 0) f(row_of(0), at + (below - tap) * width, value);
        }
      }
    }
  }
  return Status();
}

// f(row, column, value) for every stored weight.
template <class F>
Status VisitWeights(const LayerWeights& weights, const F& f) {
  if (weights.packed() != nullptr) return VisitPacked(**weights.packed(), f);
  for (int64_t row = 0; row < weights.rows()->shape().rows; ++row) {
    weights.rows()->VisitRow(row, [&](int64_t column, float value) { f(row, column, value); });
  }
  return Status();
}

}  // namespace depthwise

LACUNA_COLD_FUNC Result<DepthwisePlan> DepthwisePlan::Make(const KernelTable& kernels, const LayerWeights& weights,
                                                           int64_t channels, const LayerGeometry& geometry,
                                                           const Epilogue& epilogue) {
  DepthwisePlan plan;
  plan.kernels_ = &kernels;
  plan.axis_ = geometry.axis;
  plan.channels_ = channels;
  const auto lanes = static_cast<int64_t>(kernels.lanes), taps = plan.taps();
  const size_t padded = RoundUp(static_cast<size_t>(plan.channels_), kernels.lanes);
  LACUNA_ASSIGN_OR_RETURN(weight, Buffer<float>::Make(padded * static_cast<size_t>(taps)));
  LACUNA_ASSIGN_OR_RETURN(bias, Buffer<float>::Make(padded));
  LACUNA_RETURN_IF_ERROR(depthwise::VisitWeights(weights, [&](int64_t channel, int64_t tap, float value) {
    weight[static_cast<size_t>(channel / lanes * lanes * taps + tap * lanes + channel % lanes)] = value;
  }));
  std::copy(epilogue.bias.begin(), epilogue.bias.end(), bias.begin());
  plan.weight_ = std::move(weight);
  plan.bias_ = std::move(bias);
  plan.epilogue_ = epilogue;
  plan.epilogue_.bias = {};
  plan.clamp_ = ClampRange::Of(epilogue);
  plan.plane_ = kernels.depthwise_planes.For(plan.axis_);
  plan.fetch_ahead_ = static_cast<double>(channels) * static_cast<double>(plan.axis_[1].input * plan.axis_[2].input) >
                      kFetchAheadBytes / sizeof(float);
  return plan;
}

LACUNA_FUNC Status DepthwisePlan::Run(const LayerRun& run, ExecutorRef executor) const {
  const size_t threads = executor.concurrency();
  const int64_t rows = axis_[0].output * axis_[1].output;
  Job job{run.x, run.y, run.residual};
  if (!ChannelsInnermost(run)) {
    const int64_t planes = run.batch * channels_ * axis_[0].output;
    // Bands where there are few planes: each reads rows that its neighbours read too.
    job.bands = std::clamp<int64_t>(DivideUp(4 * threads, static_cast<size_t>(planes)), 1, axis_[1].output);
    if (threads == 1) job.bands = 1;
    job.rows = (axis_[1].output + job.bands - 1) / job.bands;
    job.bands = (axis_[1].output + job.rows - 1) / job.rows;
    job.items = planes * job.bands;
    const auto run_planes = [&](size_t) { RunPlanes(job); };
    executor.parallel_for(std::min(threads, static_cast<size_t>(job.items)), run_planes);
    return Status();
  }
  // Several bands a thread, so that none waits long for the last.
  const int64_t wanted = threads == 1 ? 1 : (4 * static_cast<int64_t>(threads) + run.batch - 1) / run.batch;
  job.rows = (rows + wanted - 1) / wanted;
  job.bands = (rows + job.rows - 1) / job.rows;
  job.items = run.batch * job.bands;
  const auto run_slot = [&](size_t) { RunSlot(job); };
  executor.parallel_for(std::min(threads, static_cast<size_t>(job.items)), run_slot);
  return Status();
}

LACUNA_COLD_FUNC Explanation DepthwisePlan::Explain() const {
  Explanation explanation;
  explanation.channels_last = "depthwise";
  if (plane_ != nullptr) explanation.planar = "depthwise";
  explanation.packed_bytes = StorageBytes();
  return explanation;
}

LACUNA_FUNC void DepthwisePlan::RunSlot(Job& job) const {
  const int64_t rows = axis_[0].output * axis_[1].output;
  DepthwiseArgs args{};
  args.bias = bias_.data();
  args.channels = channels_;
  args.taps = taps();
  args.tap_row = {axis_[1].kernel * axis_[2].kernel, axis_[2].kernel};
  args.x_row = {axis_[0].dilation * job.x.axis_stride[0], axis_[1].dilation * job.x.axis_stride[1]};
  args.x_column = job.x.axis_stride[2];
  args.y_column = job.y.axis_stride[2];
  args.residual_column = job.residual.axis_stride[2];
  args.row_ahead = job.x.axis_stride[1];
  args.width = &axis_[2];
  args.epilogue = &epilogue_;
  args.clamp = clamp_;
  for (int64_t item = job.Claim(); item < job.items; item = job.Claim()) {
    const int64_t first = item % job.bands * job.rows;
    const int64_t end = std::min(rows, first + job.rows);
    for (int64_t row = first; row < end; ++row) RunRow(job, item / job.bands, row, args);
  }
}

LACUNA_FUNC void DepthwisePlan::RunPlanes(Job& job) const {
  const auto lanes = static_cast<int64_t>(kernels_->lanes);
  DepthwisePlaneArgs args{};
  args.weight_tap = lanes;
  args.x_row = job.x.axis_stride[1];
  args.y_row = job.y.axis_stride[1];
  args.residual_row = job.residual.axis_stride[1];
  args.height = &axis_[1];
  args.width = &axis_[2];
  args.epilogue = &epilogue_;
  args.clamp = clamp_;
  for (int64_t item = job.Claim(); item < job.items; item = job.Claim()) {
    const int64_t depth = item / job.bands % axis_[0].output;
    const int64_t channel = item / job.bands / axis_[0].output % channels_;
    const int64_t image = item / job.bands / axis_[0].output / channels_;
    const auto at = [&](const auto& view, int64_t d) {
      return view.data + image * view.batch_stride + channel * view.channel_stride + d * view.axis_stride[0];
    };
    args.x = at(job.x, depth * axis_[0].stride);
    args.y = at(job.y, depth);
    args.residual = job.residual.data == nullptr ? nullptr : at(job.residual, depth);
    args.weight = weight_.data() + channel / lanes * lanes * taps() + channel % lanes;
    args.bias = bias_[static_cast<size_t>(channel)];
    args.first_row = item % job.bands * job.rows;
    args.end_row = std::min(axis_[1].output, args.first_row + job.rows);
    plane_(args);
  }
}

LACUNA_FUNC void DepthwisePlan::RunRow(const Job& job, int64_t image, int64_t row, DepthwiseArgs& args) const {
  const std::array<int64_t, 2> output = {row / axis_[1].output, row % axis_[1].output};
  const auto at = [&](const auto& view, int64_t d, int64_t h) {
    return view.data + image * view.batch_stride + d * view.axis_stride[0] + h * view.axis_stride[1];
  };
  std::array<int64_t, 2> tap, input;  // the first that is not padding
  for (size_t a = 0; a < 2; ++a) {
    const TileAxis& axis = axis_[a];
    const int64_t first = output[a] * axis.stride - axis.pad;
    tap[a] = first >= 0 ? 0 : std::min(axis.kernel, (-first + axis.dilation - 1) / axis.dilation);
    const int64_t end = first >= axis.input ? 0 : (axis.input - 1 - first) / axis.dilation + 1;
    args.rows[a] = std::max<int64_t>(0, std::min(axis.kernel, end) - tap[a]);
    input[a] = args.rows[a] == 0 ? 0 : first + tap[a] * axis.dilation;
  }
  args.x = at(job.x, input[0], input[1]);
  args.weight =
      weight_.data() + (tap[0] * args.tap_row[0] + tap[1] * args.tap_row[1]) * static_cast<int64_t>(kernels_->lanes);
  args.y = at(job.y, output[0], output[1]);
  args.residual = job.residual.data == nullptr ? nullptr : at(job.residual, output[0], output[1]);
  const int64_t after = output[1] * axis_[1].stride - axis_[1].pad + (axis_[1].kernel - 1) * axis_[1].dilation + 1;
  args.rows_ahead = fetch_ahead_ && after >= 0 ? std::min(axis_[1].stride, axis_[1].input - after) : 0;
  args.ahead = args.rows_ahead > 0 ? at(job.x, input[0], after) : nullptr;
  kernels_->depthwise(args);
}

}  // namespace lacuna::inline LACUNA_ABI
