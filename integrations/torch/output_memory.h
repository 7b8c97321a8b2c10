// Memory of outputs, kept for the next ones: fresh pages from the system cost a sparse layer a quarter of its time.

#ifndef LACUNA_TORCH_OUTPUT_MEMORY_H_
#define LACUNA_TORCH_OUTPUT_MEMORY_H_

#include <ATen/core/Tensor.h>

namespace lacuna_torch {

// As at::empty. Large tensors get memory that an earlier one gave back; some 64 MB are kept for that at most.
at::Tensor EmptyOutput(at::IntArrayRef extents, const at::TensorOptions& options,
                       at::MemoryFormat format = at::MemoryFormat::Contiguous);

}  // namespace lacuna_torch

#endif  // LACUNA_TORCH_OUTPUT_MEMORY_H_
