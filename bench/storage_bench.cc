// Bytes of values and of indices of every format at several rates: VGG-16 conv4_2, 512 x 512 x 3 x 3, float32.

#include "lacuna/core/shape.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/prune/project.h"
#include "lacuna/prune/scheme.h"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <random>
#include <string>

#include "layers.h"

namespace lacuna::bench {
namespace {

constexpr const char* kSchemes[] = {"unstructured", "pattern",    "pattern_g4",   "bcr",
                                    "bcr_col",      "bcr_kernel", "punched",      "block_8x1",
                                    "block_4x4",    "block_8x8",  "connectivity", "filter"};
constexpr int kRates[] = {4, 8, 12, 18};

const Layer& Conv42() {
  for (const Layer& layer : kLayers) {
    if (layer.network == std::string("vgg16") && layer.name == std::string("conv4_2")) return layer;
  }
  return kLayers[0];
}

Result<DenseWeights<float>> Gaussian(const MatrixShape& shape) {
  LACUNA_ASSIGN_OR_RETURN(dense, DenseWeights<float>::Zeros(shape));
  std::mt19937 generator(2);
  std::normal_distribution<float> gaussian;
  for (float& value : dense.mutable_values()) value = gaussian(generator);
  return std::move(dense);
}

// A benchmark a scheme and rate: how long the projection takes, and what its result takes to store.
void Measure(benchmark::State& state, const DenseWeights<float>& dense, const std::string& name, int64_t taps) {
  const auto scheme = prune::ParseScheme(name);
  if (!scheme.ok()) return state.SkipWithError(scheme.status().message());
  int64_t nnz = 0;
  size_t bytes = 0;
  for (auto _ : state) {
    const auto pruned = prune::Project(dense, *scheme, taps);
    if (!pruned.ok()) return state.SkipWithError(pruned.status().message());
    nnz = pruned->nnz();
    bytes = pruned->StorageBytes();
  }
  const size_t values = static_cast<size_t>(nnz) * sizeof(float);
  state.counters["value_bytes"] = static_cast<double>(values);
  state.counters["index_bytes"] = static_cast<double>(bytes - values);
  state.counters["stored"] = static_cast<double>(bytes) / static_cast<double>(values);
}

int Run(int argc, char** argv) {
  const ConvShape<3> shape = ShapeOf(Conv42());
  const auto dense = Gaussian(MatrixShapeOf(shape));
  if (!dense.ok()) {
    std::fprintf(stderr, "%s\n", dense.status().message());
    return 2;
  }
  for (const char* scheme : kSchemes) {
    for (const int rate : kRates) {
      const std::string name = std::string(scheme) + "-" + std::to_string(rate) + "x";
      benchmark::RegisterBenchmark(
          ("storage/vgg16.conv4_2/" + name).c_str(),
          [&dense, name, taps = shape.taps()](benchmark::State& state) { Measure(state, *dense, name, taps); })
          ->Iterations(1)
          ->Unit(benchmark::kMillisecond);
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace lacuna::bench

int main(int argc, char** argv) { return lacuna::bench::Run(argc, argv); }
