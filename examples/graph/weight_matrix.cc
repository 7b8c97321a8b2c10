#include "graph/weight_matrix.h"

#include "graph/attributes.h"
#include "graph/recurrent_node.h"

namespace graph {
namespace {

std::vector<float> Transposed(std::span<const float> values, int64_t rows, int64_t columns) {
  std::vector<float> result(values.size());
  Transpose(values, rows, columns, result);
  return result;
}

bool IsFloatOfRank(const Tensor* tensor, size_t rank) {
  return tensor != nullptr && tensor->IsFloats() && tensor->shape.size() == rank;
}

Result<std::optional<WeightMatrix>> ConvWeights(const Graph& graph, const Node& node) {
  const Tensor* w = graph.Constant(node.inputs[1]);
  if (w == nullptr || !w->IsFloats() || w->shape.size() < 3) return std::optional<WeightMatrix>();
  LACUNA_ASSIGN_OR_RETURN(groups, IntAttribute(node, "group", 1));
  WeightMatrix matrix;
  matrix.initializer = node.inputs[1];
  matrix.taps = Elements(Shape(w->shape.begin() + 2, w->shape.end()));
  matrix.shape = {.rows = w->shape[0], .columns = w->shape[1] * matrix.taps, .groups = groups};
  LACUNA_RETURN_IF_ERROR(matrix.shape.Validate());
  return std::optional<WeightMatrix>(matrix);
}

Result<std::optional<WeightMatrix>> DeconvolutionWeights(const Graph& graph, const Values& values, const Node& node) {
  const Tensor* w = graph.Constant(node.inputs[1]);
  if (w == nullptr || !w->IsFloats() || w->shape.size() < 3) return std::optional<WeightMatrix>();
  const auto x = values.find(node.inputs[0]);
  Shape input = x != values.end() ? x->second.shape : Shape();
  // Without the input its extents do not matter to the weights.
  if (input.empty()) {
    input.assign(w->shape.size(), 1);
    input[1] = w->shape[0];
  }
  LACUNA_ASSIGN_OR_RETURN(deconvolution, DeconvolutionOf(node, input, w->shape));
  WeightMatrix matrix;
  matrix.initializer = node.inputs[1];
  for (size_t axis = 0; axis < deconvolution.rank(); ++axis) matrix.taps *= deconvolution.Taps(axis);
  matrix.shape = {.rows = deconvolution.groups * deconvolution.out_per_group * deconvolution.Phases(),
                  .columns = deconvolution.in_per_group * matrix.taps,
                  .groups = deconvolution.groups};
  LACUNA_RETURN_IF_ERROR(matrix.shape.Validate());
  matrix.deconvolution = std::move(deconvolution);
  return std::optional<WeightMatrix>(std::move(matrix));
}

// Whether the C of a Gemm is a constant with one value for each of `rows` of W: along the columns of Y if
// rows_are_channels, along its rows otherwise.
bool IsBias(const Graph& graph, const Node& node, const WeightMatrix& matrix) {
  if (!node.HasInput(2) || !ReadsC(node)) return true;
  const Tensor* c = graph.Constant(node.inputs[2]);
  if (c == nullptr) return false;
  if (c->floats.size() == 1) return true;
  if (static_cast<int64_t>(c->floats.size()) != matrix.shape.rows) return false;
  return matrix.rows_are_channels ? c->shape.back() == matrix.shape.rows : c->shape.size() == 2 && c->shape[1] == 1;
}

}  // namespace

bool ReadsC(const Node& node) {
  const auto beta = FloatAttribute(node, "beta", 1.0f);
  return node.op != "Gemm" || !beta.ok() || *beta != 0.0f;
}

Result<std::optional<WeightMatrix>> WeightMatrixOf(const Graph& graph, const Values& values, const Node& node) {
  if (node.op == "Conv") return ConvWeights(graph, node);
  if (node.op == "ConvTranspose") return DeconvolutionWeights(graph, values, node);
  if (node.op != "Gemm" && node.op != "MatMul") return std::optional<WeightMatrix>();
  const Tensor* a = graph.Constant(node.inputs[0]);
  const Tensor* b = graph.Constant(node.inputs[1]);
  if (a != nullptr && b != nullptr) return std::optional<WeightMatrix>();
  WeightMatrix matrix;
  if (IsFloatOfRank(b, 2)) {
    LACUNA_ASSIGN_OR_RETURN(trans_b, IntAttribute(node, "transB", 0));
    matrix.transposed = trans_b == 0;  // ONNX stores the right operand [K, N]
  } else if (IsFloatOfRank(a, 2) && values.contains(node.inputs[1]) && values.at(node.inputs[1]).shape.size() == 2) {
    LACUNA_ASSIGN_OR_RETURN(trans_a, IntAttribute(node, "transA", 0));
    matrix.transposed = trans_a != 0;
    matrix.input = 0;
    matrix.rows_are_channels = false;
  } else {
    return std::optional<WeightMatrix>();
  }
  const Shape& stored = matrix.input == 1 ? b->shape : a->shape;
  matrix.initializer = node.inputs[matrix.input];
  matrix.shape = {.rows = stored[matrix.transposed ? 1 : 0], .columns = stored[matrix.transposed ? 0 : 1]};
  LACUNA_RETURN_IF_ERROR(matrix.shape.Validate());
  if (!IsBias(graph, node, matrix)) return std::optional<WeightMatrix>();
  return std::optional<WeightMatrix>(matrix);
}

Result<std::vector<WeightMatrix>> WeightMatricesOf(const Graph& graph, const Values& values, const Node& node) {
  std::vector<WeightMatrix> matrices;
  if (!IsRecurrent(node)) {
    LACUNA_ASSIGN_OR_RETURN(matrix, WeightMatrixOf(graph, values, node));
    if (matrix.has_value()) matrices.push_back(*std::move(matrix));
    return matrices;
  }
  for (const size_t input : {kW, kR}) {
    const Tensor* weights = graph.Constant(node.inputs[input]);
    if (!IsFloatOfRank(weights, 3)) return std::vector<WeightMatrix>();
    const Shape& stored = weights->shape;  // [directions, gates * hidden, columns]
    WeightMatrix matrix;
    matrix.initializer = node.inputs[input];
    matrix.input = input;
    matrix.shape = {.rows = stored[0] * stored[1], .columns = stored[2], .groups = stored[0]};
    LACUNA_RETURN_IF_ERROR(matrix.shape.Validate());
    matrices.push_back(std::move(matrix));
  }
  return matrices;
}

void Transpose(std::span<const float> values, int64_t rows, int64_t columns, std::span<float> result) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      result[static_cast<size_t>(c * rows + r)] = values[static_cast<size_t>(r * columns + c)];
    }
  }
}

std::vector<float> ToRowMajor(const WeightMatrix& matrix, std::span<const float> stored) {
  if (matrix.deconvolution.has_value()) return matrix.deconvolution->ToRows(stored);
  if (!matrix.transposed) return {stored.begin(), stored.end()};
  return Transposed(stored, matrix.shape.columns, matrix.shape.rows);
}

std::vector<float> FromRowMajor(const WeightMatrix& matrix, std::span<const float> values) {
  if (matrix.deconvolution.has_value()) return matrix.deconvolution->FromRows(values);
  if (!matrix.transposed) return {values.begin(), values.end()};
  return Transposed(values, matrix.shape.rows, matrix.shape.columns);
}

}  // namespace graph
