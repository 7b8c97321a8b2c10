// ProjectChannelGroups: projections that see the matrix with neighbouring input channels of a tap side by side.

#ifndef LACUNA_PRUNE_CHANNEL_GROUPS_H_
#define LACUNA_PRUNE_CHANNEL_GROUPS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/block_grid.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/row_source.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace lacuna::inline LACUNA_ABI::prune {

// Columns of a convolution in the order (group of channels, tap, channel of the group), of `channels` channels a group;
// the last group may have fewer. As stored they are in the order (channel, tap).
struct ChannelGroupOrder {
  int64_t columns, taps, channels;

  // Where stored column k is in that order.
  int64_t Of(int64_t k) const {
    const int64_t channel = k / taps, first = channel / channels * channels;
    const int64_t in_group = std::min(channels, columns / taps - first);
    return first * taps + k % taps * in_group + channel - first;
  }
};

// What `project` keeps of the weights in that order, as BCR blocks of `block_rows` rows x a group of channels with all
// taps. `project` takes dense weights and yields any format.
template <class T, class Projection>
Result<BcrWeights<T>> ProjectChannelGroups(const DenseWeights<T>& weights, const ChannelGroupOrder& order,
                                           int64_t block_rows, const Projection& project) {
  const MatrixShape& shape = weights.shape();
  if (order.taps < 1 || order.channels < 1 || shape.columns % order.taps != 0) {
    return Status::InvalidArgument("taps is %lld, must divide weights.columns, %lld, and a group has %lld channels",
                                   static_cast<long long>(order.taps), static_cast<long long>(shape.columns),
                                   static_cast<long long>(order.channels));
  }
  LACUNA_ASSIGN_OR_RETURN(grouped, DenseWeights<T>::Zeros(shape));
  for (int64_t row = 0; row < shape.rows; ++row) {
    for (int64_t k = 0; k < shape.columns; ++k) grouped.mutable_row(row)[order.Of(k)] = weights.row(row)[k];
  }
  const auto projected = project(grouped);
  if (!projected.ok()) return projected.status();
  const RowSource<T> rows(*projected);
  LACUNA_ASSIGN_OR_RETURN(kept, Buffer<uint8_t>::Make(static_cast<size_t>(shape.elements())));
  for (int64_t row = 0; row < shape.rows; ++row) {
    rows.VisitRow(row, [&](int64_t column, const T&) { kept[static_cast<size_t>(row * shape.columns + column)] = 1; });
  }
  return BcrWeights<T>::FromMask(weights, {block_rows, order.channels * order.taps}, [&](int64_t row, int64_t column) {
    return kept[static_cast<size_t>(row * shape.columns + order.Of(column))] != 0;
  });
}

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_CHANNEL_GROUPS_H_
