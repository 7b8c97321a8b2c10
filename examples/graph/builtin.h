// Networks that need no file: real architectures with random weights, for timing.

#ifndef LACUNA_EXAMPLES_GRAPH_BUILTIN_H_
#define LACUNA_EXAMPLES_GRAPH_BUILTIN_H_

#include <cstdint>
#include <span>
#include <string>

#include "graph/graph.h"

namespace graph {

// "vgg16" (Simonyan and Zisserman, 2014, configuration D) or "resnet50" (He et al., 2015, stride in the 3x3
// convolutions, BatchNormalization already folded), for [batch, 3, 224, 224] images and 1000 classes. Weights are
// He-scaled Gaussians, standard deviation sqrt(2 / K), the same for the same seed. kNotFound lists the known names.
Result<Graph> BuiltinNetwork(const std::string& name, int64_t batch = 1, uint64_t seed = 1);
bool IsBuiltinNetwork(const std::string& name);

// Standard Gaussians, the same for the same seed on every machine.
void FillGaussian(std::span<float> values, float deviation, uint64_t seed);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_BUILTIN_H_
