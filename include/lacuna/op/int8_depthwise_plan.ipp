#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/op/int8_depthwise_plan.h"
#include "lacuna/op/tile_job.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

LACUNA_FUNC Result<Int8DepthwisePlan> Int8DepthwisePlan::Make(const Int8Kernels& kernels,
                                                              const RowSource<int8_t>& weights,
                                                              const LayerGeometry& geometry,
                                                              const QuantizedEpilogue& epilogue) {
  Int8DepthwisePlan plan;
  plan.kernels_ = &kernels;
  plan.axis_ = geometry.axis;
  plan.filters_ = weights.shape().rows;
  plan.filters_per_channel_ = weights.shape().rows_per_group();
  plan.stored_weights_ = weights.nnz();
  const bool is_signed = epilogue.x.type == ValueType::kS8;
  const int32_t zero = epilogue.x.zero_point + (is_signed ? 128 : 0);
  plan.flip_ = is_signed ? 0x80 : 0;
  plan.padding_ = static_cast<uint8_t>(zero);
  plan.y_type_ = epilogue.y;
  plan.residual_type_ = epilogue.residual;
  plan.values_ = Requantization::Of(epilogue);
  for (size_t a = 0; a < 3; ++a) {
    const TileAxis& axis = plan.axis_[a];
    plan.needed_[a] = (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
  }
  const int64_t phases = plan.axis_[2].stride;
  plan.pitch_ = (plan.needed_[2] + phases - 1) / phases;
  if (plan.plane() > INT32_MAX / plan.needed_[0]) {
    return Status::Make(StatusCode::kUnsupported, "a channel with its padding has %lld bytes, more than 2^31",
                        static_cast<long long>(plan.plane() * plan.needed_[0]));
  }

  const auto columns = static_cast<size_t>(weights.shape().columns), filters = static_cast<size_t>(plan.filters_);
  LACUNA_ASSIGN_OR_RETURN(offset, Buffer<int32_t>::Make(columns));
  const std::array<TileAxis, 3>& axis = plan.axis_;
  for (size_t t = 0; t < columns; ++t) {
    const auto tap = static_cast<int64_t>(t);
    const int64_t w = tap % axis[2].kernel * axis[2].dilation;
    const int64_t h = tap / axis[2].kernel % axis[1].kernel * axis[1].dilation;
    const int64_t d = tap / (axis[2].kernel * axis[1].kernel) * axis[0].dilation;
    offset[t] = static_cast<int32_t>(d * plan.plane() + h * plan.row() + w % phases * plan.pitch_ + w / phases);
  }
  LACUNA_ASSIGN_OR_RETURN(weight, Buffer<uint32_t>::Make(filters * columns));
  LACUNA_ASSIGN_OR_RETURN(bias, Buffer<uint32_t>::Make(filters));
  LACUNA_ASSIGN_OR_RETURN(multiplier, Buffer<float>::Make(filters));
  for (size_t f = 0; f < filters; ++f) {
    int64_t sum = 0;
    weights.VisitRow(static_cast<int64_t>(f), [&](int64_t column, const int8_t& w) {
      weight[f * columns + static_cast<size_t>(column)] = static_cast<uint32_t>(int32_t{w});
      sum += w;
    });
    const int64_t given = epilogue.bias.empty() ? 0 : epilogue.bias[f];
    bias[f] = static_cast<uint32_t>(given - zero * sum);
    multiplier[f] = Requantization::Multiplier(epilogue, static_cast<int64_t>(f));
  }
  plan.offset_ = std::move(offset);
  plan.weight_ = std::move(weight);
  plan.bias_ = std::move(bias);
  plan.multiplier_ = std::move(multiplier);
  return plan;
}

LACUNA_FUNC Status Int8DepthwisePlan::Run(const Int8Run& run, ExecutorRef executor) const {
  // An item is a channel, with all filters that read it.
  const int64_t channels = filters_ / filters_per_channel_, items = run.batch * channels;
  std::atomic<int64_t> next{0};
  const auto run_slot = [&](std::byte* slice) {
    for (int64_t item = next++; item < items; item = next++) {
      const int64_t image = item / channels, channel = item % channels;
      Copy(run, image, channel, reinterpret_cast<uint8_t*>(slice));
      for (int64_t f = 0; f < filters_per_channel_; ++f) {
        RunChannel(run, image, channel * filters_per_channel_ + f, slice);
      }
    }
  };
  return RunInSlices(executor, items, run.workspace, SliceBytes(), run_slot);
}

// An input at position p of a padded row goes to phase p % stride, place p / stride.
LACUNA_FUNC void Int8DepthwisePlan::Copy(const Int8Run& run, int64_t image, int64_t channel, uint8_t* to) const {
  std::memset(to, padding_, ChannelBytes());
  const auto* x =
      reinterpret_cast<const uint8_t*>(run.x.data) + image * run.x.batch_stride + channel * run.x.channel_stride;
  const int64_t phases = axis_[2].stride, step = run.x.axis_stride[2];
  const int64_t columns = std::min(axis_[2].input, needed_[2] - axis_[2].pad);
  for (int64_t d = 0; d < std::min(axis_[0].input, needed_[0] - axis_[0].pad); ++d) {
    for (int64_t h = 0; h < std::min(axis_[1].input, needed_[1] - axis_[1].pad); ++h) {
      const uint8_t* from = x + d * run.x.axis_stride[0] + h * run.x.axis_stride[1];
      uint8_t* row_to = to + (d + axis_[0].pad) * plane() + (h + axis_[1].pad) * row();
      if (phases == 1 && step == 1) {
        for (int64_t w = 0; w < columns; ++w) row_to[axis_[2].pad + w] = from[w] ^ flip_;
        continue;
      }
      for (int64_t phase = 0; phase < phases; ++phase) {
        // Positions phase, phase + stride, ...: the first that is no padding.
        const int64_t first = (axis_[2].pad - phase + phases - 1) / phases;
        uint8_t* place = row_to + phase * pitch_;
        for (int64_t i = std::max<int64_t>(0, first), w = i * phases + phase - axis_[2].pad; w < columns;
             ++i, w += phases) {
          place[i] = from[w * step] ^ flip_;
        }
      }
    }
  }
}

LACUNA_FUNC void Int8DepthwisePlan::RunChannel(const Int8Run& run, int64_t image, int64_t filter,
                                               std::byte* slice) const {
  const auto* x = reinterpret_cast<const uint8_t*>(slice);
  auto* sums = reinterpret_cast<uint32_t*>(slice + ChannelBytes());
  auto* spans = reinterpret_cast<OutputSpan*>(slice + ChannelBytes() + RoundUp(kChunk * sizeof(int32_t), kAlignment));
  const auto corner = [&](const auto& view, ValueType type) {
    return view.data + (image * view.batch_stride + filter * view.channel_stride) * (type == ValueType::kF32 ? 4 : 1);
  };
  const int64_t no_offset = 0;
  Int8DepthwiseArgs args{nullptr,
                         offset_.data(),
                         weight_.data() + static_cast<size_t>(filter) * taps(),
                         taps(),
                         bias_[static_cast<size_t>(filter)],
                         sums,
                         0};
  Int8StoreArgs store{};
  store.acc = reinterpret_cast<const int32_t*>(sums);
  store.rows = 1;
  store.multiplier = multiplier_.data() + filter;
  store.values = &values_;
  store.y_type = &y_type_;
  store.residual_type = &residual_type_;
  store.y_offset = &no_offset;
  store.residual_offset = &no_offset;
  store.y = corner(run.y, y_type_.type);
  store.y_stride = run.y.axis_stride;
  if (run.residual.data != nullptr) {
    store.residual = corner(run.residual, residual_type_.type);
    store.residual_stride = run.residual.axis_stride;
  }
  // Rows whose copies follow each other are one, what lies between them computed in vain.
  const bool joined = axis_[1].stride == 1 && axis_[2].stride == 1;
  const int64_t rows = joined ? 1 : axis_[1].output, between = joined ? row() : needed_[2];
  const int64_t positions = joined ? (axis_[1].output - 1) * row() + axis_[2].output : axis_[2].output;
  for (int64_t d = 0; d < axis_[0].output; ++d) {
    for (int64_t h = 0; h < rows; ++h) {
      const uint8_t* begin = x + d * axis_[0].stride * plane() + h * axis_[1].stride * row();
      for (int64_t first = 0; first < positions; first += static_cast<int64_t>(kChunk)) {
        const int64_t end = std::min(positions, first + static_cast<int64_t>(kChunk));
        size_t count = 0;
        for (int64_t line = first / between; line * between < end; ++line) {
          const int64_t from = std::max(first, line * between);
          const int64_t to = std::min(end, line * between + axis_[2].output);
          if (from >= to) continue;
          spans[count++] = {static_cast<int32_t>(from - first), static_cast<int32_t>(to - from),
                            static_cast<int32_t>(d), static_cast<int32_t>(h + line),
                            static_cast<int32_t>(from - line * between)};
        }
        args.x = begin + first;
        args.count = RoundUp(static_cast<size_t>(end - first), kernels_->lanes);
        kernels_->depthwise(args);
        store.acc_stride = args.count;
        store.spans = {spans, count};
        kernels_->store(store);
      }
    }
  }
}

LACUNA_FUNC Explanation Int8DepthwisePlan::Explain() const {
  Explanation explanation;
  explanation.algorithm = "depthwise, 8 bits";
  explanation.target = kernels_->target;
  explanation.lanes = kernels_->lanes;
  explanation.rows = filters_;
  explanation.columns = static_cast<int64_t>(taps());
  explanation.groups = filters_ / filters_per_channel_;
  explanation.nnz = stored_weights_;
  explanation.fill = filters_ * static_cast<int64_t>(taps()) - stored_weights_;
  explanation.packed_bytes =
      weight_.size_bytes() + bias_.size_bytes() + multiplier_.size_bytes() + offset_.size_bytes();
  for (size_t a = 0; a < 3; ++a) {
    explanation.tile_extent[a] = axis_[a].output;
    explanation.tiles[a] = 1;
  }
  explanation.input_tile_bytes = ChannelBytes();
  return explanation;
}

}  // namespace lacuna::inline LACUNA_ABI
