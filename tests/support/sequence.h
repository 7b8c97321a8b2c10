// SequenceProblem: a recurrent layer with data and the result of reference/, against which cells and layers are
// checked.

#ifndef LACUNA_TESTS_SUPPORT_SEQUENCE_H_
#define LACUNA_TESTS_SUPPORT_SEQUENCE_H_

#include "lacuna/reference/rounded.h"
#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/for_each_target.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/plans.h"
#include "tests/support/random.h"
#include "tests/support/tensor.h"

namespace lacuna::test {

using reference::Rounded;

// Small integers all the way: gates of 0 and 1, and clipped arguments.
inline constexpr GateFunction kStep = {GateActivation::kHardSigmoid, 1.0f, 0.0f};
inline constexpr GateFunction kIdentity = GateFunction::Of(GateActivation::kAffine);

template <RecurrentOptions Options>
struct SequenceSetup {
  int64_t input = 5, hidden = 7, batch = 2, steps = 4;
  Options options{};  // spans are filled in
  bool bias = true, peephole = false;
  Direction direction = Direction::kForward;
  std::vector<int32_t> lengths{};
  bool batch_first = false;  // ONNX's layout 1
  Layout layout = Layout::kPlanar;
  double density = 1.0;
  const char* scheme = nullptr;  // weights are pruned by it
  bool integers = false;
  uint32_t seed = 1;
};

struct SequenceOutputs {
  std::vector<float> y, h, c;  // [time][batch][hidden], [batch][hidden]

  friend bool operator==(const SequenceOutputs& a, const SequenceOutputs& b) {
    // Bits: NaN equals itself, and zeros have signs.
    const auto same = [](const std::vector<float>& left, const std::vector<float>& right) {
      return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                        [](float u, float v) { return std::bit_cast<uint32_t>(u) == std::bit_cast<uint32_t>(v); });
    };
    return same(a.y, b.y) && same(a.h, b.h) && same(a.c, b.c);
  }
};

inline constexpr const char* kFormats[] = {"dense", "csr", "block", "bcr"};

// `format` is one of kFormats or a scheme.
inline AnyWeights<float> InFormat(std::string_view format, const std::vector<float>& values, int64_t rows,
                                  int64_t columns) {
  auto dense = DenseWeights<float>::CopyOf({.rows = rows, .columns = columns}, values);
  REQUIRE(dense.ok());
  const auto from = [](auto weights) -> AnyWeights<float> {
    REQUIRE(weights.ok());
    return *std::move(weights);
  };
  if (format == "csr") return from(CsrWeights<float>::FromDense(*dense));
  if (format == "block") return from(BlockWeights<float>::FromDense(*dense, BlockShape{4, 2}));
  if (format == "bcr") return from(BcrWeights<float>::FromDense(*dense, BlockShape{8, 4}));
  if (format == "dense") return *std::move(dense);
  const auto scheme = prune::ParseScheme(format);
  REQUIRE(scheme.ok());
  return from(prune::Project(*dense, *scheme, 1));
}

template <RecurrentOptions Options>
class SequenceProblem {
 public:
  explicit SequenceProblem(const SequenceSetup<Options>& setup) : setup_(setup) {
    const int64_t rows = Options::kGates * setup.hidden;
    Fill(w_, rows * setup.input, 0, setup.input);
    Fill(r_, rows * setup.hidden, 1, setup.hidden);
    Thin(w_, setup.seed, setup.density);
    Thin(r_, setup.seed + 1, setup.density);
    if (setup.scheme != nullptr) {
      w_ = Expand(InFormat(setup.scheme, w_, rows, setup.input));
      r_ = Expand(InFormat(setup.scheme, r_, rows, setup.hidden));
    }
    Fill(x_, setup.steps * setup.batch * setup.input, 2, 1);
    Fill(h_, setup.batch * setup.hidden, 3, 1);
    if (Options::kHasCellState) Fill(c_, setup.batch * setup.hidden, 4, 1);
    if (setup.bias) Fill(bias_, 2 * rows, 5, 4);
    if (setup.peephole) Fill(peephole_, 3 * setup.hidden, 6, 4);
    setup_.options.bias = bias_;
    if constexpr (Options::kHasCellState) setup_.options.peephole = peephole_;
    Expect();
  }
  SequenceProblem(const SequenceProblem&) = delete;
  SequenceProblem& operator=(const SequenceProblem&) = delete;

  const SequenceSetup<Options>& setup() const { return setup_; }
  const Options& options() const { return setup_.options; }
  SequenceShape shape(int64_t steps) const {
    return {.batch = setup_.batch, .steps = steps, .direction = setup_.direction};
  }
  AnyWeights<float> input(std::string_view format = "dense") const {
    return InFormat(format, w_, Options::kGates * setup_.hidden, setup_.input);
  }
  AnyWeights<float> recurrent(std::string_view format = "dense") const {
    return InFormat(format, r_, Options::kGates * setup_.hidden, setup_.hidden);
  }
  std::vector<float>& x() { return x_; }
  std::vector<float>& h() { return h_; }
  std::vector<float>& c() { return c_; }
  std::pair<std::span<const float>, std::span<const float>> dense() const { return {w_, r_}; }

  // All steps, `chunk` of them a Run.
  template <Executor E = const SerialExecutor>
  SequenceOutputs Run(const RecurrentLayer<Options>& layer, int64_t chunk, E&& executor = SerialExecutor{}) const {
    State state(*this);
    Guarded x(*this, setup_.input), y(*this, setup_.hidden);
    x.Load(x_);
    GuardedBuffer<std::byte> workspace(layer.WorkspaceBytes(executor.concurrency()));
    std::fill(workspace.begin(), workspace.end(), std::byte{0xff});
    const int64_t steps = setup_.steps;
    for (int64_t done = 0; done < steps; done += chunk) {
      const int64_t count = std::min(chunk, steps - done);
      const int64_t first = setup_.direction == Direction::kForward ? done : steps - done - count;
      std::vector<int32_t> lengths = setup_.lengths;
      for (int32_t& length : lengths) length = static_cast<int32_t>(std::clamp<int64_t>(length - first, 0, count));
      const TensorView<float, 3> in = x.Steps(first, count);
      const Status status = layer.Run({in.data, in.extent, in.stride}, y.Steps(first, count), state.view(),
                                      {.workspace = workspace.span(), .lengths = lengths}, executor);
      Require(status);
    }
    CHECK(y.tensor.GapsUntouched());
    CHECK(state.GapsUntouched());
    return {y.Values(), state.h.Values(), Options::kHasCellState ? state.c.Values() : std::vector<float>()};
  }

  // Step by step. Every sequence must have all steps.
  template <Executor E = const SerialExecutor>
  SequenceOutputs Run(const RecurrentCell<Options>& cell, E&& executor = SerialExecutor{}) const {
    REQUIRE(setup_.lengths.empty());
    State state(*this);
    Guarded x(*this, setup_.input);
    x.Load(x_);
    GuardedBuffer<std::byte> workspace(cell.WorkspaceBytes(executor.concurrency(), setup_.batch));
    std::fill(workspace.begin(), workspace.end(), std::byte{0xff});
    const auto step_floats = static_cast<size_t>(setup_.batch * setup_.hidden);
    SequenceOutputs outputs;
    outputs.y.resize(static_cast<size_t>(setup_.steps) * step_floats);
    for (int64_t s = 0; s < setup_.steps; ++s) {
      const int64_t t = setup_.direction == Direction::kForward ? s : setup_.steps - 1 - s;
      const TensorView<float, 3> in = x.Steps(t, 1);
      Require(cell.Run({in.data, setup_.input, setup_.batch, in.stride[2], in.stride[1]}, state.view(),
                       {.workspace = workspace.span()}, executor));
      const std::vector<float> h = state.h.Values();
      std::copy(h.begin(), h.end(), outputs.y.begin() + t * static_cast<int64_t>(step_floats));
    }
    CHECK(state.GapsUntouched());
    outputs.h = state.h.Values();
    if (Options::kHasCellState) outputs.c = state.c.Values();
    return outputs;
  }

  void Check(const SequenceOutputs& actual) const {
    Compare("y", actual.y, y_expected_);
    Compare("h", actual.h, h_expected_);
    Compare("c", actual.c, c_expected_);
  }
  template <class Plan>
  static const Plan& Ok(const Result<Plan>& plan) {
    Require(plan.status());
    return *plan;
  }

  // Bounds that allow anything prove nothing.
  double LargestError() const {
    double error = 0;
    for (const Rounded& v : y_expected_) error = std::max(error, v.error);
    return error;
  }

 private:
  // A tensor of axes (time, batch, units) in either of ONNX's layouts.
  class Guarded {
   public:
    Guarded(const SequenceProblem& problem, int64_t units)
        : steps_(problem.setup_.steps),
          batch_(problem.setup_.batch),
          units_(units),
          batch_first_(problem.setup_.batch_first),
          tensor(batch_first_ ? Extents<3>{batch_, steps_, units} : Extents<3>{steps_, batch_, units},
                 problem.setup_.layout) {}

    TensorView<float, 3> Steps(int64_t first, int64_t count) {
      TensorView<float, 3> view = tensor.view();
      if (batch_first_) std::swap(view.stride[0], view.stride[1]);
      return {view.data + first * view.stride[0], {count, batch_, units_}, view.stride};
    }
    // [time][batch][unit]
    void Load(const std::vector<float>& values) {
      tensor.Load(batch_first_ ? SwapAxes(values, steps_, batch_) : values);
    }
    std::vector<float> Values() const {
      return batch_first_ ? SwapAxes(tensor.Values(), batch_, steps_) : tensor.Values();
    }

   private:
    // From [outer][inner][unit] to [inner][outer][unit].
    std::vector<float> SwapAxes(const std::vector<float>& values, int64_t outer, int64_t inner) const {
      std::vector<float> swapped(values.size());
      for (int64_t i = 0; i < outer * inner; ++i) {
        std::copy_n(values.begin() + i * units_, units_, swapped.begin() + (i % inner * outer + i / inner) * units_);
      }
      return swapped;
    }

    int64_t steps_, batch_, units_;
    bool batch_first_;

   public:
    GuardedTensor<3> tensor;
  };

  // The caller's state.
  struct State {
    explicit State(const SequenceProblem& problem)
        : h({problem.setup_.batch, problem.setup_.hidden}, problem.setup_.layout),
          c({problem.setup_.batch, problem.setup_.hidden}, problem.setup_.layout) {
      h.Load(problem.h_);
      if (Options::kHasCellState) c.Load(problem.c_);
    }
    RecurrentState view() {
      const auto matrix = [](const TensorView<float, 2>& v) {
        return MatrixView<float>{v.data, v.extent[1], v.extent[0], v.stride[1], v.stride[0]};
      };
      RecurrentState state{.h = matrix(h.view())};
      if (Options::kHasCellState) state.c = matrix(c.view());
      return state;
    }
    bool GapsUntouched() const { return h.GapsUntouched() && c.GapsUntouched(); }

    GuardedTensor<2> h, c;
  };

  static void Require(const Status& status) {
    const std::string message = status.message();
    CAPTURE(message);
    REQUIRE(status.ok());
  }
  static std::vector<float> Expand(const AnyWeights<float>& weights) {
    const auto dense = weights.ToDense();
    Require(dense.status());
    return {dense->values().begin(), dense->values().end()};
  }

  void Fill(std::vector<float>& values, int64_t size, uint32_t offset, int64_t terms) {
    values.resize(static_cast<size_t>(size));
    if (setup_.integers) return FillIntegers(values, setup_.seed + offset, terms == 1 ? 2 : 1);
    FillGaussian(values, setup_.seed + offset, 0.7f / std::sqrt(static_cast<float>(terms)));
  }

  void Expect() {
    const auto& s = setup_;
    const auto round = [](const std::vector<float>& from) {
      std::vector<Rounded> to(from.size());
      std::transform(from.begin(), from.end(), to.begin(), [](float v) { return Rounded(double{v}); });
      return to;
    };
    y_expected_.resize(static_cast<size_t>(s.steps * s.batch * s.hidden));
    h_expected_ = round(h_);
    c_expected_ = round(c_);
    const auto state = [&](std::vector<Rounded>& values) {
      return MatrixView<Rounded>::ColumnMajor(values.data(), s.hidden, s.batch);
    };
    Require(reference::Recurrent<Rounded>(
        reference::RecurrentWeights{s.input, s.hidden, w_, r_}, s.options, s.direction, s.lengths,
        TensorView<const float, 3>::Planar(x_.data(), {s.steps, s.batch, s.input}),
        TensorView<Rounded, 3>::Planar(y_expected_.data(), {s.steps, s.batch, s.hidden}), state(h_expected_),
        state(c_expected_)));
  }

  void Compare(const char* name, const std::vector<float>& actual, const std::vector<Rounded>& expected) const {
    REQUIRE(actual.size() == expected.size());
    size_t wrong = 0, first = 0;
    for (size_t i = 0; i < actual.size(); ++i) {
      const double difference = std::abs(double{actual[i]} - expected[i].value);
      // Negated so that a NaN counts as wrong.
      if (!(difference <= (setup_.integers ? 0.0 : expected[i].error)) && wrong++ == 0) first = i;
    }
    CHECK_MESSAGE(wrong == 0, wrong, " of ", actual.size(), " values of ", name, " are wrong; the first at ", first,
                  " is ", actual[first], ", must be ", expected[first].value, " within ", expected[first].error);
  }

  SequenceSetup<Options> setup_;
  std::vector<float> w_, r_, x_, h_, c_, bias_, peephole_;
  std::vector<Rounded> y_expected_, h_expected_, c_expected_;
};

// A layer and, where every sequence has all steps, a cell of those weights, on every target.
template <RecurrentOptions Options>
void CheckEverywhere(const SequenceSetup<Options>& setup, const char* input = "dense",
                     const char* recurrent = "dense") {
  const SequenceProblem<Options> problem(setup);
  CAPTURE(input);
  CAPTURE(recurrent);
  const AnyWeights<float> w = problem.input(input), r = problem.recurrent(recurrent);
  if (!setup.integers) CHECK(problem.LargestError() < 1e-3);
  ForEachTarget([&] {
    const auto layer = PlanLayer(w, r, problem.options(), problem.shape(3));
    problem.Check(problem.Run(problem.Ok(layer), setup.steps));
    if (!setup.lengths.empty()) return;
    const auto cell = PlanCell(w, r, problem.options());
    problem.Check(problem.Run(problem.Ok(cell)));
  });
}

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_SEQUENCE_H_
