#include "graph/calibration.h"

#include "lacuna/prune/project.h"
#include "lacuna/prune/reconstruct.h"

#ifdef LACUNA_OPENBLAS
#include <cblas.h>
#endif

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "graph/attributes.h"
#include "graph/fusion.h"
#include "graph/pruning.h"
#include "graph/shape_inference.h"
#include "graph/threads.h"
#include "graph/weight_matrix.h"
#include "graph/window.h"

namespace graph {
namespace {

using lacuna::DenseWeights;
using lacuna::prune::Scheme;

// Where a layer reads and writes for each of its output positions: pixels of a Conv, rows of a product.
class Positions {
 public:
  // `x` and `y` are the shapes of the layer's input and output.
  static Result<Positions> Make(const Graph& graph, const Node& node, const WeightMatrix& matrix, const Shape& x,
                                const Shape& y) {
    Positions positions;
    positions.rows_ = matrix.shape.rows;
    positions.columns_ = matrix.shape.columns * matrix.shape.groups;
    if (node.op == "Conv") {
      LACUNA_ASSIGN_OR_RETURN(window, ConvWindow(node, x, graph.Constant(node.inputs[1])->shape));
      positions.channels_ = x[1];
      positions.output_channels_ = y[1];
      positions.window_ = std::move(window);
      positions.count_ = y[0] * Elements(positions.window_->output);
    } else {
      positions.count_ = Elements(y) / matrix.shape.rows;
    }
    return positions;
  }

  int64_t count() const { return count_; }

  // What W is multiplied with at `position`: input channels outermost, then taps, as weights stand.
  void Read(const Tensor& x, int64_t position, float* to) const {
    if (!window_.has_value()) {
      std::copy_n(x.floats.data() + position * columns_, columns_, to);
      return;
    }
    const Window& w = *window_;
    const int64_t outputs = Elements(w.output), inputs = Elements(w.input), taps = Elements(w.kernel);
    const float* image = x.floats.data() + position / outputs * channels_ * inputs;
    Shape first(w.rank());
    int64_t rest = position % outputs;
    for (size_t axis = w.rank(); axis-- > 0; rest /= w.output[axis]) {
      first[axis] = rest % w.output[axis] * w.stride[axis] - w.pad_begin[axis];
    }
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t offset = 0, scale = 1, cell = tap;
      bool inside = true;
      for (size_t axis = w.rank(); axis-- > 0; cell /= w.kernel[axis]) {
        const int64_t at = first[axis] + cell % w.kernel[axis] * w.dilation[axis];
        inside = inside && at >= 0 && at < w.input[axis];
        offset += at * scale;
        scale *= w.input[axis];
      }
      for (int64_t c = 0; c < channels_; ++c) to[c * taps + tap] = inside ? image[c * inputs + offset] : 0.0f;
    }
  }

  // The values of `y`, of the output's shape, at `position`.
  void ReadOutput(const Tensor& y, int64_t position, float* to) const {
    if (!window_.has_value()) {
      std::copy_n(y.floats.data() + position * rows_, rows_, to);
      return;
    }
    const int64_t outputs = Elements(window_->output);
    const float* image = y.floats.data() + position / outputs * output_channels_ * outputs + position % outputs;
    for (int64_t c = 0; c < output_channels_; ++c) to[c] = image[c * outputs];
  }

 private:
  int64_t count_ = 0, rows_ = 0, columns_ = 0, channels_ = 0, output_channels_ = 0;
  std::optional<Window> window_;
};

struct Place {
  size_t sample;
  int64_t position;
};

// Positions of all samples, as many of each, the same ones on every machine.
std::vector<Place> ChoosePlaces(size_t samples, int64_t positions, int64_t wanted) {
  const int64_t each =
      std::min(positions, (wanted + static_cast<int64_t>(samples) - 1) / static_cast<int64_t>(samples));
  std::vector<Place> places;
  std::vector<int64_t> order(static_cast<size_t>(positions));
  for (size_t sample = 0; sample < samples; ++sample) {
    for (int64_t i = 0; i < positions; ++i) order[static_cast<size_t>(i)] = i;
    std::mt19937_64 random(sample + 1);
    for (int64_t i = 0; i < each; ++i) {
      const int64_t other = i + static_cast<int64_t>(random() % static_cast<uint64_t>(positions - i));
      std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(other)]);
      places.push_back({sample, order[static_cast<size_t>(i)]});
    }
  }
  return places;
}

// The layer without its BatchNormalization and bias: y = activation(W x + bias + residual), W and bias scaled.
struct FoldedLayer {
  DenseWeights<float> weights;
  std::vector<float> bias;
  std::vector<float> scale;  // what the rows were multiplied with
  std::vector<float> shift;  // what was added to the scaled bias
};

class Calibrator {
 public:
  Calibrator(const std::map<std::string, Scheme>& schemes, const CalibrationOptions& options, Threads threads,
             Graph& graph)
      : schemes_(schemes), options_(options), threads_(std::move(threads)), graph_(graph), dense_(graph) {
    for (const Node& node : graph.nodes) {
      for (const std::string& input : node.inputs) ++uses_[input];
    }
  }

  Result<CalibratedGraph> Run(const std::vector<Sample>& samples) {
    LACUNA_ASSIGN_OR_RETURN(values, InferValues(graph_));
    values_ = std::move(values);
    // The graph's nodes change where a bias is added: layers stay those of the dense network.
    LACUNA_ASSIGN_OR_RETURN(layers, FuseLayers(dense_, values_));
    std::map<const Node*, const Layer*> layer_of;
    for (const Layer& layer : layers) layer_of[layer.node] = &layer;
    LACUNA_ASSIGN_OR_RETURN(dense, StagedRun::Make(dense_, values_, samples, options_.threads));
    LACUNA_ASSIGN_OR_RETURN(pruned, StagedRun::Make(graph_, values_, samples, options_.threads));
    size_t count = 0;
    for (size_t i = 0; i < dense_.nodes.size(); ++i) {
      LACUNA_ASSIGN_OR_RETURN(matrices, WeightMatricesOf(dense_, values_, dense_.nodes[i]));
      for (const WeightMatrix& matrix : matrices) count += schemes_.contains(matrix.initializer) ? 1 : 0;
    }
    size_t number = 0;
    for (size_t i = 0; i < dense_.nodes.size(); ++i) {
      const Node& node = dense_.nodes[i];
      LACUNA_ASSIGN_OR_RETURN(matrices, WeightMatricesOf(dense_, values_, node));
      for (const WeightMatrix& matrix : matrices) {
        if (!schemes_.contains(matrix.initializer)) {
          LACUNA_RETURN_IF_ERROR(Refit(i, matrix, layer_of, dense, pruned));
          continue;
        }
        if (options_.progress) options_.progress(++number, count, node.name);
        if (result_.weights.contains(matrix.initializer)) continue;
        const auto layer = layer_of.find(&node);
        const std::string why = layer == layer_of.end() ? "runs inside another layer" : WhyLeft(node, matrix);
        Status status;
        if (why.empty()) {
          status = dense.AdvanceTo(i);
          if (status.ok()) status = pruned.AdvanceTo(i);
          if (status.ok()) status = Fit(i, matrix, *layer->second, schemes_.at(matrix.initializer), dense, pruned);
        } else {
          status = ProjectOnly(node, matrix, why);
        }
        if (!status.ok()) {
          return Status::Make(status.code(), "layer '%.80s': %s", node.name.c_str(), status.message());
        }
      }
    }
    return std::move(result_);
  }

 private:
  std::string WhyLeft(const Node& node, const WeightMatrix& matrix) const {
    if (node.op != "Conv" && node.op != "Gemm" && node.op != "MatMul") return node.op + " is projected";
    if (uses_.at(matrix.initializer) > 1) return "shared weights are projected";
    const auto trans_a = IntAttribute(node, "transA", 0);
    if (matrix.input != 1 || !trans_a.ok() || *trans_a != 0) return "constants on the left are projected";
    return "";
  }

  Status Refit(size_t index, const WeightMatrix& matrix, const std::map<const Node*, const Layer*>& layer_of,
               StagedRun& dense, StagedRun& pruned) {
    const Node& node = dense_.nodes[index];
    const auto layer = layer_of.find(&node);
    const bool writable = !options_.writable.has_value() || options_.writable->constants.contains(matrix.initializer);
    const bool skipped = !options_.refit || result_.weights.empty() || layer == layer_of.end() || !writable ||
                         !WhyLeft(node, matrix).empty();
    if (skipped) return Status();
    const Shape &x = values_.at(node.inputs[0]).shape, &y = values_.at(node.outputs[0]).shape;
    LACUNA_ASSIGN_OR_RETURN(positions, Positions::Make(dense_, node, matrix, x, y));
    if (positions.count() * static_cast<int64_t>(dense.samples()) < 2 * matrix.shape.columns) return Status();
    LACUNA_RETURN_IF_ERROR(dense.AdvanceTo(index));
    LACUNA_RETURN_IF_ERROR(pruned.AdvanceTo(index));
    const Status status = Fit(index, matrix, *layer->second, Scheme{}, dense, pruned);
    return status.ok() ? status : Status::Make(status.code(), "layer '%.80s': %s", node.name.c_str(), status.message());
  }

  Status ProjectOnly(const Node& node, const WeightMatrix& matrix, const std::string& why) {
    const Tensor& tensor = *dense_.Constant(matrix.initializer);
    const std::vector<float> rows = WeightValues(tensor, matrix);
    LACUNA_ASSIGN_OR_RETURN(weights, DenseWeights<float>::View(matrix.shape, rows));
    LACUNA_ASSIGN_OR_RETURN(pruned, lacuna::prune::Project(weights, schemes_.at(matrix.initializer), matrix.taps));
    LACUNA_ASSIGN_OR_RETURN(zeroed, pruned.ToDense());
    Store(matrix, {zeroed.values().begin(), zeroed.values().end()});
    CalibratedLayer layer{.name = node.name, .initializer = matrix.initializer};
    layer.left = why;
    result_.layers.push_back(std::move(layer));
    return Status();
  }

  void Store(const WeightMatrix& matrix, std::vector<float> rows) {
    Tensor& tensor = graph_.initializers.at(matrix.initializer);
    tensor.floats = FromRowMajor(matrix, rows);
    tensor.generate = nullptr;
    result_.weights[matrix.initializer] = std::move(rows);
  }

  Result<FoldedLayer> Fold(const Layer& layer, const WeightMatrix& matrix) const {
    const Node& node = *layer.node;
    const auto rows = static_cast<size_t>(matrix.shape.rows);
    std::vector<float> scale(rows, 1.0f), shift(rows, 0.0f), bias(rows, 0.0f);
    if (!layer.scale.empty()) scale = layer.scale;
    if (!layer.shift.empty()) shift = layer.shift;
    double alpha = 1.0, beta = 1.0;
    if (node.op == "Gemm") {
      LACUNA_ASSIGN_OR_RETURN(a, FloatAttribute(node, "alpha", 1.0f));
      LACUNA_ASSIGN_OR_RETURN(b, FloatAttribute(node, "beta", 1.0f));
      alpha = a;
      beta = b;
    }
    for (float& value : scale) value *= static_cast<float>(alpha);
    if (node.HasInput(2) && ReadsC(node)) {
      const Tensor* own = dense_.Constant(node.inputs[2]);
      if (own == nullptr) return Status::Make(StatusCode::kUnsupported, "its bias is computed");
      for (size_t row = 0; row < rows; ++row) {
        const float value = own->floats.size() == 1 ? own->floats[0] : own->floats[row];
        bias[row] = static_cast<float>(beta) * value * (layer.scale.empty() ? 1.0f : layer.scale[row]);
      }
    }
    for (size_t row = 0; row < rows; ++row) bias[row] += shift[row];
    std::vector<float> values = WeightValues(*dense_.Constant(matrix.initializer), matrix);
    for (size_t i = 0; i < values.size(); ++i) values[i] *= scale[i / static_cast<size_t>(matrix.shape.columns)];
    LACUNA_ASSIGN_OR_RETURN(weights, DenseWeights<float>::CopyOf(matrix.shape, values));
    return FoldedLayer{std::move(weights), std::move(bias), std::move(scale), std::move(shift)};
  }

  // Where a bias may be written: a constant that this node alone reads, or none yet.
  struct BiasPlace {
    std::string initializer;
    bool is_new = false;
    bool is_shift = false;  // the constant added behind a product
    float factor = 1.0f;    // beta
  };

  std::optional<BiasPlace> PlaceOfBias(const Layer& layer, int64_t rows) const {
    const std::optional<BiasPlace> place = FindBias(layer, rows);
    if (!place.has_value() || !options_.writable.has_value()) return place;
    const bool writable = place->is_new ? options_.writable->nodes.contains(layer.node->name)
                                        : options_.writable->constants.contains(place->initializer);
    return writable ? place : std::nullopt;
  }

  std::optional<BiasPlace> FindBias(const Layer& layer, int64_t rows) const {
    const Node& node = *layer.node;
    if (node.op != "Conv" && !layer.shift.empty()) {
      for (const std::string& input : layer.fused[0]->inputs) {
        const Tensor* constant = dense_.Constant(input);
        if (constant == nullptr) continue;
        if (uses_.at(input) > 1 || Elements(constant->shape) != rows) return std::nullopt;
        return BiasPlace{.initializer = input, .is_shift = true};
      }
      return std::nullopt;
    }
    if (node.op == "MatMul") return std::nullopt;
    if (!node.HasInput(2)) return BiasPlace{.initializer = node.name + ".lacuna_bias", .is_new = true};
    const auto beta = FloatAttribute(node, "beta", 1.0f);
    const Tensor* own = dense_.Constant(node.inputs[2]);
    const bool writable =
        beta.ok() && *beta != 0.0f && own != nullptr && uses_.at(node.inputs[2]) == 1 && Elements(own->shape) == rows;
    if (!writable) return std::nullopt;
    return BiasPlace{.initializer = node.inputs[2], .factor = node.op == "Gemm" ? *beta : 1.0f};
  }

  void StoreBias(size_t index, const BiasPlace& place, const FoldedLayer& folded, const Layer& layer,
                 std::span<const float> bias) {
    FittedBias fitted{.node = layer.node->name, .initializer = place.initializer, .is_new = place.is_new, .values = {}};
    for (size_t row = 0; row < bias.size(); ++row) {
      // Undoes what Fold does.
      const float scale = layer.scale.empty() ? 1.0f : layer.scale[row];
      const float own =
          place.is_shift ? bias[row] - (folded.bias[row] - folded.shift[row]) : bias[row] - folded.shift[row];
      fitted.values.push_back(place.is_shift ? own : scale == 0.0f ? 0.0f : own / (scale * place.factor));
    }
    if (place.is_new) {
      Tensor tensor = Tensor::Zeros(ElementType::kFloat, {static_cast<int64_t>(bias.size())});
      tensor.floats = fitted.values;
      graph_.initializers[place.initializer] = std::move(tensor);
      Node& node = graph_.nodes[index];
      node.inputs.resize(2);
      node.inputs.push_back(place.initializer);
    } else {
      graph_.initializers.at(place.initializer).floats = fitted.values;
    }
    result_.biases.push_back(std::move(fitted));
  }

  Status Fit(size_t index, const WeightMatrix& matrix, const Layer& layer, const Scheme& scheme, const StagedRun& dense,
             const StagedRun& pruned) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    const Node& node = *layer.node;
    LACUNA_ASSIGN_OR_RETURN(folded, Fold(layer, matrix));
    const std::string& input = node.inputs[0];
    const Shape& y = values_.at(node.outputs[0]).shape;
    LACUNA_ASSIGN_OR_RETURN(positions, Positions::Make(dense_, node, matrix, values_.at(input).shape, y));
    const auto rows = static_cast<size_t>(matrix.shape.rows);
    const auto all = static_cast<size_t>(matrix.shape.columns * matrix.shape.groups);
    constexpr int64_t kLeastPositions = 16384;
    const int64_t wanted =
        options_.positions > 0 ? options_.positions : std::max(kLeastPositions, 4 * matrix.shape.columns);
    const std::vector<Place> places = ChoosePlaces(dense.samples(), positions.count(), wanted);

    // What is added before the activation exists only where the network has computed it by now.
    const bool has_residual = !layer.residual.empty();
    const bool residual_known =
        has_residual && (dense_.Constant(layer.residual) != nullptr ||
                         (dense.Find(0, layer.residual) != nullptr && pruned.Find(0, layer.residual) != nullptr));
    lacuna::prune::LayerSamples samples;
    samples.count = static_cast<int64_t>(places.size());
    if (!has_residual || residual_known) samples.activation = layer.activation;
    std::vector<float> targets(places.size() * rows), added(residual_known ? targets.size() : 0);
    Targets(folded, positions, places, dense, input, targets);
    for (size_t i = 0; i < (residual_known ? places.size() : 0); ++i) {
      const Tensor* constant = dense_.Constant(layer.residual);
      std::vector<float> residual(rows);
      const auto read = [&](const StagedRun& run, float* to) {
        const Tensor* value = constant != nullptr ? constant : run.Find(places[i].sample, layer.residual);
        positions.ReadOutput(*value, places[i].position, to);
      };
      read(pruned, added.data() + i * rows);
      read(dense, residual.data());
      for (size_t row = 0; row < rows; ++row) targets[i * rows + row] += residual[row];
    }
    samples.targets = targets;
    samples.added = added;
    samples.inputs = [&](int64_t first, int64_t n, std::span<float> to) {
      threads_.parallel_ranges(n, [&](size_t, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const Place& place = places[static_cast<size_t>(first + i)];
          positions.Read(*pruned.Find(place.sample, input), place.position, to.data() + static_cast<size_t>(i) * all);
        }
      });
    };
    const std::optional<BiasPlace> bias_place = PlaceOfBias(layer, matrix.shape.rows);
    const lacuna::prune::ReconstructOptions reconstruct{
        .damping = options_.damping, .rounds = options_.rounds, .fit_bias = bias_place.has_value()};
    LACUNA_ASSIGN_OR_RETURN(result, lacuna::prune::Reconstruct(folded.weights, folded.bias, scheme, matrix.taps,
                                                               samples, reconstruct, threads_));
    std::vector<float> values(result.weights.values().begin(), result.weights.values().end());
    for (size_t i = 0; i < values.size(); ++i) {
      const float scale = folded.scale[i / static_cast<size_t>(matrix.shape.columns)];
      // Nothing of a row that BatchNormalization multiplies by 0 reaches the output.
      values[i] = scale == 0.0f ? 0.0f : values[i] / scale;
    }
    const bool refitted = scheme.kind == lacuna::prune::SchemeKind::kDense;
    if (refitted) {
      result_.refitted[matrix.initializer] = FromRowMajor(matrix, values);
      graph_.initializers.at(matrix.initializer).floats = result_.refitted[matrix.initializer];
      graph_.initializers.at(matrix.initializer).generate = nullptr;
    } else {
      Store(matrix, std::move(values));
    }
    if (bias_place.has_value()) StoreBias(index, *bias_place, folded, layer, std::as_const(result.bias));
    CalibratedLayer done{.name = node.name, .initializer = matrix.initializer};
    done.error = result.error;
    done.projected_error = result.projected_error;
    done.underdetermined = result.underdetermined;
    done.refitted = refitted;
    done.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    result_.layers.push_back(std::move(done));
    return Status();
  }

  // W x + bias of the dense layer at each place.
  static void Targets(const FoldedLayer& folded, const Positions& positions, const std::vector<Place>& places,
                      const StagedRun& dense, const std::string& input, std::vector<float>& targets) {
    constexpr size_t kBlock = 256;
    const lacuna::MatrixShape& shape = folded.weights.shape();
    const int64_t all = shape.columns * shape.groups, count = shape.rows_per_group();
    Eigen::MatrixXf x(all, kBlock);
    for (size_t first = 0; first < places.size(); first += kBlock) {
      const auto n = static_cast<int64_t>(std::min(kBlock, places.size() - first));
      for (int64_t i = 0; i < n; ++i) {
        const Place& place = places[first + static_cast<size_t>(i)];
        positions.Read(*dense.Find(place.sample, input), place.position, x.col(i).data());
      }
      Eigen::Map<Eigen::MatrixXf> y(targets.data() + first * static_cast<size_t>(shape.rows), shape.rows, n);
      for (int64_t g = 0; g < shape.groups; ++g) {
        const Eigen::Map<const Eigen::MatrixXf> w(folded.weights.row(g * count), shape.columns, count);
        y.middleRows(g * count, count).noalias() = w.transpose() * x.block(g * shape.columns, 0, shape.columns, n);
      }
      y.colwise() += Eigen::Map<const Eigen::VectorXf>(folded.bias.data(), shape.rows);
    }
  }

  const std::map<std::string, Scheme>& schemes_;
  const CalibrationOptions& options_;
  Threads threads_;
  Graph& graph_;
  const Graph dense_;  // as it was
  Values values_;
  std::map<std::string, int> uses_;
  CalibratedGraph result_;
};

}  // namespace

Result<CalibratedGraph> CalibrateGraph(const std::map<std::string, Scheme>& schemes, const std::vector<Sample>& samples,
                                       const CalibrationOptions& options, Graph& graph) {
  LACUNA_ASSIGN_OR_RETURN(threads, Threads::Make(options.threads));
#ifdef LACUNA_OPENBLAS
  openblas_set_num_threads(1);  // threads are the calibrator's, and results the same for any number of them
#endif
  return Calibrator(schemes, options, std::move(threads), graph).Run(samples);
}

}  // namespace graph
