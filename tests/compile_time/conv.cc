// One convolution, of weights of one format.

#include <lacuna/conv.h>
#include <lacuna/format/bcr.h>

lacuna::Result<lacuna::Convolution<2>> Layer(const lacuna::BcrWeights<float>& weights,
                                             const lacuna::ConvShape<2>& shape) {
  return lacuna::MakeConvolution<2>(weights, shape);
}
