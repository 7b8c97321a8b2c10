// PanelPlan: packed weights times the positions of a layer, by the panel or the pattern kernel. What convolutions of
// every rank and GEMM share.

#ifndef LACUNA_OP_PANEL_PLAN_H_
#define LACUNA_OP_PANEL_PLAN_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/column_offsets.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/layer_plan.h"
#include "lacuna/op/output_rows.h"
#include "lacuna/op/pattern_blocks.h"
#include "lacuna/op/sum_order.h"
#include "lacuna/op/tile_job.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/row_blocks.h"
#include "lacuna/policy/cost.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

class PanelPlan final : public LayerPlan {
 public:
  // `weights` must have been packed for one of the tiles of `kernels`. The bias is copied.
  static Result<PanelPlan> Make(const KernelTable& kernels, Shared<PackedWeights<float>> weights,
                                const LayerGeometry& geometry, const Epilogue& epilogue, size_t input_tile_bytes,
                                const CostFactors& cost = {}, SumOrder sums = SumOrder::kFastest);

  size_t WorkspaceBytes(size_t threads) const override { return WorkspaceFor(threads, SliceBytes()); }
  LACUNA_FUNC Status Run(const LayerRun& run, ExecutorRef executor) const override;
  LACUNA_FUNC Explanation Explain() const override;

  const PackedWeights<float>& weights() const { return *weights_; }
  const Epilogue& epilogue() const { return epilogue_; }
  const InputTile& tile() const { return tile_; }

 private:
  PanelPlan() = default;

  // The work of one Run: input tiles of the groups of all images.
  struct Job : TileJob {
    InputTile tile;
    bool in_place;  // the input is read where it is: no tile is packed

    Job(const InputTile& layout, bool reads_in_place, const ActivationView<const float>& in,
        const ActivationView<float>& out, const ActivationView<const float>& add, int64_t tiles, size_t threads,
        size_t panels)
        : TileJob(in, out, add, tiles, threads, panels), tile(layout), in_place(reads_in_place) {}

    InputPlanes PlanesOf(int64_t tile_index, int64_t groups) const {
      const int64_t image = tile_index / tile.tiles() / groups, group = tile_index / tile.tiles() % groups;
      return {x.data + image * x.batch_stride + group * tile.channels * x.channel_stride, x.channel_stride,
              x.axis_stride};
    }
  };

  // Kernels of one cell and stride 1 need no packed tile where the input's channels, and the outputs', are lines
  // without a gap: position n of channel c is x[c * positions + n]. Worth 40 % on the 1x1 layers of MobileNet-V2 and
  // ResNet-50 at bcr_col-8x, 24 % at unstructured-8x, 12 % dense (conv2d_bench).
  bool CanReadInPlace(const ActivationView<const float>& x, const ActivationView<float>& y,
                      const ActivationView<const float>& residual, int64_t width) const {
    const int64_t positions = line_tile_.axis[2].output;
    if (line_offset_.empty() || x.channel_stride != positions || width != tile_.axis[2].output) return false;
    const auto is_line = [&](const auto& view) {
      return view.axis_stride[2] == 1 && (tile_.axis[1].output == 1 || view.axis_stride[1] == tile_.axis[2].output) &&
             (tile_.axis[0].output == 1 || view.axis_stride[0] == tile_.axis[1].output * tile_.axis[2].output);
    };
    return is_line(x) && is_line(y) && (residual.data == nullptr || is_line(residual));
  }
  Status MakeLine(const LayerGeometry& geometry, size_t input_tile_bytes);
  void KeepInside(int64_t left, std::span<SubTile> sub_tiles, OutputSpan* spans) const;

  void RunSlot(Job& job, std::byte* slice) const;
  void RunPanels(const Job& job, int64_t tile_index, std::pair<size_t, size_t> panels, size_t sub_tiles,
                 InputPrefetcher ahead, std::byte* slice) const;

  // A slot's slice of workspace: the input tile (and what the last kernel call reads past it), accumulators, sub-tiles,
  // spans.
  size_t TileBytes() const { return RoundUp((tile_.floats() + slack_) * sizeof(float), kAlignment); }
  size_t AccumulatorBytes() const {
    int vectors = kernel_->tile.rows * kernel_->tile.vectors;
    if (is_pattern()) {
      for (const PanelKernel& kernel : kernels_->patterns)
        vectors = std::max(vectors, kernel.tile.height * kernel.tile.vectors);
    }
    return RoundUp(static_cast<size_t>(vectors) * kernels_->lanes * sizeof(float), kAlignment);
  }
  size_t SubTileBytes() const {
    const size_t most = is_pattern() ? blocks_.MaxSubTiles(tile_)
                                     : std::max(cutting_.MaxSubTiles(tile_), cutting_.MaxSubTiles(line_tile_));
    return RoundUp(most * sizeof(SubTile), kAlignment);
  }
  size_t SpanBytes() const {
    const size_t most =
        is_pattern() ? blocks_.MaxSpans(tile_) : std::max(cutting_.MaxSpans(tile_), cutting_.MaxSpans(line_tile_));
    return RoundUp(most * sizeof(OutputSpan), kAlignment);
  }
  size_t SliceBytes() const { return TileBytes() + AccumulatorBytes() + SubTileBytes() + SpanBytes(); }
  bool is_pattern() const { return weights_->tile.packing == Packing::kPattern; }
  size_t Cut(const InputTile& tile, const std::array<int64_t, 3>& outputs, bool rows_touch, SubTile* sub_tiles,
             OutputSpan* spans) const {
    return is_pattern() ? blocks_.Cut(tile, outputs, rows_touch, sub_tiles, spans)
                        : cutting_.Cut(tile, outputs, rows_touch, sub_tiles, spans);
  }
  Status ChooseTile(const LayerGeometry& geometry, size_t input_tile_bytes, const CostFactors& cost, SumOrder sums);

  const KernelTable* kernels_ = nullptr;
  const PanelKernel* kernel_ = nullptr;
  Shared<PackedWeights<float>> weights_;
  InputTile tile_;
  SubTiling cutting_;          // of the panel kernel
  RowBlocks blocks_;           // of the pattern kernel
  size_t slack_ = 0;           // floats
  ColumnOffsets offset_;       // into the input tile
  InputTile line_tile_;        // of a layer whose input can be read in place: positions as one row
  ColumnOffsets line_offset_;  // into the input, empty for other layers
  OutputRows rows_;
  Epilogue epilogue_;
  ClampRange clamp_;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/panel_plan.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_PANEL_PLAN_H_
