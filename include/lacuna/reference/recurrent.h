// Recurrent layers by naive loops in double precision: the definition of correct.

#ifndef LACUNA_REFERENCE_RECURRENT_H_
#define LACUNA_REFERENCE_RECURRENT_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/recurrent.h"
#include "lacuna/core/status.h"
#include "lacuna/core/view.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI::reference {

// A gate function, in double.
inline double Activate(const GateFunction& function, double v) {
  const double alpha = double{function.alpha}, beta = double{function.beta};
  switch (function.activation) {
    case GateActivation::kRelu: return v < 0.0 ? 0.0 : v;
    case GateActivation::kTanh: return std::tanh(v);
    case GateActivation::kSigmoid: return 1.0 / (1.0 + std::exp(-v));
    case GateActivation::kAffine: return alpha * v + beta;
    case GateActivation::kLeakyRelu: return v < 0.0 ? alpha * v : v;
    case GateActivation::kThresholdedRelu: return v < alpha ? 0.0 : v;
    case GateActivation::kScaledTanh: return alpha * std::tanh(beta * v);
    case GateActivation::kHardSigmoid: {
      const double line = alpha * v + beta;
      return std::isnan(line) ? line : std::clamp(line, 0.0, 1.0);
    }
    case GateActivation::kElu: return v < 0.0 ? alpha * std::expm1(v) : v;
    case GateActivation::kSoftsign: return v / (1.0 + std::abs(v));
    case GateActivation::kSoftplus: return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v)));
  }
  return v;
}

inline double Clip(double v, double clip) { return std::isnan(v) ? v : std::clamp(v, -clip, clip); }

// bias + sum over i of w[i] * x[i].
inline double Affine(float bias, const float* w, const double* x, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) sum += double{w[i]} * x[i];
  return sum + double{bias};
}

// Dense, gates in ONNX's order: GRU z, r, h; LSTM i, o, f, c.
struct RecurrentWeights {
  int64_t input = 0, hidden = 0;
  std::span<const float> w;  // [gates * hidden][input]
  std::span<const float> r;  // [gates * hidden][hidden]
};

// One cell, a step at a time. Number is double, or a type with its arithmetic, constructible from double, and Activate,
// Clip and Affine of its own: bounds of rounding errors are computed that way.
template <class Number, RecurrentOptions Options>
class RecurrentCell {
 public:
  // `weights` and the spans of `options` must outlive the cell.
  static Result<RecurrentCell> Make(const RecurrentWeights& weights, const Options& options) {
    RecurrentCell cell(weights, options);
    if (weights.input < 1 || weights.hidden < 1) {
      return Status::InvalidArgument("weights have %lld inputs and %lld hidden units, must have at least 1 of each",
                                     static_cast<long long>(weights.input), static_cast<long long>(weights.hidden));
    }
    LACUNA_RETURN_IF_ERROR(options.Validate(weights.hidden));
    const int64_t rows = Options::kGates * weights.hidden;
    if (static_cast<int64_t>(weights.w.size()) != rows * weights.input ||
        static_cast<int64_t>(weights.r.size()) != rows * weights.hidden) {
      return Status::InvalidArgument("weights.w has %zu values and weights.r %zu, must have %lld and %lld",
                                     weights.w.size(), weights.r.size(), static_cast<long long>(rows * weights.input),
                                     static_cast<long long>(rows * weights.hidden));
    }
    LACUNA_ASSIGN_OR_RETURN(x, Buffer<Number>::Make(static_cast<size_t>(weights.input)));
    LACUNA_ASSIGN_OR_RETURN(reset, Buffer<Number>::Make(static_cast<size_t>(weights.hidden)));
    LACUNA_ASSIGN_OR_RETURN(next, Buffer<Number>::Make(static_cast<size_t>(weights.hidden)));
    cell.x_ = std::move(x);
    cell.reset_ = std::move(reset);
    cell.next_ = std::move(next);
    return cell;
  }

  // h, and c of an LSTM, are [hidden]: of step t - 1 before, of step t afterwards.
  void Step(const float* x, int64_t x_stride, Number* h, Number* c) {
    for (size_t i = 0; i < x_.size(); ++i) x_[i] = Number(double{x[static_cast<int64_t>(i) * x_stride]});
    Next(options_, h, c);
    std::copy(next_.begin(), next_.end(), h);
  }

 private:
  RecurrentCell(const RecurrentWeights& weights, const Options& options) : weights_(weights), options_(options) {}

  void Next(const RnnOptions& o, const Number* h, Number*) {
    for (int64_t i = 0; i < weights_.hidden; ++i) next(i) = Apply(o.f, W(0, i) + R(0, i, h));
  }
  void Next(const GruOptions& o, const Number* h, Number*) {
    for (int64_t i = 0; i < weights_.hidden; ++i) {
      const Number r = Apply(o.f, W(1, i) + R(1, i, h));
      reset_[static_cast<size_t>(i)] = o.linear_before_reset ? r : r * h[i];
    }
    for (int64_t i = 0; i < weights_.hidden; ++i) {
      const Number n = Apply(o.g, o.linear_before_reset ? W(2, i) + reset_[static_cast<size_t>(i)] * R(2, i, h)
                                                        : W(2, i) + R(2, i, reset_.data()));
      const Number z = Apply(o.f, W(0, i) + R(0, i, h));
      next(i) = (Number(1.0) - z) * n + z * h[i];
    }
  }
  void Next(const LstmOptions& o, const Number* h, Number* c) {
    const auto peephole = [&](int64_t gate, int64_t i, const Number& state) {
      if (o.peephole.empty()) return Number(0.0);
      return Number(double{o.peephole[static_cast<size_t>(gate * weights_.hidden + i)]}) * state;
    };
    for (int64_t i = 0; i < weights_.hidden; ++i) {
      const Number in = Apply(o.f, W(0, i) + R(0, i, h) + peephole(0, i, c[i]));
      const Number forget = o.input_forget ? Number(1.0) - in : Apply(o.f, W(2, i) + R(2, i, h) + peephole(2, i, c[i]));
      c[i] = forget * c[i] + in * Apply(o.g, W(3, i) + R(3, i, h));
      const Number out = Apply(o.f, W(1, i) + R(1, i, h) + peephole(1, i, c[i]));
      next(i) = out * Apply(o.h, c[i]);
    }
  }

  Number& next(int64_t i) { return next_[static_cast<size_t>(i)]; }
  Number Apply(const GateFunction& function, const Number& v) const {
    return Activate(function, Clip(v, double{options_.clip}));
  }
  // Row `i` of a gate of W x + Wb and of R h + Rb.
  Number W(int64_t gate, int64_t i) const {
    const int64_t row = gate * weights_.hidden + i;
    return Affine(Bias(row), weights_.w.data() + row * weights_.input, x_.data(), weights_.input);
  }
  Number R(int64_t gate, int64_t i, const Number* h) const {
    const int64_t row = gate * weights_.hidden + i;
    return Affine(Bias(Options::kGates * weights_.hidden + row), weights_.r.data() + row * weights_.hidden, h,
                  weights_.hidden);
  }
  float Bias(int64_t i) const { return options_.bias.empty() ? 0.0f : options_.bias[static_cast<size_t>(i)]; }

  RecurrentWeights weights_;
  Options options_;
  Buffer<Number> x_, reset_, next_;
};

// A sequence: x is (time, batch, input), y (time, batch, hidden), h and c hidden x batch, initial states before and
// final ones afterwards; c of an LSTM only. y may have no data. Entry b of the batch has lengths[b] steps, all if
// `lengths` is empty; y is zero at the others, and they leave the state alone.
template <class Number, RecurrentOptions Options>
Status Recurrent(const RecurrentWeights& weights, const Options& options, Direction direction,
                 std::span<const int32_t> lengths, const TensorView<const float, 3>& x, const TensorView<Number, 3>& y,
                 const MatrixView<Number>& h, const MatrixView<Number>& c = {}) {
  using Cell = RecurrentCell<Number, Options>;
  LACUNA_ASSIGN_OR_RETURN(cell, Cell::Make(weights, options));
  const int64_t steps = x.extent[0], batch = x.extent[1];
  LACUNA_RETURN_IF_ERROR(CheckView("x", x, {steps, batch, weights.input}));
  if (y.data != nullptr) LACUNA_RETURN_IF_ERROR(CheckView("y", y, {steps, batch, weights.hidden}));
  const auto fits = [&](const MatrixView<Number>& state) {
    return state.data != nullptr && state.rows == weights.hidden && state.columns == batch;
  };
  if (!fits(h) || (Options::kHasCellState && !fits(c))) {
    return Status::InvalidArgument("h and c must be %lld x %lld", static_cast<long long>(weights.hidden),
                                   static_cast<long long>(batch));
  }
  if (!lengths.empty() && static_cast<int64_t>(lengths.size()) != batch) {
    return Status::InvalidArgument("lengths has %zu values, must have %lld or none", lengths.size(),
                                   static_cast<long long>(batch));
  }
  LACUNA_ASSIGN_OR_RETURN(state, Buffer<Number>::Make(static_cast<size_t>(2 * weights.hidden)));
  Number* const state_h = state.data();
  Number* const state_c = state_h + weights.hidden;
  const auto each = [&](const auto& f) {
    for (int64_t i = 0; i < weights.hidden; ++i) f(i);
  };
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = lengths.empty() ? steps : int64_t{lengths[static_cast<size_t>(b)]};
    if (length < 0 || length > steps) {
      return Status::InvalidArgument("lengths[%lld] is %lld, must be in [0, %lld]", static_cast<long long>(b),
                                     static_cast<long long>(length), static_cast<long long>(steps));
    }
    const auto at = [b](const MatrixView<Number>& view, int64_t i) -> Number& {
      return view.data[i * view.row_stride + b * view.column_stride];
    };
    each([&](int64_t i) {
      state_h[i] = at(h, i);
      if constexpr (Options::kHasCellState) state_c[i] = at(c, i);
    });
    for (int64_t s = 0; s < steps; ++s) {
      const int64_t t = direction == Direction::kForward ? s : steps - 1 - s;
      if (t < length) cell.Step(x.data + t * x.stride[0] + b * x.stride[1], x.stride[2], state_h, state_c);
      if (y.data == nullptr) continue;
      Number* out = y.data + t * y.stride[0] + b * y.stride[1];
      each([&](int64_t i) { out[i * y.stride[2]] = t < length ? state_h[i] : Number(0.0); });
    }
    each([&](int64_t i) {
      at(h, i) = state_h[i];
      if constexpr (Options::kHasCellState) at(c, i) = state_c[i];
    });
  }
  return Status();
}

LACUNA_INSTANCE(class LACUNA_API RecurrentCell<double, RnnOptions>);
LACUNA_INSTANCE(class LACUNA_API RecurrentCell<double, GruOptions>);
LACUNA_INSTANCE(class LACUNA_API RecurrentCell<double, LstmOptions>);
LACUNA_INSTANCE(LACUNA_API Status Recurrent(const RecurrentWeights&, const RnnOptions&, Direction,
                                            std::span<const int32_t>, const TensorView<const float, 3>&,
                                            const TensorView<double, 3>&, const MatrixView<double>&,
                                            const MatrixView<double>&));
LACUNA_INSTANCE(LACUNA_API Status Recurrent(const RecurrentWeights&, const GruOptions&, Direction,
                                            std::span<const int32_t>, const TensorView<const float, 3>&,
                                            const TensorView<double, 3>&, const MatrixView<double>&,
                                            const MatrixView<double>&));
LACUNA_INSTANCE(LACUNA_API Status Recurrent(const RecurrentWeights&, const LstmOptions&, Direction,
                                            std::span<const int32_t>, const TensorView<const float, 3>&,
                                            const TensorView<double, 3>&, const MatrixView<double>&,
                                            const MatrixView<double>&));

}  // namespace lacuna::inline LACUNA_ABI::reference

#endif  // LACUNA_REFERENCE_RECURRENT_H_
