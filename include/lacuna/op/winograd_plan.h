// WinogradPlan: a convolution by Winograd transforms and one matrix product per point, dense or over whole-kernel
// sparsity, ready to run.

#ifndef LACUNA_OP_WINOGRAD_PLAN_H_
#define LACUNA_OP_WINOGRAD_PLAN_H_

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
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// Stride 1, dilation 1, 3 taps on the transformed axes and 1 on the others. Work is cut into blocks of Winograd tiles;
// for each, the input of all channels is transformed, then, some panels of output channels at a time, every product's
// matrix is multiplied, by the panel kernel or the weights' DenseProduct, and the sums are transformed back.
class WinogradPlan final : public LayerPlan {
 public:
  // `weights` must have been packed for one of the panel tiles of `kernels`, or for a DenseProduct. Of `geometry` the
  // axes and channels_per_group are read. The bias is copied.
  static Result<WinogradPlan> Make(const KernelTable& kernels, Shared<WinogradWeights<float>> weights,
                                   const LayerGeometry& geometry, const Epilogue& epilogue,
                                   const CostFactors& cost = {});

  size_t WorkspaceBytes(size_t threads) const override { return WorkspaceFor(threads, SliceBytes()); }
  LACUNA_FUNC Status Run(const LayerRun& run, ExecutorRef executor) const override;
  LACUNA_FUNC Explanation Explain() const override;

  const WinogradTile& tile() const { return weights_->tile; }
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
    float* sums;     // of a chunk's panels, see SumsOf
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
  // Sums of step_ panels of all products lie together, [products][rows][pitch], products sum_point() apart: what is
  // transformed together is in few pages.
  int64_t sum_point() const { return step_rows() * pitch() + kWinogradStagger; }
  float* SumsOf(const Slice& slice, size_t panel_of_chunk) const {
    return slice.sums + static_cast<int64_t>(panel_of_chunk / step_) * tile().products() * sum_point() +
           static_cast<int64_t>(panel_of_chunk % step_) * index().tile.rows * pitch();
  }
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
  size_t SumBytes() const {
    return Bytes(static_cast<int64_t>(DivideUp(chunk_, step_)) * tile().products() * sum_point());
  }
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
  int64_t channels_ = 0;        // of a group
  size_t chunk_ = 1;            // panels whose sums are kept at a time
  bool fetches_ahead_ = false;  // inputs of the next product
  size_t step_ = 1;             // panels that are multiplied together, whatever the number of threads
  InputTile input_;             // kWinogradChannels of a block
  SubTiling cutting_;
  ColumnOffsets offset_;  // into the transformed input of a point
  OutputRows rows_;
  Buffer<float> zero_;  // [tile.rows]
  // The product's kernels for blocks by their `ends`; step_ panels, and what is left of them at the end of a group.
  std::array<std::array<const void*, 2>, 8> product_kernel_{};
  Epilogue epilogue_;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/winograd_plan.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_WINOGRAD_PLAN_H_
