// ResNet: residual blocks of 3x3 convolutions (18) or of 1x1, 3x3 and 1x1 convolutions (50) in four stages. With three
// deconvolutions behind them it finds the joints of a person (SimpleBaseline).

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {
namespace {

struct ResnetLayout {
  const char* name;
  bool bottleneck;
  int blocks[4];  // of the stages of width 64, 128, 256 and 512
};
constexpr ResnetLayout kResnet18 = {"resnet18", false, {2, 2, 2, 2}};
constexpr ResnetLayout kResnet50 = {"resnet50", true, {3, 4, 6, 3}};

constexpr int64_t kExpansion = 4;  // channels of a bottleneck's output / its width

// What is added to the shortcut.
std::string Branch(NetworkBuilder& net, const ResnetLayout& layout, const std::string& name, const std::string& x,
                   int64_t width, int64_t stride) {
  if (!layout.bottleneck) {
    const std::string y = net.Relu(net.Conv(name + "_2a", x, width, {.kernel = 3, .stride = stride}));
    return net.Conv(name + "_2b", y, width, {.kernel = 3});
  }
  std::string y = net.Relu(net.Conv(name + "_2a", x, width));
  y = net.Relu(net.Conv(name + "_2b", y, width, {.kernel = 3, .stride = stride}));
  return net.Conv(name + "_2c", y, kExpansion * width);
}

// All but the classifier.
std::string Trunk(NetworkBuilder& net, const ResnetLayout& layout) {
  std::string x = net.Relu(net.Conv("conv1", "image", 64, {.kernel = 7, .stride = 2}));
  x = net.MaxPool("pool1", x, {.kernel = 3, .stride = 2, .pad = 1});
  for (int stage = 0; stage < 4; ++stage) {
    const int64_t width = int64_t{64} << stage;
    const int64_t channels = layout.bottleneck ? kExpansion * width : width;
    for (int i = 0; i < layout.blocks[stage]; ++i) {
      const std::string name = "res" + std::to_string(stage + 2) + static_cast<char>('a' + i);
      const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      const bool projects = net.Channels(x) != channels || stride != 1;
      const std::string shortcut = projects ? net.Conv(name + "_branch1", x, channels, {.stride = stride}) : x;
      x = net.Relu(net.Add(name, Branch(net, layout, name, x, width, stride), shortcut));
    }
  }
  return x;
}

Graph Resnet(const ResnetLayout& layout, int64_t batch, uint64_t seed) {
  NetworkBuilder net(layout.name, {"image", {batch, 3, 224, 224}}, seed);
  std::string x = Trunk(net, layout);
  x = net.Dense("fc", net.Flatten(net.GlobalAveragePool(x)), net.Channels(x), 1000);
  return net.Finish({net.Softmax(x)});
}

}  // namespace

Graph Resnet18(int64_t batch, uint64_t seed) { return Resnet(kResnet18, batch, seed); }
Graph Resnet50(int64_t batch, uint64_t seed) { return Resnet(kResnet50, batch, seed); }

Graph SimpleBaseline(int64_t batch, uint64_t seed) {
  NetworkBuilder net("simple_baseline", {"image", {batch, 3, 256, 192}}, seed);
  std::string x = Trunk(net, kResnet50);
  for (const char* name : {"up1", "up2", "up3"}) {
    x = net.Relu(net.ConvTranspose(name, x, 256, {.kernel = 4, .stride = 2, .pad = 1}));
  }
  return net.Finish({net.Conv("joints", x, 17)});
}

}  // namespace graph
