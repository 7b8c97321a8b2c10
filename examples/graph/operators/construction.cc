// ConstantOfShape, EyeLike, Range, Trilu: tensors made from little.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/storage.h"

namespace graph {
namespace {

template <class T>
class FillStep : public Step {
 public:
  FillStep(const StepContext& context, T value) : Step({}), elements_(Elements(context.OutputShape())), value_(value) {}
  Status Run(const StepArgs& args) const override {
    std::fill_n(args.out<T>(), elements_, value_);
    return Status();
  }

 private:
  int64_t elements_;
  T value_;
};

Result<Tensor> FillValue(const NodeContext& at) {
  const auto found = at.node.attributes.find("value");
  if (found == at.node.attributes.end()) return Tensor::Zeros(ElementType::kFloat, {1});
  const auto* tensor = std::get_if<Tensor>(&found->second);
  if (tensor == nullptr || Elements(tensor->shape) != 1) {
    return Status::InvalidArgument("%s: attribute 'value' must be a tensor of one element", at.node.Label().c_str());
  }
  return *tensor;
}

InferResult InferConstantOfShape(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(value, FillValue(at));
  LACUNA_ASSIGN_OR_RETURN(shape, at.Integers(0));
  return std::vector<TensorInfo>{{value.type, shape.value_or(Shape{})}};
}

StepResult MakeConstantOfShapeStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(value, FillValue(context.At()));
  if (value.IsFloats()) return std::unique_ptr<Step>(new FillStep<float>(context, value.floats[0]));
  return std::unique_ptr<Step>(new FillStep<int64_t>(context, value.integers[0]));
}

// ---- Range: start, start + delta, ... below limit

template <class T>
struct Progression {
  T start{}, delta{};
  int64_t count = 0;
};

// How many values there are, -1 if more than a tensor may have.
int64_t CountOf(float start, float limit, float delta) {
  const double count = std::ceil((double{limit} - double{start}) / double{delta});
  if (count <= 0.0) return 0;
  return count <= static_cast<double>(kMaxTensorElements) ? static_cast<int64_t>(count) : -1;
}
int64_t CountOf(int64_t start, int64_t limit, int64_t delta) {
  if (delta > 0 ? limit <= start : limit >= start) return 0;
  // No difference is too large for an unsigned integer.
  const auto low = static_cast<uint64_t>(delta > 0 ? start : limit),
             high = static_cast<uint64_t>(delta > 0 ? limit : start);
  const uint64_t step = delta > 0 ? static_cast<uint64_t>(delta) : uint64_t{0} - static_cast<uint64_t>(delta);
  const uint64_t count = (high - low - 1) / step + 1;
  return count <= static_cast<uint64_t>(kMaxTensorElements) ? static_cast<int64_t>(count) : -1;
}

template <class T>
Result<Progression<T>> ProgressionOf(const NodeContext& at) {
  T values[3] = {};
  for (size_t i = 0; i < 3; ++i) {
    const Tensor* tensor = at.Constant(i);
    if (tensor == nullptr || Elements(tensor->shape) != 1 || tensor->type != at.type()) {
      return at.Unsupported("its inputs must be constant scalars of one type");
    }
    values[i] = *static_cast<const T*>(tensor->data());
  }
  const auto [start, limit, delta] = values;
  const int64_t count = delta == T{0} ? -1 : CountOf(start, limit, delta);
  if (count < 0) {
    return Status::InvalidArgument("%s: from %s to %s in steps of %s, there must be at most %lld values",
                                   at.node.Label().c_str(), std::to_string(start).c_str(),
                                   std::to_string(limit).c_str(), std::to_string(delta).c_str(),
                                   static_cast<long long>(kMaxTensorElements));
  }
  return Progression<T>{start, delta, count};
}

InferResult InferRange(const NodeContext& at) {
  return WithStorage(at.type(), [&](auto storage) -> InferResult {
    LACUNA_ASSIGN_OR_RETURN(progression, ProgressionOf<typename decltype(storage)::type>(at));
    return std::vector<TensorInfo>{{at.type(), {progression.count}}};
  });
}

template <class T>
class RangeStep : public Step {
 public:
  explicit RangeStep(const Progression<T>& progression) : Step({}), progression_(progression) {}
  Status Run(const StepArgs& args) const override {
    for (int64_t i = 0; i < progression_.count; ++i) {
      if constexpr (std::is_same_v<T, float>) {
        args.out<T>()[i] =
            static_cast<T>(double{progression_.start} + static_cast<double>(i) * double{progression_.delta});
      } else {
        // The product alone may be too large for a signed integer.
        args.out<T>()[i] = static_cast<int64_t>(static_cast<uint64_t>(progression_.start) +
                                                static_cast<uint64_t>(i) * static_cast<uint64_t>(progression_.delta));
      }
    }
    return Status();
  }

 private:
  Progression<T> progression_;
};

StepResult MakeRangeStep(const StepContext& context) {
  return WithStorage(context.OutputType(), [&](auto storage) -> StepResult {
    using T = typename decltype(storage)::type;
    LACUNA_ASSIGN_OR_RETURN(progression, ProgressionOf<T>(context.At()));
    return std::unique_ptr<Step>(new RangeStep<T>(progression));
  });
}

// ---- EyeLike

InferResult InferEyeLike(const NodeContext& at) {
  if (at.rank() != 2) return at.ShapeError(0, "have two axes");
  LACUNA_ASSIGN_OR_RETURN(to, IntAttribute(at.node, "dtype", OnnxTypeOf(at.type())));
  const std::optional<ElementType> type = ElementTypeOfOnnx(to);
  if (!type.has_value()) return at.Unsupported("attribute 'dtype' is " + std::to_string(to) + ", no numeric type");
  return std::vector<TensorInfo>{{*type, at.shape(0)}};
}

template <class T>
class EyeStep : public Step {
 public:
  EyeStep(const StepContext& context, int64_t diagonal)
      : Step({}), rows_(context.OutputShape()[0]), columns_(context.OutputShape()[1]), diagonal_(diagonal) {}
  Status Run(const StepArgs& args) const override {
    for (int64_t r = 0; r < rows_; ++r) {
      for (int64_t c = 0; c < columns_; ++c) args.out<T>()[r * columns_ + c] = c - r == diagonal_ ? T{1} : T{0};
    }
    return Status();
  }

 private:
  int64_t rows_, columns_, diagonal_;
};

StepResult MakeEyeLikeStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(diagonal, IntAttribute(*context.layer.node, "k", 0));
  return MakeStored<EyeStep>(context.OutputType(), context, diagonal);
}

// ---- Trilu: one triangle of each matrix, the other zero

Result<int64_t> DiagonalOf(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, at.Integers(1));
  if (!given.has_value()) return int64_t{0};
  if (given->size() != 1) return at.ShapeError(1, "be a scalar");
  return std::clamp<int64_t>((*given)[0], -kMaxTensorElements, kMaxTensorElements);
}

InferResult InferTrilu(const NodeContext& at) {
  if (at.rank() < 2) return at.ShapeError(0, "have at least two axes");
  LACUNA_RETURN_IF_ERROR(DiagonalOf(at).status());
  return SameAsInput(at);
}

template <class T>
class TriluStep : public Step {
 public:
  TriluStep(const StepContext& context, bool upper, int64_t diagonal)
      : Step({context.layer.node->inputs[0]}), upper_(upper), diagonal_(diagonal) {
    const Shape& x = context.InputShape(0);
    rows_ = x[x.size() - 2];
    columns_ = x.back();
    lines_ = columns_ == 0 ? 0 : Elements(x) / columns_;
  }

  Status Run(const StepArgs& args) const override {
    for (int64_t line = 0; line < lines_; ++line) {
      const int64_t edge = line % rows_ + diagonal_;  // the column on the diagonal
      const int64_t split = std::clamp<int64_t>(upper_ ? edge : edge + 1, 0, columns_);
      const T* x = args.in<T>(0) + line * columns_;
      T* y = args.out<T>() + line * columns_;
      if (upper_) {
        std::copy(x + split, x + columns_, std::fill_n(y, split, T{0}));
      } else {
        std::fill_n(std::copy_n(x, split, y), columns_ - split, T{0});
      }
    }
    return Status();
  }

 private:
  bool upper_;
  int64_t diagonal_, rows_, columns_, lines_;
};

StepResult MakeTriluStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(upper, IntAttribute(*context.layer.node, "upper", 1));
  LACUNA_ASSIGN_OR_RETURN(diagonal, DiagonalOf(context.At()));
  return MakeStored<TriluStep>(context.OutputType(), context, upper != 0, diagonal);
}

constexpr Operator kConstructionOperators[] = {
    {"ConstantOfShape", 1, 1, 1, InferConstantOfShape, MakeConstantOfShapeStep},
    {"EyeLike", 1, 1, 1, InferEyeLike, MakeEyeLikeStep},
    {"Range", 3, 3, 1, InferRange, MakeRangeStep},
    {"Trilu", 1, 2, 1, InferTrilu, MakeTriluStep},
};

}  // namespace

std::span<const Operator> ConstructionOperators() { return kConstructionOperators; }

}  // namespace graph
