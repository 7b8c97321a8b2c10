// IndexMapStep: outputs that take elements of the input along each axis on its own.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_INDEX_MAP_STEP_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_INDEX_MAP_STEP_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "graph/operators/axis_view.h"
#include "graph/step.h"

namespace graph {

// y[i, j, ...] = x[index[0][i], index[1][j], ...], or `fill` where an index is negative.
template <class T>
class IndexMapStep : public Step {
 public:
  IndexMapStep(const StepContext& context, std::vector<Shape> index, T fill = T{})
      : Step({context.layer.node->inputs[0]}), index_(std::move(index)), fill_(fill) {
    const Shape& x = context.InputShape(0);
    stride_ = StridesOf(x);
    // Trailing axes that are taken whole are copied as one run.
    while (!index_.empty() && TakesAll(index_.back(), x[index_.size() - 1])) {
      run_ *= x[index_.size() - 1];
      index_.pop_back();
    }
    elements_ = Elements(context.OutputShape());
    if (!index_.empty()) FindSpans();
  }

  Status Run(const StepArgs& args) const override {
    if (elements_ == 0) return Status();
    const int64_t row_elements = run_ * (index_.empty() ? 1 : static_cast<int64_t>(index_.back().size()));
    const auto copy_rows = [&](size_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        T* y = args.out<T>() + row * row_elements;
        const int64_t offset = RowOffset(row);
        if (offset < 0) {
          std::fill_n(y, row_elements, fill_);
        } else {
          CopyRow(args.in<T>(0) + offset, y);
        }
      }
    };
    if (elements_ < kMinShared) {
      copy_rows(0, 0, elements_ / row_elements);
    } else {
      args.threads.parallel_ranges(elements_ / row_elements, copy_rows);
    }
    return Status();
  }

 private:
  // Less than this is copied sooner than it is dealt out.
  static constexpr int64_t kMinShared = int64_t{1} << 14;

  // Indices of the last axis that follow each other, or that are all negative.
  struct Span {
    int64_t first, count;
  };

  static bool TakesAll(const Shape& index, int64_t extent) {
    if (static_cast<int64_t>(index.size()) != extent) return false;
    for (size_t i = 0; i < index.size(); ++i) {
      if (index[i] != static_cast<int64_t>(i)) return false;
    }
    return true;
  }

  // Where in x the row-th row of outputs is taken from, negative for nowhere; a row runs along the last selected axis.
  int64_t RowOffset(int64_t row) const {
    int64_t offset = 0;
    for (size_t axis = index_.empty() ? 0 : index_.size() - 1; axis-- > 0;) {
      const auto extent = static_cast<int64_t>(index_[axis].size());
      const int64_t index = index_[axis][static_cast<size_t>(row % extent)];
      if (index < 0) return -1;
      offset += index * stride_[axis];
      row /= extent;
    }
    return offset;
  }

  void CopyRow(const T* x, T* y) const {
    if (index_.empty()) {
      std::copy_n(x, run_, y);
      return;
    }
    const int64_t stride = stride_[index_.size() - 1];
    if (run_ == 1 && spans_.empty()) {
      for (const int64_t i : index_.back()) *y++ = i < 0 ? fill_ : x[i * stride];
      return;
    }
    for (const Span& span : spans_) {
      const int64_t count = span.count * run_;
      y = span.first < 0 ? std::fill_n(y, count, fill_) : std::copy_n(x + span.first * stride, count, y);
    }
  }

  void FindSpans() {
    for (const int64_t i : index_.back()) {
      const bool continues =
          !spans_.empty() && (i < 0 ? spans_.back().first < 0
                                    : spans_.back().first >= 0 && spans_.back().first + spans_.back().count == i);
      if (continues) {
        ++spans_.back().count;
      } else {
        spans_.push_back({i, 1});
      }
    }
    // Single elements are better taken one by one.
    if (run_ == 1 && spans_.size() * 4 > index_.back().size()) spans_ = {};
  }

  std::vector<Shape> index_;  // of the leading axes, up to the last that is not taken whole
  std::vector<Span> spans_;   // of the last of them; none where they are short
  T fill_;
  Shape stride_;  // of x
  int64_t run_ = 1;
  int64_t elements_ = 0;
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_INDEX_MAP_STEP_H_
