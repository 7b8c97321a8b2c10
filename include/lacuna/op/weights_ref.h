// WeightsRef: weights as a Make function takes them, of any format or packed before.

#ifndef LACUNA_OP_WEIGHTS_REF_H_
#define LACUNA_OP_WEIGHTS_REF_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/row_source.h"
#include "lacuna/pack/gemv.h"
#include "lacuna/pack/packed_weights.h"

#include <concepts>
#include <optional>

namespace lacuna::inline LACUNA_ABI {

// Non-owning: what it was made from must outlive it. Made implicitly from a format, from AnyWeights, or from a Shared
// of packed weights.
template <class Packed>
class WeightsRef {
  using T = typename Packed::value_type;

 public:
  template <class Weights>
  requires std::convertible_to<const Weights&, RowSource<T>> WeightsRef(const Weights& weights)
      : rows_(RowSource<T>(weights)) {}
  WeightsRef(const Shared<Packed>& packed) : packed_(&packed) {}

  // The rows of a format; null if the weights are packed.
  const RowSource<T>* rows() const { return rows_ ? &*rows_ : nullptr; }
  // Null if they are not.
  const Shared<Packed>* packed() const { return packed_; }

  Status Validate() const {
    if (rows_) return rows_->Validate();
    if (!*packed_) return Status::InvalidArgument("weights is an empty Shared, must hold packed weights");
    return Status();
  }
  // Of valid weights, as the layer has them.
  MatrixShape shape() const { return rows_ ? rows_->shape() : (*packed_)->LayerShape(); }

 private:
  std::optional<RowSource<T>> rows_;
  const Shared<Packed>* packed_ = nullptr;
};

using LayerWeights = WeightsRef<PackedWeights<float>>;  // of convolutions and GEMM
using GemvWeights = WeightsRef<PackedGemv<float>>;

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_OP_WEIGHTS_REF_H_
