// Layers for Winograd plans: which weights stay integers, and what outputs may differ by.

#ifndef LACUNA_TESTS_OP_WINOGRAD_LAYERS_H_
#define LACUNA_TESTS_OP_WINOGRAD_LAYERS_H_

#include "lacuna/core/shape.h"
#include "lacuna/policy/winograd.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/support/error_bound.h"
#include "tests/support/layer.h"
#include "tests/support/random.h"

namespace lacuna::test {

// 3 taps on the axes that the tile transforms, 1 on the others.
inline Extents<3> KernelOf(const WinogradTile& tile) {
  Extents<3> kernel{};
  for (size_t a = 0; a < 3; ++a) kernel[a] = tile.outputs[a] == 1 ? 1 : 3;
  return kernel;
}

// Weights that F(2, 3) keeps integers: multiples of 4 on every axis.
inline std::vector<float> ExactWeights(const ConvShape<3>& shape, const WinogradTile& tile, double density) {
  std::vector<float> weights(static_cast<size_t>(shape.weight_elements()));
  FillIntegers(weights, 7, 1);
  Thin(weights, 8, density);
  float unit = 1.0f;
  for (const int outputs : tile.outputs) unit *= outputs == 1 ? 1.0f : 4.0f;
  for (float& weight : weights) weight *= unit;
  return weights;
}

inline bool IsExact(const WinogradTile& tile) {
  return *std::max_element(tile.outputs.begin(), tile.outputs.end()) == 2;
}

// The bound that policy/winograd.h states.
inline double ErrorOf(const ConvShape<3>& shape, const WinogradTile& tile, const LayerData& data) {
  const auto largest = [](const std::vector<float>& values) {
    double most = 0;
    for (const float value : values) most = std::max(most, std::abs(double{value}));
    return most;
  };
  const int64_t channels = shape.channels_per_group();
  return Gamma(channels + 40) * static_cast<double>(channels) * largest(data.weights) * largest(data.x) *
         WinogradAmplification(tile);
}

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_OP_WINOGRAD_LAYERS_H_
