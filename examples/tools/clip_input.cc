#include "tools/clip_input.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <numeric>

#include "graph/builtin.h"
#include "tools/clip_module.h"

namespace tools {
namespace {

constexpr size_t kLargest = 5;
constexpr int64_t kColours = 3;

}  // namespace

bool TakesClips(const graph::Graph& model) { return model.inputs.size() == 1 && model.inputs[0].shape.size() == 5; }

graph::Result<std::vector<float>> ReadInputClip(const std::string& path, const std::string& name,
                                                const graph::Graph& model) {
  if (!TakesClips(model) || model.inputs[0].shape[1] != kColours) {
    return graph::Status::InvalidArgument(
        "--input is '%s', but '%s' takes no clips: its input must be one of [batch, 3, "
        "frames, height, width]",
        path.c_str(), name.c_str());
  }
  const graph::Shape& shape = model.inputs[0].shape;
  LACUNA_ASSIGN_OR_RETURN(read, LoadAndReadClip(path, {.frames = shape[2], .height = shape[3], .width = shape[4]}));
  const graph::Normalization normalization = graph::NormalizationOf(name);
  const size_t plane = read.values.size() / kColours;
  for (size_t i = 0; i < read.values.size(); ++i) {
    read.values[i] = (read.values[i] - normalization.mean[i / plane]) / normalization.deviation[i / plane];
  }
  return std::move(read.values);
}

void SetInputClip(const std::vector<float>& clip, graph::Network& network) {
  const std::span<float> input = network.input(0);
  for (size_t first = 0; first < input.size(); first += clip.size()) {
    std::copy(clip.begin(), clip.end(), input.begin() + static_cast<std::ptrdiff_t>(first));
  }
}

void PrintLargestOutputs(const graph::Network& network) {
  const graph::Shape& shape = network.output_shape(0);
  const size_t items = shape.empty() ? 1 : static_cast<size_t>(std::max<int64_t>(shape[0], 1));
  const auto values = network.output(0).first(network.output(0).size() / items);
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t count = std::min(kLargest, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](size_t a, size_t b) { return values[a] > values[b]; });
  std::printf("largest outputs:");
  for (size_t i = 0; i < count; ++i) {
    std::printf("%s %zu (%.4g)", i == 0 ? "" : ",", order[i], static_cast<double>(values[order[i]]));
  }
  std::printf("\n");
}

}  // namespace tools
