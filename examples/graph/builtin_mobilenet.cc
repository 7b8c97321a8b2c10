// MobileNet-V2: inverted residuals, 1x1 convolutions that widen and narrow around a depthwise one.

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {
namespace {

// Table 2 of the paper.
struct Stage {
  int64_t expansion;
  int64_t channels;
  int blocks;
  int64_t stride;  // of the first block
};
constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

std::string InvertedResidual(NetworkBuilder& net, const std::string& name, const std::string& x, const Stage& stage,
                             int64_t stride) {
  const int64_t width = stage.expansion * net.Channels(x);
  std::string y = stage.expansion == 1 ? x : net.Relu6(net.Conv(name + "_expand", x, width));
  y = net.Relu6(net.Conv(name + "_depthwise", y, width, {.kernel = 3, .stride = stride, .groups = width}));
  y = net.Conv(name + "_project", y, stage.channels);  // linear: no activation on few channels
  const bool residual = stride == 1 && net.Channels(x) == stage.channels;
  return residual ? net.Add(name, y, x) : y;
}

}  // namespace

Graph MobilenetV2(int64_t batch, uint64_t seed) {
  NetworkBuilder net("mobilenet_v2", {"image", {batch, 3, 224, 224}}, seed);
  std::string x = net.Relu6(net.Conv("conv1", "image", 32, {.kernel = 3, .stride = 2}));
  int number = 0;
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.blocks; ++i) {
      x = InvertedResidual(net, "block" + std::to_string(++number), x, stage, i == 0 ? stage.stride : 1);
    }
  }
  x = net.Relu6(net.Conv("head", x, 1280));
  x = net.Dense("fc", net.Flatten(net.GlobalAveragePool(x)), 1280, 1000);
  return net.Finish({net.Softmax(x)});
}

}  // namespace graph
