// The layers that are measured: real ones, from networks that people run.

#ifndef LACUNA_BENCH_LAYERS_H_
#define LACUNA_BENCH_LAYERS_H_

#include "lacuna/core/shape.h"

#include <array>
#include <cstdint>

namespace lacuna::bench {

enum class Op : uint8_t { kConv2d, kConv3d, kDepthwise, kGemm, kGemv, kRecurrent };

// One image, or one clip. Axes are (D, H, W); a 2-D layer has depth 1. kGemm and kGemv are Y[M, N] = W[M, K] X[K, N]
// with out_channels = M, in_channels = K and input width = N. kRecurrent has in_channels inputs, out_channels hidden
// units and input width steps.
struct Layer {
  Op op;
  const char* network;
  const char* name;
  int64_t out_channels;
  int64_t in_channels;
  int64_t groups;
  Extents<3> kernel;
  Extents<3> input;
  Extents<3> stride;
  Extents<3> pad;  // at both ends
  // How often its network has the layer, where the table holds all convolutions of the network, else 0; and whether
  // pruning the network usually prunes the layer (networks.h).
  int64_t times = 0;
  bool pruned = false;
};

// clang-format off
inline constexpr auto kLayers = std::to_array<Layer>({
    // op, network, name, OC, IC, groups, {KD, KH, KW}, {ID, IH, IW}, stride, pad, times, pruned
    {Op::kConv2d, "vgg16", "conv1_1", 64, 3, 1, {1, 3, 3}, {1, 224, 224}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "vgg16", "conv1_2", 64, 64, 1, {1, 3, 3}, {1, 224, 224}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "vgg16", "conv2_1", 128, 64, 1, {1, 3, 3}, {1, 112, 112}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "vgg16", "conv2_2", 128, 128, 1, {1, 3, 3}, {1, 112, 112}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "vgg16", "conv3_1", 256, 128, 1, {1, 3, 3}, {1, 56, 56}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "vgg16", "conv3_2", 256, 256, 1, {1, 3, 3}, {1, 56, 56}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "vgg16", "conv4_1", 512, 256, 1, {1, 3, 3}, {1, 28, 28}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "vgg16", "conv4_2", 512, 512, 1, {1, 3, 3}, {1, 28, 28}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "vgg16", "conv5_1", 512, 512, 1, {1, 3, 3}, {1, 14, 14}, {1, 1, 1}, {0, 1, 1}},

    {Op::kConv2d, "resnet50", "conv1", 64, 3, 1, {1, 7, 7}, {1, 224, 224}, {1, 2, 2}, {0, 3, 3}},
    {Op::kConv2d, "resnet50", "res2_branch1", 256, 64, 1, {1, 1, 1}, {1, 56, 56}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res2a_2a", 64, 64, 1, {1, 1, 1}, {1, 56, 56}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res2_2b", 64, 64, 1, {1, 3, 3}, {1, 56, 56}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "resnet50", "res2_2c", 256, 64, 1, {1, 1, 1}, {1, 56, 56}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res2_2a", 64, 256, 1, {1, 1, 1}, {1, 56, 56}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res3a_2b", 128, 128, 1, {1, 3, 3}, {1, 56, 56}, {1, 2, 2}, {0, 1, 1}},
    {Op::kConv2d, "resnet50", "res3_2a", 128, 512, 1, {1, 1, 1}, {1, 28, 28}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res3_2b", 128, 128, 1, {1, 3, 3}, {1, 28, 28}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "resnet50", "res3_2c", 512, 128, 1, {1, 1, 1}, {1, 28, 28}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res3_branch1", 512, 256, 1, {1, 1, 1}, {1, 56, 56}, {1, 2, 2}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res4a_2b", 256, 256, 1, {1, 3, 3}, {1, 28, 28}, {1, 2, 2}, {0, 1, 1}},
    {Op::kConv2d, "resnet50", "res4_2a", 256, 1024, 1, {1, 1, 1}, {1, 14, 14}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res4_2b", 256, 256, 1, {1, 3, 3}, {1, 14, 14}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "resnet50", "res4_2c", 1024, 256, 1, {1, 1, 1}, {1, 14, 14}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res4_branch1", 1024, 512, 1, {1, 1, 1}, {1, 28, 28}, {1, 2, 2}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res5a_2b", 512, 512, 1, {1, 3, 3}, {1, 14, 14}, {1, 2, 2}, {0, 1, 1}},
    {Op::kConv2d, "resnet50", "res5_2a", 512, 2048, 1, {1, 1, 1}, {1, 7, 7}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res5_2b", 512, 512, 1, {1, 3, 3}, {1, 7, 7}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "resnet50", "res5_2c", 2048, 512, 1, {1, 1, 1}, {1, 7, 7}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "resnet50", "res5_branch1", 2048, 1024, 1, {1, 1, 1}, {1, 14, 14}, {1, 2, 2}, {0, 0, 0}},

    {Op::kConv2d, "mobilenet_v2", "conv1", 32, 3, 1, {1, 3, 3}, {1, 224, 224}, {1, 2, 2}, {0, 1, 1}},
    {Op::kConv2d, "mobilenet_v2", "expand1", 96, 16, 1, {1, 1, 1}, {1, 112, 112}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "expand2", 144, 24, 1, {1, 1, 1}, {1, 56, 56}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "expand3", 192, 32, 1, {1, 1, 1}, {1, 28, 28}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "expand4", 384, 64, 1, {1, 1, 1}, {1, 14, 14}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "expand5", 576, 96, 1, {1, 1, 1}, {1, 14, 14}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "expand6", 960, 160, 1, {1, 1, 1}, {1, 7, 7}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "project1", 24, 96, 1, {1, 1, 1}, {1, 56, 56}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "project2", 24, 144, 1, {1, 1, 1}, {1, 56, 56}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "project3", 32, 192, 1, {1, 1, 1}, {1, 28, 28}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "project4", 64, 384, 1, {1, 1, 1}, {1, 14, 14}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "project5", 96, 576, 1, {1, 1, 1}, {1, 14, 14}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "project6", 160, 960, 1, {1, 1, 1}, {1, 7, 7}, {1, 1, 1}, {0, 0, 0}},
    {Op::kConv2d, "mobilenet_v2", "project7", 320, 960, 1, {1, 1, 1}, {1, 7, 7}, {1, 1, 1}, {0, 0, 0}},
    {Op::kDepthwise, "mobilenet_v2", "depthwise1", 32, 32, 32, {1, 3, 3}, {1, 112, 112}, {1, 1, 1}, {0, 1, 1}},
    {Op::kDepthwise, "mobilenet_v2", "depthwise2", 96, 96, 96, {1, 3, 3}, {1, 112, 112}, {1, 2, 2}, {0, 1, 1}},
    {Op::kDepthwise, "mobilenet_v2", "depthwise3", 144, 144, 144, {1, 3, 3}, {1, 56, 56}, {1, 1, 1}, {0, 1, 1}},
    {Op::kDepthwise, "mobilenet_v2", "depthwise4", 192, 192, 192, {1, 3, 3}, {1, 28, 28}, {1, 1, 1}, {0, 1, 1}},
    {Op::kDepthwise, "mobilenet_v2", "depthwise5", 384, 384, 384, {1, 3, 3}, {1, 14, 14}, {1, 1, 1}, {0, 1, 1}},
    {Op::kDepthwise, "mobilenet_v2", "depthwise6", 576, 576, 576, {1, 3, 3}, {1, 14, 14}, {1, 2, 2}, {0, 1, 1}},
    {Op::kDepthwise, "mobilenet_v2", "depthwise7", 960, 960, 960, {1, 3, 3}, {1, 7, 7}, {1, 1, 1}, {0, 1, 1}},
    {Op::kConv2d, "mobilenet_v2", "head", 1280, 320, 1, {1, 1, 1}, {1, 7, 7}, {1, 1, 1}, {0, 0, 0}},

    {Op::kConv3d, "c3d", "conv1", 64, 3, 1, {3, 3, 3}, {16, 112, 112}, {1, 1, 1}, {1, 1, 1}, 1},
    {Op::kConv3d, "c3d", "conv2", 128, 64, 1, {3, 3, 3}, {16, 56, 56}, {1, 1, 1}, {1, 1, 1}, 1, true},
    {Op::kConv3d, "c3d", "conv3a", 256, 128, 1, {3, 3, 3}, {8, 28, 28}, {1, 1, 1}, {1, 1, 1}, 1, true},
    {Op::kConv3d, "c3d", "conv3b", 256, 256, 1, {3, 3, 3}, {8, 28, 28}, {1, 1, 1}, {1, 1, 1}, 1, true},
    {Op::kConv3d, "c3d", "conv4a", 512, 256, 1, {3, 3, 3}, {4, 14, 14}, {1, 1, 1}, {1, 1, 1}, 1, true},
    {Op::kConv3d, "c3d", "conv4b", 512, 512, 1, {3, 3, 3}, {4, 14, 14}, {1, 1, 1}, {1, 1, 1}, 1, true},
    {Op::kConv3d, "c3d", "conv5", 512, 512, 1, {3, 3, 3}, {2, 7, 7}, {1, 1, 1}, {1, 1, 1}, 2},

    {Op::kConv3d, "r2plus1d", "stem_s", 45, 3, 1, {1, 7, 7}, {16, 112, 112}, {1, 2, 2}, {0, 3, 3}, 1},
    {Op::kConv3d, "r2plus1d", "stem_t", 64, 45, 1, {3, 1, 1}, {16, 56, 56}, {1, 1, 1}, {1, 0, 0}, 1},
    {Op::kConv3d, "r2plus1d", "conv2_s", 144, 64, 1, {1, 3, 3}, {16, 56, 56}, {1, 1, 1}, {0, 1, 1}, 4, true},
    {Op::kConv3d, "r2plus1d", "conv2_t", 64, 144, 1, {3, 1, 1}, {16, 56, 56}, {1, 1, 1}, {1, 0, 0}, 4, true},
    {Op::kConv3d, "r2plus1d", "conv3a_s", 230, 64, 1, {1, 3, 3}, {16, 56, 56}, {1, 2, 2}, {0, 1, 1}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv3a_t", 128, 230, 1, {3, 1, 1}, {16, 28, 28}, {2, 1, 1}, {1, 0, 0}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv3b_s", 230, 128, 1, {1, 3, 3}, {8, 28, 28}, {1, 1, 1}, {0, 1, 1}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv3b_t", 128, 230, 1, {3, 1, 1}, {8, 28, 28}, {1, 1, 1}, {1, 0, 0}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv3_down", 128, 64, 1, {1, 1, 1}, {16, 56, 56}, {2, 2, 2}, {0, 0, 0}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv3_s", 288, 128, 1, {1, 3, 3}, {8, 28, 28}, {1, 1, 1}, {0, 1, 1}, 2, true},
    {Op::kConv3d, "r2plus1d", "conv3_t", 128, 288, 1, {3, 1, 1}, {8, 28, 28}, {1, 1, 1}, {1, 0, 0}, 2, true},
    {Op::kConv3d, "r2plus1d", "conv4a_s", 460, 128, 1, {1, 3, 3}, {8, 28, 28}, {1, 2, 2}, {0, 1, 1}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv4a_t", 256, 460, 1, {3, 1, 1}, {8, 14, 14}, {2, 1, 1}, {1, 0, 0}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv4b_s", 460, 256, 1, {1, 3, 3}, {4, 14, 14}, {1, 1, 1}, {0, 1, 1}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv4b_t", 256, 460, 1, {3, 1, 1}, {4, 14, 14}, {1, 1, 1}, {1, 0, 0}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv4_down", 256, 128, 1, {1, 1, 1}, {8, 28, 28}, {2, 2, 2}, {0, 0, 0}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv4_s", 576, 256, 1, {1, 3, 3}, {4, 14, 14}, {1, 1, 1}, {0, 1, 1}, 2, true},
    {Op::kConv3d, "r2plus1d", "conv4_t", 256, 576, 1, {3, 1, 1}, {4, 14, 14}, {1, 1, 1}, {1, 0, 0}, 2, true},
    {Op::kConv3d, "r2plus1d", "conv5a_s", 921, 256, 1, {1, 3, 3}, {4, 14, 14}, {1, 2, 2}, {0, 1, 1}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv5a_t", 512, 921, 1, {3, 1, 1}, {4, 7, 7}, {2, 1, 1}, {1, 0, 0}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv5b_s", 921, 512, 1, {1, 3, 3}, {2, 7, 7}, {1, 1, 1}, {0, 1, 1}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv5b_t", 512, 921, 1, {3, 1, 1}, {2, 7, 7}, {1, 1, 1}, {1, 0, 0}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv5_down", 512, 256, 1, {1, 1, 1}, {4, 14, 14}, {2, 2, 2}, {0, 0, 0}, 1, true},
    {Op::kConv3d, "r2plus1d", "conv5_s", 1152, 512, 1, {1, 3, 3}, {2, 7, 7}, {1, 1, 1}, {0, 1, 1}, 2, true},
    {Op::kConv3d, "r2plus1d", "conv5_t", 512, 1152, 1, {3, 1, 1}, {2, 7, 7}, {1, 1, 1}, {1, 0, 0}, 2, true},

    {Op::kGemm, "bert_base", "qkv_out", 768, 768, 1, {1, 1, 1}, {1, 1, 128}, {1, 1, 1}, {0, 0, 0}},
    {Op::kGemm, "bert_base", "ffn_up", 3072, 768, 1, {1, 1, 1}, {1, 1, 128}, {1, 1, 1}, {0, 0, 0}},
    {Op::kGemm, "bert_base", "ffn_down", 768, 3072, 1, {1, 1, 1}, {1, 1, 128}, {1, 1, 1}, {0, 0, 0}},

    {Op::kGemm, "square", "1024", 1024, 1024, 1, {1, 1, 1}, {1, 1, 256}, {1, 1, 1}, {0, 0, 0}},

    {Op::kGemv, "vgg16", "fc6", 4096, 25088, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
    {Op::kGemv, "vgg16", "fc7", 4096, 4096, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},

    {Op::kGemv, "resnet50", "fc", 1000, 2048, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},

    {Op::kGemv, "gru_timit", "input1024", 3072, 1024, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
    {Op::kGemv, "gru_timit", "recurrent1024", 3072, 1024, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},

    {Op::kGemv, "gru", "1024x1024", 1024, 1024, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},

    {Op::kGemv, "lstm", "2048", 8192, 2048, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},

    // The second and the first layer of networks for TIMIT, frames of 39 features: a step, and 100 frames.
    {Op::kRecurrent, "timit", "step1024", 1024, 1024, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
    {Op::kRecurrent, "timit", "step39", 1024, 39, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
    {Op::kRecurrent, "timit", "sequence1024", 1024, 1024, 1, {1, 1, 1}, {1, 1, 100}, {1, 1, 1}, {0, 0, 0}},
    {Op::kRecurrent, "timit", "sequence39", 1024, 39, 1, {1, 1, 1}, {1, 1, 100}, {1, 1, 1}, {0, 0, 0}},
});
// clang-format on

// A GEMM is a 1x1 convolution over one row of N pixels; to a recurrent layer steps are pixels.
constexpr ConvShape<3> ShapeOf(const Layer& layer) {
  return {.in_channels = layer.in_channels,
          .out_channels = layer.out_channels,
          .groups = layer.groups,
          .input = layer.input,
          .kernel = layer.kernel,
          .stride = layer.stride,
          .pad_begin = layer.pad,
          .pad_end = layer.pad};
}

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_LAYERS_H_
