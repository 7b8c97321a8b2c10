#include "graph/operators/quantized_layer.h"

#include "lacuna/format/block.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/op/active.h"
#include "lacuna/op/quantized_convolution.h"
#include "lacuna/reference/quantized.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "graph/attributes.h"
#include "graph/operators/bytes.h"

namespace graph {
namespace {

using lacuna::Quantization;
using lacuna::TensorView;

// Places of a node's inputs; QGemm has one less between the weights and the output's scale.
struct Places {
  static constexpr size_t kX = 0, kXScale = 1, kXZero = 2, kW = 3, kWScale = 4, kWZero = 5;
  static constexpr size_t kResidual = 9, kResidualScale = 10, kResidualZero = 11;
  size_t y_scale, y_zero, bias;

  static Places Of(const Node& node) { return node.op == "QGemm" ? Places{7, 8, 6} : Places{6, 7, 8}; }
};

lacuna::ValueType ValueTypeOf(ElementType type) {
  if (IsFloating(type)) return lacuna::ValueType::kF32;
  return type == ElementType::kUint8 ? lacuna::ValueType::kU8 : lacuna::ValueType::kS8;
}

// A tensor's scale and zero point where both are constants of one element.
std::optional<Quantization> ConstantQuantization(const NodeContext& at, ElementType type, size_t scale, size_t zero) {
  const Tensor* s = at.Constant(scale);
  const Tensor* z = at.Constant(zero);
  if (s == nullptr || s->floats.size() != 1 || (at.node.HasInput(zero) && (z == nullptr || z->integers.size() != 1))) {
    return std::nullopt;
  }
  return Quantization{.type = ValueTypeOf(type),
                      .scale = s->floats[0],
                      .zero_point = z == nullptr ? 0 : static_cast<int32_t>(z->integers[0])};
}

// What lacuna needs as constants.
struct ConstantLayer {
  lacuna::MatrixShape matrix;
  std::vector<int8_t> weights;
  std::vector<float> weight_scale;
  std::vector<int32_t> bias;
  lacuna::QuantizedEpilogue epilogue;  // views the two above

  static std::optional<ConstantLayer> Of(const StepContext& context) {
    const NodeContext at = context.At();
    const Node& node = at.node;
    const Places places = Places::Of(node);
    const Tensor* w = at.Constant(Places::kW);
    const Tensor* scale = at.Constant(Places::kWScale);
    const Tensor* zero = at.Constant(Places::kWZero);
    const Tensor* bias = at.Constant(places.bias);
    const auto x = ConstantQuantization(at, at.type(), Places::kXScale, Places::kXZero);
    if (w == nullptr || w->type != ElementType::kInt8 || scale == nullptr || !x.has_value()) return std::nullopt;
    if (node.HasInput(Places::kWZero) && (zero == nullptr || std::any_of(zero->integers.begin(), zero->integers.end(),
                                                                         [](int64_t z) { return z != 0; }))) {
      return std::nullopt;
    }
    if (node.HasInput(places.bias) && bias == nullptr) return std::nullopt;
    ConstantLayer layer;
    layer.matrix = {.rows = w->shape[0], .columns = Elements(w->shape) / std::max<int64_t>(1, w->shape[0])};
    layer.weights.assign(w->integers.begin(), w->integers.end());
    layer.weight_scale = scale->floats;
    if (bias != nullptr) layer.bias.assign(bias->integers.begin(), bias->integers.end());
    layer.epilogue.x = *x;
    layer.epilogue.y.type = lacuna::ValueType::kF32;
    if (node.HasInput(places.y_scale)) {
      const auto y = ConstantQuantization(at, context.OutputType(), places.y_scale, places.y_zero);
      if (!y.has_value()) return std::nullopt;
      layer.epilogue.y = *y;
    }
    if (node.HasInput(Places::kResidual)) {
      const auto residual =
          ConstantQuantization(at, at.type(Places::kResidual), Places::kResidualScale, Places::kResidualZero);
      if (!residual.has_value()) return std::nullopt;
      layer.epilogue.residual = *residual;
      layer.epilogue.has_residual = true;
    }
    const auto low = FloatAttribute(node, "low", std::numeric_limits<float>::lowest());
    const auto high = FloatAttribute(node, "high", std::numeric_limits<float>::max());
    if (!low.ok() || !high.ok()) return std::nullopt;
    if (*low != std::numeric_limits<float>::lowest() || *high != std::numeric_limits<float>::max()) {
      layer.epilogue.activation = lacuna::Activation::kClamp;
      layer.epilogue.low = *low;
      layer.epilogue.high = *high;
    }
    return layer;
  }
};

// Calls f with the weights in a format that fits where their zeros are.
template <class F>
auto WithFormat(const lacuna::DenseWeights<int8_t>& dense, const F& f) -> decltype(f(dense)) {
  const auto& values = dense.values();
  const auto kept = std::count_if(values.begin(), values.end(), [](int8_t w) { return w != 0; });
  if (10 * kept > 7 * dense.shape().elements()) return f(dense);
  auto blocks = lacuna::BlockWeights<int8_t>::FromDense(dense, {8, 1});
  if (!blocks.ok()) return blocks.status();
  if (10 * blocks->nnz() <= 13 * static_cast<int64_t>(kept)) return f(*blocks);
  auto csr = lacuna::CsrWeights<int8_t>::FromDense(dense);
  if (!csr.ok()) return csr.status();
  return f(*csr);
}

template <int kRank>
class QuantizedStep : public Step {
 public:
  using Plan = lacuna::QuantizedConvolution<kRank>;

  QuantizedStep(const StepContext& context, ConstantLayer layer, const lacuna::ConvShape<kRank>& shape)
      : Step(InputsOf(*context.layer.node)),
        layer_(std::move(layer)),
        shape_(shape),
        last_(context.layer.node->op == "QGemm"),
        y_type_(context.OutputType()),
        narrow_{context.IsNarrow(context.layer.node->inputs[0]), context.IsNarrow(context.layer.output), false} {
    layer_.epilogue.weight_scale = layer_.weight_scale;
    layer_.epilogue.bias = layer_.bias;
    x_type_ = context.InputType();
    if (layer_.epilogue.has_residual) {
      residual_type_ = context.InputType(Places::kResidual);
      narrow_[2] = context.IsNarrow(context.layer.node->inputs[Places::kResidual]);
    }
  }

  Status Prepare(const StepContext& context) {
    layer_.matrix.groups = shape_.groups;
    LACUNA_ASSIGN_OR_RETURN(dense, lacuna::DenseWeights<int8_t>::View(layer_.matrix, layer_.weights));
    const auto make = [&](const auto& weights) -> lacuna::Result<Plan> {
      info_.nnz = weights.nnz();
      info_.storage_bytes = weights.StorageBytes();
      return Plan::Make(lacuna::ActiveInt8Kernels(), weights, shape_, layer_.epilogue, lacuna::DefaultPolicy());
    };
    auto plan = WithFormat(dense, make);
    if (!plan.ok()) return context.layer.node->About(plan.status());
    plan_ = *std::move(plan);
    info_.plan = plan_->Explain();
    info_.explanation = std::string(plan_->instruction()) + ", " + info_.plan.ToString();
    info_.packed_bytes = info_.plan.packed_bytes;
    info_.weights = layer_.matrix.elements();
    info_.scheme = info_.nnz == info_.weights ? "dense" : "sparse";
    info_.dense_flops = shape_.dense_flops();
    for (const int64_t extent : context.InputShape(Places::kW)) {
      info_.geometry += (info_.geometry.empty() ? "" : "x") + std::to_string(extent);
    }
    info_.geometry += " s8";
    if (!context.keep_weights) {
      layer_.weights = {};
    } else {
      info_.kept_bytes = layer_.weights.size();
    }
    return Status();
  }

  const WeightInfo* weight_info() const override { return &info_; }

  size_t WorkspaceBytes(size_t threads) const override {
    size_t bytes = plan_->WorkspaceBytes(threads);
    for (size_t i = 0; i < 3; ++i) bytes += CopyBytes(i);
    return bytes;
  }

  Status Run(const StepArgs& args) const override {
    std::byte* copy = args.workspace.data();
    const std::byte* x = Narrowed(args, 0, 0, shape_.input_elements(), copy);
    copy += CopyBytes(0);
    std::byte* y = CopyBytes(1) == 0 ? args.out<std::byte>() : copy;
    copy += CopyBytes(1);
    lacuna::QuantizedRunArgs<kRank> run;
    if (layer_.epilogue.has_residual) {
      run.residual = View(Narrowed(args, 1, 2, shape_.output_elements(), copy), layer_.epilogue.residual.type,
                          shape_.output_tensor());
      copy += CopyBytes(2);
    }
    run.workspace = args.workspace.subspan(static_cast<size_t>(copy - args.workspace.data()));
    LACUNA_RETURN_IF_ERROR(plan_->Run(View(x, layer_.epilogue.x.type, shape_.input_tensor()),
                                      View(y, layer_.epilogue.y.type, shape_.output_tensor()), run, args.threads));
    if (CopyBytes(1) == 0) return Status();
    const auto widen = [&](const auto* from) {
      std::copy(from, from + shape_.output_elements(), args.out<int64_t>());
      return Status();
    };
    return y_type_ == ElementType::kUint8 ? widen(reinterpret_cast<const uint8_t*>(y))
                                          : widen(reinterpret_cast<const int8_t*>(y));
  }

  // Results are exact: 0, or infinity.
  Result<double> ErrorOverBound(const StepArgs& args) const override {
    if (layer_.weights.empty())
      return Status::InvalidArgument("weights were not kept, options.keep_weights must be set");
    const auto inputs = static_cast<size_t>(shape_.input_elements());
    const auto outputs = static_cast<size_t>(shape_.output_elements());
    std::vector<int32_t> x(inputs);
    std::vector<float> expected(outputs), residual(layer_.epilogue.has_residual ? outputs : 0);
    const auto channels_in = static_cast<size_t>(shape_.in_channels),
               channels = static_cast<size_t>(shape_.out_channels);
    // The reference is planar; with one image, [positions, channels] is its transpose.
    const auto place = [&](size_t i, size_t count, size_t of) {
      return last_ ? i % (count / of) * of + i / (count / of) : i;
    };
    LACUNA_RETURN_IF_ERROR(VisitBytes(args, 0, x_type_, narrow_[0], [&](const auto* from) {
      for (size_t i = 0; i < inputs; ++i) x[i] = static_cast<int32_t>(from[place(i, inputs, channels_in)]);
      return Status();
    }));
    if (!residual.empty()) {
      LACUNA_RETURN_IF_ERROR(VisitBytes(args, 1, residual_type_, narrow_[2], [&](const auto* from) {
        for (size_t i = 0; i < outputs; ++i) residual[i] = static_cast<float>(from[i]);
        return Status();
      }));
    }
    LACUNA_RETURN_IF_ERROR(
        lacuna::reference::QuantizedConvolution<kRank>(shape_, layer_.weights, layer_.epilogue, x, expected, residual));
    size_t wrong = 0;
    const auto compare = [&](const auto* actual) {
      for (size_t i = 0; i < outputs; ++i) {
        wrong += static_cast<float>(actual[place(i, outputs, channels)]) == expected[i] ? 0 : 1;
      }
      return Status();
    };
    LACUNA_RETURN_IF_ERROR(IsFloating(y_type_) ? compare(args.out()) : VisitOutput(args, y_type_, narrow_[1], compare));
    return wrong == 0 ? 0.0 : std::numeric_limits<double>::infinity();
  }

 private:
  static std::vector<std::string> InputsOf(const Node& node) {
    std::vector<std::string> inputs = {node.inputs[0]};
    if (node.HasInput(Places::kResidual)) inputs.push_back(node.inputs[Places::kResidual]);
    return inputs;
  }

  // Of value i - input, output, residual - as bytes in workspace; 0 where it is in place.
  size_t CopyBytes(size_t i) const {
    const bool wide = i == 0   ? !narrow_[0]
                      : i == 1 ? !narrow_[1] && !IsFloating(y_type_)
                               : layer_.epilogue.has_residual && !IsFloating(residual_type_) && !narrow_[2];
    const int64_t elements = i == 0 ? shape_.input_elements() : shape_.output_elements();
    return wide ? lacuna::RoundUp(static_cast<size_t>(elements), lacuna::kAlignment) : 0;
  }
  const std::byte* Narrowed(const StepArgs& args, size_t input, size_t value, int64_t elements, std::byte* copy) const {
    if (CopyBytes(value) == 0) return args.in<std::byte>(input);
    const int64_t* from = args.in<int64_t>(input);
    for (int64_t i = 0; i < elements; ++i) copy[i] = static_cast<std::byte>(from[i]);
    return copy;
  }

  template <class Byte>
  lacuna::TypedView<Byte, kRank + 2> View(Byte* data, lacuna::ValueType type,
                                          const lacuna::Extents<kRank + 2>& extent) const {
    const auto view = last_ ? TensorView<Byte, kRank + 2>::ChannelsLast(data, extent)
                            : TensorView<Byte, kRank + 2>::Planar(data, extent);
    lacuna::TypedView<Byte, kRank + 2> typed;
    typed.data = view.data;
    typed.type = type;
    typed.extent = view.extent;
    typed.stride = view.stride;
    return typed;
  }

  ConstantLayer layer_;
  lacuna::ConvShape<kRank> shape_;
  bool last_;  // rows of features, as a Gemm has them
  ElementType x_type_ = ElementType::kUint8, y_type_, residual_type_ = ElementType::kUint8;
  std::array<bool, 3> narrow_;  // input, output, residual
  std::optional<Plan> plan_;
  WeightInfo info_;
};

template <int kRank>
StepResult MakeStepOf(const StepContext& context, ConstantLayer layer, const lacuna::ConvShape<kRank>& shape) {
  if (const Status status = shape.Validate(); !status.ok()) return context.layer.node->About(status);
  auto step = std::make_unique<QuantizedStep<kRank>>(context, std::move(layer), shape);
  LACUNA_RETURN_IF_ERROR(step->Prepare(context));
  return std::unique_ptr<Step>(std::move(step));
}

template <int kRank>
StepResult MakeConvolution(const StepContext& context, ConstantLayer layer, const IntegerConvolution& convolution) {
  const Window& window = convolution.window;
  lacuna::ConvShape<kRank> shape{.batch = convolution.batch,
                                 .in_channels = convolution.in_channels,
                                 .out_channels = convolution.out_channels,
                                 .groups = convolution.groups};
  for (size_t axis = 0; axis < kRank; ++axis) {
    shape.input[axis] = window.input[axis];
    shape.kernel[axis] = window.kernel[axis];
    shape.stride[axis] = window.stride[axis];
    shape.dilation[axis] = window.dilation[axis];
    shape.pad_begin[axis] = window.pad_begin[axis];
    shape.pad_end[axis] = window.pad_end[axis];
  }
  return MakeStepOf(context, std::move(layer), shape);
}

// QLinearConv where something is computed that lacuna wants as a constant, or weights have zero points: naive loops.
class GeneralStep : public Step {
 public:
  GeneralStep(const StepContext& context, IntegerConvolution convolution)
      : Step(context.At().node.PresentInputs()),
        convolution_(std::move(convolution)),
        type_(context.OutputType()),
        has_bias_(context.layer.node->HasInput(8)),
        scales_(Elements(context.InputShape(Places::kWScale))),
        zeros_(Elements(context.InputShape(Places::kWZero))) {}

  Status Run(const StepArgs& args) const override {
    const int64_t* x = args.in<int64_t>(Places::kX);
    const int64_t* w = args.in<int64_t>(Places::kW);
    const int64_t x_zero = *args.in<int64_t>(Places::kXZero);
    const ByteRange range(type_);
    convolution_.ForEachOutput([&](int64_t y, int64_t channel, const auto& visit) {
      const int64_t w_zero = args.in<int64_t>(Places::kWZero)[zeros_ == 1 ? 0 : channel];
      int64_t sum = has_bias_ ? args.in<int64_t>(8)[channel] : 0;
      visit([&](int64_t from, int64_t weight) { sum += (x[from] - x_zero) * (w[weight] - w_zero); });
      const float scale = *args.in(Places::kXScale)*args.in(Places::kWScale)[scales_ == 1 ? 0 : channel] / *args.in(6);
      args.out<int64_t>()[y] =
          range.Quantized<int64_t>(static_cast<float>(sum) * scale, static_cast<float>(*args.in<int64_t>(7)));
    });
    return Status();
  }

 private:
  IntegerConvolution convolution_;
  ElementType type_;
  bool has_bias_;
  int64_t scales_, zeros_;
};

Status CheckElements(const NodeContext& at, size_t i, int64_t rows, bool per_row) {
  if (!at.node.HasInput(i)) return Status();
  const int64_t elements = Elements(at.shape(i));
  if (elements == 1 || (per_row && elements == rows)) return Status();
  return at.ShapeError(i, per_row ? "have 1 or " + std::to_string(rows) + " elements" : "have one element");
}

InferResult Infer(const NodeContext& at, Shape y, int64_t rows) {
  const Places places = Places::Of(at.node);
  for (const size_t i : {Places::kX, Places::kXZero, Places::kW, Places::kWZero, places.y_zero}) {
    if (!at.node.HasInput(i) || at.type(i) == ElementType::kUint8 || at.type(i) == ElementType::kInt8) continue;
    return at.Unsupported("input " + std::to_string(i) + " is " + ToString(at.type(i)) + ", must be UINT8 or INT8");
  }
  for (const size_t i : {Places::kXScale, Places::kXZero, places.y_scale, places.y_zero}) {
    LACUNA_RETURN_IF_ERROR(CheckElements(at, i, rows, false));
  }
  for (const size_t i : {Places::kWScale, Places::kWZero}) LACUNA_RETURN_IF_ERROR(CheckElements(at, i, rows, true));
  if (at.node.HasInput(places.bias) && (Elements(at.shape(places.bias)) != rows || IsFloating(at.type(places.bias)))) {
    return at.ShapeError(places.bias, "be INT32 [" + std::to_string(rows) + "]");
  }
  if (at.node.HasInput(Places::kResidual) && at.shape(Places::kResidual) != y) {
    return at.ShapeError(Places::kResidual, "be the output's, " + ToString(y));
  }
  const ElementType type = !at.node.HasInput(places.y_scale) ? ElementType::kFloat
                           : at.node.HasInput(places.y_zero) ? at.type(places.y_zero)
                                                             : ElementType::kUint8;
  return std::vector<TensorInfo>{{type, std::move(y)}};
}

}  // namespace

Result<IntegerConvolution> IntegerConvolution::Of(const NodeContext& at, size_t w) {
  const Shape& x_shape = at.shape(0);
  const Shape& w_shape = at.shape(w);
  LACUNA_ASSIGN_OR_RETURN(window, ConvWindow(at.node, x_shape, w_shape));
  LACUNA_ASSIGN_OR_RETURN(groups, IntAttribute(at.node, "group", 1));
  if (groups < 1 || x_shape[1] % groups != 0 || w_shape[0] % groups != 0 || x_shape[1] / groups != w_shape[1]) {
    return at.ShapeError(w, "fit " + std::to_string(groups) + " group(s) of input 0, " + ToString(x_shape));
  }
  return IntegerConvolution{std::move(window), x_shape[0], x_shape[1], w_shape[0], groups};
}

Result<Shape> QuantizedConvShape(const NodeContext& at, size_t w) {
  LACUNA_ASSIGN_OR_RETURN(convolution, IntegerConvolution::Of(at, w));
  Shape y = {convolution.batch, convolution.out_channels};
  y.insert(y.end(), convolution.window.output.begin(), convolution.window.output.end());
  return y;
}

InferResult InferQLinearConv(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(y, QuantizedConvShape(at, Places::kW));
  return Infer(at, std::move(y), at.shape(Places::kW)[0]);
}

InferResult InferQGemm(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(transposed, IntAttribute(at.node, "transB", 0));
  if (transposed != 1) return at.Unsupported("transB must be 1");
  for (const size_t i : {Places::kX, Places::kW}) {
    if (at.rank(i) != 2) return at.ShapeError(i, "have two axes");
  }
  if (at.shape(0)[1] != at.shape(Places::kW)[1]) return at.ShapeError(Places::kW, "fit input 0");
  const int64_t rows = at.shape(Places::kW)[0];
  return Infer(at, {at.shape(0)[0], rows}, rows);
}

StepResult MakeQuantizedLayer(const StepContext& context) {
  const NodeContext at = context.At();
  auto layer = ConstantLayer::Of(context);
  if (at.node.op == "QGemm") {
    if (!layer.has_value())
      return at.Unsupported("weights and scales must be constants, weights INT8 without zero points");
    const lacuna::ConvShape<1> shape{.in_channels = layer->matrix.columns,
                                     .out_channels = layer->matrix.rows,
                                     .input = {at.shape(0)[0]},
                                     .kernel = {1}};
    return MakeStepOf(context, *std::move(layer), shape);
  }
  LACUNA_ASSIGN_OR_RETURN(convolution, IntegerConvolution::Of(at, Places::kW));
  if (!layer.has_value() || context.reference) {
    for (const size_t i : {6, 7}) {
      if (!at.node.HasInput(i)) return at.Unsupported("weights and scales must be constants");
    }
    for (const char* bound : {"low", "high"}) {
      if (at.node.attributes.contains(bound)) return at.Unsupported("weights and scales must be constants");
    }
    if (at.node.HasInput(Places::kResidual)) return at.Unsupported("weights and scales must be constants");
    return std::unique_ptr<Step>(new GeneralStep(context, std::move(convolution)));
  }
  switch (convolution.window.rank()) {
    case 1: return MakeConvolution<1>(context, *std::move(layer), convolution);
    case 2: return MakeConvolution<2>(context, *std::move(layer), convolution);
    default: return MakeConvolution<3>(context, *std::move(layer), convolution);
  }
}

}  // namespace graph
