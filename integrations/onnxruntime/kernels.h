// The operators lacuna.Conv, lacuna.Gemm and lacuna.GRU of ONNX Runtime, over the C interface of lacuna.

#ifndef LACUNA_ONNXRUNTIME_KERNELS_H_
#define LACUNA_ONNXRUNTIME_KERNELS_H_

#include <memory>

#include "engine.h"

namespace lacuna_ort {

// A node, ready to run; several runs may be under way at the same time.
class Kernel {
 public:
  explicit Kernel(const Engine& engine) : engine_(engine) {}
  virtual ~Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  virtual Status* Compute(KernelContext* context) = 0;

 protected:
  Engine engine_;
};

// Makes the kernel of a node from its attributes and its constant weights.
//
// Conv: inputs X, W, B (optional), attributes as ONNX's Conv but for auto_pad.
// Gemm: inputs A [..., K], W [K, M], with transB [M, K], B (optional, [M]); attributes alpha, beta, transB.
// Both: scheme ("bcr_col-8x"), activation ("relu", ...), low, high, slope.
// GRU: inputs and outputs as ONNX's GRU, layout 0; attributes direction, hidden_size, linear_before_reset, scheme of W,
// recurrent_scheme of R.
Status* MakeConv(const Engine& engine, const KernelInfo* info, std::unique_ptr<Kernel>& kernel);
Status* MakeGemm(const Engine& engine, const KernelInfo* info, std::unique_ptr<Kernel>& kernel);
Status* MakeGru(const Engine& engine, const KernelInfo* info, std::unique_ptr<Kernel>& kernel);

}  // namespace lacuna_ort

#endif  // LACUNA_ONNXRUNTIME_KERNELS_H_
