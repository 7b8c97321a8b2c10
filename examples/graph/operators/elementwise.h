// Steps that compute each element alone, from one, two or three operands.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_ELEMENTWISE_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_ELEMENTWISE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "graph/operators/broadcast.h"
#include "graph/operators/storage.h"
#include "graph/simd/loops.h"
#include "graph/step.h"

namespace graph {

// y[i] = f(x[i])
template <class X, class Y, class F>
class UnaryStep : public Step {
 public:
  UnaryStep(const StepContext& context, F f)
      : Step({context.layer.node->inputs[0]}), elements_(Elements(context.OutputShape())), f_(std::move(f)) {}

  bool InPlace() const override { return sizeof(X) == sizeof(Y); }

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(elements_, [&](size_t, int64_t begin, int64_t end) {
      const X* x = args.in<X>(0);
      Y* y = args.out<Y>();
      for (int64_t i = begin; i < end; ++i) y[i] = f_(x[i]);
    });
    return Status();
  }

 private:
  int64_t elements_;
  F f_;
};

template <class X, class Y, class F>
StepResult MakeUnaryStep(const StepContext& context, F f) {
  return std::unique_ptr<Step>(new UnaryStep<X, Y, F>(context, std::move(f)));
}

// y[i] = f(x[i]) of floats, by a vector loop.
class VectorStep : public Step {
 public:
  VectorStep(const StepContext& context, Unary function, float a, float b)
      : Step({context.layer.node->inputs[0]}),
        elements_(Elements(context.OutputShape())),
        function_(ActiveLoops()[function]),
        a_(a),
        b_(b) {}

  bool InPlace() const override { return true; }

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(elements_, [&](size_t, int64_t begin, int64_t end) {
      function_(args.in(0) + begin, args.out() + begin, end - begin, a_, b_);
    });
    return Status();
  }

 private:
  int64_t elements_;
  Loops::UnaryFn function_;
  float a_, b_;
};

inline StepResult MakeVectorStep(const StepContext& context, Unary function, float a = 0.0f, float b = 0.0f) {
  return std::unique_ptr<Step>(new VectorStep(context, function, a, b));
}

// Floats to floats, by a loop that the compiler makes.
template <class F>
StepResult MakeFloatStep(const StepContext& context, F f) {
  return MakeUnaryStep<float, float>(context, std::move(f));
}

// The shape by which input 1 broadcasts to input 0. Before operator set 7 it may be aligned at an axis of input 0, and
// the slopes of a PRelu are those of channels.
inline Shape SecondOperand(const Graph& graph, const Node& node, const Shape& a, Shape b) {
  if (graph.opset >= 7 || b.size() >= a.size()) return b;
  const auto found = node.attributes.find("axis");
  const auto* axis = found == node.attributes.end() ? nullptr : std::get_if<int64_t>(&found->second);
  int64_t first = node.op == "PRelu" ? 1 : axis != nullptr ? *axis : static_cast<int64_t>(a.size() - b.size());
  if (first < 0) first += static_cast<int64_t>(a.size());
  const int64_t behind = static_cast<int64_t>(a.size() - b.size()) - first;
  if (first >= 0 && behind > 0 && Elements(b) != 1) b.insert(b.end(), static_cast<size_t>(behind), 1);
  return b;
}

// Functions that have a vector loop name it: `static constexpr Binary kLoop`.
template <class F>
concept HasLoop = requires {
  F::kLoop;
};

// y = f(a, b) with broadcasting. X and Y are how operands and results are stored.
template <class X, class Y, class F>
class BinaryStep : public Step {
 public:
  BinaryStep(const StepContext& context, F f)
      : Step(context.layer.node->inputs),
        walk_(context.OutputShape(),
              {context.InputShape(0),
               SecondOperand(context.graph, *context.layer.node, context.InputShape(0), context.InputShape(1))}),
        f_(std::move(f)),
        in_place_(context.InputShape(0) == context.OutputShape() && sizeof(X) == sizeof(Y)) {
    if constexpr (HasLoop<F>) loop_ = ActiveLoops()[F::kLoop];
  }

  bool InPlace() const override { return in_place_; }

  Status Run(const StepArgs& args) const override {
    const int64_t columns = walk_.columns();
    // A single long row is cut, many rows are dealt out.
    if (walk_.rows() == 1) {
      args.threads.parallel_ranges(columns, [&](size_t, int64_t begin, int64_t end) {
        Row(args.in<X>(0) + begin * walk_.stride(0), args.in<X>(1) + begin * walk_.stride(1), args.out<Y>() + begin,
            end - begin);
      });
      return Status();
    }
    args.threads.parallel_ranges(walk_.rows(), [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        Row(args.in<X>(0) + walk_.Offset(0, row), args.in<X>(1) + walk_.Offset(1, row), args.out<Y>() + row * columns,
            columns);
      }
    });
    return Status();
  }

 private:
  void Row(const X* a, const X* b, Y* y, int64_t columns) const {
    const bool walks_a = walk_.stride(0) != 0;
    const bool walks_b = walk_.stride(1) != 0;
    if constexpr (HasLoop<F>) {
      loop_({a, walks_a}, {b, walks_b}, y, columns);
      return;
    }
    if (walks_a && walks_b) {
      for (int64_t i = 0; i < columns; ++i) y[i] = f_(a[i], b[i]);
    } else if (walks_a) {
      const X right = *b;
      for (int64_t i = 0; i < columns; ++i) y[i] = f_(a[i], right);
    } else if (walks_b) {
      const X left = *a;
      for (int64_t i = 0; i < columns; ++i) y[i] = f_(left, b[i]);
    } else {
      std::fill_n(y, columns, f_(*a, *b));
    }
  }

  Broadcast<2> walk_;
  F f_;
  Loops::BinaryFn loop_ = nullptr;
  bool in_place_;
};

template <class X, class Y, class F>
StepResult MakeBinaryStep(const StepContext& context, F f) {
  return std::unique_ptr<Step>(new BinaryStep<X, Y, F>(context, std::move(f)));
}

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_ELEMENTWISE_H_
