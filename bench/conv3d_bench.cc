// 3-D convolution, one clip: op `conv3d`, with planar activations in lacuna. Peers take what they prefer. Beside the
// layers it reports what the convolutions of a whole network take (networks.h).

#include "lacuna_engine.h"
#include "peers/peers.h"
#include "suite.h"

namespace {

std::vector<lacuna::bench::EngineInfo> Peers() {
  using namespace lacuna::bench;
  std::vector<EngineInfo> peers;
  for (const auto list : {&OnednnConvolutions<3>, &PytorchConvolutions}) {
    for (const EngineInfo& peer : list()) peers.push_back(peer);
  }
  return peers;
}

}  // namespace

int main(int argc, char** argv) {
  using lacuna::bench::Op;
  return lacuna::bench::RunSuite({.description = "3-D convolutions of real networks.",
                                  .ops = {{"conv3d", Op::kConv3d, /*channels_last=*/false}},
                                  .schemes = {"dense", "punched-3.6x", "bcr_col-8x"},
                                  .lacuna = &lacuna::bench::LacunaConvolutions<3>,
                                  .peers = &Peers},
                                 argc, argv);
}
