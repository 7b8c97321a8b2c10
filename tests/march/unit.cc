// LACUNA_MARCH_UNIT names the function that this compilation defines.

#include "tests/march/unit.h"

namespace lacuna::test {
namespace {

Result<Convolution<2>> Make(const BcrWeights<float>& weights, const ConvShape<2>& shape) {
  return MakeConvolution<2>(weights, shape, Epilogue{.activation = Activation::kRelu});
}

Status Run(const Convolution<2>& convolution, const std::vector<float>& x, std::vector<float>& y) {
  const ConvShape<2>& shape = convolution.shape();
  const Extents<2> output = shape.output();
  std::vector<std::byte> workspace(convolution.WorkspaceBytes(1));
  const Extents<4> x_extent = {shape.batch, shape.in_channels, shape.input[0], shape.input[1]};
  const Extents<4> y_extent = {shape.batch, shape.out_channels, output[0], output[1]};
  return convolution.Run(TensorView<const float, 4>::Planar(x.data(), x_extent),
                         TensorView<float, 4>::Planar(y.data(), y_extent), {.workspace = workspace});
}

int64_t Active() { return ActiveTarget(); }

}  // namespace

MarchUnit LACUNA_MARCH_UNIT() { return {HWY_STATIC_TARGET, HWY_TARGETS, &Active, &Make, &Run}; }

}  // namespace lacuna::test
