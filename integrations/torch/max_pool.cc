#include "max_pool.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "layer.h"
#include "output_memory.h"

namespace lacuna_torch {

namespace {

// The larger one; NaN if either is. Without branches, so that compilers make vectors of it.
inline float Larger(float a, float b) {
  const float larger = b > a ? b : a;
  return b != b ? b : larger;
}

struct Window {
  int64_t kernel, stride, padding;

  int64_t Outputs(int64_t extent) const { return (extent + 2 * padding - kernel) / stride + 1; }
  // Of a window, without its padding.
  int64_t Begin(int64_t output) const { return std::max<int64_t>(output * stride - padding, 0); }
  int64_t End(int64_t output, int64_t extent) const { return std::min(output * stride - padding + kernel, extent); }
};

// y[i] = the largest of row[i * stride], ..., row[i * stride + kernel - 1]. kStride 0: any.
template <int64_t kStride>
void PoolRow(const float* __restrict row, int64_t kernel, int64_t any_stride, int64_t outputs, float* __restrict y) {
  const int64_t stride = kStride > 0 ? kStride : any_stride;
  for (int64_t i = 0; i < outputs; ++i) y[i] = row[i * stride];
  for (int64_t k = 1; k < kernel; ++k) {
    for (int64_t i = 0; i < outputs; ++i) y[i] = Larger(y[i], row[i * stride + k]);
  }
}

// First down the columns of a window, whole rows at once, then along the row that is left, which `padded` holds with
// its padding.
void PoolPlane(const float* x, int64_t height, int64_t width, const Window& rows, const Window& columns,
               std::vector<float>& padded, float* y) {
  const int64_t out_height = rows.Outputs(height), out_width = columns.Outputs(width);
  float* __restrict row = padded.data() + columns.padding;
  for (int64_t oh = 0; oh < out_height; ++oh, y += out_width) {
    const int64_t first = rows.Begin(oh);
    std::copy_n(x + first * width, width, row);
    for (int64_t h = first + 1; h < rows.End(oh, height); ++h) {
      const float* __restrict line = x + h * width;
      for (int64_t w = 0; w < width; ++w) row[w] = Larger(row[w], line[w]);
    }
    switch (columns.stride) {
      case 1: PoolRow<1>(padded.data(), columns.kernel, 1, out_width, y); break;
      case 2: PoolRow<2>(padded.data(), columns.kernel, 2, out_width, y); break;
      default: PoolRow<0>(padded.data(), columns.kernel, columns.stride, out_width, y); break;
    }
  }
}

}  // namespace

Tensor MaxPool2d(const Tensor& x, const std::vector<int64_t>& kernel, const std::vector<int64_t>& stride,
                 const std::vector<int64_t>& padding) {
  CheckInput("max_pool2d", x);
  TORCH_CHECK(kernel.size() == 2 && stride.size() == 2 && padding.size() == 2,
              "lacuna::max_pool2d: kernel, stride and padding must have 2 values");
  const Window rows{kernel[0], stride[0], padding[0]}, columns{kernel[1], stride[1], padding[1]};
  // PyTorch is quick where channels are innermost, and says what is wrong with extents.
  if (x.dim() != 4 || !x.is_contiguous() || x.numel() == 0 ||
      std::min({stride[0], stride[1], kernel[0], kernel[1]}) < 1 || x.size(2) + 2 * padding[0] < kernel[0] ||
      x.size(3) + 2 * padding[1] < kernel[1] || 2 * padding[0] > kernel[0] || 2 * padding[1] > kernel[1] ||
      std::min(padding[0], padding[1]) < 0) {
    return at::max_pool2d(x, kernel, stride, padding);
  }
  const int64_t height = x.size(2), width = x.size(3);
  Tensor y = EmptyOutput({x.size(0), x.size(1), rows.Outputs(height), columns.Outputs(width)}, x.options());
  const float* from = x.data_ptr<float>();
  float* to = y.data_ptr<float>();
  const int64_t out_plane = y.size(2) * y.size(3);
  at::parallel_for(0, x.size(0) * x.size(1), 8, [&](int64_t begin, int64_t end) {
    std::vector<float> padded(static_cast<size_t>(width + 2 * columns.padding),
                              -std::numeric_limits<float>::infinity());
    for (int64_t plane = begin; plane < end; ++plane) {
      PoolPlane(from + plane * height * width, height, width, rows, columns, padded, to + plane * out_plane);
    }
  });
  return y;
}

}  // namespace lacuna_torch
