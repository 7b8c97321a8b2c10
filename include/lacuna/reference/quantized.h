// Quantised convolution by naive loops in 64-bit integers: the definition of correct, to the bit.

#ifndef LACUNA_REFERENCE_QUANTIZED_H_
#define LACUNA_REFERENCE_QUANTIZED_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/quantization.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/status.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lacuna::inline LACUNA_ABI::reference {

// The output of a sum (without bias and modulo 2^32, see QuantizedEpilogue) of row `row`, as a real number that the
// output's type holds. `residual` is the residual's element, if there is one.
inline float Requantize(const QuantizedEpilogue& epilogue, int64_t row, int64_t sum, float residual) {
  const bool real = epilogue.y.type == ValueType::kF32;
  const Requantization values = Requantization::Of(epilogue);
  const auto hold = [&](float term) { return std::max(std::min(term, values.most_term), -values.most_term); };
  if (!epilogue.bias.empty()) sum += epilogue.bias[static_cast<size_t>(row)];
  const auto wrapped = static_cast<int32_t>(static_cast<uint64_t>(sum));
  // Volatile: a product is rounded before anything is added to it.
  volatile float v = static_cast<float>(wrapped) * Requantization::Multiplier(epilogue, row);
  if (epilogue.has_residual) {
    volatile float term = residual;
    if (!real) {
      term = hold((residual - static_cast<float>(epilogue.residual.zero_point)) * values.residual_scale);
    }
    v = hold(v) + term;
  }
  if (real) return std::min(std::max(float{v}, values.low), values.high);
  const float clamped = std::max(std::min(float{v}, values.high), values.low);
  return std::nearbyint(clamped) + static_cast<float>(epilogue.y.zero_point);  // half to even, the default
}

// Planar tensors: x [batch][in_channels][positions], weights [out_channels][in_channels / groups][taps], y and residual
// as the output. Elements of 8 bits and of f32 are given as int32 and as float. All extents must fit.
template <int kRank>
Status QuantizedConvolution(const ConvShape<kRank>& of, std::span<const int8_t> weights,
                            const QuantizedEpilogue& epilogue, std::span<const int32_t> x, std::span<float> y,
                            std::span<const float> residual = {}) {
  LACUNA_RETURN_IF_ERROR(of.Validate());
  LACUNA_RETURN_IF_ERROR(epilogue.Validate(of.out_channels));
  const ConvShape<3> shape = AsVolume(of);
  if (weights.size() != static_cast<size_t>(shape.weight_elements()) ||
      x.size() != static_cast<size_t>(shape.input_elements()) ||
      y.size() != static_cast<size_t>(shape.output_elements()) ||
      (epilogue.has_residual && residual.size() != y.size())) {
    return Status::InvalidArgument("weights, x, y or residual do not have the shape's number of elements");
  }
  const Extents<3> out = shape.output();
  size_t at = 0;
  for (int64_t image = 0; image < shape.batch; ++image) {
    for (int64_t oc = 0; oc < shape.out_channels; ++oc) {
      const int64_t first_channel =
          image * shape.in_channels + oc / shape.rows_per_group() * shape.channels_per_group();
      for (int64_t position = 0; position < shape.positions(); ++position, ++at) {
        const Extents<3> o{position / (out[1] * out[2]), position / out[2] % out[1], position % out[2]};
        int64_t sum = 0;
        const int8_t* w = weights.data() + oc * shape.depth();
        for (int64_t k = 0; k < shape.depth(); ++k) {
          const int64_t tap = k % shape.taps();
          const Extents<3> t{tap / (shape.kernel[1] * shape.kernel[2]), tap / shape.kernel[2] % shape.kernel[1],
                             tap % shape.kernel[2]};
          bool inside = true;
          int64_t index = first_channel + k / shape.taps();
          for (size_t a = 0; a < 3; ++a) {
            const int64_t i = o[a] * shape.stride[a] + t[a] * shape.dilation[a] - shape.pad_begin[a];
            inside = inside && i >= 0 && i < shape.input[a];
            index = index * shape.input[a] + i;
          }
          if (inside) sum += int64_t{w[k]} * (x[static_cast<size_t>(index)] - epilogue.x.zero_point);
        }
        y[at] = Requantize(epilogue, oc, sum, epilogue.has_residual ? residual[at] : 0.0f);
      }
    }
  }
  return Status();
}

}  // namespace lacuna::inline LACUNA_ABI::reference

#endif  // LACUNA_REFERENCE_QUANTIZED_H_
