// Eigen's products, compiled once per instruction set (LACUNA_BENCH_EIGEN names it) into a library of its own, because
// Eigen has no run-time dispatch and its templates must not be merged across instruction sets by the linker.

#include "peers/eigen_kernels.h"

#include <Eigen/Core>
#include <Eigen/SparseCore>

#include <cstddef>
#include <span>
#include <vector>

namespace lacuna::bench {
namespace {

template <int kOrder>
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, kOrder>;
using RowMajorMatrix = Matrix<Eigen::RowMajor>;
using Vector = Eigen::VectorXf;

// y = w x, with vectors where there is one column.
template <int kOrder, class W>
void Multiply(const W& w, const float* x, int64_t n, float* y) {
  if (n == 1) {
    Eigen::Map<Vector>(y, w.rows()).noalias() = w * Eigen::Map<const Vector>(x, w.cols());
  } else {
    Eigen::Map<Matrix<kOrder>>(y, w.rows(), n).noalias() = w * Eigen::Map<const Matrix<kOrder>>(x, w.cols(), n);
  }
}

template <class T>
std::span<const std::byte> BytesOf(const T* values, int64_t count) {
  return std::as_bytes(std::span<const T>(values, static_cast<size_t>(count)));
}

template <int kOrder>
class DenseProduct : public EigenProduct {
 public:
  DenseProduct(const float* w, int64_t m, int64_t k) : w_(w, m, k) {}
  void Run(const float* x, int64_t n, float* y) const override { Multiply<kOrder>(w_, x, n, y); }
  std::vector<std::span<const std::byte>> Weights() const override { return {BytesOf(w_.data(), w_.size())}; }

 private:
  Eigen::Map<const RowMajorMatrix> w_;
};

template <int kStorage, int kOrder>
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
  void Run(const float* x, int64_t n, float* y) const override { Multiply<kOrder>(w_, x, n, y); }
  std::vector<std::span<const std::byte>> Weights() const override {
    return {BytesOf(w_.valuePtr(), w_.nonZeros()), BytesOf(w_.innerIndexPtr(), w_.nonZeros()),
            BytesOf(w_.outerIndexPtr(), w_.outerSize() + 1)};
  }

 private:
  Eigen::SparseMatrix<float, kStorage> w_;
};

template <int kOrder>
EigenProduct* MakeProduct(const float* w, int64_t m, int64_t k, EigenStorage storage) {
  switch (storage) {
    case EigenStorage::kSparseRows: return new SparseProduct<Eigen::RowMajor, kOrder>(w, m, k);
    case EigenStorage::kSparseColumns: return new SparseProduct<Eigen::ColMajor, kOrder>(w, m, k);
    case EigenStorage::kDense: break;
  }
  return new DenseProduct<kOrder>(w, m, k);
}

}  // namespace
}  // namespace lacuna::bench

extern "C" __attribute__((visibility("default"))) lacuna::bench::EigenProduct* LACUNA_BENCH_EIGEN(
    const float* w, int64_t m, int64_t k, lacuna::bench::EigenStorage storage, bool channels_last) {
  using namespace lacuna::bench;
  return channels_last ? MakeProduct<Eigen::ColMajor>(w, m, k, storage)
                       : MakeProduct<Eigen::RowMajor>(w, m, k, storage);
}
