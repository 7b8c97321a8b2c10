// A policy of the user's own. Its register tiles are compiled in this unit, whatever the target.

#include <lacuna/kernels.h>
// Before the others.
#include <lacuna/conv.h>
#include <lacuna/format/dense.h>

#include <cstring>
#include <vector>

struct Own : lacuna::DefaultPolicy {
  template <class Target>
  using Tile = lacuna::RegisterTile<5, 2>;
  template <class Target>
  using Patterns = lacuna::PatternTiles<>;
};

std::vector<float> Layer() {
  const lacuna::ConvShape<1> shape{.in_channels = 2, .out_channels = 7, .input = {40}, .kernel = {3}};
  std::vector<float> weights(static_cast<size_t>(shape.weight_elements()), 1.0f);
  std::vector<float> x(static_cast<size_t>(shape.input_elements()), 0.5f);
  std::vector<float> y(static_cast<size_t>(shape.output_elements()));
  const auto dense = lacuna::DenseWeights<float>::View(lacuna::MatrixShapeOf(shape), weights);
  if (!dense.ok()) return {};
  const auto plan = lacuna::MakeConvolution<1>(*dense, shape, {}, Own());
  if (!plan.ok() || std::strcmp(plan->Explain().tile, "5x2") != 0) return {};
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
  const auto status =
      plan->Run(lacuna::TensorView<const float, 3>::Planar(x.data(), shape.input_tensor()),
                lacuna::TensorView<float, 3>::Planar(y.data(), shape.output_tensor()), {.workspace = workspace});
  for (const float v : y) {
    if (v != 3.0f) return {};
  }
  return status.ok() ? y : std::vector<float>();
}
