// call_bench: what a call costs besides the work: the smallest layers, a 1x1 convolution of one pixel and a product of
// 8 x 8 with a vector, through the C interface and in C++. integrations/python/bench/overhead.py and
// integrations/torch/bench/resnet18.py print the same of Python and PyTorch.

#include "lacuna/c/lacuna.h"
#include "lacuna/conv.h"
#include "lacuna/formats.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

namespace {

void Check(bool ok, const char* message) {
  if (ok) return;
  std::fprintf(stderr, "call_bench: %s\n", message);
  std::exit(1);
}
void Check(lacuna_status status) { Check(status == LACUNA_OK, lacuna_last_error()); }

// Prints nanoseconds of a call: the median of some runs of many calls, and their range.
template <class F>
void Time(const char* name, const F& call) {
  constexpr int kCalls = 200000;
  std::array<double, 9> runs{};
  for (double& run : runs) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) call();
    run = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() / kCalls;
  }
  std::sort(runs.begin(), runs.end());
  std::printf("%-28s %7.0f ns a call (%.0f to %.0f)\n", name, runs[runs.size() / 2], runs.front(), runs.back());
}

template <class T>
T Sized() {
  T fields{};
  fields.struct_size = sizeof(T);
  return fields;
}

lacuna_tensor Planar(const float* data, std::span<const int64_t> extent) {
  lacuna_tensor tensor{};
  Check(lacuna_tensor_planar(data, static_cast<int32_t>(extent.size()), extent.data(), &tensor));
  return tensor;
}

void TimeConvolutions() {
  const float weight = 2.0f;
  float x = 1.0f, y = 0.0f;
  std::vector<std::byte> workspace;

  const lacuna::ConvShape<2> shape{.in_channels = 1, .out_channels = 1, .input = {1, 1}, .kernel = {1, 1}};
  const auto dense = lacuna::DenseWeights<float>::View(lacuna::MatrixShapeOf(shape), std::span(&weight, 1));
  Check(dense.ok(), "no weights");
  const auto plan = lacuna::MakeConvolution<2>(*dense, shape, {});
  Check(plan.ok(), "no plan");
  workspace.resize(plan->WorkspaceBytes(1));
  const auto from = lacuna::TensorView<const float, 4>::Planar(&x, shape.input_tensor());
  const auto to = lacuna::TensorView<float, 4>::Planar(&y, shape.output_tensor());
  Time("conv of one pixel, C++", [&] { Check(plan->Run(from, to, {.workspace = workspace}).ok(), "no run"); });

  auto matrix = Sized<lacuna_matrix>();
  matrix.rows = matrix.columns = 1;
  lacuna_weights* weights = nullptr;
  Check(lacuna_prune(&weight, &matrix, "dense", &weights));
  auto fields = Sized<lacuna_conv_shape>();
  fields.rank = 2;
  fields.in_channels = fields.out_channels = 1;
  std::fill_n(fields.input, 2, 1);
  std::fill_n(fields.kernel, 2, 1);
  lacuna_conv* conv = nullptr;
  Check(lacuna_conv_create(weights, &fields, nullptr, nullptr, &conv));
  constexpr int64_t kExtent[] = {1, 1, 1, 1};
  const lacuna_tensor x_view = Planar(&x, kExtent), y_view = Planar(&y, kExtent);
  auto args = Sized<lacuna_run_args>();
  args.workspace = workspace.data();
  args.workspace_bytes = workspace.size();
  Time("conv of one pixel, C", [&] { Check(lacuna_conv_run(conv, &x_view, &y_view, &args)); });
  lacuna_conv_destroy(conv);
  lacuna_weights_destroy(weights);
}

void TimeProduct() {
  std::array<float, 64> values;
  values.fill(1.0f);
  auto matrix = Sized<lacuna_matrix>();
  matrix.rows = matrix.columns = 8;
  lacuna_weights* weights = nullptr;
  lacuna_gemv* gemv = nullptr;
  Check(lacuna_prune(values.data(), &matrix, "dense", &weights));
  Check(lacuna_gemv_create(weights, nullptr, &gemv));
  std::array<float, 8> x{}, y{};
  constexpr int64_t kExtent[] = {8, 1};
  const lacuna_tensor x_view = Planar(x.data(), kExtent), y_view = Planar(y.data(), kExtent);
  std::vector<std::byte> workspace(lacuna_gemv_workspace_bytes(gemv, 1, 1));
  auto args = Sized<lacuna_run_args>();
  args.workspace = workspace.data();
  args.workspace_bytes = workspace.size();
  Time("gemv 8 x 8, C", [&] { Check(lacuna_gemv_run(gemv, &x_view, &y_view, &args)); });
  lacuna_gemv_destroy(gemv);
  lacuna_weights_destroy(weights);
}

}  // namespace

int main() {
  TimeConvolutions();
  TimeProduct();
  return 0;
}
