#include "lacuna/core/abi.h"
#include "lacuna/core/shape.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/op/forms.h"
#include "lacuna/op/packed_weights.h"

namespace lacuna::inline LACUNA_ABI {

namespace op {

LACUNA_FUNC Result<Shared<PackedWeights<float>>> PackWeights(const KernelTable& kernels, const LayerWeights& weights,
                                                             const ConvShape<3>* shape, const PlanPolicy& policy) {
  LACUNA_RETURN_IF_ERROR(weights.Validate());
  LayerGeometry layer;
  if (shape != nullptr) {
    LACUNA_RETURN_IF_ERROR(CheckMatrix(weights.shape(), *shape));
    layer = GeometryOf(*shape);
  }
  LACUNA_ASSIGN_OR_RETURN(form, ChooseForm(kernels, weights, policy, shape == nullptr ? nullptr : &layer,
                                           shape == nullptr ? LayerKey() : LayerKey::Of(*shape)));
  if (form.weights) return form.weights;
  return Status::Make(StatusCode::kUnsupported, "weights would be packed for the form \"%s\", which packs them anew",
                      form.record.options[form.record.chosen].name);
}

}  // namespace op

}  // namespace lacuna::inline LACUNA_ABI
