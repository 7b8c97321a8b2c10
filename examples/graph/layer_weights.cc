#include "graph/layer_weights.h"

#include "lacuna/prune/bcr.h"
#include "lacuna/prune/scheme.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>

#include "graph/attributes.h"

namespace graph {
namespace {

using lacuna::BcrWeights;
using lacuna::DenseWeights;

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
  if (!node.HasInput(2)) return bias;
  const Tensor* own = context.graph.Constant(node.inputs[2]);
  if (own == nullptr) {
    return Status::Make(StatusCode::kUnsupported, "%s: input 2, '%s', must be a constant", node.Label().c_str(),
                        node.inputs[2].c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(beta, FloatAttribute(node, "beta", 1.0f));
  const std::vector<float>& scale = context.layer.scale;
  bias.resize(static_cast<size_t>(matrix.shape.rows), 0.0f);
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

}  // namespace

Result<StoredScheme> StoredSchemeOf(const Graph& graph, const std::string& initializer) {
  const std::string key = kSchemeMetadataPrefix + initializer;
  const auto found = graph.metadata.find(key);
  if (found == graph.metadata.end()) return StoredScheme{};
  const auto entry = nlohmann::json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  const auto integer = [&entry](const char* name) {
    return entry.contains(name) && entry[name].is_number_integer() ? entry[name].get<int64_t>() : int64_t{0};
  };
  if (!entry.is_object() || !entry.contains("scheme") || !entry["scheme"].is_string()) {
    return Status::Make(StatusCode::kDataLoss, "metadata '%s' must be a JSON object with a string 'scheme'",
                        key.c_str());
  }
  StoredScheme stored{entry["scheme"].get<std::string>(), {integer("rows"), integer("columns")}};
  if (stored.scheme != "dense") {
    if (const Status status = stored.block.Validate(); !status.ok()) {
      return Status::Make(StatusCode::kDataLoss, "metadata '%s': %s", key.c_str(), status.message());
    }
  }
  return stored;
}

int64_t LayerWeights::nnz() const {
  return std::visit([](const auto& weights) { return weights.nnz(); }, format);
}

size_t LayerWeights::StorageBytes() const {
  return std::visit([](const auto& weights) { return weights.StorageBytes(); }, format);
}

Result<DenseWeights<float>> LayerWeights::ToDense() const {
  if (const auto* dense = std::get_if<DenseWeights<float>>(&format)) {
    return DenseWeights<float>::View(dense->shape(), dense->values());
  }
  return std::get<BcrWeights<float>>(format).ToDense();
}

Result<LayerWeights> MakeLayerWeights(const StepContext& context, const WeightMatrix& matrix) {
  const std::vector<float>& stored = context.graph.Constant(matrix.initializer)->floats;
  LACUNA_ASSIGN_OR_RETURN(bias, Bias(context, matrix));
  LACUNA_ASSIGN_OR_RETURN(factors, RowFactors(context, matrix));
  std::optional<DenseWeights<float>> dense;
  if (matrix.transposed) {
    LACUNA_ASSIGN_OR_RETURN(copy, DenseWeights<float>::CopyOf(matrix.shape, ToRowMajor(matrix, stored)));
    dense = std::move(copy);
  } else {
    LACUNA_ASSIGN_OR_RETURN(view, DenseWeights<float>::View(matrix.shape, stored));
    dense = std::move(view);
  }

  std::string scheme = "dense";
  lacuna::BlockShape block;
  if (context.stored) {
    LACUNA_ASSIGN_OR_RETURN(entry, StoredSchemeOf(context.graph, matrix.initializer));
    scheme = entry.scheme;
    block = entry.block;
  } else if (context.scheme.kind != lacuna::prune::SchemeKind::kDense) {
    LACUNA_ASSIGN_OR_RETURN(spec, lacuna::prune::BcrSpecOf(context.scheme, matrix.taps));
    LACUNA_ASSIGN_OR_RETURN(pruned, lacuna::prune::ProjectBcr(*dense, spec));
    scheme = context.scheme.Name();
    block = pruned.block();
    if (factors.empty()) return LayerWeights{std::move(pruned), std::move(bias), scheme};
    LACUNA_ASSIGN_OR_RETURN(zeroed, pruned.ToDense());
    dense = std::move(zeroed);
  }
  if (!factors.empty()) {
    LACUNA_ASSIGN_OR_RETURN(scaled, Scaled(*dense, factors));
    dense = std::move(scaled);
  }
  if (scheme == "dense") return LayerWeights{std::move(*dense), std::move(bias), scheme};
  LACUNA_ASSIGN_OR_RETURN(cover, BcrWeights<float>::FromDense(*dense, block));
  return LayerWeights{std::move(cover), std::move(bias), scheme};
}

}  // namespace graph
