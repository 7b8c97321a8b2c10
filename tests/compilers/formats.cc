// Formats, pruning, blobs and the reference, which need neither Highway nor a SIMD target: a program for any compiler
// and architecture, that ends with 0 if all is as it must be.

#include "lacuna/core/blob.h"
#include <lacuna/formats.h>
#include <lacuna/prune.h>
#include <lacuna/reference.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string_view>
#include <vector>

namespace {

int g_failed = 0;

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "error: %s\n", what);
  g_failed = 1;
}
bool IsOk(const lacuna::Status& status, const char* what) {
  if (!status.ok()) std::fprintf(stderr, "error: %s: %s\n", what, status.message());
  Check(status.ok(), what);
  return status.ok();
}

std::vector<float> SmallIntegers(int64_t count) {
  std::vector<float> values;
  uint32_t state = 1;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 1664525 + 1013904223;
    values.push_back(static_cast<float>(static_cast<int>(state >> 24) % 9 - 4));
  }
  return values;
}

// Little-endian machines read what they wrote, others refuse both by name.
void CheckBlob(const lacuna::AnyWeights<float>& weights, std::string_view scheme) {
  const auto bytes = lacuna::Serialize(weights);
  if constexpr (std::endian::native != std::endian::little) {
    Check(!bytes.ok() && bytes.status().code() == lacuna::StatusCode::kUnsupported,
          "a big-endian machine writes no blob");
    const std::vector<std::byte> nothing(128);
    const auto viewed = lacuna::AnyWeights<float>::View(nothing);
    Check(!viewed.ok() && viewed.status().code() == lacuna::StatusCode::kUnsupported,
          "a big-endian machine reads no blob");
  } else {
    if (!IsOk(bytes.status(), scheme.data())) return;
    const auto viewed = lacuna::AnyWeights<float>::View(*bytes);
    if (!IsOk(viewed.status(), scheme.data())) return;
    const auto a = weights.ToDense(), b = viewed->ToDense();
    if (!IsOk(a.status(), "expand") || !IsOk(b.status(), "expand")) return;
    for (size_t i = 0; i < a->values().size(); ++i)
      Check(a->values()[i] == b->values()[i], "a blob holds other weights");
  }
}

}  // namespace

int main() {
  const lacuna::ConvShape<2> shape{.in_channels = 16, .out_channels = 16, .input = {5, 7}, .kernel = {3, 3}};
  const std::vector<float> values = SmallIntegers(shape.weight_elements()), x = SmallIntegers(shape.input_elements());
  const auto dense = lacuna::DenseWeights<float>::View(lacuna::MatrixShapeOf(shape), values);
  if (!IsOk(dense.status(), "dense")) return 1;
  for (const char* name : {"dense", "unstructured-4x", "pattern-4x", "bcr_col-8x", "bcr-4x", "punched-4x",
                           "block_8x1-4x", "connectivity-2x", "filter-2x"}) {
    const auto scheme = lacuna::prune::ParseScheme(name);
    if (!IsOk(scheme.status(), name)) continue;
    const auto pruned = lacuna::prune::Project(*dense, *scheme, 9);
    if (!IsOk(pruned.status(), name)) continue;
    const auto kept = pruned->ToDense();
    if (!IsOk(kept.status(), name)) continue;
    for (size_t i = 0; i < values.size(); ++i) {
      Check(kept->values()[i] == values[i] || kept->values()[i] == 0.0f, "pruning changes what it keeps");
    }
    CheckBlob(*pruned, name);
  }
  std::vector<float> y(static_cast<size_t>(shape.output_elements()));
  if (IsOk(lacuna::reference::Convolution<2>(shape, values, {},
                                             lacuna::TensorView<const float, 4>::Planar(x.data(), shape.input_tensor()),
                                             lacuna::TensorView<float, 4>::Planar(y.data(), shape.output_tensor())),
           "reference")) {
    float sum = 0.0f;  // of output channel 3 at (1, 2)
    for (size_t ic = 0; ic < 16; ++ic) {
      for (size_t tap = 0; tap < 9; ++tap) {
        sum += values[(3 * 16 + ic) * 9 + tap] * x[(ic * 5 + 1 + tap / 3) * 7 + 2 + tap % 3];
      }
    }
    Check(y[(3 * 3 + 1) * 5 + 2] == sum, "the reference's sum");
  }
  // On 32-bit machines 2^34 elements would wrap around to none.
  if constexpr (sizeof(size_t) < 8) {
    Check(!lacuna::DenseWeights<float>::Zeros({.rows = 1 << 20, .columns = 1 << 14}).ok(), "a matrix beyond the memory");
  }
  Check(!lacuna::prune::MakeScheme("bcr", std::numeric_limits<double>::quiet_NaN()).ok(), "a rate that is no number");
  return g_failed;
}
