// YOLOv4-tiny: a cross-stage partial backbone, two detection heads. Layer names count as in darknet's yolov4-tiny.cfg,
// where pooling, concatenation and upsampling count too.

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {
namespace {

constexpr float kSlope = 0.1f;
constexpr int64_t kHeadChannels = 3 * (4 + 1 + 80);  // anchors x (box, objectness, classes)

std::string ConvLeaky(NetworkBuilder& net, int number, const std::string& x, int64_t filters, int64_t kernel,
                      int64_t stride = 1) {
  const std::string name = "conv" + std::to_string(number);
  return net.LeakyRelu(net.Conv(name, x, filters, {.kernel = kernel, .stride = stride}), kSlope);
}

struct Block {
  std::string inner;  // the 1x1 convolution's output, which a head may use
  std::string output;
};

// A cross-stage partial block whose first convolution is layer `first` and has `width` filters: half of its channels
// pass two more convolutions, what was passed by joins again. 2 * width channels.
Block PartialBlock(NetworkBuilder& net, int first, const std::string& x, int64_t width) {
  const std::string whole = ConvLeaky(net, first, x, width, 3);
  const std::string a = ConvLeaky(net, first + 2, net.SecondHalf(whole), width / 2, 3);
  const std::string b = ConvLeaky(net, first + 3, a, width / 2, 3);
  const std::string joined = net.Concat("route" + std::to_string(first + 4), {b, a});
  const std::string inner = ConvLeaky(net, first + 5, joined, width, 1);
  return {inner, net.Concat("route" + std::to_string(first + 6), {whole, inner})};
}

}  // namespace

Graph Yolov4Tiny(int64_t batch, uint64_t seed) {
  NetworkBuilder net("yolov4_tiny", {"image", {batch, 3, 416, 416}}, seed);
  std::string x = ConvLeaky(net, 0, "image", 32, 3, 2);
  x = ConvLeaky(net, 1, x, 64, 3, 2);
  std::string fine;  // 256 channels at a stride of 16
  for (int stage = 0; stage < 3; ++stage) {
    const int first = 2 + 8 * stage;
    const Block block = PartialBlock(net, first, x, int64_t{64} << stage);
    fine = block.inner;
    x = net.MaxPool("pool" + std::to_string(first + 7), block.output, {.kernel = 2, .stride = 2});
  }
  x = ConvLeaky(net, 26, x, 512, 3);
  const std::string neck = ConvLeaky(net, 27, x, 256, 1);
  const std::string coarse_head = net.Conv("conv29", ConvLeaky(net, 28, neck, 512, 3), kHeadChannels);
  x = net.Upsample2x(ConvLeaky(net, 32, neck, 128, 1));
  x = ConvLeaky(net, 35, net.Concat("route34", {x, fine}), 256, 3);
  return net.Finish({coarse_head, net.Conv("conv36", x, kHeadChannels)});
}

}  // namespace graph
