// WeightMatrix: a constant input of a Conv, ConvTranspose, Gemm, MatMul or recurrent layer as lacuna's W[M, K].

#ifndef LACUNA_EXAMPLES_GRAPH_WEIGHT_MATRIX_H_
#define LACUNA_EXAMPLES_GRAPH_WEIGHT_MATRIX_H_

#include "lacuna/format/matrix_shape.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/deconvolution.h"
#include "graph/graph.h"

namespace graph {

struct WeightMatrix {
  std::string initializer;
  size_t input = 1;                              // which input of the node holds it
  lacuna::MatrixShape shape;                     // rows = outputs; groups of a recurrent layer are its directions
  int64_t taps = 1;                              // cells of a kernel
  bool transposed = false;                       // the initializer is stored [K, M]
  std::optional<Deconvolution> deconvolution{};  // the initializer is that of a ConvTranspose
  bool rows_are_channels =
      true;  // rows run along the channels or features of the output, so a bias is one value per row

  // Whether the initializer is W[M, K], row-major.
  bool IsStoredAsRows() const { return !transposed && !deconvolution.has_value(); }
  // A convolution whose every kernel reads one channel of its own.
  bool IsDepthwise() const { return shape.groups > 1 && shape.columns == taps; }
};

// Nothing if lacuna cannot run `node` as W x: no operand is a constant matrix, or the C of a Gemm is not one value per
// row; nor for recurrent layers. `values` need to hold only the computed operand of a product.
Result<std::optional<WeightMatrix>> WeightMatrixOf(const Graph& graph, const Values& values, const Node& node);

// Whether a Gemm reads its C: one with beta 0 must not, as it may hold anything. True of other operators.
bool ReadsC(const Node& node);

// All weights of a node: W and R of a recurrent layer, the WeightMatrixOf of others, or none if lacuna cannot run it.
Result<std::vector<WeightMatrix>> WeightMatricesOf(const Graph& graph, const Values& values, const Node& node);

// result[c, r] = values[r, c]. Preconditions: both have rows * columns elements.
void Transpose(std::span<const float> values, int64_t rows, int64_t columns, std::span<float> result);

// The initializer's values as a row-major M x K matrix, and back.
std::vector<float> ToRowMajor(const WeightMatrix& matrix, std::span<const float> stored);
std::vector<float> FromRowMajor(const WeightMatrix& matrix, std::span<const float> values);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_WEIGHT_MATRIX_H_
