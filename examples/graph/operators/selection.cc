// NonZero and NonMaxSuppression: how many results there are depends on data. They are computed once their inputs are
// known, which is when a model is imported, or for each run anew (Graph::late).

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/axis_view.h"

namespace graph {
namespace {

Status NotKnown(const NodeContext& at) { return at.Unsupported("how many results it has depends on data"); }

// Copies what inference computed.
class IntegersStep : public Step {
 public:
  explicit IntegersStep(std::vector<int64_t> values) : Step({}), values_(std::move(values)) {}

  Status Run(const StepArgs& args) const override {
    std::copy(values_.begin(), values_.end(), args.out<int64_t>());
    return Status();
  }

 private:
  std::vector<int64_t> values_;
};

// ---- NonZero: [rank, count], the indices of each element that is not 0, along each axis

std::vector<int64_t> NonZeroElements(const Tensor& x) {
  std::vector<int64_t> elements;
  for (int64_t i = 0; i < Elements(x.shape); ++i) {
    const auto at = static_cast<size_t>(i);
    if (x.IsFloats() ? x.floats[at] != 0.0f : x.integers[at] != 0) elements.push_back(i);
  }
  return elements;
}

InferResult InferNonZero(const NodeContext& at) {
  const Tensor* x = at.Constant(0);
  if (x == nullptr) return NotKnown(at);
  const auto count = static_cast<int64_t>(NonZeroElements(*x).size());
  return std::vector<TensorInfo>{{ElementType::kInt64, {std::max<int64_t>(at.rank(), 1), count}}};
}

StepResult MakeNonZeroStep(const StepContext& context) {
  const Tensor& x = *context.At().Constant(0);
  const Shape shape = x.shape.empty() ? Shape{1} : x.shape;
  const Shape strides = StridesOf(shape);
  std::vector<int64_t> indices;
  const std::vector<int64_t> elements = NonZeroElements(x);
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    for (const int64_t element : elements) indices.push_back(element / strides[axis] % shape[axis]);
  }
  return std::unique_ptr<Step>(new IntegersStep(std::move(indices)));
}

// ---- NonMaxSuppression: [count, 3], the batch, class and box of what is left

struct Suppression {
  const Tensor* boxes;   // [batch, boxes, 4]
  const Tensor* scores;  // [batch, classes, boxes]
  int64_t most = 0;      // boxes of a class in an item
  float overlap = 0.0f;  // of intersection and union, beyond which the box of the lower score goes
  float score = -std::numeric_limits<float>::infinity();  // which boxes must exceed
  bool centres = false;                                   // boxes are centres and extents, not two corners
};

// The one number of an optional input.
template <class T>
Result<T> Number(const NodeContext& at, size_t i, T fallback) {
  if (!at.node.HasInput(i)) return fallback;
  const Tensor* tensor = at.Constant(i);
  if (tensor == nullptr) return NotKnown(at);
  if (Elements(tensor->shape) != 1) return at.ShapeError(i, "have one element");
  return tensor->IsFloats() ? static_cast<T>(tensor->floats[0]) : static_cast<T>(tensor->integers[0]);
}

Result<Suppression> SuppressionOf(const NodeContext& at) {
  Suppression s{at.Constant(0), at.Constant(1)};
  if (at.rank(0) != 3 || at.shape(0)[2] != 4) return at.ShapeError(0, "be [batch, boxes, 4]");
  if (at.rank(1) != 3 || at.shape(1)[0] != at.shape(0)[0] || at.shape(1)[2] != at.shape(0)[1]) {
    return at.ShapeError(1, "be [batch, classes, boxes] as input 0 has them");
  }
  if (!IsFloating(at.type(0)) || !IsFloating(at.type(1))) return at.Unsupported("inputs 0 and 1 must be floats");
  if (s.boxes == nullptr || s.scores == nullptr) return NotKnown(at);
  LACUNA_ASSIGN_OR_RETURN(most, Number<int64_t>(at, 2, 0));
  LACUNA_ASSIGN_OR_RETURN(overlap, Number<float>(at, 3, 0.0f));
  LACUNA_ASSIGN_OR_RETURN(score, Number<float>(at, 4, s.score));
  LACUNA_ASSIGN_OR_RETURN(centres, IntAttribute(at.node, "center_point_box", 0));
  s.most = most;
  s.overlap = overlap;
  s.score = score;
  s.centres = centres != 0;
  return s;
}

struct Box {
  float low[2], high[2];

  Box(const float* values, bool centres) {
    for (size_t axis = 0; axis < 2; ++axis) {
      const float a = values[axis], b = values[axis + 2];
      low[axis] = centres ? a - b / 2.0f : std::min(a, b);
      high[axis] = centres ? a + b / 2.0f : std::max(a, b);
    }
  }
  float Area() const { return (high[0] - low[0]) * (high[1] - low[1]); }

  // Intersection over union; 0 where either is empty.
  float Overlap(const Box& other) const {
    float shared = 1.0f;
    for (size_t axis = 0; axis < 2; ++axis) {
      shared *= std::max(0.0f, std::min(high[axis], other.high[axis]) - std::max(low[axis], other.low[axis]));
    }
    const float all = Area() + other.Area() - shared;
    return shared > 0.0f && all > 0.0f ? shared / all : 0.0f;
  }
};

// Greedily by score, of equal ones the first.
std::vector<int64_t> Selected(const Suppression& s) {
  const int64_t batch = s.scores->shape[0], classes = s.scores->shape[1], boxes = s.scores->shape[2];
  std::vector<int64_t> selected;
  for (int64_t line = 0; line < batch * classes; ++line) {
    const float* scores = s.scores->floats.data() + line * boxes;
    const float* corners = s.boxes->floats.data() + line / classes * boxes * 4;
    std::vector<int64_t> order;
    for (int64_t i = 0; i < boxes; ++i) {
      if (scores[i] > s.score) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
    std::vector<Box> kept;
    for (const int64_t i : order) {
      if (static_cast<int64_t>(kept.size()) >= s.most) break;
      const Box box(corners + i * 4, s.centres);
      const bool suppressed =
          std::any_of(kept.begin(), kept.end(), [&](const Box& better) { return box.Overlap(better) > s.overlap; });
      if (suppressed) continue;
      kept.push_back(box);
      selected.insert(selected.end(), {line / classes, line % classes, i});
    }
  }
  return selected;
}

InferResult InferNonMaxSuppression(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(suppression, SuppressionOf(at));
  const auto count = static_cast<int64_t>(Selected(suppression).size() / 3);
  return std::vector<TensorInfo>{{ElementType::kInt64, {count, 3}}};
}

StepResult MakeNonMaxSuppressionStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(suppression, SuppressionOf(context.At()));
  return std::unique_ptr<Step>(new IntegersStep(Selected(suppression)));
}

constexpr Operator kSelectionOperators[] = {
    {"NonMaxSuppression", 2, 5, 1, InferNonMaxSuppression, MakeNonMaxSuppressionStep, /*extents_by_data=*/true},
    {"NonZero", 1, 1, 1, InferNonZero, MakeNonZeroStep, /*extents_by_data=*/true},
};

}  // namespace

std::span<const Operator> SelectionOperators() { return kSelectionOperators; }

}  // namespace graph
