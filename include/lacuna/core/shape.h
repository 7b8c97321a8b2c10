// ConvShape: the geometry of a convolution of any rank.

#ifndef LACUNA_CORE_SHAPE_H_
#define LACUNA_CORE_SHAPE_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/status.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace lacuna::inline LACUNA_ABI {

template <int kRank>
using Extents = std::array<int64_t, kRank>;

template <int kRank>
constexpr Extents<kRank> FilledExtents(int64_t value) {
  Extents<kRank> extents{};
  for (int64_t& extent : extents) extent = value;
  return extents;
}

// y[n, oc, o] = sum over ic, k of w[oc, ic, k] * x[n, ic, o * stride + k * dilation - pad_begin], per group; x is zero
// outside its extents. Axes are ordered from the outermost: (H, W) for rank 2, (D, H, W) for rank 3. As a GEMM: M =
// out_channels, K = in_channels / groups * kernel taps (input channel outermost), N = output positions.
template <int kRank>
struct ConvShape {
  static_assert(kRank >= 1 && kRank <= 3);

  int64_t batch = 1;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t groups = 1;
  Extents<kRank> input{};
  Extents<kRank> kernel{};
  Extents<kRank> stride = FilledExtents<kRank>(1);
  Extents<kRank> dilation = FilledExtents<kRank>(1);
  Extents<kRank> pad_begin{};
  Extents<kRank> pad_end{};

  // Ok if every extent is in range, every output extent is at least 1 and no derived size overflows. Everything below
  // is meaningful only for a valid shape.
  Status Validate() const;

  int64_t output(int axis) const {
    const int64_t reach = (kernel[axis] - 1) * dilation[axis] + 1;
    return (input[axis] + pad_begin[axis] + pad_end[axis] - reach) / stride[axis] + 1;
  }
  Extents<kRank> output() const {
    Extents<kRank> extents{};
    for (int axis = 0; axis < kRank; ++axis) extents[axis] = output(axis);
    return extents;
  }
  // Extents of the input and output tensors: batch, channels, spatial axes.
  Extents<kRank + 2> input_tensor() const { return Tensor(in_channels, input); }
  Extents<kRank + 2> output_tensor() const { return Tensor(out_channels, output()); }
  int64_t taps() const { return Product(kernel); }
  int64_t rows_per_group() const { return out_channels / groups; }     // M of one group
  int64_t channels_per_group() const { return in_channels / groups; }  // input channels a filter sees
  int64_t depth() const { return channels_per_group() * taps(); }      // K
  int64_t positions() const { return Product(output()); }              // N of one image
  int64_t weight_elements() const { return out_channels * depth(); }
  int64_t input_elements() const { return batch * in_channels * Product(input); }
  int64_t output_elements() const { return batch * out_channels * positions(); }
  // Multiply-adds count twice; taps that fall on padding count like any other.
  double dense_flops() const { return 2.0 * static_cast<double>(depth()) * static_cast<double>(output_elements()); }

 private:
  Extents<kRank + 2> Tensor(int64_t channels, const Extents<kRank>& spatial) const {
    Extents<kRank + 2> extents{};
    extents[0] = batch;
    extents[1] = channels;
    for (size_t axis = 0; axis < kRank; ++axis) extents[axis + 2] = spatial[axis];
    return extents;
  }
  static int64_t Product(const Extents<kRank>& extents) {
    int64_t product = 1;
    for (const int64_t extent : extents) product *= extent;
    return product;
  }
};

// The most elements of a tensor, and the largest coordinate of an axis: far above any layer, and small enough that
// offsets and sums of a few extents stay in 64 bits, and on 32-bit machines counts of bytes in size_t.
inline constexpr int64_t kMaxElements = int64_t{1} << (sizeof(size_t) < 8 ? 28 : 40);

template <int kRank>
Status ConvShape<kRank>::Validate() const {
  const auto at_least = [](const char* name, int axis, int64_t value, int64_t limit) {
    if (value >= limit) return Status();
    if (axis < 0) {
      return Status::InvalidArgument("shape.%s is %lld, must be at least %lld", name, static_cast<long long>(value),
                                     static_cast<long long>(limit));
    }
    return Status::InvalidArgument("shape.%s[%d] is %lld, must be at least %lld", name, axis,
                                   static_cast<long long>(value), static_cast<long long>(limit));
  };
  LACUNA_RETURN_IF_ERROR(at_least("batch", -1, batch, 1));
  LACUNA_RETURN_IF_ERROR(at_least("in_channels", -1, in_channels, 1));
  LACUNA_RETURN_IF_ERROR(at_least("out_channels", -1, out_channels, 1));
  LACUNA_RETURN_IF_ERROR(at_least("groups", -1, groups, 1));
  if (in_channels % groups != 0 || out_channels % groups != 0) {
    return Status::InvalidArgument("shape.groups is %lld, must divide in_channels %lld and out_channels %lld",
                                   static_cast<long long>(groups), static_cast<long long>(in_channels),
                                   static_cast<long long>(out_channels));
  }
  Checked in = Checked(batch) * in_channels;
  Checked out = Checked(batch) * out_channels;
  Checked weights = Checked(out_channels) * (in_channels / groups);
  for (int axis = 0; axis < kRank; ++axis) {
    LACUNA_RETURN_IF_ERROR(at_least("input", axis, input[axis], 1));
    LACUNA_RETURN_IF_ERROR(at_least("kernel", axis, kernel[axis], 1));
    LACUNA_RETURN_IF_ERROR(at_least("stride", axis, stride[axis], 1));
    LACUNA_RETURN_IF_ERROR(at_least("dilation", axis, dilation[axis], 1));
    LACUNA_RETURN_IF_ERROR(at_least("pad_begin", axis, pad_begin[axis], 0));
    LACUNA_RETURN_IF_ERROR(at_least("pad_end", axis, pad_end[axis], 0));
    const Checked padded = Checked(input[axis]) + pad_begin[axis] + pad_end[axis];
    const Checked reach = Checked(kernel[axis] - 1) * dilation[axis] + 1;
    const Checked far = padded + Checked(stride[axis]) + reach;  // the largest coordinate a kernel computes
    if (!padded.ok() || !reach.ok() || !far.ok() || far.value() > kMaxElements) {
      return Status::InvalidArgument("shape: padded input, kernel reach and stride of axis %d exceed the limit of %lld",
                                     axis, static_cast<long long>(kMaxElements));
    }
    if (reach.value() > padded.value()) {
      return Status::InvalidArgument("shape.kernel[%d] reaches over %lld inputs, the padded input has only %lld", axis,
                                     static_cast<long long>(reach.value()), static_cast<long long>(padded.value()));
    }
    in = in * input[axis];
    out = out * output(axis);
    weights = weights * kernel[axis];
  }
  const auto fits = [](const char* name, Checked elements) {
    if (elements.ok() && elements.value() <= kMaxElements) return Status();
    return Status::InvalidArgument("shape: the %s has more elements than the limit of %lld", name,
                                   static_cast<long long>(kMaxElements));
  };
  LACUNA_RETURN_IF_ERROR(fits("input", in));
  LACUNA_RETURN_IF_ERROR(fits("output", out));
  return fits("weight", weights);
}
LACUNA_INSTANCE(LACUNA_API Status ConvShape<1>::Validate() const);
LACUNA_INSTANCE(LACUNA_API Status ConvShape<2>::Validate() const);
LACUNA_INSTANCE(LACUNA_API Status ConvShape<3>::Validate() const);

// The same layer with its spatial axes as (depth, height, width), those that it does not have being 1.
template <int kRank>
ConvShape<3> AsVolume(const ConvShape<kRank>& shape) {
  ConvShape<3> volume{.batch = shape.batch,
                      .in_channels = shape.in_channels,
                      .out_channels = shape.out_channels,
                      .groups = shape.groups,
                      .input = FilledExtents<3>(1),
                      .kernel = FilledExtents<3>(1)};
  for (size_t a = 0; a < kRank; ++a) {
    const size_t to = 3 - kRank + a;
    volume.input[to] = shape.input[a];
    volume.kernel[to] = shape.kernel[a];
    volume.stride[to] = shape.stride[a];
    volume.dilation[to] = shape.dilation[a];
    volume.pad_begin[to] = shape.pad_begin[a];
    volume.pad_end[to] = shape.pad_end[a];
  }
  return volume;
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_CORE_SHAPE_H_
