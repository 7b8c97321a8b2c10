// TopK, ArgMax, ArgMin and CumSum: order along an axis.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "graph/attributes.h"
#include "graph/operator.h"
#include "graph/operators/axis_view.h"
#include "graph/operators/storage.h"

namespace graph {
namespace {

// Whether work on so many elements is worth being dealt out.
bool IsLarge(int64_t elements) { return elements >= int64_t{1} << 14; }

// f(slot, begin, end) over parts of [0, count), of `elements` each.
template <class F>
void ForParts(const Threads& threads, int64_t count, int64_t elements, const F& f) {
  if (!IsLarge(count * elements)) return f(size_t{0}, int64_t{0}, count);
  threads.parallel_ranges(count, f);
}

// An integer that is larger where `value` is; NaN is the largest.
int32_t OrderOf(ElementType, float value) {
  if (value != value) return std::numeric_limits<int32_t>::max();
  const auto bits = std::bit_cast<int32_t>(value);
  return bits < 0 ? std::numeric_limits<int32_t>::min() - bits : bits;  // 0 and -0 are equal
}
int64_t OrderOf(ElementType type, int64_t value) {
  return type == ElementType::kUint64 ? value ^ std::numeric_limits<int64_t>::min() : value;
}

// ---- TopK

struct Top {
  size_t axis;
  int64_t k;
  bool largest;
};

Result<Top> TopOf(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, IntAttribute(at.node, "axis", -1));
  LACUNA_ASSIGN_OR_RETURN(axis, at.Axis(given, at.rank()));
  LACUNA_ASSIGN_OR_RETURN(largest, IntAttribute(at.node, "largest", 1));
  int64_t k = 0;
  if (at.graph.opset < 10) {
    LACUNA_ASSIGN_OR_RETURN(attribute, IntAttribute(at.node, "k", 0));
    k = attribute;
  } else {
    LACUNA_ASSIGN_OR_RETURN(input, at.Integers(1));
    if (!input.has_value() || input->size() != 1) return at.Unsupported("input 1, k, must be a constant integer");
    k = (*input)[0];
  }
  if (k < 0 || k > at.shape(0)[axis]) {
    return Status::InvalidArgument("%s: k is %lld, must be in [0, %lld]", at.node.Label().c_str(),
                                   static_cast<long long>(k), static_cast<long long>(at.shape(0)[axis]));
  }
  return Top{axis, k, largest != 0};
}

InferResult InferTopK(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(top, TopOf(at));
  Shape y = at.shape(0);
  y[top.axis] = top.k;
  return std::vector<TensorInfo>{{at.type(), y}, {ElementType::kInt64, y}};
}

// Sorted whether the model asks for it or not; of equal elements the first.
template <class T>
class TopKStep : public Step {
 public:
  TopKStep(const StepContext& context, const Top& top)
      : Step({context.layer.node->inputs[0]}),
        type_(context.InputType()),
        view_(context.InputShape(0), top.axis),
        top_(top) {
    const Node& node = *context.layer.node;
    has_values_ = !node.outputs[0].empty();
    has_indices_ = node.outputs.size() > 1 && !node.outputs[1].empty();
  }

  size_t WorkspaceBytes(size_t threads) const override { return Slots(threads) * SlotBytes(); }

  Status Run(const StepArgs& args) const override {
    const int64_t lines = view_.outer * view_.inner;
    const auto slots = static_cast<int64_t>(Slots(args.threads.concurrency()));
    const auto run_slot = [&](size_t slot) {
      auto* best = reinterpret_cast<Entry*>(args.workspace.data() + slot * SlotBytes());
      const auto i = static_cast<int64_t>(slot);
      for (int64_t line = lines * i / slots; line < lines * (i + 1) / slots; ++line) Line(args, line, best);
    };
    if (IsLarge(lines * view_.extent)) {
      args.threads.parallel_for(static_cast<size_t>(slots), run_slot);
    } else {
      for (size_t slot = 0; slot < static_cast<size_t>(slots); ++slot) run_slot(slot);
    }
    return Status();
  }

 private:
  struct Entry {
    int64_t order, index;
    bool operator<(const Entry& other) const {  // ranks before
      return order != other.order ? order > other.order : index < other.index;
    }
  };

  // Few lines have few slots, and with them little scratch.
  size_t Slots(size_t threads) const { return std::min(threads, static_cast<size_t>(view_.outer * view_.inner)); }
  size_t SlotBytes() const { return static_cast<size_t>(top_.k) * sizeof(Entry); }

  // `best` is a heap of those found so far, the one that ranks last on top.
  void Line(const StepArgs& args, int64_t line, Entry* best) const {
    const int64_t outer = line / view_.inner, inner = line % view_.inner;
    const T* x = args.in<T>(0) + outer * view_.extent * view_.inner + inner;
    for (int64_t i = 0; i < view_.extent; ++i) {
      const int64_t order = OrderOf(type_, x[i * view_.inner]);
      const Entry entry{top_.largest ? order : ~order, i};
      if (i < top_.k) {
        best[i] = entry;
        if (i + 1 == top_.k) std::make_heap(best, best + top_.k);
      } else if (entry < best[0]) {
        std::pop_heap(best, best + top_.k);
        best[top_.k - 1] = entry;
        std::push_heap(best, best + top_.k);
      }
    }
    std::sort_heap(best, best + top_.k);
    for (int64_t i = 0; i < top_.k; ++i) {
      const int64_t at = (outer * top_.k + i) * view_.inner + inner;
      if (has_values_) args.out<T>()[at] = x[best[i].index * view_.inner];
      if (has_indices_) args.out<int64_t>(has_values_ ? 1 : 0)[at] = best[i].index;
    }
  }

  ElementType type_;
  AxisView view_;
  Top top_;
  bool has_values_, has_indices_;
};

StepResult MakeTopKStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(top, TopOf(context.At()));
  return MakeStored<TopKStep>(context.InputType(), context, top);
}

// ---- ArgMax and ArgMin

InferResult InferArg(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, IntAttribute(at.node, "axis", 0));
  LACUNA_ASSIGN_OR_RETURN(axis, at.Axis(given, at.rank()));
  LACUNA_ASSIGN_OR_RETURN(keeps, IntAttribute(at.node, "keepdims", 1));
  Shape y = at.shape(0);
  if (y[axis] < 1) return at.ShapeError(0, "have elements along axis " + std::to_string(axis));
  if (keeps != 0) {
    y[axis] = 1;
  } else {
    y.erase(y.begin() + static_cast<int64_t>(axis));
  }
  return std::vector<TensorInfo>{{ElementType::kInt64, std::move(y)}};
}

template <class T>
class ArgStep : public Step {
 public:
  ArgStep(const StepContext& context, size_t axis, bool largest, bool last)
      : Step({context.layer.node->inputs[0]}),
        type_(context.InputType()),
        view_(context.InputShape(0), axis),
        largest_(largest),
        last_(last) {}

  Status Run(const StepArgs& args) const override {
    const int64_t blocks = (view_.inner + kBlock - 1) / kBlock;
    const int64_t width = std::min(kBlock, view_.inner);
    ForParts(args.threads, view_.outer * blocks, view_.extent * width, [&](size_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t outer = i / blocks, first = i % blocks * kBlock;
        Block(args.in<T>(0) + outer * view_.extent * view_.inner + first, std::min(kBlock, view_.inner - first),
              args.out<int64_t>() + outer * view_.inner + first);
      }
    });
    return Status();
  }

 private:
  // Neighbouring lines that are searched together: each row of them is contiguous.
  static constexpr int64_t kBlock = 256;
  using Order = decltype(OrderOf(ElementType(), T()));

  void Block(const T* x, int64_t width, int64_t* y) const {
    if (view_.inner == 1) {
      *y = Line(x);
      return;
    }
    Order best[kBlock];
    Order index[kBlock] = {};
    for (int64_t i = 0; i < width; ++i) best[i] = Rank(x[i]);
    for (int64_t k = 1; k < view_.extent; ++k) {
      x += view_.inner;
      for (int64_t i = 0; i < width; ++i) {
        const Order rank = Rank(x[i]);
        const bool better = last_ ? rank >= best[i] : rank > best[i];
        best[i] = better ? rank : best[i];
        index[i] = better ? static_cast<Order>(k) : index[i];
      }
    }
    std::copy_n(index, width, y);
  }

  int64_t Line(const T* x) const {
    Order best = Rank(x[0]);
    int64_t index = 0;
    for (int64_t k = 1; k < view_.extent; ++k) {
      // Soon done with most; neither holds of NaN.
      if (std::is_same_v<T, float> && (largest_ ? x[k] < x[index] : x[k] > x[index])) continue;
      const Order rank = Rank(x[k]);
      if (rank < best || (rank == best && !last_)) continue;
      best = rank;
      index = k;
    }
    return index;
  }

  Order Rank(T value) const {
    const Order order = OrderOf(type_, value);
    return largest_ ? order : ~order;
  }

  ElementType type_;
  AxisView view_;
  bool largest_, last_;
};

template <bool kLargest>
StepResult MakeArgStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(given, IntAttribute(*context.layer.node, "axis", 0));
  LACUNA_ASSIGN_OR_RETURN(axis, context.At().Axis(given, static_cast<int64_t>(context.InputShape(0).size())));
  LACUNA_ASSIGN_OR_RETURN(last, IntAttribute(*context.layer.node, "select_last_index", 0));
  return MakeStored<ArgStep>(context.InputType(), context, axis, kLargest, last != 0);
}

// ---- CumSum

InferResult InferCumSum(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(given, at.Integers(1));
  if (!given.has_value() || given->size() != 1) return at.Unsupported("input 1, the axis, must be a constant scalar");
  LACUNA_RETURN_IF_ERROR(at.Axis((*given)[0], at.rank()).status());
  return SameAsInput(at);
}

template <class T>
class CumSumStep : public Step {
 public:
  CumSumStep(const StepContext& context, size_t axis, bool exclusive, bool reverse)
      : Step({context.layer.node->inputs[0]}),
        type_(context.OutputType()),
        view_(context.InputShape(0), axis),
        exclusive_(exclusive),
        reverse_(reverse) {}

  Status Run(const StepArgs& args) const override {
    for (int64_t line = 0; line < view_.outer * view_.inner; ++line) {
      const int64_t first = line / view_.inner * view_.extent * view_.inner + line % view_.inner;
      T sum = T{};
      for (int64_t step = 0; step < view_.extent; ++step) {
        const int64_t i = first + (reverse_ ? view_.extent - 1 - step : step) * view_.inner;
        const T before = sum;
        sum = Sum(sum, args.in<T>(0)[i]);
        args.out<T>()[i] = exclusive_ ? before : sum;
      }
    }
    return Status();
  }

 private:
  // Integers wrap, which only unsigned ones may.
  T Sum(T a, T b) const {
    if constexpr (std::is_same_v<T, float>) {
      return RoundedTo(type_, a + b);
    } else {
      return Wrapped(type_, static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)));
    }
  }

  ElementType type_;
  AxisView view_;
  bool exclusive_, reverse_;
};

StepResult MakeCumSumStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(given, context.At().Integers(1));
  LACUNA_ASSIGN_OR_RETURN(axis, context.At().Axis((*given)[0], static_cast<int64_t>(context.InputShape(0).size())));
  LACUNA_ASSIGN_OR_RETURN(exclusive, IntAttribute(*context.layer.node, "exclusive", 0));
  LACUNA_ASSIGN_OR_RETURN(reverse, IntAttribute(*context.layer.node, "reverse", 0));
  return MakeStored<CumSumStep>(context.InputType(), context, axis, exclusive != 0, reverse != 0);
}

constexpr Operator kSortingOperators[] = {
    {"ArgMax", 1, 1, 1, InferArg, MakeArgStep<true>},
    {"ArgMin", 1, 1, 1, InferArg, MakeArgStep<false>},
    {"CumSum", 2, 2, 1, InferCumSum, MakeCumSumStep},
    {"TopK", 1, 2, 2, InferTopK, MakeTopKStep},
};

}  // namespace

std::span<const Operator> SortingOperators() { return kSortingOperators; }

}  // namespace graph
