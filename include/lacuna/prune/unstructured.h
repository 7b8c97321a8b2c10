// ProjectUnstructured: magnitude pruning, weight by weight.

#ifndef LACUNA_PRUNE_UNSTRUCTURED_H_
#define LACUNA_PRUNE_UNSTRUCTURED_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/prune/ranking.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI::prune {

// Keeps the ceil(keep * rows * columns) weights of largest magnitude in the layer, keep in (0, 1]. Weights must be
// finite.
template <class T>
Result<CsrWeights<T>> ProjectUnstructured(const DenseWeights<T>& weights, double keep) {
  LACUNA_RETURN_IF_ERROR(CheckFraction("keep", keep));
  LACUNA_RETURN_IF_ERROR(CheckFinite(weights));
  const size_t count = weights.values().size();
  LACUNA_ASSIGN_OR_RETURN(units, Buffer<Unit>::Make(count));
  LACUNA_ASSIGN_OR_RETURN(flag, Buffer<uint8_t>::Make(count));
  for (size_t i = 0; i < count; ++i) {
    const auto value = static_cast<double>(weights.values()[i]);
    units[i] = {value * value, i};
  }
  KeepLargest(std::span<Unit>(units.data(), count), KeptOf(keep, static_cast<int64_t>(count)), flag);
  return CsrWeights<T>::FromMask(weights, [&](int64_t row, int64_t column) {
    return flag[static_cast<size_t>(row * weights.shape().columns + column)] != 0;
  });
}

LACUNA_INSTANCE(LACUNA_API Result<CsrWeights<float>> ProjectUnstructured(const DenseWeights<float>&, double));

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_UNSTRUCTURED_H_
