// Networks that need no file: real architectures with random weights, for timing.

#ifndef LACUNA_EXAMPLES_GRAPH_BUILTIN_H_
#define LACUNA_EXAMPLES_GRAPH_BUILTIN_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace graph {

// BatchNormalization is folded in all of them. The classifiers take [batch, 3, 224, 224] images and have 1000 classes.
//   vgg16         Simonyan and Zisserman, 2014, configuration D
//   resnet18      He et al., 2015
//   resnet50      He et al., 2015, stride in the 3x3 convolutions
//   mobilenet_v2  Sandler et al., 2018, width 1.0
//   yolov4_tiny   Wang et al., Scaled-YOLOv4, 2020: [batch, 3, 416, 416] images to [batch, 255, 13, 13] and
//                 [batch, 255, 26, 26], 3 anchors of 4 + 1 + 80 values, not decoded
// The video classifiers take [batch, 3, 16, 112, 112] clips.
//   c3d           Tran et al., Learning spatiotemporal features with 3D convolutional networks, 2015: 487 classes
//   r2plus1d      Tran et al., A closer look at spatiotemporal convolutions, 2018, 18 layers: 400 classes
//   s3d           Xie et al., Rethinking spatiotemporal feature learning, 2018, without gating, widths as in
//                 torchvision, where images are 224 x 224: 400 classes
// Further ones, each under the name that lacuna-run --networks lists with its source:
//   yolov4_416, yolov4_608  three maps of 255 channels, not decoded
//   pointpillars            [batch, 64, 496, 432] pillars to classes, boxes and directions of 6 anchors
//   simple_baseline         [batch, 3, 256, 192] images to heat maps of 17 joints
//   wdsr_x2, style_transfer, colouring  images to images; padded by zeros
//   unet3d                  [batch, 1, 128, 128, 128] volumes to 3 classes of every voxel
//   bert_base, bert_base_384, mobilebert, mobilebert_384  [batch, length] tokens to [batch, length, 2] scores; all
//                           tokens count, and belong to one segment
// The recurrent network takes [100, batch, 39] sequences, a second of speech in frames of 10 ms with 13 cepstral
// coefficients and their first and second differences.
//   gru_timit     Dong et al., RTMobile, 2020, and Niu et al., GRIM, 2021: 2 GRU layers of 1024, which apply the reset
//                 gate to the product as PyTorch's do (linear_before_reset 1), then for each frame the 39 phones that
//                 TIMIT is scored on (Lee and Hon, 1989), [100 * batch, 39]
// Weights are He-scaled Gaussians, standard deviation sqrt(2 / K), those of recurrent layers 1 / sqrt(3 * hidden) as in
// PyTorch, the same for the same seed. kNotFound lists the known names.
Result<Graph> BuiltinNetwork(const std::string& name, int64_t batch = 1, uint64_t seed = 1);
bool IsBuiltinNetwork(const std::string& name);
struct BuiltinSource {
  const char* name;
  const char* source;  // the paper, the variant
};
std::vector<BuiltinSource> BuiltinNetworks();
// "vgg16, resnet18, ..."
std::string BuiltinNetworkNames();

// How a video network is usually pruned: the FLOPs of all convolutions together become `flops_rate` times fewer (Niu et
// al., RT3D, 2021), and all that is taken comes from `layers`.
struct UsualPruning {
  const char* layers;  // a regular expression, as LayerSelection takes it
  double flops_rate;
};
// Nothing for networks without one, and for names that are none.
std::optional<UsualPruning> UsualPruningOf(const std::string& network);

// What a network expects of RGB values in [0, 1]: (value - mean) / deviation.
struct Normalization {
  std::array<float, 3> mean{0.0f, 0.0f, 0.0f};
  std::array<float, 3> deviation{1.0f, 1.0f, 1.0f};
};
// The identity for networks that none is known of.
Normalization NormalizationOf(const std::string& network);

// Standard Gaussians times `deviation`, the same for the same seed on every machine.
void FillGaussian(std::span<float> values, float deviation, uint64_t seed);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_BUILTIN_H_
