// Eigen's products, compiled once per instruction set (LACUNA_BENCH_EIGEN names it) into a library of its own, because
// Eigen has no run-time dispatch and its templates must not be merged across instruction sets by the linker.

#include "peers/eigen_kernels.h"

#include <Eigen/Core>
#include <Eigen/SparseCore>

#include <vector>

namespace lacuna::bench {
namespace {

template <int kOrder>
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, kOrder>;
using RowMajorMatrix = Matrix<Eigen::RowMajor>;
using Sparse = Eigen::SparseMatrix<float, Eigen::RowMajor>;

template <int kOrder>
class DenseProduct : public EigenProduct {
 public:
  DenseProduct(const float* w, int64_t m, int64_t k) : w_(w, m, k) {}
  void Run(const float* x, int64_t n, float* y) const override {
    Eigen::Map<Matrix<kOrder>>(y, w_.rows(), n).noalias() = w_ * Eigen::Map<const Matrix<kOrder>>(x, w_.cols(), n);
  }

 private:
  Eigen::Map<const RowMajorMatrix> w_;
};

template <int kOrder>
class SparseProduct : public EigenProduct {
 public:
  SparseProduct(const float* w, int64_t m, int64_t k) : w_(m, k) {
    std::vector<Eigen::Triplet<float>> kept;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < k; ++j) {
        if (w[i * k + j] != 0.0f) kept.emplace_back(static_cast<int>(i), static_cast<int>(j), w[i * k + j]);
      }
    }
    w_.setFromTriplets(kept.begin(), kept.end());
  }
  void Run(const float* x, int64_t n, float* y) const override {
    Eigen::Map<Matrix<kOrder>>(y, w_.rows(), n).noalias() = w_ * Eigen::Map<const Matrix<kOrder>>(x, w_.cols(), n);
  }

 private:
  Sparse w_;
};

}  // namespace
}  // namespace lacuna::bench

extern "C" __attribute__((visibility("default"))) lacuna::bench::EigenProduct* LACUNA_BENCH_EIGEN(const float* w,
                                                                                                  int64_t m, int64_t k,
                                                                                                  bool sparse,
                                                                                                  bool channels_last) {
  using namespace lacuna::bench;
  if (sparse) {
    if (channels_last) return new SparseProduct<Eigen::ColMajor>(w, m, k);
    return new SparseProduct<Eigen::RowMajor>(w, m, k);
  }
  if (channels_last) return new DenseProduct<Eigen::ColMajor>(w, m, k);
  return new DenseProduct<Eigen::RowMajor>(w, m, k);
}
