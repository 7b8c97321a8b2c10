// Int8Plan: a layer of 8-bit products by the panel kernel, ready to run. What convolutions of every rank share.

#ifndef LACUNA_OP_INT8_PLAN_H_
#define LACUNA_OP_INT8_PLAN_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/quantization.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/core/value_traits.h"
#include "lacuna/core/view.h"
#include "lacuna/format/column_groups.h"
#include "lacuna/format/row_source.h"
#include "lacuna/kernel/int8_table.h"
#include "lacuna/op/column_offsets.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/plan_policy.h"
#include "lacuna/op/tile_job.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/packed_weights.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// One Run of a layer, as LayerRun. Extents and types have been checked; strides count elements.
struct Int8Run {
  ActivationView<const std::byte> x;
  ActivationView<std::byte> y;
  ActivationView<const std::byte> residual;  // without data if the layer has none
  int64_t batch;
  std::span<std::byte> workspace;
};

// PanelPlan's counterpart. Weights and input tile count in groups of four columns: a column is four neighbouring input
// channels at one tap. Immutable; Run may be called from many threads at once.
class Int8Plan {
 public:
  using Groups = ColumnGroups<int8_t, Int8Traits::kColumnGroup>;
  using Packed = PackedWeights<WeightGroup<Int8Traits>>;

  // `weights` and `epilogue` are valid and fit the layer. Nothing of them is referred to afterwards.
  LACUNA_API static Result<Int8Plan> Make(const Int8Kernels& kernels, const RowSource<int8_t>& weights,
                                          const LayerGeometry& geometry, const QuantizedEpilogue& epilogue,
                                          const PlanPolicy& policy);

  LACUNA_API size_t WorkspaceBytes(size_t threads) const { return WorkspaceFor(threads, SliceBytes()); }
  // Fails if the workspace is too small; allocates nothing.
  LACUNA_API Status Run(const Int8Run& run, ExecutorRef executor) const;
  LACUNA_API Explanation Explain() const;

  const Packed& weights() const { return *weights_; }
  const Int8Kernels& kernels() const { return *kernels_; }

 private:
  struct Job : TileItems {
    const Int8Run& run;

    Job(const Int8Run& of, int64_t tiles, size_t threads, size_t panels) : TileItems(tiles, threads, panels), run(of) {}
  };

  Int8Plan() = default;

  Status PackWeights(const Groups& groups, const PlanPolicy& policy);
  Status MakeRows(const Groups& groups, const QuantizedEpilogue& epilogue);

  void PackTile(const Job& job, int64_t index, const std::array<int64_t, 3>& origin, int32_t* to) const;
  void RunSlot(Job& job, std::byte* slice) const;
  void RunPanels(const Job& job, int64_t index, std::pair<size_t, size_t> panels, size_t sub_tiles,
                 std::byte* slice) const;

  // A slot's slice of workspace: the input tile (and what the last kernel call reads past it), sums, sub-tiles, spans.
  size_t TileBytes() const { return RoundUp((tile_.floats() + slack_) * sizeof(int32_t), kAlignment); }
  size_t SumBytes() const {
    const auto vectors = static_cast<size_t>(kernel_->tile.rows * kernel_->tile.vectors);
    return RoundUp(vectors * kernels_->lanes * sizeof(int32_t), kAlignment);
  }
  size_t SubTileBytes() const { return RoundUp(cutting_.MaxSubTiles(tile_) * sizeof(SubTile), kAlignment); }
  size_t SpanBytes() const { return RoundUp(cutting_.MaxSpans(tile_) * sizeof(OutputSpan), kAlignment); }
  size_t SliceBytes() const { return TileBytes() + SumBytes() + SubTileBytes() + SpanBytes(); }

  const Int8Kernels* kernels_ = nullptr;
  const Int8PanelKernel* kernel_ = nullptr;
  Shared<Packed> weights_;
  int64_t channels_per_group_ = 0;
  int64_t stored_weights_ = 0;  // of the format
  InputTile tile_;
  SubTiling cutting_;
  size_t slack_ = 0;      // lanes
  ColumnOffsets offset_;  // into the input tile
  // Per row of a panel, [panels][tile.rows].
  Buffer<int32_t> bias_;  // less the sum of the row's weights times the input's zero point
  Buffer<float> multiplier_;
  Buffer<uint32_t> channel_;  // of the output, counted over all groups
  uint8_t padding_ = 0;       // of the input, as it comes
  uint8_t flip_ = 0;          // Int8Planes::flip
  int32_t tile_zero_ = 0;     // zero point of what the input tile holds
  Quantization y_type_, residual_type_;
  Requantization values_;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/int8_plan.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_INT8_PLAN_H_
