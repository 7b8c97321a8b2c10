// Winograd transforms of weights, and their products' matrices packed for the panel kernel or as dense matrices.

#ifndef LACUNA_PACK_WINOGRAD_H_
#define LACUNA_PACK_WINOGRAD_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/row_source.h"
#include "lacuna/pack/input_tile.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/winograd_blocks.h"
#include "lacuna/policy/cost.h"
#include "lacuna/policy/product.h"
#include "lacuna/policy/tile.h"
#include "lacuna/policy/winograd.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

// The matrices of all products of a Winograd convolution, row_order and index structure shared by them: product p of
// kernel (oc, ic) is G g G^T at point p, so a kernel that is zero stays zero, and `index` packs the matrix of kernels
// [OC, IC] under whatever whole-kernel sparsity there is. Or they are dense, for a DenseProduct: [OC][IC], zeros where
// there is no kernel; of `index` there are then only the shape, panels of kDensePanelRows and nnz.
template <class T>
struct WinogradWeights {
  static constexpr int kDensePanelRows = 8;

  WinogradTile tile;
  const char* name = "";                  // of the tile, and of the product if there is one
  const DenseProduct* product = nullptr;  // whose matrices these are, if dense
  PackedWeights<T> index;                 // of the kernels; its `weight` is empty
  size_t product_weights = 0;
  Buffer<T> weight;  // [tile.products()][product_weights], each in the order of PackedWeights::weight if not dense

  std::span<const T> Product(int64_t p) const {
    return {weight.data() + static_cast<size_t>(p) * product_weights, product_weights};
  }
  size_t StorageBytes() const { return index.StorageBytes() + weight.size_bytes(); }
};

// The kernels [OC, IC] of a convolution: a matrix of whole kernels, those that are zero left out. As a format (shape(),
// nnz(), VisitRow) it has a 1 for every kernel.
template <class T>
class KernelMatrix {
 public:
  using value_type = T;

  static Result<KernelMatrix> Of(const RowSource<T>& weights, int64_t taps);

  const MatrixShape& shape() const { return shape_; }
  int64_t nnz() const { return static_cast<int64_t>(channel_.size()); }
  Status Validate() const { return Status(); }  // made by Of alone
  template <class F>
  void VisitRow(int64_t row, const F& f) const {
    VisitKernels(row, [&f](int64_t channel, const T*) { f(channel, T{1}); });
  }
  // f(input channel, [taps] weights) for the kernels of a row, channels ascending.
  template <class F>
  void VisitKernels(int64_t row, const F& f) const {
    const auto r = static_cast<size_t>(row);
    for (uint64_t i = begin_[r]; i < begin_[r + 1]; ++i) f(int64_t{channel_[i]}, value_.data() + i * taps_);
  }

 private:
  KernelMatrix() = default;

  MatrixShape shape_;
  size_t taps_ = 1;
  Buffer<uint64_t> begin_;    // [rows + 1] into channel_
  Buffer<uint32_t> channel_;  // of each kernel, inside its group
  Buffer<T> value_;           // [kernels][taps]
};

// Transforms and packs the kernels of a convolution, `kernel` taps (depth, height, width) each, for panel kernels with
// `register_tile`, rows in `order` (pack::OrderRows of the matrix). Transformed axes must have 3 taps, the others 1.
template <class T>
Result<WinogradWeights<T>> PackWinograd(const KernelMatrix<T>& kernels, const std::array<int64_t, 3>& kernel,
                                        const NamedWinogradTile& named, const TileInfo& register_tile,
                                        Buffer<uint32_t> order);

// The same with every product's matrix dense, to be multiplied by `product`, which must outlive what is returned. Rows
// stay in their order.
template <class T>
Result<WinogradWeights<T>> PackWinograd(const KernelMatrix<T>& kernels, const std::array<int64_t, 3>& kernel,
                                        const NamedWinogradTile& named, const DenseProduct& product);

// What blocks of tiles are chosen by where matrices of `shape` are dense: products take whole vectors of tiles.
inline WinogradBudget DenseWinogradBudget(const MatrixShape& shape, size_t lanes, const CostFactors& cost = {}) {
  static constexpr std::array<int, 1> kVector = {1};
  return {.cutting = {lanes, kVector},
          .weights_per_group =
              kProductWeightCost * static_cast<double>(shape.rows_per_group()) * static_cast<double>(shape.columns),
          .channels_per_group = shape.columns,
          .rows_per_group = shape.rows_per_group(),
          .cost = cost};
}
// Bytes of the transformed weights then.
inline double DenseWinogradBytes(const MatrixShape& shape, const WinogradTile& tile) {
  return static_cast<double>(tile.products()) * static_cast<double>(shape.rows) * static_cast<double>(shape.columns) *
         sizeof(float);
}

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/pack/winograd.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_PACK_WINOGRAD_H_
