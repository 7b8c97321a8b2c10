// What the per-instruction-set Eigen libraries export. Nothing of Eigen is visible here.

#ifndef LACUNA_BENCH_PEERS_EIGEN_KERNELS_H_
#define LACUNA_BENCH_PEERS_EIGEN_KERNELS_H_

#include <cstdint>

namespace lacuna::bench {

// Y[M, N] = W[M, K] X[K, N].
class EigenProduct {
 public:
  virtual ~EigenProduct() = default;
  virtual void Run(const float* x, int64_t n, float* y) const = 0;
};

}  // namespace lacuna::bench

// `w` is row-major [M, K] and, unless `sparse`, must outlive the product. X and Y are row-major, or column-major if
// `channels_last`.
extern "C" {
#define LACUNA_BENCH_DECLARE_EIGEN(name) \
  lacuna::bench::EigenProduct* name(const float* w, int64_t m, int64_t k, bool sparse, bool channels_last)
LACUNA_BENCH_DECLARE_EIGEN(MakeEigenBaseline);
LACUNA_BENCH_DECLARE_EIGEN(MakeEigenAvx2);
LACUNA_BENCH_DECLARE_EIGEN(MakeEigenAvx512);
#undef LACUNA_BENCH_DECLARE_EIGEN
}

#endif  // LACUNA_BENCH_PEERS_EIGEN_KERNELS_H_
