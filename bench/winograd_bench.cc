// Winograd convolution of 3x3 and 3x3x3 layers: op `conv2d` of VGG-16 and ResNet-50, op `conv3d` of C3D, one image or
// clip, planar activations in lacuna. Dense, and under the schemes whose zeros survive the transform; beside oneDNN,
// which has a Winograd form of 2-D convolutions alone.

#include <algorithm>
#include <string_view>

#include "lacuna_engine.h"
#include "peers/peers.h"
#include "suite.h"

namespace {

using namespace lacuna::bench;

// `lacuna`, which is direct, and what the cost model chooses among Winograd forms and among all.
template <int kRank>
std::vector<EngineInfo> Engines(const Options& options) {
  Options all = options;
  for (const char* variant : {"winograd", "auto", "libxsmm"}) {
    if (std::find(all.variants.begin(), all.variants.end(), variant) == all.variants.end()) {
      all.variants.emplace_back(variant);
    }
  }
  return LacunaConvolutions<kRank>(all);
}

// Fewer channels are mostly transforms.
constexpr int64_t kFewestChannels = 64;

bool TakesLayer(const Layer& layer) {
  const std::string_view network = layer.network;
  const bool three_taps = layer.kernel[1] == 3 && layer.kernel[2] == 3;
  return (network == "vgg16" || network == "resnet50" || network == "c3d") && three_taps &&
         layer.stride == lacuna::Extents<3>{1, 1, 1} && layer.in_channels >= kFewestChannels;
}

}  // namespace

int main(int argc, char** argv) {
  return RunSuite({.description = "Winograd convolutions of real networks.",
                   .ops = {{.name = "conv2d",
                            .op = Op::kConv2d,
                            .channels_last = false,
                            .takes = &TakesLayer,
                            .lacuna = &Engines<2>,
                            .peers = &OnednnConvolutions<2>},
                           {.name = "conv3d",
                            .op = Op::kConv3d,
                            .channels_last = false,
                            .takes = &TakesLayer,
                            .lacuna = &Engines<3>,
                            .peers = &OnednnConvolutions<3>}},
                   .schemes = {"dense", "bcr_kernel-4x", "block_kernel_8x1-4x", "connectivity-4x"}},
                  argc, argv);
}
