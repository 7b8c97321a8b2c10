// Plans of matrix-vector products, recurrent cells and layers.

#include "lacuna/op/gemv.ipp"
#include "lacuna/op/recurrent_cell.ipp"
#include "lacuna/op/recurrent_layer.ipp"
#include "lacuna/op/recurrent_step.ipp"

namespace lacuna::inline LACUNA_ABI {

template class LACUNA_API RecurrentStep<RnnOptions>;
template class LACUNA_API RecurrentStep<GruOptions>;
template class LACUNA_API RecurrentStep<LstmOptions>;
template class LACUNA_API RecurrentCell<RnnOptions>;
template class LACUNA_API RecurrentCell<GruOptions>;
template class LACUNA_API RecurrentCell<LstmOptions>;
template class LACUNA_API RecurrentLayer<RnnOptions>;
template class LACUNA_API RecurrentLayer<GruOptions>;
template class LACUNA_API RecurrentLayer<LstmOptions>;
template class LACUNA_API BidirectionalLayer<RnnOptions>;
template class LACUNA_API BidirectionalLayer<GruOptions>;
template class LACUNA_API BidirectionalLayer<LstmOptions>;

}  // namespace lacuna::inline LACUNA_ABI
