#include "layer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>

namespace lacuna_torch {

void CheckInput(const char* op, const Tensor& tensor) {
  TORCH_CHECK(tensor.device().is_cpu(), "lacuna::", op, ": the tensor is on ", tensor.device(), ", must be on the CPU");
  TORCH_CHECK(tensor.scalar_type() == at::kFloat, "lacuna::", op, ": the tensor has dtype ", tensor.scalar_type(),
              ", must be float32");
  TORCH_CHECK(!(at::GradMode::is_enabled() && tensor.requires_grad()), "lacuna::", op,
              " has no gradient, but its input requires one: call it under torch.no_grad()");
}

Tensor WithStrides(const Tensor& tensor) {
  for (int64_t axis = 0; axis < tensor.dim(); ++axis) {
    if (tensor.size(axis) > 1 && tensor.stride(axis) < 1) return tensor.contiguous();
  }
  return tensor;
}

lacuna_tensor ViewOf(const Tensor& tensor, at::IntArrayRef axes) {
  auto view = Sized<lacuna_tensor>();
  view.data = tensor.data_ptr<float>();
  view.rank = static_cast<int64_t>(axes.size());
  TORCH_CHECK(view.rank <= LACUNA_MAX_RANK, "lacuna: the tensor has ", view.rank, " axes, must have at most ",
              LACUNA_MAX_RANK);
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    view.extent[axis] = tensor.size(axes[axis]);
    view.stride[axis] = tensor.stride(axes[axis]);
  }
  return view;
}

lacuna_tensor ViewOf(const Tensor& tensor) {
  static constexpr std::array<int64_t, LACUNA_MAX_RANK> kAxes = {0, 1, 2, 3, 4};
  return ViewOf(tensor, at::IntArrayRef(kAxes.data(), static_cast<size_t>(tensor.dim())));
}

void* Workspace(size_t bytes) {
  thread_local std::unique_ptr<char[]> memory;
  thread_local size_t size = 0;
  if (size < bytes) {
    memory.reset();
    memory.reset(new char[bytes]);
    size = bytes;
  }
  return memory.get();
}

lacuna_executor TorchThreads() {
  auto executor = Sized<lacuna_executor>();
  executor.concurrency = static_cast<size_t>(at::in_parallel_region() ? 1 : at::get_num_threads());
  executor.parallel_for = [](void*, size_t slots, void (*task)(void* data, size_t slot), void* data) {
    at::parallel_for(0, static_cast<int64_t>(slots), 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) task(data, static_cast<size_t>(slot));
    });
  };
  return executor;
}

Weights Weights::Of(const Tensor& dense, const std::string& scheme, bool prune, int64_t groups) {
  TORCH_CHECK(dense.dim() >= 2, "lacuna: weights have ", dense.dim(), " axes, must have at least 2");
  const Tensor values = dense.detach().to(at::kFloat).contiguous();
  auto matrix = Sized<lacuna_matrix>();
  matrix.rows = values.size(0);
  matrix.columns = values.numel() / std::max<int64_t>(values.size(0), 1);
  matrix.groups = groups;
  matrix.taps = matrix.columns / std::max<int64_t>(values.size(1), 1);
  lacuna_weights* made = nullptr;
  Check((prune ? lacuna_prune : lacuna_cover)(values.data_ptr<float>(), &matrix, scheme.c_str(), &made));
  Weights weights;
  weights.weights_.reset(made, Destroy());
  return weights;
}

Weights Weights::FromBlob(const Tensor& blob) {
  Weights weights;
  weights.memory_ = blob.clone(at::MemoryFormat::Contiguous);  // whose storage begins at a multiple of 64
  lacuna_weights* made = nullptr;
  Check(lacuna_weights_view(weights.memory_.data_ptr<uint8_t>(), static_cast<size_t>(blob.numel()), &made));
  weights.weights_.reset(made, Destroy());
  return weights;
}

lacuna_weights_info Weights::Describe() const {
  auto info = Sized<lacuna_weights_info>();
  Check(lacuna_weights_describe(get(), &info));
  return info;
}

Tensor Weights::Blob() const {
  const size_t bytes = lacuna_weights_blob_bytes(get());
  Tensor blob = at::empty({static_cast<int64_t>(bytes)}, at::kByte);
  Check(lacuna_weights_write(get(), blob.data_ptr<uint8_t>(), bytes));
  return blob;
}

namespace {

constexpr const char* kActivations[] = {"none",    "relu", "clamp", "leaky_relu",
                                        "sigmoid", "tanh", "silu",  "hard_swish"};  // lacuna_activation

}  // namespace

Output Output::Of(const c10::optional<Tensor>& bias, int64_t rows, const std::string& activation, double low,
                  double high, double slope) {
  Output output{{}, activation, low, high, slope};
  if (bias && bias->defined() && bias->numel() > 0) {
    TORCH_CHECK(bias->numel() == rows, "lacuna: bias has ", bias->numel(), " values, must have ", rows);
    output.bias = bias->detach().to(at::kFloat).contiguous().clone();
  }
  output.Epilogue(false);
  return output;
}

lacuna_epilogue Output::Epilogue(bool residual) const {
  const auto* name = std::find(std::begin(kActivations), std::end(kActivations), activation);
  TORCH_CHECK(name != std::end(kActivations), "lacuna: activation is \"", activation,
              "\", must be one of none, relu, clamp, leaky_relu, sigmoid, tanh, silu, hard_swish");
  auto epilogue = Sized<lacuna_epilogue>();
  epilogue.activation = static_cast<int32_t>(name - std::begin(kActivations));
  epilogue.residual = residual;
  epilogue.low = static_cast<float>(low);
  epilogue.high = static_cast<float>(high);
  epilogue.slope = static_cast<float>(slope);
  if (bias.defined()) {
    epilogue.bias = bias.data_ptr<float>();
    epilogue.bias_count = static_cast<size_t>(bias.numel());
  }
  return epilogue;
}

}  // namespace lacuna_torch
