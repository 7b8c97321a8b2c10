// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear; products of integers: ConvInteger, MatMulInteger,
// QLinearMatMul, and QLinearAdd, which stands for an Add between the two.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/bytes.h"
#include "graph/operators/quantized_layer.h"
#include "graph/shape_inference.h"
#include "graph/window.h"

namespace graph {
namespace {

bool IsByte(ElementType type) { return type == ElementType::kUint8 || type == ElementType::kInt8; }

// Of an axis with a scale for each index, or of all elements.
struct ScaleAxis {
  int64_t extent = 1, inner = 1;  // elements that share a scale stand together

  size_t At(int64_t i) const { return static_cast<size_t>(i / inner % extent); }
};

Result<ScaleAxis> ScaleAxisOf(const NodeContext& at) {
  if (at.rank(1) == 0 || at.shape(1) == Shape{1}) return ScaleAxis{1, std::max<int64_t>(1, Elements(at.shape(0)))};
  if (at.rank(1) != 1) return at.ShapeError(1, "have at most one axis");
  LACUNA_ASSIGN_OR_RETURN(named, IntAttribute(at.node, "axis", 1));
  LACUNA_ASSIGN_OR_RETURN(axis, at.Axis(named, at.rank()));
  if (at.shape(1)[0] != at.shape(0)[axis]) return at.ShapeError(1, "fit axis " + std::to_string(axis));
  return ScaleAxis{at.shape(1)[0],
                   Elements(Shape(at.shape(0).begin() + static_cast<int64_t>(axis) + 1, at.shape(0).end()))};
}

Status CheckZeroPoint(const NodeContext& at, size_t i, size_t like) {
  if (!at.node.HasInput(i) || Elements(at.shape(i)) == Elements(at.shape(like))) return Status();
  return at.ShapeError(i, "be that of input " + std::to_string(like));
}

InferResult InferQuantize(const NodeContext& at) {
  const ElementType type = at.node.HasInput(2) ? at.type(2) : ElementType::kUint8;
  if (!IsByte(type)) return at.Unsupported(std::string("its output is ") + ToString(type) + ", must be UINT8 or INT8");
  if (!IsFloating(at.type(1))) return at.Unsupported("input 1 must be floats");
  LACUNA_RETURN_IF_ERROR(ScaleAxisOf(at).status());
  LACUNA_RETURN_IF_ERROR(CheckZeroPoint(at, 2, 1));
  return std::vector<TensorInfo>{{type, at.shape(0)}};
}

InferResult InferDequantize(const NodeContext& at) {
  if (IsFloating(at.type())) return at.Unsupported("input 0 must be integers");
  if (!IsFloating(at.type(1))) return at.Unsupported("input 1 must be floats");
  LACUNA_RETURN_IF_ERROR(ScaleAxisOf(at).status());
  LACUNA_RETURN_IF_ERROR(CheckZeroPoint(at, 2, 1));
  return std::vector<TensorInfo>{{at.type(1), at.shape(0)}};
}

class QuantizeStep : public Step {
 public:
  QuantizeStep(const StepContext& context, ScaleAxis axis)
      : Step(context.At().node.inputs),
        type_(context.OutputType()),
        floats_(IsFloating(context.InputType())),
        narrow_(context.IsNarrow(context.layer.output)),
        elements_(Elements(context.OutputShape())),
        axis_(axis) {}

  Status Run(const StepArgs& args) const override {
    if (narrow_ && type_ == ElementType::kUint8) return RunTo<uint8_t>(args);
    if (narrow_) return RunTo<int8_t>(args);
    return RunTo<int64_t>(args);
  }

 private:
  template <class T>
  Status RunTo(const StepArgs& args) const {
    const int64_t* zero_points = args.inputs.size() > 2 ? args.in<int64_t>(2) : nullptr;
    const ByteRange range(type_);
    args.threads.parallel_ranges(elements_ / axis_.inner, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        const size_t at = axis_.At(part * axis_.inner);
        const float scale = args.in(1)[at];
        const auto zero = static_cast<float>(zero_points == nullptr ? 0 : zero_points[at]);
        const auto convert = [&](const auto* x, T* y) {
          for (int64_t i = 0; i < axis_.inner; ++i) y[i] = range.Quantized<T>(static_cast<float>(x[i]) / scale, zero);
        };
        const int64_t first = part * axis_.inner;
        if (floats_) {
          convert(args.in(0) + first, args.out<T>() + first);
        } else {
          convert(args.in<int64_t>(0) + first, args.out<T>() + first);
        }
      }
    });
    return Status();
  }

  ElementType type_;
  bool floats_, narrow_;
  int64_t elements_;
  ScaleAxis axis_;
};

class DequantizeStep : public Step {
 public:
  DequantizeStep(const StepContext& context, ScaleAxis axis)
      : Step(context.At().node.inputs),
        type_(context.InputType()),
        narrow_(context.IsNarrow(context.layer.node->inputs[0])),
        elements_(Elements(context.OutputShape())),
        axis_(axis) {}

  Status Run(const StepArgs& args) const override {
    return VisitBytes(args, 0, type_, narrow_, [&](const auto* x) {
      const int64_t* zero_points = args.inputs.size() > 2 ? args.in<int64_t>(2) : nullptr;
      args.threads.parallel_ranges(elements_ / axis_.inner, [&](size_t, int64_t begin, int64_t end) {
        for (int64_t part = begin; part < end; ++part) {
          const size_t at = axis_.At(part * axis_.inner);
          const float scale = args.in(1)[at];
          const auto zero = static_cast<int32_t>(zero_points == nullptr ? 0 : zero_points[at]);
          for (int64_t i = part * axis_.inner; i < (part + 1) * axis_.inner; ++i) {
            args.out()[i] = static_cast<float>(static_cast<int32_t>(x[i]) - zero) * scale;
          }
        }
      });
      return Status();
    });
  }

 private:
  ElementType type_;
  bool narrow_;
  int64_t elements_;
  ScaleAxis axis_;
};

template <class StepType>
StepResult MakeScaled(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(axis, ScaleAxisOf(context.At()));
  return std::unique_ptr<Step>(new StepType(context, axis));
}

InferResult InferDynamicQuantize(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeFloats(at));
  return std::vector<TensorInfo>{
      {ElementType::kUint8, at.shape(0)}, {ElementType::kFloat, {}}, {ElementType::kUint8, {}}};
}

// scale = (max - min) / 255 and zero point = round(-min / scale), with 0 among the values.
class DynamicQuantizeStep : public Step {
 public:
  explicit DynamicQuantizeStep(const StepContext& context)
      : Step(context.At().node.inputs), elements_(Elements(context.OutputShape())) {
    for (size_t i = 1; i < 3; ++i) {
      const Node& node = *context.layer.node;
      if (i < node.outputs.size() && !node.outputs[i].empty()) place_[i] = ++last_;
    }
  }

  Status Run(const StepArgs& args) const override {
    const float* x = args.in(0);
    float least = 0.0f, most = 0.0f;
    for (int64_t i = 0; i < elements_; ++i) {
      least = std::min(least, x[i]);
      most = std::max(most, x[i]);
    }
    const float scale = (most - least) / 255.0f;
    const float zero = scale > 0.0f ? std::nearbyint(std::clamp(-least / scale, 0.0f, 255.0f)) : 0.0f;
    const ByteRange range(ElementType::kUint8);
    for (int64_t i = 0; i < elements_; ++i) {
      args.out<int64_t>()[i] = range.Quantized<int64_t>(scale > 0.0f ? x[i] / scale : 0.0f, zero);
    }
    if (place_[1] != 0) *args.out(place_[1]) = scale;
    if (place_[2] != 0) *args.out<int64_t>(place_[2]) = static_cast<int64_t>(zero);
    return Status();
  }

 private:
  int64_t elements_;
  size_t last_ = 0;
  std::array<size_t, 3> place_{};  // among the outputs that are present
};

// ---- products of integers whose operands may both be computed: loops in 64 bits

// An operand minus its zero points: one, or one for each row or column of the last two axes.
struct ZeroPoints {
  const int64_t* values = nullptr;
  int64_t count = 0;
  int64_t At(int64_t i) const { return count == 0 ? 0 : values[count == 1 ? 0 : i]; }
};

struct MatMulShape {
  int64_t m, k, n;
  std::vector<std::pair<int64_t, int64_t>> products;  // offsets of the operands' matrices
};

Result<Shape> ProductShape(const NodeContext& at, size_t left, size_t right, MatMulShape* geometry) {
  Shape a = at.shape(left), b = at.shape(right);
  if (a.empty() || b.empty()) return at.ShapeError(a.empty() ? left : right, "have at least one axis");
  const bool vector_a = a.size() == 1, vector_b = b.size() == 1;
  if (vector_a) a.insert(a.begin(), 1);
  if (vector_b) b.push_back(1);
  if (a.back() != b[b.size() - 2]) return at.ShapeError(right, "fit the other operand, " + ToString(a));
  const Shape stack_a(a.begin(), a.end() - 2), stack_b(b.begin(), b.end() - 2);
  LACUNA_ASSIGN_OR_RETURN(y, BroadcastShapes(at.node, stack_a, stack_b));
  if (geometry != nullptr) {
    geometry->m = a[a.size() - 2];
    geometry->k = a.back();
    geometry->n = b.back();
    for (int64_t i = 0; i < Elements(y); ++i) {
      const auto offset = [&](const Shape& own, int64_t matrix) {
        int64_t rest = i, stride = matrix, at_element = 0;
        for (size_t axis = 0; axis < own.size(); ++axis) {
          const int64_t extent = own[own.size() - 1 - axis], of_y = y[y.size() - 1 - axis];
          at_element += (extent == 1 ? 0 : rest % of_y) * stride;
          rest /= of_y;
          stride *= extent;
        }
        return at_element;
      };
      geometry->products.emplace_back(offset(stack_a, geometry->m * geometry->k),
                                      offset(stack_b, geometry->k * geometry->n));
    }
  }
  if (!vector_a) y.push_back(a[a.size() - 2]);
  if (!vector_b) y.push_back(b.back());
  return std::move(y);
}

Status MustBeBytes(const NodeContext& at, std::initializer_list<size_t> inputs) {
  for (const size_t i : inputs) {
    if (!at.node.HasInput(i) || IsByte(at.type(i))) continue;
    return at.Unsupported("input " + std::to_string(i) + " is " + ToString(at.type(i)) + ", must be UINT8 or INT8");
  }
  return Status();
}

// One, or one for each of `count`.
Status CheckCount(const NodeContext& at, size_t i, int64_t count) {
  if (!at.node.HasInput(i)) return Status();
  const int64_t elements = Elements(at.shape(i));
  if (elements == 1 || elements == count) return Status();
  return at.ShapeError(i, "have 1 or " + std::to_string(count) + " elements");
}

InferResult InferMatMulInteger(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeBytes(at, {0, 1, 2, 3}));
  MatMulShape geometry{};
  LACUNA_ASSIGN_OR_RETURN(y, ProductShape(at, 0, 1, &geometry));
  LACUNA_RETURN_IF_ERROR(CheckCount(at, 2, geometry.m));
  LACUNA_RETURN_IF_ERROR(CheckCount(at, 3, geometry.n));
  return std::vector<TensorInfo>{{ElementType::kInt32, std::move(y)}};
}

// a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point
InferResult InferQLinearMatMul(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeBytes(at, {0, 2, 3, 5, 7}));
  MatMulShape geometry{};
  LACUNA_ASSIGN_OR_RETURN(y, ProductShape(at, 0, 3, &geometry));
  for (const size_t i : {1, 2}) LACUNA_RETURN_IF_ERROR(CheckCount(at, i, geometry.m));
  for (const size_t i : {4, 5}) LACUNA_RETURN_IF_ERROR(CheckCount(at, i, geometry.n));
  for (const size_t i : {6, 7}) LACUNA_RETURN_IF_ERROR(CheckCount(at, i, 1));
  return std::vector<TensorInfo>{{at.type(7), std::move(y)}};
}

class IntegerMatMulStep : public Step {
 public:
  IntegerMatMulStep(const StepContext& context, MatMulShape geometry)
      : Step(context.At().node.PresentInputs()),
        linear_(context.layer.node->op == "QLinearMatMul"),
        a_zeros_(context.layer.node->HasInput(2)),
        type_(context.OutputType()),
        geometry_(std::move(geometry)) {
    const Node& node = *context.layer.node;
    const auto count = [&](size_t i) { return node.HasInput(i) ? Elements(context.InputShape(i)) : 0; };
    a_count_ = count(2);
    b_count_ = count(linear_ ? 5 : 3);
    if (linear_) {
      a_scales_ = count(1);
      b_scales_ = count(4);
    }
  }

  Status Run(const StepArgs& args) const override {
    const int64_t* a = args.in<int64_t>(0);
    const int64_t* b = args.in<int64_t>(linear_ ? 3 : 1);
    const ZeroPoints a_zero{a_count_ == 0 ? nullptr : args.in<int64_t>(2), a_count_};
    const ZeroPoints b_zero{b_count_ == 0 ? nullptr : args.in<int64_t>(linear_ ? 5 : (a_zeros_ ? 3 : 2)), b_count_};
    const auto& [m, k, n, products] = geometry_;
    const ByteRange range(type_);
    for (size_t p = 0; p < products.size(); ++p) {
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          int64_t sum = 0;
          for (int64_t c = 0; c < k; ++c) {
            sum +=
                (a[products[p].first + i * k + c] - a_zero.At(i)) * (b[products[p].second + c * n + j] - b_zero.At(j));
          }
          int64_t& y = args.out<int64_t>()[(static_cast<int64_t>(p) * m + i) * n + j];
          if (linear_) {
            const float scale = args.in(1)[a_scales_ == 1 ? 0 : i] * args.in(4)[b_scales_ == 1 ? 0 : j] / *args.in(6);
            y = range.Quantized<int64_t>(static_cast<float>(sum) * scale, static_cast<float>(*args.in<int64_t>(7)));
          } else {
            y = Wrapped(ElementType::kInt32, sum);
          }
        }
      }
    }
    return Status();
  }

 private:
  bool linear_, a_zeros_;
  ElementType type_;
  MatMulShape geometry_;
  int64_t a_count_ = 0, b_count_ = 0, a_scales_ = 0, b_scales_ = 0;
};

StepResult MakeIntegerMatMul(const StepContext& context) {
  MatMulShape geometry{};
  LACUNA_RETURN_IF_ERROR(
      ProductShape(context.At(), 0, context.layer.node->op == "QLinearMatMul" ? 3 : 1, &geometry).status());
  return std::unique_ptr<Step>(new IntegerMatMulStep(context, std::move(geometry)));
}

// x, w, x_zero_point, w_zero_point
InferResult InferConvInteger(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeBytes(at, {0, 1, 2, 3}));
  LACUNA_ASSIGN_OR_RETURN(y, QuantizedConvShape(at, 1));
  LACUNA_RETURN_IF_ERROR(CheckCount(at, 2, 1));
  LACUNA_RETURN_IF_ERROR(CheckCount(at, 3, at.shape(1)[0]));
  return std::vector<TensorInfo>{{ElementType::kInt32, std::move(y)}};
}

class ConvIntegerStep : public Step {
 public:
  ConvIntegerStep(const StepContext& context, IntegerConvolution convolution)
      : Step(context.At().node.PresentInputs()),
        convolution_(std::move(convolution)),
        x_zero_(context.layer.node->HasInput(2)),
        w_zeros_(context.layer.node->HasInput(3) ? Elements(context.InputShape(3)) : 0) {}

  Status Run(const StepArgs& args) const override {
    const int64_t* x = args.in<int64_t>(0);
    const int64_t* w = args.in<int64_t>(1);
    const int64_t x_zero = x_zero_ ? *args.in<int64_t>(2) : 0;
    const ZeroPoints w_zero{w_zeros_ == 0 ? nullptr : args.in<int64_t>(x_zero_ ? 3 : 2), w_zeros_};
    convolution_.ForEachOutput([&](int64_t y, int64_t channel, const auto& visit) {
      int64_t sum = 0;
      visit([&](int64_t from, int64_t weight) { sum += (x[from] - x_zero) * (w[weight] - w_zero.At(channel)); });
      args.out<int64_t>()[y] = Wrapped(ElementType::kInt32, sum);
    });
    return Status();
  }

 private:
  IntegerConvolution convolution_;
  bool x_zero_;
  int64_t w_zeros_;
};

StepResult MakeConvInteger(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(convolution, IntegerConvolution::Of(context.At(), 1));
  return std::unique_ptr<Step>(new ConvIntegerStep(context, std::move(convolution)));
}

// a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point, as ONNX Runtime has it; `low` is the least
// real number that the sum may be, by a Relu behind it. Both operands have the output's shape.
InferResult InferQLinearAdd(const NodeContext& at) {
  LACUNA_RETURN_IF_ERROR(MustBeBytes(at, {0, 2, 3, 5, 7}));
  if (at.shape(3) != at.shape(0)) return at.ShapeError(3, "be that of input 0");
  for (const size_t i : {1, 2, 4, 5, 6, 7}) LACUNA_RETURN_IF_ERROR(CheckCount(at, i, 1));
  return std::vector<TensorInfo>{{at.type(7), at.shape(0)}};
}

class QLinearAddStep : public Step {
 public:
  QLinearAddStep(const StepContext& context, float low)
      : Step(context.layer.node->inputs),
        a_type_(context.InputType(0)),
        b_type_(context.InputType(3)),
        y_type_(context.OutputType()),
        a_narrow_(context.IsNarrow(context.layer.node->inputs[0])),
        b_narrow_(context.IsNarrow(context.layer.node->inputs[3])),
        y_narrow_(context.IsNarrow(context.layer.output)),
        elements_(Elements(context.OutputShape())),
        low_(low) {}

  Status Run(const StepArgs& args) const override {
    const float a_scale = *args.in(1), b_scale = *args.in(4), y_scale = *args.in(6);
    const auto a_zero = static_cast<int32_t>(*args.in<int64_t>(2)), b_zero = static_cast<int32_t>(*args.in<int64_t>(5));
    const auto y_zero = static_cast<float>(*args.in<int64_t>(7));
    const ByteRange range(y_type_);
    return VisitBytes(args, 0, a_type_, a_narrow_, [&](const auto* a) {
      return VisitBytes(args, 3, b_type_, b_narrow_, [&](const auto* b) {
        return VisitOutput(args, y_type_, y_narrow_, [&](auto* y) {
          using T = std::remove_pointer_t<decltype(y)>;
          args.threads.parallel_ranges(elements_, [&](size_t, int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
              const float sum = static_cast<float>(static_cast<int32_t>(a[i]) - a_zero) * a_scale +
                                static_cast<float>(static_cast<int32_t>(b[i]) - b_zero) * b_scale;
              y[i] = range.Quantized<T>(std::max(sum, low_) / y_scale, y_zero);
            }
          });
          return Status();
        });
      });
    });
  }

 private:
  ElementType a_type_, b_type_, y_type_;
  bool a_narrow_, b_narrow_, y_narrow_;
  int64_t elements_;
  float low_;
};

StepResult MakeQLinearAdd(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(low, FloatAttribute(*context.layer.node, "low", std::numeric_limits<float>::lowest()));
  return std::unique_ptr<Step>(new QLinearAddStep(context, low));
}

StepResult MakeDynamicQuantize(const StepContext& context) {
  return std::unique_ptr<Step>(new DynamicQuantizeStep(context));
}

constexpr Operator kQuantizationOperators[] = {
    {"ConvInteger", 2, 4, 1, InferConvInteger, MakeConvInteger},
    {"DequantizeLinear", 2, 3, 1, InferDequantize, MakeScaled<DequantizeStep>},
    {"DynamicQuantizeLinear", 1, 1, 3, InferDynamicQuantize, MakeDynamicQuantize},
    {"MatMulInteger", 2, 4, 1, InferMatMulInteger, MakeIntegerMatMul},
    {"QGemm", 6, 9, 1, InferQGemm, MakeQuantizedLayer},
    {"QLinearAdd", 8, 8, 1, InferQLinearAdd, MakeQLinearAdd},
    {"QLinearConv", 6, 12, 1, InferQLinearConv, MakeQuantizedLayer},
    {"QLinearMatMul", 8, 8, 1, InferQLinearMatMul, MakeIntegerMatMul},
    {"QuantizeLinear", 2, 3, 1, InferQuantize, MakeScaled<QuantizeStep>},
};

}  // namespace

std::span<const Operator> QuantizationOperators() { return kQuantizationOperators; }

}  // namespace graph
