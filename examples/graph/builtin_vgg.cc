// VGG-16: 3x3 convolutions and max pools in five stages, three dense layers.

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {
namespace {

struct Stage {
  int64_t width;
  int layers;
};
constexpr Stage kStages[] = {{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}};

}  // namespace

Graph Vgg16(int64_t batch, uint64_t seed) {
  NetworkBuilder net("vgg16", {"image", {batch, 3, 224, 224}}, seed);
  std::string x = "image";
  int number = 0;
  for (const Stage& stage : kStages) {
    const std::string suffix = std::to_string(++number);
    for (int i = 1; i <= stage.layers; ++i) {
      x = net.Relu(net.Conv("conv" + suffix + "_" + std::to_string(i), x, stage.width, {.kernel = 3}));
    }
    x = net.MaxPool("pool" + suffix, x, {.kernel = 2, .stride = 2});
  }
  x = net.Relu(net.Dense("fc6", net.Flatten(x), 512 * 7 * 7, 4096));
  x = net.Relu(net.Dense("fc7", x, 4096, 4096));
  return net.Finish({net.Softmax(net.Dense("fc8", x, 4096, 1000))});
}

}  // namespace graph
