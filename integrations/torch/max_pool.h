// Max pooling of planar tensors, which PyTorch 1.13 takes ten times as long for as for channels_last ones.

#ifndef LACUNA_TORCH_MAX_POOL_H_
#define LACUNA_TORCH_MAX_POOL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace lacuna_torch {

// x [batch, channels, height, width] of any layout; two values each of kernel, stride and padding, as
// torch.nn.MaxPool2d without dilation has them. Planar tensors are pooled here, others by PyTorch.
at::Tensor MaxPool2d(const at::Tensor& x, const std::vector<int64_t>& kernel, const std::vector<int64_t>& stride,
                     const std::vector<int64_t>& padding);

}  // namespace lacuna_torch

#endif  // LACUNA_TORCH_MAX_POOL_H_
