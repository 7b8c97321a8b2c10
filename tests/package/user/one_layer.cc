// A pruned layer with one header of lacuna and one format.

#include <lacuna/conv.h>
#include <lacuna/format/bcr.h>

#include <cstdint>
#include <vector>

#ifndef LAYER
#define LAYER Layer
#endif

// The outputs of a 3 x 3 layer of small integers, which are exact; empty if it cannot be made or run.
std::vector<float> LAYER() {
  const lacuna::ConvShape<2> shape{
      .in_channels = 3, .out_channels = 9, .input = {7, 11}, .kernel = {3, 3}, .pad_begin = {1, 1}, .pad_end = {1, 1}};
  std::vector<float> weights(static_cast<size_t>(shape.weight_elements()));
  std::vector<float> x(static_cast<size_t>(shape.input_elements()));
  std::vector<float> y(static_cast<size_t>(shape.output_elements()));
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = i / 27 % 2 == i % 2 ? static_cast<float>(i % 5) : 0.0f;
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3.0f;
  const auto dense = lacuna::DenseWeights<float>::View(lacuna::MatrixShapeOf(shape), weights);
  if (!dense.ok()) return {};
  const auto bcr = lacuna::BcrWeights<float>::FromDense(*dense, {.rows = 3, .columns = 9});
  if (!bcr.ok()) return {};
  const auto plan = lacuna::MakeConvolution<2>(*bcr, shape, {.activation = lacuna::Activation::kLeakyRelu});
  if (!plan.ok()) return {};
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
  const auto status =
      plan->Run(lacuna::TensorView<const float, 4>::Planar(x.data(), shape.input_tensor()),
                lacuna::TensorView<float, 4>::Planar(y.data(), shape.output_tensor()), {.workspace = workspace});
  if (!status.ok()) return {};
  return y;
}
