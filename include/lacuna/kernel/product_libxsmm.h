// libxsmm's generated kernels as a DenseProduct. Opt-in: link libxsmm, and libxsmmnoblas or a BLAS.

#ifndef LACUNA_KERNEL_PRODUCT_LIBXSMM_H_
#define LACUNA_KERNEL_PRODUCT_LIBXSMM_H_

#include "lacuna/core/abi.h"
#include "lacuna/policy/product.h"

#include <libxsmm.h>

#include <cstdint>
#include <limits>

namespace lacuna::inline LACUNA_ABI {

// Heinecke et al., "LIBXSMM: Accelerating Small Matrix Multiplications by Runtime Code Generation", SC 2016; here
// release 1.17. libxsmm generates a kernel at the first request for a shape, for the CPU it finds, whatever SIMD target
// a plan has, and keeps it until the process ends (or libxsmm_finalize: no plan may run after that). It has kernels for
// x86-64 alone.
inline const DenseProduct& LibxsmmProduct() {
  static constexpr DenseProduct kProduct(
      "libxsmm",
      [](const ProductShape& shape) -> const void* {
        for (const int64_t extent :
             {shape.rows, shape.columns, shape.depth, shape.w_stride, shape.x_stride, shape.y_stride}) {
          if (extent < 1 || extent > std::numeric_limits<libxsmm_blasint>::max()) return nullptr;
        }
        // Its matrices are column-major: Y^T = X^T W^T.
        const auto m = static_cast<libxsmm_blasint>(shape.columns), n = static_cast<libxsmm_blasint>(shape.rows);
        const auto k = static_cast<libxsmm_blasint>(shape.depth);
        const auto lda = static_cast<libxsmm_blasint>(shape.x_stride);
        const auto ldb = static_cast<libxsmm_blasint>(shape.w_stride);
        const auto ldc = static_cast<libxsmm_blasint>(shape.y_stride);
        const float alpha = 1.0f, beta = 0.0f;
        const int flags = LIBXSMM_GEMM_FLAG_NONE, prefetch = LIBXSMM_GEMM_PREFETCH_NONE;
        return reinterpret_cast<const void*>(
            libxsmm_smmdispatch(m, n, k, &lda, &ldb, &ldc, &alpha, &beta, &flags, &prefetch));
      },
      [](const void* kernel, const float* w, const float* x, float* y) {
        reinterpret_cast<libxsmm_smmfunction>(const_cast<void*>(kernel))(x, w, y);
      });
  return kProduct;
}

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_KERNEL_PRODUCT_LIBXSMM_H_
