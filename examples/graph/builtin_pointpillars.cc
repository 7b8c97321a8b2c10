// PointPillars: backbone and heads on the pseudo-image that the pillars give.

#include <vector>

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {

Graph PointPillars(int64_t batch, uint64_t seed) {
  struct Block {
    int64_t filters;
    int convolutions;
    int64_t stride;  // of the map against the first block's
  };
  constexpr Block kBlocks[] = {{64, 4, 1}, {128, 6, 2}, {256, 6, 4}};
  constexpr int64_t kAnchors = 6, kClasses = 3;
  NetworkBuilder net("pointpillars", {"pillars", {batch, 64, 496, 432}}, seed);
  std::string x = "pillars";
  std::vector<std::string> maps;
  int number = 0;
  for (const Block& block : kBlocks) {
    const std::string name = "block" + std::to_string(++number);
    for (int i = 1; i <= block.convolutions; ++i) {
      const ConvSpec spec = {.kernel = 3, .stride = i == 1 ? 2 : 1};
      x = net.Relu(net.Conv(name + "_" + std::to_string(i), x, block.filters, spec));
    }
    maps.push_back(net.Relu(net.ConvTranspose(name + "_up", x, 128, {.kernel = block.stride, .stride = block.stride})));
  }
  x = net.Concat("features", maps);
  return net.Finish({net.Conv("classes", x, kAnchors * kClasses), net.Conv("boxes", x, kAnchors * 7),
                     net.Conv("directions", x, kAnchors * 2)});
}

}  // namespace graph
