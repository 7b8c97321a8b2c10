// All of lacuna, and the smallest use of a convolution.

#include <lacuna/lacuna.h>

lacuna::Result<lacuna::Convolution<2>> Layer(const lacuna::BcrWeights<float>& weights,
                                             const lacuna::ConvShape<2>& shape) {
  return lacuna::MakeConvolution<2>(weights, shape);
}
