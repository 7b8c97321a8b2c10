// Networks that need no file: real architectures with random weights, for timing.

#ifndef LACUNA_EXAMPLES_GRAPH_BUILTIN_H_
#define LACUNA_EXAMPLES_GRAPH_BUILTIN_H_

#include <cstdint>
#include <span>
#include <string>

#include "graph/graph.h"

namespace graph {

// BatchNormalization is folded in all of them. The classifiers take [batch, 3, 224, 224] images and have 1000 classes.
//   vgg16         Simonyan and Zisserman, 2014, configuration D
//   resnet18      He et al., 2015
//   resnet50      He et al., 2015, stride in the 3x3 convolutions
//   mobilenet_v2  Sandler et al., 2018, width 1.0
//   yolov4_tiny   Wang et al., Scaled-YOLOv4, 2020: [batch, 3, 416, 416] images to [batch, 255, 13, 13] and
//                 [batch, 255, 26, 26], 3 anchors of 4 + 1 + 80 values, not decoded
// Weights are He-scaled Gaussians, standard deviation sqrt(2 / K), the same for the same seed. kNotFound lists the
// known names.
Result<Graph> BuiltinNetwork(const std::string& name, int64_t batch = 1, uint64_t seed = 1);
bool IsBuiltinNetwork(const std::string& name);
// "vgg16, resnet18, ..."
std::string BuiltinNetworkNames();

// Standard Gaussians times `deviation`, the same for the same seed on every machine.
void FillGaussian(std::span<float> values, float deviation, uint64_t seed);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_BUILTIN_H_
