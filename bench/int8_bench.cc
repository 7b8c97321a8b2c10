// Convolutions of 8-bit integers, one image or clip: ops `conv2d_i8` and `conv3d_i8`, with planar activations in
// lacuna. Peers take what they prefer. lacuna_f32 is lacuna's own f32 path without Winograd forms.

#include "lacuna_engine.h"
#include "peers/peers.h"
#include "suite.h"

int main(int argc, char** argv) {
  using namespace lacuna::bench;
  return RunSuite({.description = "Convolutions of real networks in 8 bits.",
                   .ops = {{.name = "conv2d_i8",
                            .op = Op::kConv2d,
                            .channels_last = false,
                            .lacuna = &LacunaInt8Convolutions<2>,
                            .peers = &OnednnInt8Convolutions<2>,
                            .channel_group = 4},
                           {.name = "conv3d_i8",
                            .op = Op::kConv3d,
                            .channels_last = false,
                            .lacuna = &LacunaInt8Convolutions<3>,
                            .peers = &OnednnInt8Convolutions<3>,
                            .channel_group = 4}},
                   .schemes = {"dense", "bcr_kernel-8x", "punched-8x", "block_8x4-8x"},
                   .int8 = true},
                  argc, argv);
}
