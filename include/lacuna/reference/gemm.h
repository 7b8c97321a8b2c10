// GEMM by naive loops in double precision: the definition of correct.

#ifndef LACUNA_REFERENCE_GEMM_H_
#define LACUNA_REFERENCE_GEMM_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/reference/activation.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI::reference {

// y = activation(W x + bias + residual): W is `shape.rows` x `shape.columns` (groups must be 1), x columns x N, y rows
// x N. If magnitude.data is set it receives sum |w| |x| of every output.
inline Status Gemm(const MatrixShape& shape, std::span<const float> weights, const Epilogue& epilogue,
                   const MatrixView<const float>& x, const MatrixView<float>& y,
                   const MatrixView<const float>& residual = {}, const MatrixView<double>& magnitude = {}) {
  LACUNA_RETURN_IF_ERROR(shape.Validate());
  LACUNA_RETURN_IF_ERROR(epilogue.Validate(shape.rows));
  if (shape.groups != 1 || weights.size() != static_cast<size_t>(shape.elements())) {
    return Status::InvalidArgument("weights has %zu elements in %lld groups, must have %lld in 1", weights.size(),
                                   static_cast<long long>(shape.groups), static_cast<long long>(shape.elements()));
  }
  if (x.rows != shape.columns || y.rows != shape.rows || x.columns != y.columns) {
    return Status::InvalidArgument("x is %lld x %lld and y is %lld x %lld, must be %lld x N and %lld x N",
                                   static_cast<long long>(x.rows), static_cast<long long>(x.columns),
                                   static_cast<long long>(y.rows), static_cast<long long>(y.columns),
                                   static_cast<long long>(shape.columns), static_cast<long long>(shape.rows));
  }
  const auto at = [](const auto& view, int64_t i, int64_t j) -> auto& {
    return view.data[i * view.row_stride + j * view.column_stride];
  };
  for (int64_t m = 0; m < shape.rows; ++m) {
    for (int64_t n = 0; n < x.columns; ++n) {
      double sum = 0.0, absolute = 0.0;
      for (int64_t k = 0; k < shape.columns; ++k) {
        const double product = double{weights[static_cast<size_t>(m * shape.columns + k)]} * double{at(x, k, n)};
        sum += product;
        absolute += std::abs(product);
      }
      if (!epilogue.bias.empty()) sum += double{epilogue.bias[static_cast<size_t>(m)]};
      if (epilogue.residual) sum += double{at(residual, m, n)};
      at(y, m, n) = static_cast<float>(Activate(epilogue, sum));
      if (magnitude.data != nullptr) at(magnitude, m, n) = absolute;
    }
  }
  return Status();
}

}  // namespace lacuna::inline LACUNA_ABI::reference

#endif  // LACUNA_REFERENCE_GEMM_H_
