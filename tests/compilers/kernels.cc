// The kernels of every SIMD target, header-only: sums of integers equal the reference's.

#include <lacuna/lacuna.h>

#include <cstdint>
#include <cstdio>
#include <vector>

#include "hwy/targets.h"

namespace {

template <class Weights>
bool Run(const Weights& weights, const lacuna::ConvShape<2>& shape, const std::vector<float>& x,
         const std::vector<float>& expected) {
  const auto plan = lacuna::MakeConvolution<2>(weights, shape);
  if (!plan.ok()) return std::printf("error: %s\n", plan.status().message()) < 0;
  std::vector<float> y(expected.size());
  std::vector<std::byte> workspace(plan->WorkspaceBytes(1));
  const lacuna::Status status =
      plan->Run(lacuna::TensorView<const float, 4>::Planar(x.data(), shape.input_tensor()),
                lacuna::TensorView<float, 4>::Planar(y.data(), shape.output_tensor()), {.workspace = workspace});
  if (!status.ok()) return std::printf("error: %s\n", status.message()) < 0;
  if (y == expected) return true;
  return std::printf("error: %s: sums differ from the reference\n", lacuna::ActiveTargetName()) < 0;
}

}  // namespace

int main() {
  const lacuna::ConvShape<2> shape{.in_channels = 16,
                                   .out_channels = 24,
                                   .input = {9, 21},
                                   .kernel = {3, 3},
                                   .pad_begin = {1, 1},
                                   .pad_end = {1, 1}};
  std::vector<float> values, x;
  for (int64_t i = 0; i < shape.weight_elements(); ++i) values.push_back(static_cast<float>(i * 7 % 11 - 5));
  for (int64_t i = 0; i < shape.input_elements(); ++i) x.push_back(static_cast<float>(i * 5 % 7 - 3));
  const auto dense = lacuna::DenseWeights<float>::View(lacuna::MatrixShapeOf(shape), values);
  if (!dense.ok()) return 1;
  const auto sparse = lacuna::prune::ProjectBcr(*dense, {.rows = 8, .columns = 16, .column_keep = 0.25});
  if (!sparse.ok()) return 1;
  const auto kept = lacuna::ExpandRows(*sparse);
  if (!kept.ok()) return 1;
  std::vector<float> expected(static_cast<size_t>(shape.output_elements()));
  if (!lacuna::reference::Convolution<2>(shape, kept->values(), {},
                                         lacuna::TensorView<const float, 4>::Planar(x.data(), shape.input_tensor()),
                                         lacuna::TensorView<float, 4>::Planar(expected.data(), shape.output_tensor()))
           .ok()) {
    return 1;
  }
  bool ok = true;
  for (int64_t left = hwy::SupportedTargets() & int64_t{HWY_TARGETS}; left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left & -left);
    ok = Run(*sparse, shape, x, expected) && Run(*kept, shape, x, expected) && ok;
  }
  return ok ? 0 : 1;
}
