// One pruned 3x3 layer inside a program that has its own threads: prune, plan, run, compare with the reference.

#include <lacuna/lacuna.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "thread_pool.h"

namespace {

std::vector<float> Gaussian(int64_t size, float deviation) {
  static std::mt19937 generator(1);
  std::normal_distribution<float> distribution(0.0f, deviation);
  std::vector<float> values(static_cast<size_t>(size));
  for (float& value : values) value = distribution(generator);
  return values;
}

lacuna::Result<float> LargestDifference() {
  const lacuna::ConvShape<2> shape{.in_channels = 64,
                                   .out_channels = 96,
                                   .input = {28, 28},
                                   .kernel = {3, 3},
                                   .pad_begin = {1, 1},
                                   .pad_end = {1, 1}};
  const std::vector<float> trained = Gaussian(shape.weight_elements(), 0.05f);
  const std::vector<float> bias = Gaussian(shape.out_channels, 0.1f);
  const std::vector<float> input = Gaussian(shape.input_elements(), 1.0f);
  std::vector<float> output(static_cast<size_t>(shape.output_elements())), expected(output.size());

  // Keep one of eight columns in every block of 8 filters x 16 columns.
  LACUNA_ASSIGN_OR_RETURN(dense, lacuna::DenseWeights<float>::View(lacuna::MatrixShapeOf(shape), trained));
  LACUNA_ASSIGN_OR_RETURN(pruned, lacuna::prune::ProjectBcr(dense, {.rows = 8, .columns = 16, .column_keep = 1.0 / 8}));

  const lacuna::Epilogue epilogue{.bias = bias, .activation = lacuna::Activation::kRelu};
  LACUNA_ASSIGN_OR_RETURN(convolution, lacuna::MakeConvolution<2>(pruned, shape, epilogue));
  std::printf("%s\n", convolution.Explain().ToString().c_str());

  ThreadPool pool(2);
  std::vector<std::byte> workspace(convolution.WorkspaceBytes(pool.concurrency()));
  const auto x = lacuna::TensorView<const float, 4>::Planar(input.data(), {1, 64, 28, 28});
  const auto y = lacuna::TensorView<float, 4>::Planar(output.data(), {1, 96, 28, 28});
  LACUNA_RETURN_IF_ERROR(convolution.Run(x, y, {.workspace = workspace}, pool));

  LACUNA_ASSIGN_OR_RETURN(kept, pruned.ToDense());
  const auto reference = lacuna::TensorView<float, 4>::Planar(expected.data(), y.extent);
  LACUNA_RETURN_IF_ERROR(lacuna::reference::Convolution<2>(shape, kept.values(), epilogue, x, reference));
  float largest = 0.0f;
  for (size_t i = 0; i < output.size(); ++i) largest = std::max(largest, std::abs(output[i] - expected[i]));
  return largest;
}

}  // namespace

int main() {
  const lacuna::Result<float> difference = LargestDifference();
  if (!difference.ok()) {
    std::fprintf(stderr, "embed: %s\n", difference.status().message());
    return 1;
  }
  std::printf("largest difference from the reference: %g\n", static_cast<double>(*difference));
  return *difference < 1e-4f ? 0 : 1;
}
