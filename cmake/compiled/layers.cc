// Plans of convolutions and GEMM.

#include "lacuna/op/convolution.ipp"
#include "lacuna/op/depthwise_plan.ipp"
#include "lacuna/op/forms.ipp"
#include "lacuna/op/gemm.ipp"
#include "lacuna/op/int8_depthwise_plan.ipp"
#include "lacuna/op/int8_plan.ipp"
#include "lacuna/op/packed_blob.ipp"
#include "lacuna/op/packed_weights.ipp"
#include "lacuna/op/panel_plan.ipp"
#include "lacuna/op/quantized_convolution.ipp"
#include "lacuna/op/tile_job.ipp"
#include "lacuna/op/trial.ipp"
#include "lacuna/op/winograd_forms.ipp"
#include "lacuna/op/winograd_plan.ipp"

namespace lacuna::inline LACUNA_ABI {

template class LACUNA_API Convolution<1>;
template class LACUNA_API Convolution<2>;
template class LACUNA_API Convolution<3>;

}  // namespace lacuna::inline LACUNA_ABI
