// DepthwisePlan: a depthwise layer whose activations have channels innermost, ready to run.

#ifndef LACUNA_OP_DEPTHWISE_PLAN_H_
#define LACUNA_OP_DEPTHWISE_PLAN_H_

#include "lacuna/core/buffer.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/format/any.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/panel_plan.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/pattern.h"
#include "lacuna/policy/defaults.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace lacuna {

namespace op {

// f(row, column, value) for every stored weight, of any format.
template <class Weights, class F>
Status VisitWeights(const Weights& weights, const F& f) {
  for (int64_t row = 0; row < weights.shape().rows; ++row) {
    weights.VisitRow(row, [&](int64_t column, float value) { f(row, column, value); });
  }
  return Status();
}
template <class F>
Status VisitWeights(const AnyWeights<float>& weights, const F& f) {
  return weights.Visit([&](const auto& format) { return VisitWeights(format, f); });
}
// Of a depthwise layer: rows and columns are those of the layer, zeros that packing filled in are visited too.
template <class F>
Status VisitWeights(const Shared<PackedWeights<float>>& weights, const F& f) {
  const PackedWeights<float>& packed = *weights;
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

}  // namespace op

// Every channel has a filter of its own: in_channels = out_channels = groups. Weights are kept dense, as zeros of some
// channels save nothing where channels are the lanes of a vector.
class DepthwisePlan {
 public:
  // `weights` has a row of taps for each of `channels`, packed for the layer's kernel if it is packed. Of `geometry`
  // the axes are read. The bias is copied.
  template <class Weights>
  static Result<DepthwisePlan> Make(const KernelTable& kernels, const Weights& weights, int64_t channels,
                                    const LayerGeometry& geometry, const Epilogue& epilogue);

  // Whether views are what this plan is for.
  static bool Takes(const ActivationView<const float>& x, const ActivationView<float>& y,
                    const ActivationView<const float>& residual) {
    return x.channel_stride == 1 && y.channel_stride == 1 && (residual.data == nullptr || residual.channel_stride == 1);
  }

  // y = epilogue(convolution(x)) for `batch` images. Needs no workspace. Extents have been checked by the caller.
  template <class E>
  void Run(const ActivationView<const float>& x, const ActivationView<float>& y,
           const ActivationView<const float>& residual, int64_t batch, E&& executor) const {
    const size_t threads = std::max<size_t>(1, static_cast<size_t>(executor.concurrency()));
    const int64_t rows = axis_[0].output * axis_[1].output;
    Job job{x, y, residual};
    // Several bands a thread, so that none waits long for the last.
    const int64_t wanted = threads == 1 ? 1 : (4 * static_cast<int64_t>(threads) + batch - 1) / batch;
    job.rows = (rows + wanted - 1) / wanted;
    job.bands = (rows + job.rows - 1) / job.rows;
    job.items = batch * job.bands;
    const auto run_slot = [&](size_t) { RunSlot(job); };
    executor.parallel_for(std::min(threads, static_cast<size_t>(job.items)), run_slot);
  }

  void AddTo(Explanation& explanation) const {
    explanation.channels_last = "depthwise";
    explanation.packed_bytes += StorageBytes();
  }
  size_t StorageBytes() const { return weight_.size_bytes() + bias_.size_bytes(); }

 private:
  // The work of one Run. An item is a band of rows of one image.
  struct Job {
    ActivationView<const float> x;
    ActivationView<float> y;
    ActivationView<const float> residual;
    int64_t rows = 0;  // of a band
    int64_t bands = 0, items = 0;
    std::atomic<int64_t> next{0};

    int64_t Claim() { return next.fetch_add(1, std::memory_order_relaxed); }
  };

  DepthwisePlan() = default;

  int64_t taps() const { return axis_[0].kernel * axis_[1].kernel * axis_[2].kernel; }
  void RunSlot(Job& job) const;
  void RunRow(const Job& job, int64_t image, int64_t row, DepthwiseArgs& args) const;

  const KernelTable* kernels_ = nullptr;
  std::array<TileAxis, 3> axis_;
  int64_t channels_ = 0;
  Buffer<float> weight_;  // see DepthwiseArgs
  Buffer<float> bias_;    // [channels], zero where there is none
  Epilogue epilogue_;
  ClampRange clamp_;
  bool fetch_ahead_ = false;
};

template <class Weights>
Result<DepthwisePlan> DepthwisePlan::Make(const KernelTable& kernels, const Weights& weights, int64_t channels,
                                          const LayerGeometry& geometry, const Epilogue& epilogue) {
  DepthwisePlan plan;
  plan.kernels_ = &kernels;
  plan.axis_ = geometry.axis;
  plan.channels_ = channels;
  const auto lanes = static_cast<int64_t>(kernels.lanes), taps = plan.taps();
  const size_t padded = RoundUp(static_cast<size_t>(plan.channels_), kernels.lanes);
  LACUNA_ASSIGN_OR_RETURN(weight, Buffer<float>::Make(padded * static_cast<size_t>(taps)));
  LACUNA_ASSIGN_OR_RETURN(bias, Buffer<float>::Make(padded));
  LACUNA_RETURN_IF_ERROR(op::VisitWeights(weights, [&](int64_t channel, int64_t tap, float value) {
    weight[static_cast<size_t>(channel / lanes * lanes * taps + tap * lanes + channel % lanes)] = value;
  }));
  std::copy(epilogue.bias.begin(), epilogue.bias.end(), bias.begin());
  plan.weight_ = std::move(weight);
  plan.bias_ = std::move(bias);
  plan.epilogue_ = epilogue;
  plan.epilogue_.bias = {};
  plan.clamp_ = ClampRange::Of(epilogue);
  plan.fetch_ahead_ = static_cast<double>(channels) * static_cast<double>(plan.axis_[1].input * plan.axis_[2].input) >
                      kFetchAheadBytes / sizeof(float);
  return plan;
}

inline void DepthwisePlan::RunSlot(Job& job) const {
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

inline void DepthwisePlan::RunRow(const Job& job, int64_t image, int64_t row, DepthwiseArgs& args) const {
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

}  // namespace lacuna

#endif  // LACUNA_OP_DEPTHWISE_PLAN_H_
