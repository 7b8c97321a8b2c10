// What the layers of lacuna_torch share: weights, runs on tensors, PyTorch's threads.

#ifndef LACUNA_TORCH_LAYER_H_
#define LACUNA_TORCH_LAYER_H_

#include <lacuna/c/lacuna.h>

#include <torch/custom_class.h>
#include <torch/library.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace lacuna_torch {

using at::Tensor;

// Throws c10::Error, a RuntimeError of Python, with lacuna's message.
inline void Check(lacuna_status status) { TORCH_CHECK(status == LACUNA_OK, "lacuna: ", lacuna_last_error()); }

template <class T>
T Sized() {
  T fields{};
  fields.struct_size = sizeof(T);
  return fields;
}

struct Destroy {
  void operator()(lacuna_weights* weights) const { lacuna_weights_destroy(weights); }
  void operator()(lacuna_conv* conv) const { lacuna_conv_destroy(conv); }
  void operator()(lacuna_gemm* gemm) const { lacuna_gemm_destroy(gemm); }
  void operator()(lacuna_gemv* gemv) const { lacuna_gemv_destroy(gemv); }
  void operator()(lacuna_recurrent* layer) const { lacuna_recurrent_destroy(layer); }
};
template <class Handle>
using Owned = std::unique_ptr<Handle, Destroy>;

// Fails unless `tensor` can be computed with: float32 on the CPU, and no gradient is asked for.
void CheckInput(const char* op, const Tensor& tensor);

// The tensor itself if all its strides are positive, else (expanded tensors) a copy.
Tensor WithStrides(const Tensor& tensor);

// The view of a tensor, its axes in the order given.
lacuna_tensor ViewOf(const Tensor& tensor);
lacuna_tensor ViewOf(const Tensor& tensor, at::IntArrayRef axes);

// Memory of the calling thread that its runs use one after the other.
void* Workspace(size_t bytes);

// at::parallel_for as executor, of at::get_num_threads() threads. Inside a parallel region it runs serially.
lacuna_executor TorchThreads();

// Plans of one layer for whatever extents it meets; each is made at its first use.
template <class Handle>
class Plans {
 public:
  // `make()` gives the plan of `key` if there is none yet.
  template <class F>
  const Handle* For(const std::vector<int64_t>& key, const F& make) {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    for (const auto& plan : plans_) {
      if (plan.first == key) return plan.second.get();
    }
    plans_.emplace_back(key, make());
    return plans_.back().second.get();
  }
  // Any of them, or null.
  const Handle* First() const {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    return plans_.empty() ? nullptr : plans_.front().second.get();
  }

 private:
  mutable std::recursive_mutex mutex_;  // make() may ask for the first plan
  std::vector<std::pair<std::vector<int64_t>, Owned<Handle>>> plans_;
};

// Weights in a format. Their state is a blob, which is of no SIMD target.
class Weights {
 public:
  // `dense` is [M, K] or [OC, IC / groups, kernel...]. Pruned by `scheme`, or, if not `prune`, covered by its format.
  static Weights Of(const Tensor& dense, const std::string& scheme, bool prune, int64_t groups);
  static Weights FromBlob(const Tensor& blob);

  const lacuna_weights* get() const { return weights_.get(); }
  lacuna_weights_info Describe() const;
  Tensor Blob() const;

 private:
  std::shared_ptr<lacuna_weights> weights_;
  Tensor memory_;  // that they lie in, if not their own
};

// What a layer computes besides: y = activation(W x + bias + residual).
struct Output {
  Tensor bias;  // [rows] or undefined
  std::string activation;
  double low, high, slope;

  // `bias` may be undefined, of any dtype.
  static Output Of(const c10::optional<Tensor>& bias, int64_t rows, const std::string& activation, double low,
                   double high, double slope);
  lacuna_epilogue Epilogue(bool residual) const;
};

}  // namespace lacuna_torch

#endif  // LACUNA_TORCH_LAYER_H_
