#include "graph/operators/einsum.h"

#include <algorithm>
#include <map>
#include <utility>

#include "graph/attributes.h"
#include "graph/operators/axis_view.h"

namespace graph {
namespace {

constexpr char kEllipsis = '.';  // the first of the labels that stand for axes of an ellipsis; the others follow 'z'

// What an equation says once the ranks of the operands are known.
struct Equation {
  std::vector<std::string> terms;  // a label for each axis of each operand
  std::string output;
  std::map<char, int64_t> extents;
};

// Replaces "..." by a label for each axis that it stands for; they end with the same label where they broadcast.
Result<std::string> WithoutEllipsis(const NodeContext& at, std::string term, int64_t axes) {
  const size_t found = term.find("...");
  if (found == std::string::npos) return term;
  if (axes < 0 || axes > 20) return at.Unsupported("attribute 'equation' has more labels than its operand axes");
  std::string labels;
  for (int64_t i = axes; i-- > 0;) labels += static_cast<char>('0' + i);
  return term.replace(found, 3, labels);
}

Result<Equation> EquationOf(const NodeContext& at) {
  LACUNA_ASSIGN_OR_RETURN(text, StringAttribute(at.node, "equation", ""));
  std::erase(text, ' ');
  Equation equation;
  const size_t arrow = text.find("->");
  std::string left = text.substr(0, arrow);
  int64_t most = 0;  // axes of an ellipsis
  for (size_t i = 0; i < at.inputs.size(); ++i) {
    const size_t comma = left.find(',');
    if ((comma == std::string::npos) != (i + 1 == at.inputs.size())) {
      return at.Unsupported("attribute 'equation' is '" + text.substr(0, 60) + "', which has not one term an input");
    }
    const std::string term = left.substr(0, comma);
    if (comma != std::string::npos) left = left.substr(comma + 1);
    const bool ellipsis = term.find("...") != std::string::npos;
    const int64_t hidden = at.rank(i) - static_cast<int64_t>(term.size()) + 3;
    if (ellipsis) most = std::max(most, hidden);
    LACUNA_ASSIGN_OR_RETURN(labels, WithoutEllipsis(at, term, hidden));
    if (static_cast<int64_t>(labels.size()) != at.rank(i)) {
      return at.ShapeError(i, "have an axis for each label of '" + term.substr(0, 60) + "'");
    }
    for (size_t axis = 0; axis < labels.size(); ++axis) {
      if (labels[axis] == kEllipsis) return at.Unsupported("attribute 'equation' has a '.' that is no ellipsis");
      int64_t& extent = equation.extents.emplace(labels[axis], 1).first->second;
      const int64_t own = at.shape(i)[axis];
      if (extent != own && extent != 1 && own != 1)
        return at.ShapeError(i, "have equal extents where labels are equal");
      if (own != 1) extent = own;
    }
    equation.terms.push_back(std::move(labels));
  }
  if (arrow != std::string::npos) {
    LACUNA_ASSIGN_OR_RETURN(output, WithoutEllipsis(at, text.substr(arrow + 2), most));
    equation.output = output;
  } else {  // labels that occur once, in order
    for (const auto& [label, extent] : equation.extents) {
      int64_t count = 0;
      for (const std::string& term : equation.terms) count += std::count(term.begin(), term.end(), label);
      if (count == 1 || (label >= '0' && label <= '9')) equation.output += label;
    }
    std::stable_partition(equation.output.begin(), equation.output.end(), [](char c) { return c >= '0' && c <= '9'; });
  }
  for (size_t i = 0; i < equation.output.size(); ++i) {
    if (!equation.extents.contains(equation.output[i]) ||
        equation.output.find(equation.output[i], i + 1) != std::string::npos) {
      return at.Unsupported("attribute 'equation' has an output label that no operand has, or twice");
    }
  }
  return equation;
}

// Sums products over all labels that the output lacks; the last output label and the last summed one are the inner
// loops.
class EinsumStep : public Step {
 public:
  EinsumStep(const StepContext& context, const Equation& equation) : Step(context.layer.node->inputs) {
    for (const char label : equation.output) AddLoop(context, equation, label, loops_);
    for (const auto& [label, extent] : equation.extents) {
      if (equation.output.find(label) == std::string::npos) AddLoop(context, equation, label, sums_);
    }
    if (sums_.empty()) sums_.push_back({1, Shape(inputs().size(), 0)});
    elements_ = Elements(context.OutputShape());
  }

  Status Run(const StepArgs& args) const override {
    args.threads.parallel_ranges(elements_, [&](size_t, int64_t begin, int64_t end) {
      std::vector<int64_t> at(args.inputs.size());
      for (int64_t i = begin; i < end; ++i) {
        int64_t rest = i;
        std::fill(at.begin(), at.end(), 0);
        for (size_t loop = loops_.size(); loop-- > 0;) {
          const int64_t index = rest % loops_[loop].extent;
          rest /= loops_[loop].extent;
          for (size_t k = 0; k < at.size(); ++k) at[k] += index * loops_[loop].stride[k];
        }
        args.out()[i] = Sum(args, at, 0);
      }
    });
    return Status();
  }

 private:
  struct Loop {
    int64_t extent;
    Shape stride;  // of each operand
  };

  static void AddLoop(const StepContext& context, const Equation& equation, char label, std::vector<Loop>& loops) {
    Loop loop{equation.extents.at(label), {}};
    for (size_t i = 0; i < equation.terms.size(); ++i) {
      const Shape& shape = context.InputShape(i);
      const Shape strides = StridesOf(shape);
      int64_t stride = 0;  // a label that stands twice walks the diagonal
      for (size_t axis = 0; axis < shape.size(); ++axis) {
        if (equation.terms[i][axis] == label && shape[axis] != 1) stride += strides[axis];
      }
      loop.stride.push_back(stride);
    }
    loops.push_back(std::move(loop));
  }

  float Sum(const StepArgs& args, const std::vector<int64_t>& at, size_t depth) const {
    const Loop& loop = sums_[depth];
    if (depth + 1 == sums_.size()) return Inner(args, at, loop);
    double sum = 0.0;
    std::vector<int64_t> moved = at;
    for (int64_t i = 0; i < loop.extent; ++i) {
      sum += double{Sum(args, moved, depth + 1)};
      for (size_t k = 0; k < moved.size(); ++k) moved[k] += loop.stride[k];
    }
    return static_cast<float>(sum);
  }

  float Inner(const StepArgs& args, const std::vector<int64_t>& at, const Loop& loop) const {
    double sum = 0.0;
    for (int64_t i = 0; i < loop.extent; ++i) {
      float product = args.in(0)[at[0] + i * loop.stride[0]];
      for (size_t k = 1; k < at.size(); ++k) product *= args.in(k)[at[k] + i * loop.stride[k]];
      sum += double{product};
    }
    return static_cast<float>(sum);
  }

  std::vector<Loop> loops_, sums_;
  int64_t elements_ = 0;
};

}  // namespace

InferResult InferEinsum(const NodeContext& at) {
  if (!IsFloating(at.type())) return at.Unsupported("its inputs must be floats");
  LACUNA_ASSIGN_OR_RETURN(equation, EquationOf(at));
  Shape y;
  for (const char label : equation.output) y.push_back(equation.extents.at(label));
  return std::vector<TensorInfo>{{at.type(), std::move(y)}};
}

StepResult MakeEinsumStep(const StepContext& context) {
  LACUNA_ASSIGN_OR_RETURN(equation, EquationOf(context.At()));
  return std::unique_ptr<Step>(new EinsumStep(context, equation));
}

}  // namespace graph
