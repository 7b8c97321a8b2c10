// YOLOv4: CSPDarknet53 with Mish, spatial pyramid pooling, a path aggregation neck and three heads, as in darknet's
// yolov4.cfg.

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {
namespace {

constexpr int64_t kYolov4Head = 3 * (4 + 1 + 80);  // anchors x (box, objectness, classes)

// Numbers its convolutions in the order of yolov4.cfg.
class Yolov4 {
 public:
  Yolov4(const char* name, int64_t batch, int64_t extent, uint64_t seed)
      : net_(name, {"image", {batch, 3, extent, extent}}, seed) {}

  Graph Build() {
    std::string x = Mish("image", 32, 3);
    x = Stage(x, 64, 1);
    x = Stage(x, 128, 2);
    const std::string stride8 = x = Stage(x, 256, 8);
    const std::string stride16 = x = Stage(x, 512, 8);
    x = Stage(x, 1024, 4);
    x = Leaky(Leaky(Leaky(x, 512, 1), 1024, 3), 512, 1);
    x = net_.Concat("pyramid", {Pool(x, 13), Pool(x, 9), Pool(x, 5), x});
    const std::string n5 = Leaky(Leaky(Leaky(x, 512, 1), 1024, 3), 512, 1);
    const std::string n4 = Five(Up(n5, stride16, 256), 256);
    const std::string n3 = Five(Up(n4, stride8, 128), 128);
    const std::string fine = Head(n3, 256);
    const std::string p4 = Five(Down(n3, n4, 256), 256);
    const std::string middle = Head(p4, 512);
    const std::string p5 = Five(Down(p4, n5, 512), 512);
    return net_.Finish({fine, middle, Head(p5, 1024)});
  }

 private:
  std::string Name() { return "conv" + std::to_string(++count_); }
  std::string Mish(const std::string& x, int64_t filters, int64_t kernel, int64_t stride = 1) {
    return net_.Mish(net_.Conv(Name(), x, filters, {.kernel = kernel, .stride = stride}));
  }
  std::string Leaky(const std::string& x, int64_t filters, int64_t kernel, int64_t stride = 1) {
    return net_.LeakyRelu(net_.Conv(Name(), x, filters, {.kernel = kernel, .stride = stride}), 0.1f);
  }
  // Half the resolution, then `blocks` residual blocks on one of two branches; the first stage halves no channels.
  std::string Stage(const std::string& x, int64_t channels, int blocks) {
    const int64_t width = blocks == 1 ? channels : channels / 2;
    const std::string whole = Mish(x, channels, 3, 2);
    const std::string past = Mish(whole, width, 1);
    std::string y = Mish(whole, width, 1);
    for (int i = 0; i < blocks; ++i) {
      const std::string branch = Mish(Mish(y, blocks == 1 ? 32 : width, 1), width, 3);
      y = net_.Add("sum" + std::to_string(count_), branch, y);
    }
    return Mish(Joined(Mish(y, width, 1), past), channels, 1);
  }
  std::string Joined(const std::string& a, const std::string& b) {
    return net_.Concat("route" + std::to_string(count_), {a, b});
  }
  std::string Pool(const std::string& x, int64_t kernel) {
    return net_.MaxPool("pool" + std::to_string(kernel), x, {.kernel = kernel, .stride = 1, .pad = kernel / 2});
  }
  std::string Five(const std::string& x, int64_t width) {
    const std::string y = Leaky(Leaky(x, width, 1), 2 * width, 3);
    return Leaky(Leaky(Leaky(y, width, 1), 2 * width, 3), width, 1);
  }
  std::string Up(const std::string& x, const std::string& finer, int64_t width) {
    const std::string up = net_.Upsample2x(Leaky(x, width, 1));
    return Joined(Leaky(finer, width, 1), up);
  }
  std::string Down(const std::string& x, const std::string& coarser, int64_t width) {
    return Joined(Leaky(x, width, 3, 2), coarser);
  }
  std::string Head(const std::string& x, int64_t width) {
    const std::string y = Leaky(x, width, 3);  // numbered before the head
    return net_.Conv(Name(), y, kYolov4Head);
  }

  NetworkBuilder net_;
  int count_ = -1;
};

}  // namespace

Graph Yolov4At416(int64_t batch, uint64_t seed) { return Yolov4("yolov4_416", batch, 416, seed).Build(); }
Graph Yolov4At608(int64_t batch, uint64_t seed) { return Yolov4("yolov4_608", batch, 608, seed).Build(); }

}  // namespace graph
