// C3D: 3x3x3 convolutions and max pools in five stages, three dense layers.

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {
namespace {

struct Stage {
  int64_t width;
  int layers;
  PoolSpec pool;
};

}  // namespace

Graph C3d(int64_t batch, uint64_t seed) {
  const Stage stages[] = {
      {64, 1, {.kernel = {1, 2, 2}, .stride = {1, 2, 2}}},  // frames are not to be merged too early
      {128, 1, {.kernel = 2, .stride = 2}},
      {256, 2, {.kernel = 2, .stride = 2}},
      {512, 2, {.kernel = 2, .stride = 2}},
      {512, 2, {.kernel = 2, .stride = 2, .pad = {0, 1, 1}}},
  };
  NetworkBuilder net("c3d", {"clip", {batch, 3, 16, 112, 112}}, seed);
  std::string x = "clip";
  int number = 0;
  for (const Stage& stage : stages) {
    const std::string suffix = std::to_string(++number);
    for (int i = 0; i < stage.layers; ++i) {
      const std::string letter = stage.layers == 1 ? "" : std::string(1, static_cast<char>('a' + i));
      x = net.Relu(net.Conv("conv" + suffix + letter, x, stage.width, {.kernel = 3}));
    }
    x = net.MaxPool("pool" + suffix, x, stage.pool);
  }
  x = net.Relu(net.Dense("fc6", net.Flatten(x), 512 * 1 * 4 * 4, 4096));
  x = net.Relu(net.Dense("fc7", x, 4096, 4096));
  return net.Finish({net.Softmax(net.Dense("fc8", x, 4096, 487))});
}

}  // namespace graph
