// Convolution by naive loops in double precision: the definition of correct for every plan, of any rank.

#ifndef LACUNA_REFERENCE_CONVOLUTION_H_
#define LACUNA_REFERENCE_CONVOLUTION_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"
#include "lacuna/reference/activation.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI::reference {

// y = activation(convolution(x, weights) + bias + residual) as ConvShape and Epilogue define it. `weights` is the dense
// [out_channels][in_channels / groups][taps] array. If magnitude.data is set it receives sum |w| |x| of every output,
// from which rounding errors are bounded. residual.data must be set if epilogue.residual is.
template <int kRank>
Status Convolution(const ConvShape<kRank>& shape, std::span<const float> weights, const Epilogue& epilogue,
                   const TensorView<const float, kRank + 2>& x, const TensorView<float, kRank + 2>& y,
                   const TensorView<const float, kRank + 2>& residual = {},
                   const TensorView<double, kRank + 2>& magnitude = {}) {
  LACUNA_RETURN_IF_ERROR(shape.Validate());
  LACUNA_RETURN_IF_ERROR(epilogue.Validate(shape.out_channels));
  if (weights.size() != static_cast<size_t>(shape.weight_elements())) {
    return Status::InvalidArgument("weights has %zu elements, must have %lld", weights.size(),
                                   static_cast<long long>(shape.weight_elements()));
  }
  LACUNA_RETURN_IF_ERROR(CheckView("x", x, shape.input_tensor()));
  LACUNA_RETURN_IF_ERROR(CheckView("y", y, shape.output_tensor()));
  if (epilogue.residual) LACUNA_RETURN_IF_ERROR(CheckView("residual", residual, shape.output_tensor()));
  const Extents<kRank> output = shape.output();
  const auto at = [](const auto& view, int64_t image, int64_t channel, const Extents<kRank>& position) -> auto& {
    int64_t index = image * view.stride[0] + channel * view.stride[1];
    for (int axis = 0; axis < kRank; ++axis) index += position[axis] * view.stride[axis + 2];
    return view.data[index];
  };
  // Steps `position` through `extent`, the last axis fastest; false after the last position.
  const auto next = [](Extents<kRank>& position, const Extents<kRank>& extent) {
    for (int axis = kRank - 1; axis >= 0; --axis) {
      if (++position[axis] < extent[axis]) return true;
      position[axis] = 0;
    }
    return false;
  };
  for (int64_t image = 0; image < shape.batch; ++image) {
    for (int64_t oc = 0; oc < shape.out_channels; ++oc) {
      const int64_t first_channel = oc / shape.rows_per_group() * shape.channels_per_group();
      Extents<kRank> o{};
      do {
        double sum = 0.0, absolute = 0.0;
        const float* w = weights.data() + oc * shape.depth();
        for (int64_t ic = 0; ic < shape.channels_per_group(); ++ic) {
          Extents<kRank> k{};
          do {
            Extents<kRank> i{};
            bool inside = true;
            for (int axis = 0; axis < kRank; ++axis) {
              i[axis] = o[axis] * shape.stride[axis] + k[axis] * shape.dilation[axis] - shape.pad_begin[axis];
              inside = inside && i[axis] >= 0 && i[axis] < shape.input[axis];
            }
            if (inside) {
              const double product = double{*w} * double{at(x, image, first_channel + ic, i)};
              sum += product;
              absolute += std::abs(product);
            }
            ++w;
          } while (next(k, shape.kernel));
        }
        if (!epilogue.bias.empty()) sum += double{epilogue.bias[static_cast<size_t>(oc)]};
        if (epilogue.residual) sum += double{at(residual, image, oc, o)};
        at(y, image, oc, o) = static_cast<float>(Activate(epilogue, sum));
        if (magnitude.data != nullptr) at(magnitude, image, oc, o) = absolute;
      } while (next(o, output));
    }
  }
  return Status();
}

LACUNA_INSTANCE(LACUNA_API Status Convolution(const ConvShape<1>&, std::span<const float>, const Epilogue&,
                                              const TensorView<const float, 3>&, const TensorView<float, 3>&,
                                              const TensorView<const float, 3>&, const TensorView<double, 3>&));
LACUNA_INSTANCE(LACUNA_API Status Convolution(const ConvShape<2>&, std::span<const float>, const Epilogue&,
                                              const TensorView<const float, 4>&, const TensorView<float, 4>&,
                                              const TensorView<const float, 4>&, const TensorView<double, 4>&));
LACUNA_INSTANCE(LACUNA_API Status Convolution(const ConvShape<3>&, std::span<const float>, const Epilogue&,
                                              const TensorView<const float, 5>&, const TensorView<float, 5>&,
                                              const TensorView<const float, 5>&, const TensorView<double, 5>&));

}  // namespace lacuna::inline LACUNA_ABI::reference

#endif  // LACUNA_REFERENCE_CONVOLUTION_H_
