// Conv, ConvTranspose, Gemm and MatMul with constant weights: the layers that lacuna runs.

#include "graph/operators/weight_step.h"

#include "lacuna/op/convolution.h"
#include "lacuna/op/gemm.h"
#include "lacuna/op/gemv.h"
#include "lacuna/reference/convolution.h"
#include "lacuna/reference/gemm.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "graph/attributes.h"
#include "graph/kernels.h"
#include "graph/layer_weights.h"
#include "graph/rounding.h"
#include "graph/step.h"
#include "graph/window.h"

namespace graph {
namespace {

using lacuna::Buffer;
using lacuna::MatrixView;
using lacuna::TensorView;

std::vector<std::string> RuntimeInputs(const StepContext& context, size_t weight_input) {
  std::vector<std::string> inputs = {context.layer.node->inputs[1 - weight_input]};
  if (!context.layer.residual.empty()) inputs.push_back(context.layer.residual);
  return inputs;
}

// What convolutions and matrix products have in common.
class WeightStep : public Step {
 public:
  WeightStep(const StepContext& context, const WeightMatrix& matrix, LayerWeights weights)
      : Step(RuntimeInputs(context, matrix.input)),
        bias_(std::move(weights.bias)),
        epilogue_(context.layer.activation),
        scheme_(weights.scheme.KindName()) {
    epilogue_.bias = bias_;
    epilogue_.residual = !context.layer.residual.empty();
    info_.scheme = weights.scheme.Name();
    info_.weights = matrix.shape.elements();
    info_.nnz = weights.format.nnz();
    info_.storage_bytes = weights.format.StorageBytes();
    info_.kept_bytes = weights.viewed ? 0 : info_.storage_bytes;
    weights_.emplace(std::move(weights.format));
  }

  // With the packed weights of the same layer in other extents.
  WeightStep(const StepContext& context, const WeightMatrix& matrix, const WeightStep& sibling)
      : Step(RuntimeInputs(context, matrix.input)),
        bias_(sibling.bias_),
        epilogue_(context.layer.activation),
        info_(sibling.info_),
        scheme_(sibling.scheme_) {
    epilogue_.bias = bias_;
    epilogue_.residual = !context.layer.residual.empty();
  }

  const WeightInfo* weight_info() const override { return &info_; }

  // Keeps dense weights, for a step that runs the reference.
  Status UseReference() {
    LACUNA_ASSIGN_OR_RETURN(dense, DenseWeightsKept());
    reference_weights_ = std::move(dense);
    info_.explanation = "reference";
    return Status();
  }

  // Precondition: the step does not run the reference.
  void ReleaseWeights() {
    weights_.reset();
    info_.kept_bytes = 0;
  }

 protected:
  template <class Plan>
  void Describe(const Plan& plan) {
    info_.plan = plan.Explain();
    info_.explanation = info_.plan.ToString();
    info_.packed_bytes = info_.plan.packed_bytes;
    info_.offset_bytes = info_.plan.offset_bytes;
  }

  // A view where the format is dense.
  Result<lacuna::DenseWeights<float>> DenseWeightsKept() const {
    if (!weights_.has_value())
      return Status::InvalidArgument("weights were not kept, options.keep_weights must be set");
    const auto* dense = weights_->As<lacuna::DenseWeights<float>>();
    return dense != nullptr ? lacuna::DenseWeights<float>::View(dense->shape(), dense->values()) : weights_->ToDense();
  }

  // Compares `actual` with outputs of the same layout; row(i) is the row of W that output i belongs to.
  template <class RowOf>
  double WorstRatio(const RoundingBound& bound, const float* actual, const Buffer<float>& expected,
                    const Buffer<double>& magnitude, const float* residual, const RowOf& row) const {
    double worst = 0.0;
    for (size_t i = 0; i < expected.size(); ++i) {
      double total = magnitude[i];
      if (!epilogue_.bias.empty()) total += std::abs(double{epilogue_.bias[row(i)]});
      if (epilogue_.residual) total += std::abs(double{residual[i]});
      worst = std::max(worst, bound.Ratio(actual[i], expected[i], total));
    }
    return worst;
  }

  const float* Residual(const StepArgs& args) const { return epilogue_.residual ? args.in(1) : nullptr; }

  std::vector<float> bias_;                           // viewed by the epilogue
  std::optional<lacuna::AnyWeights<float>> weights_;  // until they are packed, or kept
  lacuna::Epilogue epilogue_;
  WeightInfo info_;
  std::optional<lacuna::DenseWeights<float>> reference_weights_;
  std::string scheme_;  // of saved choices
};

double LargestMagnitude(std::span<const float> values) {
  double largest = 0.0;
  for (const float value : values) largest = std::max(largest, std::abs(double{value}));
  return largest;
}

template <int kRank>
class ConvolutionStep : public WeightStep {
 public:
  using ConstView = TensorView<const float, kRank + 2>;
  using View = TensorView<float, kRank + 2>;

  // `weights` are LayerWeights, or a sibling.
  template <class Weights>
  ConvolutionStep(const StepContext& context, const WeightMatrix& matrix, Weights&& weights,
                  const lacuna::ConvShape<kRank>& shape)
      : WeightStep(context, matrix, std::forward<Weights>(weights)),
        shape_(shape),
        input_last_(context.IsChannelsLast(context.layer.node->inputs[0])),
        output_last_(context.IsChannelsLast(context.layer.output)) {
    info_.dense_flops = shape.dense_flops();
    info_.geometry.clear();
    const Tensor& w = *context.graph.Constant(matrix.initializer);
    for (size_t axis = 0; axis < w.shape.size(); ++axis) {
      if (axis != 0) info_.geometry += 'x';
      info_.geometry += std::to_string(w.shape[axis]);
    }
    info_.geometry += " s" + std::to_string(shape.stride[0]);
    const bool cubic = std::all_of(shape.stride.begin(), shape.stride.end(),
                                   [&](int64_t stride) { return stride == shape.stride[0]; });
    for (size_t axis = 1; !cubic && axis < kRank; ++axis) info_.geometry += 'x' + std::to_string(shape.stride[axis]);
    if (shape.groups != 1) info_.geometry += " g" + std::to_string(shape.groups);
  }

  Status Prepare(const StepContext& context) { return PrepareWith(context, *weights_); }

  // Whether it has weights to share.
  bool Shares() const { return plan_.has_value() && bool(plan_->weights()); }
  // Precondition: sibling.Shares().
  Status Prepare(const StepContext& context, const ConvolutionStep& sibling) {
    return PrepareWith(context, sibling.plan_->weights());
  }

  size_t WorkspaceBytes(size_t threads) const override { return plan_ ? plan_->WorkspaceBytes(threads) : 0; }

  Status Run(const StepArgs& args) const override {
    const View y = Output(args.out());
    if (plan_) return plan_->Run(Input(args), y, {args.workspace, ResidualView(args)}, args.threads);
    return lacuna::reference::Convolution<kRank>(shape_, reference_weights_->values(), epilogue_, Input(args), y,
                                                 ResidualView(args));
  }

  Result<double> ErrorOverBound(const StepArgs& args) const override {
    LACUNA_ASSIGN_OR_RETURN(dense, DenseWeightsKept());
    const auto elements = static_cast<size_t>(shape_.output_elements());
    LACUNA_ASSIGN_OR_RETURN(expected, Buffer<float>::Make(elements));
    LACUNA_ASSIGN_OR_RETURN(magnitude, Buffer<double>::Make(elements));
    LACUNA_RETURN_IF_ERROR(lacuna::reference::Convolution<kRank>(shape_, dense.values(), epilogue_, Input(args),
                                                                 Output(expected.data()), ResidualView(args),
                                                                 Output(magnitude.data())));
    const auto positions = static_cast<size_t>(shape_.positions());
    const auto channels = static_cast<size_t>(shape_.out_channels);
    return WorstRatio(Bound(dense.values(), args), args.out(), expected, magnitude, Residual(args),
                      [=, this](size_t i) { return (output_last_ ? i : i / positions) % channels; });
  }

 private:
  Status PrepareWith(const StepContext& context, const lacuna::LayerWeights& weights) {
    auto plan =
        lacuna::Convolution<kRank>::Make(ActiveKernels(), weights, shape_, epilogue_, context.PolicyFor(scheme_));
    if (!plan.ok()) return plan.status();
    plan_ = *std::move(plan);
    Describe(*plan_);
    return Status();
  }
  RoundingBound Bound(std::span<const float> weights, const StepArgs& args) const {
    const lacuna::WinogradTile* tile = WinogradTileOf(info_.plan.algorithm);
    if (tile == nullptr) return {shape_.depth(), epilogue_};
    const std::span<const float> x(args.in(0), static_cast<size_t>(shape_.input_elements()));
    return {*tile, shape_.channels_per_group(), LargestMagnitude(weights) * LargestMagnitude(x), epilogue_};
  }
  ConstView Input(const StepArgs& args) const {
    return input_last_ ? ConstView::ChannelsLast(args.in(0), shape_.input_tensor())
                       : ConstView::Planar(args.in(0), shape_.input_tensor());
  }
  template <class T>
  TensorView<T, kRank + 2> Output(T* data) const {
    return output_last_ ? TensorView<T, kRank + 2>::ChannelsLast(data, shape_.output_tensor())
                        : TensorView<T, kRank + 2>::Planar(data, shape_.output_tensor());
  }
  ConstView ResidualView(const StepArgs& args) const {
    return epilogue_.residual ? ConstView::Planar(args.in(1), shape_.output_tensor()) : ConstView{};
  }

  lacuna::ConvShape<kRank> shape_;
  bool input_last_, output_last_;
  std::optional<lacuna::Convolution<kRank>> plan_;
};

class GemmStep : public WeightStep {
 public:
  // Y[rows, n] = W X; a column-major x is activations stored [n, K].
  template <class Weights>
  GemmStep(const StepContext& context, const WeightMatrix& matrix, Weights&& weights, int64_t n, bool x_column_major)
      : WeightStep(context, matrix, std::forward<Weights>(weights)),
        shape_(matrix.shape),
        n_(n),
        x_column_major_(x_column_major),
        y_column_major_(matrix.rows_are_channels) {
    info_.dense_flops = 2.0 * static_cast<double>(shape_.elements()) * static_cast<double>(n);
    info_.geometry = std::to_string(shape_.rows) + "x" + std::to_string(shape_.columns) + " n" + std::to_string(n);
  }

  Status Prepare(const StepContext& context) {
    return n_ <= kMostVectors ? PrepareVectors(context, *weights_) : PrepareMatrix(context, *weights_);
  }

  // Whether it has weights for products with n columns.
  bool Shares(int64_t n) const { return n <= kMostVectors ? vector_plan_.has_value() : plan_ && plan_->weights(); }
  // Precondition: sibling.Shares(n).
  Status Prepare(const StepContext& context, const GemmStep& sibling) {
    return n_ <= kMostVectors ? PrepareVectors(context, sibling.vector_plan_->weights())
                              : PrepareMatrix(context, sibling.plan_->weights());
  }

  size_t WorkspaceBytes(size_t threads) const override {
    if (vector_plan_) return vector_plan_->WorkspaceBytes(threads, n_);
    return plan_ ? plan_->WorkspaceBytes(threads) : 0;
  }

  Status Run(const StepArgs& args) const override {
    if (vector_plan_) {
      return vector_plan_->Run(X(args), Y(args.out()), {args.workspace, ResidualView(args)}, args.threads);
    }
    if (plan_) return plan_->Run(X(args), Y(args.out()), {args.workspace, ResidualView(args)}, args.threads);
    return lacuna::reference::Gemm(shape_, reference_weights_->values(), epilogue_, X(args), Y(args.out()),
                                   ResidualView(args));
  }

  Result<double> ErrorOverBound(const StepArgs& args) const override {
    LACUNA_ASSIGN_OR_RETURN(dense, DenseWeightsKept());
    const auto elements = static_cast<size_t>(shape_.rows * n_);
    LACUNA_ASSIGN_OR_RETURN(expected, Buffer<float>::Make(elements));
    LACUNA_ASSIGN_OR_RETURN(magnitude, Buffer<double>::Make(elements));
    LACUNA_RETURN_IF_ERROR(lacuna::reference::Gemm(shape_, dense.values(), epilogue_, X(args), Y(expected.data()),
                                                   ResidualView(args), Y(magnitude.data())));
    const auto rows = static_cast<size_t>(shape_.rows);
    const auto columns = static_cast<size_t>(n_);
    return WorstRatio(RoundingBound(shape_.columns, epilogue_), args.out(), expected, magnitude, Residual(args),
                      [=, this](size_t i) { return y_column_major_ ? i % rows : i / columns; });
  }

 private:
  Status PrepareVectors(const StepContext& context, const lacuna::GemvWeights& weights) {
    auto plan = lacuna::Gemv::Make(ActiveVectorKernels(), weights, epilogue_, context.PolicyFor(scheme_));
    if (!plan.ok()) return plan.status();
    vector_plan_ = *std::move(plan);
    info_.plan = vector_plan_->Explain();
    info_.explanation = info_.plan.ToString();
    info_.packed_bytes = info_.plan.packed_bytes;
    return Status();
  }
  Status PrepareMatrix(const StepContext& context, const lacuna::LayerWeights& weights) {
    auto plan = lacuna::Gemm::Make(ActiveKernels(), weights, {.n = n_}, epilogue_, context.PolicyFor(scheme_));
    if (!plan.ok()) return plan.status();
    plan_ = *std::move(plan);
    Describe(*plan_);
    return Status();
  }
  MatrixView<const float> X(const StepArgs& args) const {
    return x_column_major_ ? MatrixView<const float>::ColumnMajor(args.in(0), shape_.columns, n_)
                           : MatrixView<const float>::RowMajor(args.in(0), shape_.columns, n_);
  }
  template <class T>
  MatrixView<T> Y(T* data) const {
    return y_column_major_ ? MatrixView<T>::ColumnMajor(data, shape_.rows, n_)
                           : MatrixView<T>::RowMajor(data, shape_.rows, n_);
  }
  MatrixView<const float> ResidualView(const StepArgs& args) const {
    return epilogue_.residual ? Y<const float>(args.in(1)) : MatrixView<const float>{};
  }

  // Products of so few columns are bound by the bytes of the weights, which the vector kernels read once.
  static constexpr int64_t kMostVectors = 4;

  lacuna::MatrixShape shape_;
  int64_t n_;
  bool x_column_major_;
  bool y_column_major_;
  std::optional<lacuna::Gemm> plan_;
  std::optional<lacuna::Gemv> vector_plan_;
};

template <int kRank>
lacuna::ConvShape<kRank> ShapeOf(const Window& window, const Shape& x, const lacuna::MatrixShape& matrix) {
  lacuna::ConvShape<kRank> shape{
      .batch = x[0], .in_channels = x[1], .out_channels = matrix.rows, .groups = matrix.groups};
  for (size_t axis = 0; axis < kRank; ++axis) {
    shape.input[axis] = window.input[axis];
    shape.kernel[axis] = window.kernel[axis];
    shape.stride[axis] = window.stride[axis];
    shape.dilation[axis] = window.dilation[axis];
    shape.pad_begin[axis] = window.pad_begin[axis];
    shape.pad_end[axis] = window.pad_end[axis];
  }
  return shape;
}

template <class StepType>
StepResult Finish(const StepContext& context, std::unique_ptr<StepType> step) {
  const Status status = context.reference ? step->UseReference() : step->Prepare(context);
  if (!status.ok()) return context.layer.node->About(status);
  if (!context.reference && !context.keep_weights) step->ReleaseWeights();
  return std::unique_ptr<Step>(std::move(step));
}

// Whether a convolution has one output a channel, of all inputs: the product of a matrix and a vector for each item.
bool IsProduct(const Window& window, const lacuna::MatrixShape& matrix) {
  const auto all = [](const Shape& shape, int64_t value) {
    return std::all_of(shape.begin(), shape.end(), [=](int64_t extent) { return extent == value; });
  };
  return matrix.groups == 1 && window.kernel == window.input && all(window.output, 1) && all(window.pad_begin, 0) &&
         all(window.pad_end, 0);
}

// Steps with the weights of a sibling: null where it has none to share.
template <int kRank>
StepResult ShareConvolution(const StepContext& context, const WeightMatrix& matrix, const Window& window) {
  const auto* sibling = dynamic_cast<const ConvolutionStep<kRank>*>(context.sibling);
  if (sibling == nullptr || !sibling->Shares()) return std::unique_ptr<Step>();
  const auto shape = ShapeOf<kRank>(window, context.InputShape(0), matrix.shape);
  if (const Status status = shape.Validate(); !status.ok()) return context.layer.node->About(status);
  auto step = std::make_unique<ConvolutionStep<kRank>>(context, matrix, *sibling, shape);
  if (const Status status = step->Prepare(context, *sibling); !status.ok()) return context.layer.node->About(status);
  return std::unique_ptr<Step>(std::move(step));
}

StepResult ShareGemm(const StepContext& context, const WeightMatrix& matrix, int64_t n, bool x_column_major) {
  const auto* sibling = dynamic_cast<const GemmStep*>(context.sibling);
  if (sibling == nullptr || !sibling->Shares(n)) return std::unique_ptr<Step>();
  auto step = std::make_unique<GemmStep>(context, matrix, *sibling, n, x_column_major);
  if (const Status status = step->Prepare(context, *sibling); !status.ok()) return context.layer.node->About(status);
  return std::unique_ptr<Step>(std::move(step));
}

template <int kRank>
StepResult MakeConvolutionStep(const StepContext& context, const WeightMatrix& matrix, const Window& window,
                               LayerWeights weights) {
  const auto shape = ShapeOf<kRank>(window, context.InputShape(0), matrix.shape);
  if (const Status status = shape.Validate(); !status.ok()) return context.layer.node->About(status);
  return Finish(context, std::make_unique<ConvolutionStep<kRank>>(context, matrix, std::move(weights), shape));
}

// A ConvTranspose: the convolution of its phases into workspace, then their shuffle.
template <int kRank>
class DeconvolutionStep : public Step {
 public:
  DeconvolutionStep(std::unique_ptr<Step> convolution, const lacuna::ConvShape<kRank>& shape, Deconvolution geometry)
      : Step(convolution->inputs()),
        convolution_(std::move(convolution)),
        geometry_(std::move(geometry)),
        elements_(shape.output_elements()),
        batch_(shape.batch) {}

  const WeightInfo* weight_info() const override { return convolution_->weight_info(); }
  size_t WorkspaceBytes(size_t threads) const override { return PhaseBytes() + convolution_->WorkspaceBytes(threads); }

  Status Run(const StepArgs& args) const override {
    float* phases = reinterpret_cast<float*>(args.workspace.data());
    LACUNA_RETURN_IF_ERROR(Convolve(args, phases));
    const int64_t planes = batch_ * geometry_.groups * geometry_.out_per_group;
    const int64_t plane = Elements(geometry_.output);
    args.threads.parallel_ranges(planes, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        geometry_.Shuffle(phases + p * (elements_ / planes), args.out() + p * plane);
      }
    });
    return Status();
  }

  // Of the convolution: the shuffle moves values only.
  Result<double> ErrorOverBound(const StepArgs& args) const override {
    float* phases = reinterpret_cast<float*>(args.workspace.data());
    LACUNA_RETURN_IF_ERROR(Convolve(args, phases));
    void* const outputs[] = {phases};
    return convolution_->ErrorOverBound({args.inputs, outputs, args.workspace.subspan(PhaseBytes()), args.threads});
  }

 private:
  size_t PhaseBytes() const {
    return lacuna::RoundUp(static_cast<size_t>(elements_) * sizeof(float), lacuna::kAlignment);
  }

  Status Convolve(const StepArgs& args, float* phases) const {
    void* const outputs[] = {phases};
    return convolution_->Run({args.inputs, outputs, args.workspace.subspan(PhaseBytes()), args.threads});
  }

  std::unique_ptr<Step> convolution_;
  Deconvolution geometry_;
  int64_t elements_, batch_;
};

template <int kRank>
StepResult MakeDeconvolutionStep(const StepContext& context, const WeightMatrix& matrix, LayerWeights weights) {
  const Deconvolution& geometry = *matrix.deconvolution;
  lacuna::ConvShape<kRank> shape{.batch = context.InputShape(0)[0],
                                 .in_channels = context.InputShape(0)[1],
                                 .out_channels = matrix.shape.rows,
                                 .groups = matrix.shape.groups};
  for (size_t axis = 0; axis < kRank; ++axis) {
    shape.input[axis] = geometry.input[axis];
    shape.kernel[axis] = geometry.Taps(axis);
    shape.pad_begin[axis] = geometry.PadBegin(axis);
    shape.pad_end[axis] = geometry.PadEnd(axis);
  }
  if (const Status status = shape.Validate(); !status.ok()) return context.layer.node->About(status);
  LACUNA_ASSIGN_OR_RETURN(convolution, Finish(context, std::make_unique<ConvolutionStep<kRank>>(
                                                           context, matrix, std::move(weights), shape)));
  if (geometry.IsPlain()) return std::move(convolution);
  return std::unique_ptr<Step>(new DeconvolutionStep<kRank>(std::move(convolution), shape, geometry));
}

}  // namespace

StepResult MakeWeightStep(const StepContext& context, const WeightMatrix& matrix) {
  const Node& node = *context.layer.node;
  // Packed weights are shared before others are made. `share` and `make` give the step.
  const auto share_or_make = [&](const auto& share, const auto& make) -> StepResult {
    if (context.sibling != nullptr) {
      LACUNA_ASSIGN_OR_RETURN(shared, share());
      if (shared != nullptr) return std::move(shared);
    }
    auto weights = MakeLayerWeights(context, matrix);
    if (!weights.ok()) return node.About(weights.status());
    return make(*std::move(weights));
  };
  const auto product = [&](int64_t n, bool x_column_major) {
    return share_or_make(
        [&] { return ShareGemm(context, matrix, n, x_column_major); },
        [&](LayerWeights weights) {
          return Finish(context, std::make_unique<GemmStep>(context, matrix, std::move(weights), n, x_column_major));
        });
  };
  // f(rank) with the rank as a constant.
  const auto of_rank = [](size_t rank, const auto& f) {
    switch (rank) {  // inference saw to it that it is one of these
      case 1: return f(std::integral_constant<int, 1>());
      case 2: return f(std::integral_constant<int, 2>());
      default: return f(std::integral_constant<int, 3>());
    }
  };
  if (node.op == "ConvTranspose") {
    auto weights = MakeLayerWeights(context, matrix);
    if (!weights.ok()) return node.About(weights.status());
    return of_rank(matrix.deconvolution->rank(), [&](auto rank) {
      return MakeDeconvolutionStep<decltype(rank)::value>(context, matrix, *std::move(weights));
    });
  }
  if (node.op == "Conv") {
    LACUNA_ASSIGN_OR_RETURN(window,
                            ConvWindow(node, context.InputShape(0), context.graph.Constant(matrix.initializer)->shape));
    if (IsProduct(window, matrix.shape)) return product(context.InputShape(0)[0], /*x_column_major=*/true);
    return of_rank(window.rank(), [&](auto rank) {
      constexpr int kRank = decltype(rank)::value;
      return share_or_make([&] { return ShareConvolution<kRank>(context, matrix, window); },
                           [&](LayerWeights weights) {
                             return MakeConvolutionStep<kRank>(context, matrix, window, std::move(weights));
                           });
    });
  }
  const int64_t n = Elements(context.InputShape(1 - matrix.input)) / matrix.shape.columns;
  if (n < 1) {
    return Status::Make(StatusCode::kUnsupported, "%s: its input has no elements", node.Label().c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(transposed, IntAttribute(node, matrix.input == 1 ? "transA" : "transB", 0));
  return product(n, (matrix.input == 1) == (transposed == 0));
}

}  // namespace graph
