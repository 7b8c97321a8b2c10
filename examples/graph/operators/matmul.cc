// MatMul and Gemm, of weights or of two computed operands; Einsum.

#include <algorithm>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/einsum.h"
#include "graph/operators/weight_step.h"
#include "graph/shape_inference.h"
#include "graph/simd/loops.h"

namespace graph {
namespace {

// A stack of matrices that may be read transposed.
struct Operand {
  int64_t row_stride = 0, column_stride = 0;
  std::vector<int64_t> offset;  // of the matrix in each product of the stack

  Operand(int64_t rows, int64_t columns, bool transposed)
      : row_stride(transposed ? 1 : columns), column_stride(transposed ? rows : 1), offset{0} {}
};

// Where each of the broadcast `stack` products finds its matrix of `elements` elements.
std::vector<int64_t> StackOffsets(const Shape& stack, const Shape& own, int64_t elements) {
  std::vector<int64_t> offsets(static_cast<size_t>(Elements(stack)));
  for (size_t i = 0; i < offsets.size(); ++i) {
    auto rest = static_cast<int64_t>(i);
    int64_t stride = elements;
    for (size_t axis = 0; axis < own.size(); ++axis) {  // from the last axis
      const int64_t extent = own[own.size() - 1 - axis];
      offsets[i] += (extent == 1 ? 0 : rest % stack[stack.size() - 1 - axis]) * stride;
      rest /= stack[stack.size() - 1 - axis];
      stride *= extent;
    }
  }
  return offsets;
}

// y = alpha * a b + beta * c, where c is empty or has the strides of a broadcast.
class MatMulStep : public Step {
 public:
  struct Parameters {
    int64_t m, k, n;
    Operand a, b;
    float alpha = 1.0f, beta = 0.0f;
    int64_t c_row_stride = 0, c_column_stride = 0;
  };

  MatMulStep(std::vector<std::string> inputs, Parameters parameters)
      : Step(std::move(inputs)), p_(std::move(parameters)) {}

  size_t WorkspaceBytes(size_t threads) const override { return threads * kMatMulWorkspace * sizeof(float); }

  // Panels of columns of all products are dealt out.
  Status Run(const StepArgs& args) const override {
    const Loops& loops = ActiveLoops();
    const int64_t panels = (p_.n + loops.panel - 1) / loops.panel;
    const auto products = static_cast<int64_t>(p_.a.offset.size());
    args.threads.parallel_ranges(products * panels, [&](size_t slot, int64_t begin, int64_t end) {
      float* workspace = reinterpret_cast<float*>(args.workspace.data()) + slot * kMatMulWorkspace;
      while (begin < end) {
        const int64_t product = begin / panels, first = begin % panels;
        const int64_t last = std::min(panels, first + end - begin);
        const MatMulArgs operands = OperandsOf(args, static_cast<size_t>(product));
        const int64_t columns = std::min(p_.n, last * loops.panel);
        loops.matmul(operands, first * loops.panel, columns, workspace);
        if (args.inputs.size() > 2) AddC(args.in(2), operands.y, first * loops.panel, columns);
        begin += last - first;
      }
    });
    return Status();
  }

 private:
  MatMulArgs OperandsOf(const StepArgs& args, size_t product) const {
    return {.a = args.in(0) + p_.a.offset[product],
            .a_row = p_.a.row_stride,
            .a_column = p_.a.column_stride,
            .b = args.in(1) + p_.b.offset[product],
            .b_row = p_.b.row_stride,
            .b_column = p_.b.column_stride,
            .y = args.out() + static_cast<int64_t>(product) * p_.m * p_.n,
            .y_row = p_.n,
            .rows = p_.m,
            .depth = p_.k,
            .alpha = p_.alpha};
  }

  void AddC(const float* c, float* y, int64_t first, int64_t end) const {
    for (int64_t row = 0; row < p_.m; ++row) {
      for (int64_t n = first; n < end; ++n) {
        y[row * p_.n + n] += p_.beta * c[row * p_.c_row_stride + n * p_.c_column_stride];
      }
    }
  }

  Parameters p_;
};

StepResult MakeGemmStep(const StepContext& context) {
  const Node& node = *context.layer.node;
  LACUNA_ASSIGN_OR_RETURN(alpha, FloatAttribute(node, "alpha", 1.0f));
  LACUNA_ASSIGN_OR_RETURN(beta, FloatAttribute(node, "beta", 1.0f));
  LACUNA_ASSIGN_OR_RETURN(trans_a, IntAttribute(node, "transA", 0));
  LACUNA_ASSIGN_OR_RETURN(trans_b, IntAttribute(node, "transB", 0));
  const Shape& y = context.OutputShape();
  const int64_t k = context.InputShape(0)[trans_a ? 0 : 1];
  MatMulStep::Parameters parameters{y[0],  k,   y[1], Operand(y[0], k, trans_a != 0), Operand(k, y[1], trans_b != 0),
                                    alpha, beta};
  std::vector<std::string> inputs(node.inputs.begin(), node.inputs.begin() + 2);
  if (node.HasInput(2) && ReadsC(node)) {
    inputs.push_back(node.inputs[2]);
    Shape c = context.InputShape(2);
    while (c.size() < 2) c.insert(c.begin(), 1);
    parameters.c_row_stride = c[0] == 1 ? 0 : c[1];
    parameters.c_column_stride = c[1] == 1 ? 0 : 1;
  }
  return std::unique_ptr<Step>(new MatMulStep(std::move(inputs), std::move(parameters)));
}

StepResult MakeMatMulStep(const StepContext& context) {
  const Node& node = *context.layer.node;
  LACUNA_ASSIGN_OR_RETURN(weights, WeightMatrixOf(context.graph, context.values, node));
  if (weights.has_value()) return MakeWeightStep(context, *weights);
  if (node.op == "Gemm") return MakeGemmStep(context);
  Shape a = context.InputShape(0);
  Shape b = context.InputShape(1);
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  const int64_t m = a[a.size() - 2], k = a.back(), n = b.back();
  MatMulStep::Parameters parameters{m, k, n, Operand(m, k, false), Operand(k, n, false)};
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  LACUNA_ASSIGN_OR_RETURN(stack, BroadcastShapes(node, a, b));
  parameters.a.offset = StackOffsets(stack, a, m * k);
  parameters.b.offset = StackOffsets(stack, b, k * n);
  return std::unique_ptr<Step>(new MatMulStep(node.inputs, std::move(parameters)));
}

InferResult InferGemm(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(trans_a, IntAttribute(at.node, "transA", 0));
  LACUNA_ASSIGN_OR_RETURN(trans_b, IntAttribute(at.node, "transB", 0));
  for (size_t i = 0; i < 2; ++i) {
    if (at.rank(i) != 2) return at.ShapeError(i, "have two axes");
  }
  const Shape& a = at.shape(0);
  const Shape& b = at.shape(1);
  if (a[trans_a ? 0 : 1] != b[trans_b ? 1 : 0]) return at.ShapeError(1, "fit input 0, " + ToString(a));
  const Shape y = {a[trans_a ? 1 : 0], b[trans_b ? 0 : 1]};
  if (at.node.HasInput(2)) {
    LACUNA_ASSIGN_OR_RETURN(with_c, BroadcastShapes(at.node, y, at.shape(2)));
    if (with_c != y) return at.ShapeError(2, "broadcast to " + ToString(y));
  }
  return std::vector<TensorInfo>{{at.type(), y}};
}

InferResult InferMatMul(const NodeContext& at) {
  Shape a = at.shape(0);
  Shape b = at.shape(1);
  for (size_t i = 0; i < 2; ++i) {
    if (at.rank(i) == 0) return at.ShapeError(i, "have at least one axis");
  }
  const bool vector_a = a.size() == 1;
  const bool vector_b = b.size() == 1;
  if (vector_a) a.insert(a.begin(), 1);
  if (vector_b) b.push_back(1);
  if (a.back() != b[b.size() - 2]) return at.ShapeError(1, "fit input 0, " + ToString(at.shape(0)));
  LACUNA_ASSIGN_OR_RETURN(y, BroadcastShapes(at.node, Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2)));
  if (!vector_a) y.push_back(a[a.size() - 2]);
  if (!vector_b) y.push_back(b.back());
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

constexpr Operator kMatMulOperators[] = {
    {"Einsum", 1, Operator::kAny, 1, InferEinsum, MakeEinsumStep},
    {"Gemm", 2, 3, 1, InferGemm, MakeMatMulStep},
    {"MatMul", 2, 2, 1, InferMatMul, MakeMatMulStep},
};

}  // namespace

std::span<const Operator> MatMulOperators() { return kMatMulOperators; }

}  // namespace graph
