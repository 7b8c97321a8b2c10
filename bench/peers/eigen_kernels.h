// What the per-instruction-set Eigen libraries export. Nothing of Eigen is visible here.

#ifndef LACUNA_BENCH_PEERS_EIGEN_KERNELS_H_
#define LACUNA_BENCH_PEERS_EIGEN_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lacuna::bench {

// Y[M, N] = W[M, K] X[K, N].
class EigenProduct {
 public:
  virtual ~EigenProduct() = default;
  virtual void Run(const float* x, int64_t n, float* y) const = 0;
  // The weights as Run reads them.
  virtual std::vector<std::span<const std::byte>> Weights() const = 0;
};

// How the weights are stored: as they are given, or sparse by rows (CSR) or by columns (CSC).
enum class EigenStorage : uint8_t { kDense, kSparseRows, kSparseColumns };

}  // namespace lacuna::bench

// `w` is row-major [M, K] and, if it stays dense, must outlive the product. X and Y are row-major, or column-major if
// `channels_last`.
extern "C" {
#define LACUNA_BENCH_DECLARE_EIGEN(name)                                                                       \
  lacuna::bench::EigenProduct* name(const float* w, int64_t m, int64_t k, lacuna::bench::EigenStorage storage, \
                                    bool channels_last)
LACUNA_BENCH_DECLARE_EIGEN(MakeEigenBaseline);
LACUNA_BENCH_DECLARE_EIGEN(MakeEigenAvx2);
LACUNA_BENCH_DECLARE_EIGEN(MakeEigenAvx512);
#undef LACUNA_BENCH_DECLARE_EIGEN
}

#endif  // LACUNA_BENCH_PEERS_EIGEN_KERNELS_H_
