// What the kernels share: attributes and tensors of nodes, weights, plans by extents, the session's threads.

#ifndef LACUNA_ONNXRUNTIME_NODE_H_
#define LACUNA_ONNXRUNTIME_NODE_H_

#include <lacuna/c/lacuna.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine.h"

// Returns from the calling function with the status of a failure.
#define LACUNA_ORT_RETURN(expression)                                   \
  do {                                                                  \
    if (::lacuna_ort::Status* failure_ = (expression)) return failure_; \
  } while (false)

namespace lacuna_ort {

using Ints = std::vector<int64_t>;

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

// A failure with lacuna's own message.
Status* Check(const Engine& engine, lacuna_status status);

// An array of the engine.
struct Tensor {
  void* data = nullptr;
  Ints extents;

  bool is_there() const { return data != nullptr; }
  int64_t elements() const;
  float* floats() const { return static_cast<float*>(data); }
};

// A node when its kernel is made.
class Node {
 public:
  Node(const Engine& engine, const KernelInfo* info) : engine_(engine), info_(info) {}

  // Attributes; `value` stays as it is where there is none.
  template <class T>
  void Read(const char* name, T& value) const {
    T read;
    if (!Absent(engine_.Attribute(info_, name, &read))) value = read;
  }
  void Read(const char* name, Ints& value) const { ReadSized(name, value); }
  void Read(const char* name, std::string& value) const;

  // Input `index`, which must be a constant of floats; one that is left out is no tensor, if `optional`.
  Status* Constant(size_t index, const char* name, bool optional, Tensor& tensor) const;

  const Engine& engine() const { return engine_; }

 private:
  bool Absent(Status* status) const;
  template <class Sequence>
  bool ReadSized(const char* name, Sequence& value) const {
    size_t size = 0;
    if (Absent(engine_.Attribute(info_, name, static_cast<typename Sequence::value_type*>(nullptr), &size)))
      return false;
    Sequence read(size, {});
    if (Absent(engine_.Attribute(info_, name, read.data(), &size))) return false;
    value = std::move(read);
    return true;
  }

  const Engine& engine_;
  const KernelInfo* info_;
};

// A node when it runs.
class Run {
 public:
  Run(const Engine& engine, KernelContext* context) : engine_(engine), context_(context) {}

  // Input `index`, no tensor if it is left out.
  Status* Input(size_t index, int type, Tensor& tensor) const;
  // Output `index` of those extents, no tensor if it is left out.
  Status* Output(size_t index, const Ints& extents, Tensor& tensor) const;

  // The session's threads.
  lacuna_executor Threads() const;
  // Workspace of the calling thread.
  static lacuna_run_args Args(size_t workspace_bytes, const lacuna_executor& threads);

 private:
  const Engine& engine_;
  KernelContext* context_;
};

// A view of floats in memory, the last axis innermost.
lacuna_tensor ViewOf(const Tensor& tensor);

// Weights that the node's `scheme` attribute says how to store. `matrix` has rows, columns, taps and groups.
Status* Cover(const Engine& engine, const float* dense, const lacuna_matrix& matrix, const std::string& scheme,
              Owned<lacuna_weights>& weights);

// Activation and bias of a layer.
struct Output {
  std::string activation = "none";
  float low = 0.0f, high = 6.0f, slope = 0.01f;
  std::vector<float> bias{};

  void Read(const Node& node);
  // Of a layer of so many outputs; refers to this object.
  Status* Epilogue(const Engine& engine, int64_t rows, lacuna_epilogue& epilogue) const;
};

// Plans of one layer for whatever extents it meets; each is made at its first use.
template <class Handle>
class Plans {
 public:
  // `make(first, plan)` makes the plan of `key` if there is none; `first` is another one, or null.
  template <class F>
  Status* For(const Ints& key, const F& make, const Handle*& plan) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& known : plans_) {
      if (known.first != key) continue;
      plan = known.second.get();
      return nullptr;
    }
    Handle* made = nullptr;
    LACUNA_ORT_RETURN(make(plans_.empty() ? nullptr : plans_.front().second.get(), &made));
    plans_.emplace_back(key, Owned<Handle>(made));
    plan = made;
    return nullptr;
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<Ints, Owned<Handle>>> plans_;
};

}  // namespace lacuna_ort

#endif  // LACUNA_ONNXRUNTIME_NODE_H_
