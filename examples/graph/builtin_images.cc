// Images to images: WDSR super-resolution, fast style transfer, colouring.

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {

Graph Wdsr(int64_t batch, uint64_t seed) {
  constexpr int64_t kFeatures = 32, kExpansion = 4, kBlocks = 16, kScale = 2;
  NetworkBuilder net("wdsr_x2", {"image", {batch, 3, 360, 640}}, seed);
  std::string x = net.Conv("head", "image", kFeatures, {.kernel = 3});
  for (int64_t i = 0; i < kBlocks; ++i) {
    const std::string name = "block" + std::to_string(i);
    const std::string wide = net.Relu(net.Conv(name + "_wide", x, kExpansion * kFeatures, {.kernel = 3}));
    x = net.Add(name, net.Conv(name + "_linear", wide, kFeatures, {.kernel = 3}), x);
  }
  const std::string tail = net.PixelShuffle(net.Conv("tail", x, 3 * kScale * kScale, {.kernel = 3}), kScale);
  const std::string skip = net.PixelShuffle(net.Conv("skip", "image", 3 * kScale * kScale, {.kernel = 5}), kScale);
  return net.Finish({net.Add("larger", tail, skip)});
}

Graph StyleTransfer(int64_t batch, uint64_t seed) {
  NetworkBuilder net("style_transfer", {"image", {batch, 3, 256, 256}}, seed);
  const auto layer = [&](const std::string& name, const std::string& x, int64_t filters, const ConvSpec& spec) {
    return net.InstanceNormalization(net.Conv(name, x, filters, spec));
  };
  std::string x = net.Relu(layer("conv1", "image", 32, {.kernel = 9}));
  x = net.Relu(layer("conv2", x, 64, {.kernel = 3, .stride = 2}));
  x = net.Relu(layer("conv3", x, 128, {.kernel = 3, .stride = 2}));
  for (int i = 1; i <= 5; ++i) {
    const std::string name = "res" + std::to_string(i);
    const std::string y = net.Relu(layer(name + "_a", x, 128, {.kernel = 3}));
    x = net.Add(name, layer(name + "_b", y, 128, {.kernel = 3}), x);
  }
  x = net.Relu(layer("up1", net.Upsample2x(x), 64, {.kernel = 3}));
  x = net.Relu(layer("up2", net.Upsample2x(x), 32, {.kernel = 3}));
  return net.Finish({net.Conv("picture", x, 3, {.kernel = 9})});
}

Graph Colouring(int64_t batch, uint64_t seed) {
  struct Stage {
    int64_t filters;
    int convolutions;
    int64_t stride, dilation;  // the stride is the last convolution's
  };
  constexpr Stage kStages[] = {{64, 2, 2, 1},  {128, 2, 2, 1}, {256, 3, 2, 1}, {512, 3, 1, 1},
                               {512, 3, 1, 2}, {512, 3, 1, 2}, {512, 3, 1, 1}};
  NetworkBuilder net("colouring", {"lightness", {batch, 1, 256, 256}}, seed);
  std::string x = "lightness";
  int number = 0;
  for (const Stage& stage : kStages) {
    ++number;
    for (int i = 1; i <= stage.convolutions; ++i) {
      const std::string name = "conv" + std::to_string(number) + "_" + std::to_string(i);
      const int64_t stride = i == stage.convolutions ? stage.stride : 1;
      x = net.Relu(net.Conv(name, x, stage.filters, {.kernel = 3, .stride = stride, .dilation = stage.dilation}));
    }
  }
  x = net.Relu(net.ConvTranspose("conv8_1", x, 256, {.kernel = 4, .stride = 2, .pad = 1}));
  for (const char* name : {"conv8_2", "conv8_3"}) x = net.Relu(net.Conv(name, x, 256, {.kernel = 3}));
  return net.Finish({net.Conv("ab", net.Softmax(net.Conv("bins", x, 313), 1), 2)});
}

}  // namespace graph
