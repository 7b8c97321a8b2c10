// R(2+1)D-18: residual blocks whose 3x3x3 convolutions are split into a spatial 1x3x3 and a temporal 3x1x1 one.

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {
namespace {

// Filters of the spatial convolution that give the pair as many weights as the 3x3x3 convolution it replaces.
int64_t MiddleWidth(int64_t in, int64_t out) { return 3 * 3 * 3 * in * out / (3 * 3 * in + 3 * out); }

std::string Conv2Plus1(NetworkBuilder& net, const std::string& name, const std::string& x, int64_t middle,
                       int64_t filters, int64_t stride) {
  const std::string spatial =
      net.Relu(net.Conv(name + "_s", x, middle, {.kernel = {1, 3, 3}, .stride = {1, stride, stride}}));
  return net.Conv(name + "_t", spatial, filters, {.kernel = {3, 1, 1}, .stride = {stride, 1, 1}});
}

}  // namespace

Graph R2Plus1d(int64_t batch, uint64_t seed) {
  NetworkBuilder net("r2plus1d", {"clip", {batch, 3, 16, 112, 112}}, seed);
  std::string x = net.Relu(net.Conv("stem_s", "clip", 45, {.kernel = {1, 7, 7}, .stride = {1, 2, 2}}));
  x = net.Relu(net.Conv("stem_t", x, 64, {.kernel = {3, 1, 1}}));
  for (int stage = 0; stage < 4; ++stage) {
    const int64_t width = int64_t{64} << stage;
    for (int i = 0; i < 2; ++i) {
      const std::string name = "res" + std::to_string(stage + 2) + static_cast<char>('a' + i);
      const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      const int64_t middle = MiddleWidth(net.Channels(x), width);  // of both pairs, as in torchvision
      const bool projects = net.Channels(x) != width || stride != 1;
      const std::string shortcut = projects ? net.Conv(name + "_branch1", x, width, {.stride = stride}) : x;
      std::string y = net.Relu(Conv2Plus1(net, name + "_2a", x, middle, width, stride));
      y = Conv2Plus1(net, name + "_2b", y, middle, width, 1);
      x = net.Relu(net.Add(name, y, shortcut));
    }
  }
  x = net.Dense("fc", net.Flatten(net.GlobalAveragePool(x)), 512, 400);
  return net.Finish({net.Softmax(x)});
}

}  // namespace graph
