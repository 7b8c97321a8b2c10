#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/checked.h"
#include "lacuna/core/status.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/winograd.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

template <class T>
Result<KernelMatrix<T>> KernelMatrix<T>::Of(const RowSource<T>& weights, int64_t taps) {
  const MatrixShape& shape = weights.shape();
  KernelMatrix matrix;
  matrix.shape_ = {shape.rows, shape.columns / taps, shape.groups};
  matrix.taps_ = static_cast<size_t>(taps);
  LACUNA_ASSIGN_OR_RETURN(begin, Buffer<uint64_t>::Make(static_cast<size_t>(shape.rows) + 1));
  int64_t last = -1;
  for (int64_t row = 0; row < shape.rows; ++row, last = -1) {
    uint64_t& end = begin[static_cast<size_t>(row) + 1] = begin[static_cast<size_t>(row)];
    weights.VisitRow(row, [&](int64_t column, const T& v) {
      if (v != T{}) end += std::exchange(last, column / taps) != column / taps;
    });
  }
  const size_t kernels = begin[static_cast<size_t>(shape.rows)];
  LACUNA_ASSIGN_OR_RETURN(channel, Buffer<uint32_t>::Make(kernels));
  LACUNA_ASSIGN_OR_RETURN(value, Buffer<T>::Make(kernels * matrix.taps_));
  size_t next = 0;
  for (int64_t row = 0; row < shape.rows; ++row, last = -1) {
    weights.VisitRow(row, [&](int64_t column, const T& v) {
      if (v == T{}) return;
      if (std::exchange(last, column / taps) != column / taps) channel[next++] = static_cast<uint32_t>(column / taps);
      value[(next - 1) * matrix.taps_ + static_cast<size_t>(column % taps)] = v;
    });
  }
  matrix.begin_ = std::move(begin);
  matrix.channel_ = std::move(channel);
  matrix.value_ = std::move(value);
  return matrix;
}

namespace pack {

// products[p] of one kernel g[KD][KH][KW]: G applied along every transformed axis.
template <class T>
void TransformKernel(const WinogradTile& tile, std::array<int64_t, 3> kernel, const T* g, std::span<double> products,
                     std::span<double> scratch) {
  double* from = scratch.data();
  double* to = products.data();
  const size_t taps = static_cast<size_t>(kernel[0] * kernel[1] * kernel[2]);
  for (size_t i = 0; i < taps; ++i) from[i] = static_cast<double>(g[i]);
  std::array<int64_t, 3> extent = kernel;
  for (size_t a = 0; a < 3; ++a) {
    if (tile.outputs[a] == 1) continue;
    const std::span<const double> matrix = WinogradKernelMatrix(tile.outputs[a]);
    const int64_t points = tile.points(a);
    const int64_t outer = a == 0 ? 1 : (a == 1 ? extent[0] : extent[0] * extent[1]);
    const int64_t inner = a == 2 ? 1 : (a == 1 ? extent[2] : extent[1] * extent[2]);
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t p = 0; p < points; ++p) {
        for (int64_t i = 0; i < inner; ++i) {
          double sum = 0;
          for (int64_t k = 0; k < 3; ++k) sum += matrix[static_cast<size_t>(p * 3 + k)] * from[(o * 3 + k) * inner + i];
          to[(o * points + p) * inner + i] = sum;
        }
      }
    }
    extent[a] = points;
    std::swap(from, to);
  }
  if (from != products.data()) std::copy(from, from + tile.products(), products.data());
}

}  // namespace pack

template <class T>
Result<WinogradWeights<T>> PackWinograd(const KernelMatrix<T>& kernels, const std::array<int64_t, 3>& kernel,
                                        const NamedWinogradTile& named, const TileInfo& register_tile,
                                        Buffer<uint32_t> order) {
  const WinogradTile& tile = named.tile;
  WinogradWeights<T> packed;
  packed.tile = tile;
  packed.name = named.name;
  LACUNA_ASSIGN_OR_RETURN(index, Pack(kernels, register_tile, std::move(order)));
  packed.product_weights = index.weight.size();
  const auto products = static_cast<size_t>(tile.products());
  const auto columns = static_cast<size_t>(kernels.shape().columns);
  LACUNA_ASSIGN_OR_RETURN(weight, Buffer<T>::Make(products * packed.product_weights));
  LACUNA_ASSIGN_OR_RETURN(scratch, Buffer<double>::Make(2 * products));
  LACUNA_ASSIGN_OR_RETURN(taps, Buffer<const T*>::Make(columns * static_cast<size_t>(register_tile.rows)));
  const std::span<double> product(scratch.data(), products), half(scratch.data() + products, products);
  const size_t masks = register_tile.masks.size();
  for (size_t panel = 0; panel < index.panels(); ++panel) {
    const auto [first, count] = index.PanelRows(panel);
    std::fill(taps.begin(), taps.end(), nullptr);
    for (int64_t r = 0; r < count; ++r) {
      const int64_t row =
          index.row_order.size() == 0 ? first + r : int64_t{index.row_order[static_cast<size_t>(first + r)]};
      const T** to = taps.data() + static_cast<size_t>(r) * columns;
      kernels.VisitKernels(row, [&](int64_t channel, const T* values) { to[channel] = values; });
    }
    uint64_t column = index.column_begin[panel], at = index.weight_begin[panel];
    for (size_t m = 0; m < masks; ++m) {
      for (uint32_t i = 0; i < index.count[panel * masks + m]; ++i, ++column) {
        for (unsigned rows = register_tile.masks[m]; rows != 0; rows &= rows - 1, ++at) {
          const T* values = taps[static_cast<size_t>(std::countr_zero(rows)) * columns + index.column[column]];
          if (values == nullptr) continue;  // filled in, zero
          pack::TransformKernel(tile, kernel, values, product, half);
          for (size_t p = 0; p < products; ++p) weight[p * packed.product_weights + at] = static_cast<T>(product[p]);
        }
      }
    }
  }
  index.weight = Buffer<T>();
  packed.index = std::move(index);
  packed.weight = std::move(weight);
  return packed;
}

template <class T>
Result<WinogradWeights<T>> PackWinograd(const KernelMatrix<T>& kernels, const std::array<int64_t, 3>& kernel,
                                        const NamedWinogradTile& named, const DenseProduct& product) {
  if (!product.complete()) {
    return Status::InvalidArgument("product \"%s\" lacks a function, must have both", product.name());
  }
  const MatrixShape& shape = kernels.shape();
  const WinogradTile& tile = named.tile;
  const Checked elements = Checked(shape.rows) * shape.columns * tile.products();
  if (!elements.ok()) {
    return Status::InvalidArgument(
        "weights has %lld x %lld kernels, dense matrices of %s would have more than %lld elements, the limit",
        static_cast<long long>(shape.rows), static_cast<long long>(shape.columns), named.name,
        static_cast<long long>(std::numeric_limits<int64_t>::max()));
  }
  WinogradWeights<T> packed;
  packed.tile = tile;
  packed.name = product.WinogradName(tile);
  packed.product = &product;
  packed.index.shape = shape;
  packed.index.tile = {.rows = WinogradWeights<T>::kDensePanelRows};
  packed.index.nnz = kernels.nnz();
  packed.product_weights = static_cast<size_t>(shape.rows * shape.columns);
  const auto products = static_cast<size_t>(tile.products());
  LACUNA_ASSIGN_OR_RETURN(weight, Buffer<T>::Make(static_cast<size_t>(elements.value())));
  LACUNA_ASSIGN_OR_RETURN(scratch, Buffer<double>::Make(2 * products));
  const std::span<double> point(scratch.data(), products), half(scratch.data() + products, products);
  for (int64_t row = 0; row < shape.rows; ++row) {
    kernels.VisitKernels(row, [&](int64_t channel, const T* values) {
      pack::TransformKernel(tile, kernel, values, point, half);
      const auto at = static_cast<size_t>(row * shape.columns + channel);
      for (size_t p = 0; p < products; ++p) weight[p * packed.product_weights + at] = static_cast<T>(point[p]);
    });
  }
  packed.weight = std::move(weight);
  return packed;
}

}  // namespace lacuna::inline LACUNA_ABI
