// PyTorch's 3-D convolution through ATen, in a library of its own.

#include "peers/pytorch_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <exception>

namespace lacuna::bench {
namespace {

at::Tensor Copy(const float* values, at::IntArrayRef extents) {
  at::Tensor tensor = at::empty(extents, at::kFloat);
  std::copy_n(values, tensor.numel(), tensor.data_ptr<float>());
  return tensor;
}

class AtenConvolution : public PytorchConvolution {
 public:
  AtenConvolution(const PytorchProblem& problem, PytorchLayout layout)
      : is_mkldnn_(layout == PytorchLayout::kMkldnn),
        stride_(problem.stride),
        pad_(problem.pad),
        dilation_(problem.dilation),
        groups_(problem.groups),
        x_(Copy(problem.x, problem.x_extents)),
        w_(Copy(problem.w, problem.w_extents)) {
    if (layout == PytorchLayout::kChannelsLast) {
      x_ = x_.contiguous(at::MemoryFormat::ChannelsLast3d);
      w_ = w_.contiguous(at::MemoryFormat::ChannelsLast3d);
    } else if (is_mkldnn_) {
      x_ = x_.to_mkldnn();
      w_ = at::mkldnn_reorder_conv3d_weight(w_.to_mkldnn(), pad_, stride_, dilation_, groups_);
    }
    Compute();
  }

  void Run() override { Compute(); }
  void CopyOutput(float* planar) const override {
    const at::Tensor y = (is_mkldnn_ ? y_.to_dense() : y_).contiguous();
    std::copy_n(y.data_ptr<float>(), y.numel(), planar);
  }

 private:
  void Compute() {
    const at::NoGradGuard no_gradients;
    y_ = is_mkldnn_ ? at::mkldnn_convolution(x_, w_, {}, pad_, stride_, dilation_, groups_)
                    : at::conv3d(x_, w_, {}, stride_, pad_, dilation_, groups_);
  }

  bool is_mkldnn_;
  std::array<int64_t, 3> stride_;
  std::array<int64_t, 3> pad_;
  std::array<int64_t, 3> dilation_;
  int64_t groups_;
  at::Tensor x_;
  at::Tensor w_;
  at::Tensor y_;
};

}  // namespace
}  // namespace lacuna::bench

lacuna::bench::PytorchConvolution* MakePytorchConvolution(const lacuna::bench::PytorchProblem& problem,
                                                          lacuna::bench::PytorchLayout layout, char* error,
                                                          size_t error_bytes) {
  try {
    at::set_num_threads(1);
    return new lacuna::bench::AtenConvolution(problem, layout);
  } catch (const c10::Error& failure) {
    std::snprintf(error, error_bytes, "%s", failure.what_without_backtrace());
  } catch (const std::exception& failure) {
    std::snprintf(error, error_bytes, "%s", failure.what());
  }
  return nullptr;
}
