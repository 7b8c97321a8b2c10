// Int8DepthwisePlan: depthwise convolutions of 8-bit integers, one channel at a time.

#ifndef LACUNA_OP_INT8_DEPTHWISE_PLAN_H_
#define LACUNA_OP_INT8_DEPTHWISE_PLAN_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/executor.h"
#include "lacuna/core/quantization.h"
#include "lacuna/core/status.h"
#include "lacuna/format/row_source.h"
#include "lacuna/kernel/int8_table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/int8_plan.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/tile_job.h"
#include "lacuna/pack/input_tile.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace lacuna::inline LACUNA_ABI {

// Filters that read one channel each. Of groups of four channels, three would be zeros; so a channel is copied with its
// padding, columns apart by their place in the stride, and outputs are sums over contiguous bytes. Immutable; Run may
// be called from many threads at once.
class Int8DepthwisePlan {
 public:
  // `weights` and `epilogue` are valid and fit the layer, of one channel a group. Nothing of them is referred to
  // afterwards.
  LACUNA_API static Result<Int8DepthwisePlan> Make(const Int8Kernels& kernels, const RowSource<int8_t>& weights,
                                                   const LayerGeometry& geometry, const QuantizedEpilogue& epilogue);

  size_t WorkspaceBytes(size_t threads) const { return WorkspaceFor(threads, SliceBytes()); }
  // Fails if the workspace is too small; allocates nothing.
  LACUNA_API Status Run(const Int8Run& run, ExecutorRef executor) const;
  LACUNA_API Explanation Explain() const;

  const Int8Kernels& kernels() const { return *kernels_; }

 private:
  // Positions that a kernel call computes at most, whole vectors on every target.
  static constexpr size_t kChunk = 64;

  Int8DepthwisePlan() = default;

  size_t taps() const { return offset_.size(); }
  // Bytes of a copied row, of all its phases; of a plane; and of a channel, with what vectors read past it.
  int64_t row() const { return pitch_ * axis_[2].stride; }
  int64_t plane() const { return row() * needed_[1]; }
  size_t ChannelBytes() const { return RoundUp(static_cast<size_t>(plane() * needed_[0]) + 2 * kChunk, kAlignment); }
  // A slot's slice of workspace: the channel, sums, spans.
  size_t SliceBytes() const {
    return ChannelBytes() + RoundUp(kChunk * sizeof(int32_t), kAlignment) +
           RoundUp(kChunk * sizeof(OutputSpan), kAlignment);
  }

  void Copy(const Int8Run& run, int64_t image, int64_t channel, uint8_t* to) const;
  void RunChannel(const Int8Run& run, int64_t image, int64_t channel, std::byte* slice) const;

  const Int8Kernels* kernels_ = nullptr;
  std::array<TileAxis, 3> axis_;
  std::array<int64_t, 3> needed_{};  // inputs that the outputs of an axis read, padding included
  int64_t pitch_ = 0;                // of a phase of a row
  int64_t filters_ = 0, filters_per_channel_ = 1;
  int64_t stored_weights_ = 0;
  Buffer<int32_t> offset_;    // [taps], into the copied channel
  Buffer<uint32_t> weight_;   // [filters][taps], modulo 2^32
  Buffer<uint32_t> bias_;     // [filters], less the sum of weights times the input's zero point
  Buffer<float> multiplier_;  // [filters]
  uint8_t flip_ = 0;          // xored to inputs: makes u8 of them
  uint8_t padding_ = 0;       // as it is copied
  Quantization y_type_, residual_type_;
  Requantization values_;
};

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/int8_depthwise_plan.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_INT8_DEPTHWISE_PLAN_H_
