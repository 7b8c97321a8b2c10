// A 3-D U-Net for volumes: two 3x3x3 convolutions with instance normalization at each of six resolutions.

#include <iterator>
#include <vector>

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {
namespace {

std::string ConvNormRelu(NetworkBuilder& net, const std::string& name, const std::string& x, int64_t filters,
                         int64_t stride = 1) {
  return net.Relu(net.InstanceNormalization(net.Conv(name, x, filters, {.kernel = 3, .stride = stride})));
}

}  // namespace

Graph Unet3d(int64_t batch, uint64_t seed) {
  constexpr int64_t kFilters[] = {32, 64, 128, 256, 320, 320};
  constexpr size_t kLevels = std::size(kFilters);
  NetworkBuilder net("unet3d", {"volume", {batch, 1, 128, 128, 128}}, seed);
  std::vector<std::string> skips;
  std::string x = "volume";
  for (size_t level = 0; level < kLevels; ++level) {
    const std::string name = "down" + std::to_string(level);
    x = ConvNormRelu(net, name + "_a", x, kFilters[level], level == 0 ? 1 : 2);
    x = ConvNormRelu(net, name + "_b", x, kFilters[level]);
    skips.push_back(x);
  }
  for (size_t level = kLevels - 1; level-- > 0;) {
    const std::string name = "up" + std::to_string(level);
    const std::string up = net.ConvTranspose(name, x, kFilters[level], {.kernel = 2, .stride = 2});
    x = ConvNormRelu(net, name + "_a", net.Concat(name + "_joined", {up, skips[level]}), kFilters[level]);
    x = ConvNormRelu(net, name + "_b", x, kFilters[level]);
  }
  return net.Finish({net.Conv("classes", x, 3)});
}

}  // namespace graph
