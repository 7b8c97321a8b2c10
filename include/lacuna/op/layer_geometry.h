// LayerGeometry: a layer with its spatial axes as (depth, height, width), whatever its rank.

#ifndef LACUNA_OP_LAYER_GEOMETRY_H_
#define LACUNA_OP_LAYER_GEOMETRY_H_

#include "lacuna/core/abi.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/packed_weights.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace lacuna::inline LACUNA_ABI {

struct LayerGeometry {
  std::array<TileAxis, 3> axis;  // TileAxis::tile, shifted, shared and align are a plan's to choose
  int64_t channels_per_group = 0;

  KernelAxes kernel() const {
    KernelAxes axes;
    for (size_t a = 0; a < 3; ++a) axes[a] = {axis[a].kernel, axis[a].stride, axis[a].dilation};
    return axes;
  }
  double positions() const {
    return static_cast<double>(axis[0].output) * static_cast<double>(axis[1].output) *
           static_cast<double>(axis[2].output);
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_OP_LAYER_GEOMETRY_H_
