// 2-D convolution, one image: op `conv2d`, with planar activations in lacuna, and `depthwise` for layers whose every
// channel is a group, with channels-last ones. Peers take what they prefer.

#include "lacuna_engine.h"
#include "peers/peers.h"
#include "suite.h"

namespace {

std::vector<lacuna::bench::EngineInfo> Peers() {
  using namespace lacuna::bench;
  std::vector<EngineInfo> peers;
  for (const auto list : {&OnednnConvolutions<2>, &XnnpackEngines, &OpenblasEngines, &EigenEngines, &LibxsmmEngines}) {
    for (const EngineInfo& peer : list()) peers.push_back(peer);
  }
  return peers;
}

}  // namespace

int main(int argc, char** argv) {
  using lacuna::bench::Op;
  return lacuna::bench::RunSuite(
      {.description = "2-D convolutions of real networks.",
       .ops = {{"conv2d", Op::kConv2d, /*channels_last=*/false},
               // One filter a channel: all that can go are cells.
               {"depthwise", Op::kDepthwise, /*channels_last=*/true, {"dense", "pattern-2.25x"}}},
       .schemes = {"dense", "bcr_col-8x", "bcr-8x", "bcr_kernel-8x"},
       .lacuna = &lacuna::bench::LacunaConvolutions<2>,
       .peers = &Peers},
      argc, argv);
}
