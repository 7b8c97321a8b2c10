// Filter and channel pruning: dense layers that become smaller, and what their neighbours lose with them.

#ifndef LACUNA_PRUNE_FILTER_H_
#define LACUNA_PRUNE_FILTER_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/prune/ranking.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI::prune {

// A layer that lost channels, and the channels that are left: old numbers, ascending. Channel kept[i] is now channel i.
template <class T>
struct SmallerLayer {
  DenseWeights<T> weights;
  Buffer<uint32_t> kept;
};

namespace filter {

inline Status CheckKept(const char* what, std::span<const uint32_t> kept, int64_t count) {
  if (kept.empty()) return Status::InvalidArgument("kept has 0 elements, must have at least 1");
  for (size_t i = 0; i < kept.size(); ++i) {
    if (int64_t{kept[i]} >= count || (i > 0 && kept[i] <= kept[i - 1])) {
      return Status::InvalidArgument("kept[%zu] is %u, must ascend and be below the number of %s, %lld", i, kept[i],
                                     what, static_cast<long long>(count));
    }
  }
  return Status();
}

inline Status CheckTaps(int64_t taps, const MatrixShape& shape) {
  if (taps >= 1 && shape.columns % taps == 0) return Status();
  return Status::InvalidArgument("taps is %lld, must be at least 1 and divide weights.columns, %lld",
                                 static_cast<long long>(taps), static_cast<long long>(shape.columns));
}

// The numbers below groups * per_group of which `norm2` is among the ceil(keep * per_group) largest of its group.
template <class Norm2>
Result<Buffer<uint32_t>> Strongest(int64_t groups, int64_t per_group, double keep, const Norm2& norm2) {
  const int64_t kept_per_group = KeptOf(keep, per_group);
  const auto extent = static_cast<size_t>(per_group);
  LACUNA_ASSIGN_OR_RETURN(units, Buffer<Unit>::Make(extent));
  LACUNA_ASSIGN_OR_RETURN(flag, Buffer<uint8_t>::Make(static_cast<size_t>(groups) * extent));
  LACUNA_ASSIGN_OR_RETURN(kept, Buffer<uint32_t>::Make(static_cast<size_t>(groups * kept_per_group)));
  size_t used = 0;
  for (size_t first = 0; first < flag.size(); first += extent) {
    for (size_t i = 0; i < extent; ++i) units[i] = {norm2(static_cast<int64_t>(first + i)), first + i};
    KeepLargest(std::span<Unit>(units.data(), extent), kept_per_group, flag);
    for (size_t i = first; i < first + extent; ++i) {
      if (flag[i] != 0) kept[used++] = static_cast<uint32_t>(i);
    }
  }
  return std::move(kept);
}

}  // namespace filter

// values[kept[i]]: the bias, or whatever else there is per output channel, of a layer that lost filters.
template <class T>
Result<Buffer<T>> KeepValues(std::span<const T> values, std::span<const uint32_t> kept) {
  LACUNA_RETURN_IF_ERROR(filter::CheckKept("values", kept, static_cast<int64_t>(values.size())));
  LACUNA_ASSIGN_OR_RETURN(left, Buffer<T>::Make(kept.size()));
  for (size_t i = 0; i < kept.size(); ++i) left[i] = values[kept[i]];
  return std::move(left);
}

// The layer with the filters (output channels) `kept` alone: what a layer loses when the next one lost input channels.
// Fails unless every group keeps as many, at least one.
template <class T>
Result<DenseWeights<T>> KeepFilters(const DenseWeights<T>& weights, std::span<const uint32_t> kept) {
  const MatrixShape& shape = weights.shape();
  LACUNA_RETURN_IF_ERROR(filter::CheckKept("filters", kept, shape.rows));
  const auto per_group = static_cast<int64_t>(kept.size()) / shape.groups;
  for (size_t i = 0; i < kept.size(); ++i) {
    const int64_t group = kept[i] / shape.rows_per_group();
    if (static_cast<int64_t>(kept.size()) != per_group * shape.groups || group != static_cast<int64_t>(i) / per_group) {
      return Status::Make(StatusCode::kUnsupported,
                          "kept has %zu filters of %lld groups, must have as many of each group", kept.size(),
                          static_cast<long long>(shape.groups));
    }
  }
  LACUNA_ASSIGN_OR_RETURN(
      smaller, DenseWeights<T>::Zeros(
                   {.rows = static_cast<int64_t>(kept.size()), .columns = shape.columns, .groups = shape.groups}));
  for (size_t i = 0; i < kept.size(); ++i) {
    std::copy_n(weights.row(kept[i]), shape.columns, smaller.mutable_row(static_cast<int64_t>(i)));
  }
  return std::move(smaller);
}

// The layer with the input channels `kept` alone (numbered over all groups): what a layer with kernels of `taps` cells
// loses when the one before it lost filters. Exact where the removed channels were zero, else the layer's outputs miss
// their share. A group without a kept channel is removed with its filters, as happens to depthwise layers; `kept` of
// the result are the filters that are left, for the layer after it and for KeepValues. Fails unless every other group
// keeps as many channels.
template <class T>
Result<SmallerLayer<T>> KeepChannels(const DenseWeights<T>& weights, int64_t taps, std::span<const uint32_t> kept) {
  const MatrixShape& shape = weights.shape();
  LACUNA_RETURN_IF_ERROR(filter::CheckTaps(taps, shape));
  const int64_t channels = shape.columns / taps;
  LACUNA_RETURN_IF_ERROR(filter::CheckKept("input channels", kept, channels * shape.groups));
  const int64_t first_group = kept[0] / channels;
  const auto in_first = std::find_if(kept.begin(), kept.end(), [&](uint32_t c) { return c / channels != first_group; });
  const auto per_group = static_cast<size_t>(in_first - kept.begin());
  for (size_t i = 0; i < kept.size(); ++i) {
    const size_t run = i / per_group * per_group;  // the channels of one group must be such a run
    const bool starts_group = run == 0 || kept[run - 1] / channels != kept[run] / channels;
    if (kept.size() % per_group != 0 || !starts_group || kept[i] / channels != kept[run] / channels) {
      return Status::Make(StatusCode::kUnsupported,
                          "kept has %zu input channels of group %lld, must have as many, or none, of each of the %lld "
                          "groups",
                          per_group, static_cast<long long>(first_group), static_cast<long long>(shape.groups));
    }
  }
  const size_t groups = kept.size() / per_group;
  const int64_t rows_per_group = shape.rows_per_group();
  LACUNA_ASSIGN_OR_RETURN(smaller, DenseWeights<T>::Zeros({.rows = static_cast<int64_t>(groups) * rows_per_group,
                                                           .columns = static_cast<int64_t>(per_group) * taps,
                                                           .groups = static_cast<int64_t>(groups)}));
  LACUNA_ASSIGN_OR_RETURN(filters, Buffer<uint32_t>::Make(static_cast<size_t>(smaller.shape().rows)));
  for (int64_t row = 0; row < smaller.shape().rows; ++row) {
    const std::span<const uint32_t> group =
        kept.subspan(static_cast<size_t>(row / rows_per_group) * per_group, per_group);
    const int64_t old_row = group[0] / channels * rows_per_group + row % rows_per_group;
    filters[static_cast<size_t>(row)] = static_cast<uint32_t>(old_row);
    T* to = smaller.mutable_row(row);
    for (const uint32_t channel : group) to = std::copy_n(weights.row(old_row) + channel % channels * taps, taps, to);
  }
  return SmallerLayer<T>{std::move(smaller), std::move(filters)};
}

// Filter pruning: keeps the ceil(keep * filters) output channels of largest L2 norm, as many in every group, keep in
// (0, 1]. A depthwise layer has one filter a group and keeps them all. Weights must be finite.
template <class T>
Result<SmallerLayer<T>> PruneFilters(const DenseWeights<T>& weights, double keep) {
  LACUNA_RETURN_IF_ERROR(CheckFraction("keep", keep));
  LACUNA_RETURN_IF_ERROR(CheckFinite(weights));
  const MatrixShape& shape = weights.shape();
  LACUNA_ASSIGN_OR_RETURN(
      kept, filter::Strongest(shape.groups, shape.rows_per_group(), keep, [&](int64_t row) {
        double sum = 0;
        for (const T value : std::span<const T>(weights.row(row), static_cast<size_t>(shape.columns)))
          sum += static_cast<double>(value) * static_cast<double>(value);
        return sum;
      }));
  LACUNA_ASSIGN_OR_RETURN(smaller, KeepFilters(weights, std::as_const(kept)));
  return SmallerLayer<T>{std::move(smaller), std::move(kept)};
}

// Channel pruning: keeps the ceil(keep * channels) input channels of largest L2 norm over the filters that read them,
// as many in every group, keep in (0, 1]; kernels have `taps` cells. `kept` are input channels, numbered over all
// groups. Weights must be finite.
template <class T>
Result<SmallerLayer<T>> PruneChannels(const DenseWeights<T>& weights, int64_t taps, double keep) {
  LACUNA_RETURN_IF_ERROR(CheckFraction("keep", keep));
  LACUNA_RETURN_IF_ERROR(CheckFinite(weights));
  const MatrixShape& shape = weights.shape();
  LACUNA_RETURN_IF_ERROR(filter::CheckTaps(taps, shape));
  const int64_t channels = shape.columns / taps, rows = shape.rows_per_group();
  LACUNA_ASSIGN_OR_RETURN(kept, filter::Strongest(shape.groups, channels, keep, [&](int64_t channel) {
                            double sum = 0;
                            for (int64_t row = channel / channels * rows; row < (channel / channels + 1) * rows;
                                 ++row) {
                              const T* kernel = weights.row(row) + channel % channels * taps;
                              for (int64_t cell = 0; cell < taps; ++cell)
                                sum += static_cast<double>(kernel[cell]) * static_cast<double>(kernel[cell]);
                            }
                            return sum;
                          }));
  LACUNA_ASSIGN_OR_RETURN(smaller, KeepChannels(weights, taps, std::as_const(kept)));
  return SmallerLayer<T>{std::move(smaller.weights), std::move(kept)};
}

LACUNA_INSTANCE(LACUNA_API Result<DenseWeights<float>> KeepFilters(const DenseWeights<float>&,
                                                                   std::span<const uint32_t>));
LACUNA_INSTANCE(LACUNA_API Result<SmallerLayer<float>> KeepChannels(const DenseWeights<float>&, int64_t,
                                                                    std::span<const uint32_t>));
LACUNA_INSTANCE(LACUNA_API Result<SmallerLayer<float>> PruneFilters(const DenseWeights<float>&, double));
LACUNA_INSTANCE(LACUNA_API Result<SmallerLayer<float>> PruneChannels(const DenseWeights<float>&, int64_t, double));

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_FILTER_H_
