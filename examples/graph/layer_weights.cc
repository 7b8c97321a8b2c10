#include "graph/layer_weights.h"

#include "lacuna/prune/project.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>

#include "graph/attributes.h"

namespace graph {
namespace {

using lacuna::AnyWeights;
using lacuna::DenseWeights;
using lacuna::prune::Scheme;
using lacuna::prune::SchemeKind;

// Each value as often as its channel has rows.
std::vector<float> Repeated(const std::vector<float>& values, size_t times) {
  std::vector<float> repeated;
  for (const float value : values) repeated.insert(repeated.end(), times, value);
  return repeated;
}

// What each row of W is multiplied with: alpha of a Gemm, the scale of a fused BatchNormalization. Empty: nothing.
Result<std::vector<float>> RowFactors(const StepContext& context, const WeightMatrix& matrix) {
  const Node& node = *context.layer.node;
  std::vector<float> factors = context.layer.scale;
  if (node.op != "Gemm") return factors;
  LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(node, "alpha", 1.0f));
  if (alpha == 1.0f) return factors;
  return std::vector<float>(static_cast<size_t>(matrix.shape.rows), alpha);
}

// The bias of the node, scaled like the rows, plus the layer's shift.
Result<std::vector<float>> Bias(const StepContext& context, const WeightMatrix& matrix) {
  const Node& node = *context.layer.node;
  std::vector<float> bias = context.layer.shift;
  if (!node.HasInput(2) || !ReadsC(node)) return bias;
  const Tensor* own = context.graph.Constant(node.inputs[2]);
  if (own == nullptr) {
    return Status::Make(StatusCode::kUnsupported, "%s: input 2, '%s', must be a constant", node.Label().c_str(),
                        node.inputs[2].c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(beta, FloatAttribute(node, "beta", 1.0f));
  const std::vector<float>& scale = context.layer.scale;
  const int64_t phases = matrix.deconvolution.has_value() ? matrix.deconvolution->Phases() : 1;
  bias.resize(static_cast<size_t>(matrix.shape.rows / phases), 0.0f);
  for (size_t row = 0; row < bias.size(); ++row) {
    const float value = own->floats.size() == 1 ? own->floats[0] : own->floats[row];
    bias[row] += (node.op == "Gemm" ? beta : 1.0f) * (scale.empty() ? 1.0f : scale[row]) * value;
  }
  return bias;
}

Result<DenseWeights<float>> Scaled(const DenseWeights<float>& dense, const std::vector<float>& factors) {
  LACUNA_ASSIGN_OR_RETURN(copy, DenseWeights<float>::CopyOf(dense.shape(), dense.values()));
  for (int64_t row = 0; row < dense.shape().rows; ++row) {
    for (int64_t column = 0; column < dense.shape().columns; ++column) {
      copy.mutable_row(row)[column] *= factors[static_cast<size_t>(row)];
    }
  }
  return std::move(copy);
}

// Whether the graph holds the initializer's values as W[M, K].
bool IsStored(const Tensor& tensor, const WeightMatrix& matrix) {
  return matrix.IsStoredAsRows() && (!tensor.floats.empty() || !tensor.generate);
}

// The initializer's values as W[M, K]: a view of the graph where they are stored that way.
Result<DenseWeights<float>> StoredWeights(const Tensor& tensor, const WeightMatrix& matrix) {
  if (IsStored(tensor, matrix)) return DenseWeights<float>::View(matrix.shape, tensor.floats);
  if (matrix.deconvolution.has_value()) {
    std::vector<float> generated;
    if (tensor.generate) {
      generated.resize(static_cast<size_t>(Elements(tensor.shape)));
      tensor.generate(generated);
    }
    return DenseWeights<float>::CopyOf(matrix.shape, ToRowMajor(matrix, tensor.generate ? generated : tensor.floats));
  }
  LACUNA_ASSIGN_OR_RETURN(dense, DenseWeights<float>::Zeros(matrix.shape));
  if (!matrix.transposed) {
    tensor.generate(dense.mutable_values());
  } else if (tensor.floats.empty() && tensor.generate) {
    std::vector<float> generated(static_cast<size_t>(matrix.shape.elements()));
    tensor.generate(generated);
    Transpose(generated, matrix.shape.columns, matrix.shape.rows, dense.mutable_values());
  } else {
    Transpose(tensor.floats, matrix.shape.columns, matrix.shape.rows, dense.mutable_values());
  }
  return std::move(dense);
}

Status AboutMetadata(const std::string& key, const char* what) {
  return Status::Make(StatusCode::kDataLoss, "metadata '%s': %s", key.c_str(), what);
}

// The format of weights that were pruned by the scheme of the metadata.
Result<AnyWeights<float>> CoverStored(const DenseWeights<float>& weights, const Scheme& scheme,
                                      const WeightMatrix& matrix) {
  auto cover = lacuna::prune::Cover(weights, scheme, matrix.taps);
  if (!cover.ok()) return AboutMetadata(kSchemeMetadataPrefix + matrix.initializer, cover.status().message());
  return cover;
}

// The i-th matrix of the node, pruned, its rows scaled; without bias.
Result<LayerWeights> PrunedWeights(const StepContext& context, const WeightMatrix& matrix, size_t i,
                                   const std::vector<float>& factors) {
  const Tensor& tensor = *context.graph.Constant(matrix.initializer);
  LACUNA_ASSIGN_OR_RETURN(dense, StoredWeights(tensor, matrix));
  Scheme scheme = context.SchemeOf(i);
  if (context.stored) {
    LACUNA_ASSIGN_OR_RETURN(entry, StoredSchemeOf(context.graph, matrix));
    scheme = entry;
  } else if (scheme.kind != SchemeKind::kDense) {
    LACUNA_ASSIGN_OR_RETURN(pruned, lacuna::prune::Project(dense, scheme, matrix.taps));
    if (factors.empty()) return LayerWeights{std::move(pruned), {}, scheme};
    LACUNA_ASSIGN_OR_RETURN(zeroed, pruned.ToDense());
    dense = std::move(zeroed);
  }
  if (!factors.empty()) {
    LACUNA_ASSIGN_OR_RETURN(scaled, Scaled(dense, factors));
    dense = std::move(scaled);
  }
  if (scheme.kind == SchemeKind::kDense) {
    const bool viewed = factors.empty() && IsStored(tensor, matrix);
    return LayerWeights{std::move(dense), {}, scheme, viewed};
  }
  LACUNA_ASSIGN_OR_RETURN(cover, CoverStored(dense, scheme, matrix));
  return LayerWeights{std::move(cover), {}, scheme};
}

}  // namespace

Result<Scheme> StoredSchemeOf(const Graph& graph, const WeightMatrix& matrix) {
  const std::string key = kSchemeMetadataPrefix + matrix.initializer;
  const auto found = graph.metadata.find(key);
  if (found == graph.metadata.end()) return Scheme{};
  const auto entry = nlohmann::json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  if (!entry.is_object() || !entry.contains("scheme") || !entry["scheme"].is_string()) {
    return AboutMetadata(key, "must be a JSON object with a string 'scheme'");
  }
  if (entry.contains("taps") && entry["taps"] != matrix.taps) {
    return AboutMetadata(key, ("'taps' must be " + std::to_string(matrix.taps)).c_str());
  }
  const auto scheme = lacuna::prune::ParseScheme(entry["scheme"].get<std::string>());
  if (!scheme.ok()) return AboutMetadata(key, scheme.status().message());
  return *scheme;
}

std::string SchemeMetadata(const Scheme& scheme, const WeightMatrix& matrix) {
  return nlohmann::ordered_json{{"scheme", scheme.Name()}, {"taps", matrix.taps}}.dump();
}

Result<LayerWeights> MakeLayerWeights(const StepContext& context, const WeightMatrix& matrix) {
  LACUNA_ASSIGN_OR_RETURN(bias, Bias(context, matrix));
  LACUNA_ASSIGN_OR_RETURN(factors, RowFactors(context, matrix));
  if (matrix.deconvolution.has_value()) {
    const auto phases = static_cast<size_t>(matrix.deconvolution->Phases());
    bias = Repeated(bias, phases);
    factors = Repeated(factors, phases);
  }
  LACUNA_ASSIGN_OR_RETURN(weights, PrunedWeights(context, matrix, 0, factors));
  weights.bias = std::move(bias);
  return std::move(weights);
}

Result<std::vector<LayerWeights>> MakeDirectionWeights(const StepContext& context, const WeightMatrix& matrix,
                                                       size_t i) {
  std::vector<LayerWeights> directions;
  LACUNA_ASSIGN_OR_RETURN(whole, PrunedWeights(context, matrix, i, {}));
  if (matrix.shape.groups == 1) {
    directions.push_back(std::move(whole));
    return directions;
  }
  // Blocks do not straddle groups, so that each direction's zeros are those of its scheme.
  LACUNA_ASSIGN_OR_RETURN(dense, whole.format.ToDense());
  const lacuna::MatrixShape shape{.rows = matrix.shape.rows / matrix.shape.groups, .columns = matrix.shape.columns};
  for (int64_t group = 0; group < matrix.shape.groups; ++group) {
    const auto values =
        dense.values().subspan(static_cast<size_t>(group * shape.elements()), static_cast<size_t>(shape.elements()));
    LACUNA_ASSIGN_OR_RETURN(part, DenseWeights<float>::CopyOf(shape, values));
    if (whole.scheme.kind == SchemeKind::kDense) {
      directions.push_back({std::move(part), {}, whole.scheme});
    } else {
      LACUNA_ASSIGN_OR_RETURN(cover, lacuna::prune::Cover(part, whole.scheme, matrix.taps));
      directions.push_back({std::move(cover), {}, whole.scheme});
    }
  }
  return directions;
}

}  // namespace graph
