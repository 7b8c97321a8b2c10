// What the library around PyTorch exports. Nothing of PyTorch is visible here, and nothing of C++20: clang 14 takes
// PyTorch's headers as C++17 only.

#ifndef LACUNA_BENCH_PEERS_PYTORCH_KERNELS_H_
#define LACUNA_BENCH_PEERS_PYTORCH_KERNELS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace lacuna::bench {

// Of activations and weights.
enum class PytorchLayout : uint8_t {
  kContiguous,    // NCDHW
  kChannelsLast,  // NDHWC
  kMkldnn,        // oneDNN's own blocks, with weights packed beforehand
};

struct PytorchProblem {
  const float* x;  // planar
  const float* w;
  std::array<int64_t, 5> x_extents;  // N, IC, ID, IH, IW
  std::array<int64_t, 5> w_extents;  // OC, IC of a group, KD, KH, KW
  std::array<int64_t, 3> stride;
  std::array<int64_t, 3> pad;  // at both ends
  std::array<int64_t, 3> dilation;
  int64_t groups;
};

class PytorchConvolution {
 public:
  virtual ~PytorchConvolution() = default;
  virtual void Run() = 0;
  // The output of the last Run.
  virtual void CopyOutput(float* planar) const = 0;
};

}  // namespace lacuna::bench

// A convolution that has run once and copied what it was given. Null, and a text in `error`, if PyTorch cannot.
extern "C" lacuna::bench::PytorchConvolution* MakePytorchConvolution(const lacuna::bench::PytorchProblem& problem,
                                                                     lacuna::bench::PytorchLayout layout, char* error,
                                                                     size_t error_bytes);

#endif  // LACUNA_BENCH_PEERS_PYTORCH_KERNELS_H_
