// DepthwisePlan: a depthwise layer by kernels of its own, ready to run.

#ifndef LACUNA_OP_DEPTHWISE_PLAN_H_
#define LACUNA_OP_DEPTHWISE_PLAN_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/status.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/layer_plan.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/pack/input_tile.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// Every channel has a filter of its own: in_channels = out_channels = groups. Weights are kept dense, as zeros of some
// channels save nothing where channels are the lanes of a vector.
class DepthwisePlan final : public LayerPlan {
 public:
  // `weights` has a row of taps for each of `channels`, packed for the layer's kernel if it is packed. Of `geometry`
  // the axes are read. The bias is copied.
  static Result<DepthwisePlan> Make(const KernelTable& kernels, const LayerWeights& weights, int64_t channels,
                                    const LayerGeometry& geometry, const Epilogue& epilogue);

  // Whether views are what this plan is for: channels innermost everywhere; or rows contiguous everywhere, where there
  // is a kernel for the layer.
  bool Takes(const LayerRun& run) const { return ChannelsInnermost(run) || (plane_ != nullptr && RowsContiguous(run)); }

  // Needs no workspace.
  size_t WorkspaceBytes(size_t) const override { return 0; }
  LACUNA_FUNC Status Run(const LayerRun& run, ExecutorRef executor) const override;
  LACUNA_FUNC Explanation Explain() const override;

  size_t StorageBytes() const { return weight_.size_bytes() + bias_.size_bytes(); }

 private:
  // The work of one Run. An item is a band of rows of one image; of planar views, a band of a plane.
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

  static bool ChannelsInnermost(const LayerRun& run) {
    return run.x.channel_stride == 1 && run.y.channel_stride == 1 &&
           (run.residual.data == nullptr || run.residual.channel_stride == 1);
  }
  static bool RowsContiguous(const LayerRun& run) {
    return run.x.axis_stride[2] == 1 && run.y.axis_stride[2] == 1 &&
           (run.residual.data == nullptr || run.residual.axis_stride[2] == 1);
  }

  int64_t taps() const { return axis_[0].kernel * axis_[1].kernel * axis_[2].kernel; }
  void RunSlot(Job& job) const;
  void RunPlanes(Job& job) const;
  void RunRow(const Job& job, int64_t image, int64_t row, DepthwiseArgs& args) const;

  const KernelTable* kernels_ = nullptr;
  std::array<TileAxis, 3> axis_;
  int64_t channels_ = 0;
  Buffer<float> weight_;  // see DepthwiseArgs
  Buffer<float> bias_;    // [channels], zero where there is none
  Epilogue epilogue_;
  ClampRange clamp_;
  bool fetch_ahead_ = false;
  DepthwisePlaneFn plane_ = nullptr;  // of planar views
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/depthwise_plan.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_DEPTHWISE_PLAN_H_
