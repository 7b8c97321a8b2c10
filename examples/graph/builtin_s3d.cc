// S3D: Inception blocks whose convolutions are split into a spatial and a temporal one.

#include "graph/builtin_families.h"
#include "graph/network_builder.h"

namespace graph {
namespace {

// Filters of the four branches: 1x1x1; 1x1x1 and 3x3x3; the same, narrower; max pool and 1x1x1.
struct Inception {
  const char* name;
  int64_t pointwise;
  int64_t wide_middle, wide;
  int64_t narrow_middle, narrow;
  int64_t pooled;
};
constexpr Inception kMixed3[] = {{"mixed3b", 64, 96, 128, 16, 32, 32}, {"mixed3c", 128, 128, 192, 32, 96, 64}};
constexpr Inception kMixed4[] = {{"mixed4b", 192, 96, 208, 16, 48, 64},
                                 {"mixed4c", 160, 112, 224, 24, 64, 64},
                                 {"mixed4d", 128, 128, 256, 24, 64, 64},
                                 {"mixed4e", 112, 144, 288, 32, 64, 64},
                                 {"mixed4f", 256, 160, 320, 32, 128, 128}};
constexpr Inception kMixed5[] = {{"mixed5b", 256, 160, 320, 32, 128, 128}, {"mixed5c", 384, 192, 384, 48, 128, 128}};

std::string Separable(NetworkBuilder& net, const std::string& name, const std::string& x, int64_t filters,
                      int64_t kernel, int64_t stride = 1) {
  const std::string spatial =
      net.Relu(net.Conv(name + "_s", x, filters, {.kernel = {1, kernel, kernel}, .stride = {1, stride, stride}}));
  return net.Relu(net.Conv(name + "_t", spatial, filters, {.kernel = {kernel, 1, 1}, .stride = {stride, 1, 1}}));
}

std::string Mixed(NetworkBuilder& net, const std::string& x, const Inception& block) {
  const std::string name = block.name;
  const auto pointwise = [&](const std::string& suffix, const std::string& from, int64_t filters) {
    return net.Relu(net.Conv(name + suffix, from, filters));
  };
  const std::string a = pointwise("_0", x, block.pointwise);
  const std::string b = Separable(net, name + "_1b", pointwise("_1a", x, block.wide_middle), block.wide, 3);
  const std::string c = Separable(net, name + "_2b", pointwise("_2a", x, block.narrow_middle), block.narrow, 3);
  const std::string pooled = net.MaxPool(name + "_pool", x, {.kernel = 3, .stride = 1, .pad = 1});
  const std::string d = pointwise("_3", pooled, block.pooled);
  return net.Concat(name, {a, b, c, d});
}

}  // namespace

Graph S3d(int64_t batch, uint64_t seed) {
  NetworkBuilder net("s3d", {"clip", {batch, 3, 16, 112, 112}}, seed);
  const PoolSpec spatial_pool{.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .pad = {0, 1, 1}};
  std::string x = Separable(net, "conv1", "clip", 64, 7, 2);
  x = net.Relu(net.Conv("conv2", net.MaxPool("pool1", x, spatial_pool), 64));
  x = net.MaxPool("pool2", Separable(net, "conv3", x, 192, 3), spatial_pool);
  for (const Inception& block : kMixed3) x = Mixed(net, x, block);
  x = net.MaxPool("pool3", x, {.kernel = 3, .stride = 2, .pad = 1});
  for (const Inception& block : kMixed4) x = Mixed(net, x, block);
  x = net.MaxPool("pool4", x, {.kernel = 2, .stride = 2});
  for (const Inception& block : kMixed5) x = Mixed(net, x, block);
  x = net.Dense("fc", net.Flatten(net.GlobalAveragePool(x)), 1024, 400);
  return net.Finish({net.Softmax(x)});
}

}  // namespace graph
