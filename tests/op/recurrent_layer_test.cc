// What all recurrent layers and cells have in common: chunks, shared weights, both directions, NaN, bad input.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hwy/targets.h"
#include "tests/support/allocations.h"
#include "tests/support/check_error.h"
#include "tests/support/sequence.h"

namespace lacuna::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

// Gaussian data: sums depend on their order, so that equality shows that none was cut differently.
template <RecurrentOptions Options>
void CheckChunks(const SequenceSetup<Options>& setup, const char* format) {
  CAPTURE(Options::kName);
  CAPTURE(format);
  const SequenceProblem<Options> problem(setup);
  const AnyWeights<float> w = problem.input(format), r = problem.recurrent(format);
  ForEachTarget([&] {
    const auto whole = PlanLayer(w, r, problem.options(), problem.shape(setup.steps));
    const SequenceOutputs expected = problem.Run(problem.Ok(whole), setup.steps);
    problem.Check(expected);
    for (const int64_t turn : {1, 2, 5, 16, 100}) {
      const auto layer = PlanLayer(w, whole->step(), problem.shape(turn));
      for (const int64_t chunk : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{7}, setup.steps}) {
        CAPTURE(turn);
        CAPTURE(chunk);
        CHECK(problem.Run(problem.Ok(layer), chunk) == expected);
      }
    }
  });
}

TEST_CASE("recurrent layers: bit-identical whatever the chunks, forward and reverse") {
  for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
    for (const char* format : kFormats) {
      for (const int64_t batch : {1, 3}) {
        const auto with = [&](auto setup) {
          setup.input = 37;
          setup.hidden = 21;
          setup.batch = batch;
          setup.steps = 19;
          setup.direction = direction;
          setup.density = 0.4;
          setup.batch_first = batch == 3 && direction == Direction::kReverse;
          CheckChunks(setup, format);
        };
        with(SequenceSetup<RnnOptions>());
        with(SequenceSetup<GruOptions>());
        with(SequenceSetup<LstmOptions>());
      }
    }
  }
}

TEST_CASE("recurrent layers: bit-identical whatever the chunks, with lengths") {
  for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
    CheckChunks(
        SequenceSetup<GruOptions>{
            .input = 20, .hidden = 17, .batch = 3, .steps = 11, .direction = direction, .lengths = {11, 4, 7}},
        "csr");
    CheckChunks(
        SequenceSetup<LstmOptions>{
            .input = 20, .hidden = 17, .batch = 3, .steps = 11, .direction = direction, .lengths = {2, 0, 9}},
        "bcr");
  }
}

TEST_CASE("recurrent layers: weights and biases are shared with a cell, and outlive it") {
  const SequenceProblem<LstmOptions> problem({.input = 9, .hidden = 20, .peephole = true, .density = 0.5});
  const auto w = problem.input("csr"), r = problem.recurrent("csr");
  ForEachTarget([&] {
    auto cell = PlanCell(w, r, problem.options());
    REQUIRE(cell.ok());
    const auto step = cell->step();
    cell = Status::InvalidArgument("gone");
    const auto layer = PlanLayer(w, step, problem.shape(2));
    CHECK(&*problem.Ok(layer).step() == &*step);
    problem.Check(problem.Run(*layer, 4));
    // Of another target, too.
    for (const int64_t bit : Targets()) {
      hwy::SetSupportedTargetsForTest(bit);
      const auto other = PlanLayer(w, step, problem.shape(2));
      problem.Check(problem.Run(problem.Ok(other), 4));
    }
  });
}

TEST_CASE("recurrent layers: packed input weights") {
  const SequenceProblem<GruOptions> problem({.input = 9, .hidden = 20, .density = 0.5});
  const auto w = problem.input("bcr"), r = problem.recurrent("bcr");
  const auto gemm = PlanGemm(w, {.n = 1});
  const auto gemv = PlanGemv(w);
  REQUIRE(gemm.ok());
  REQUIRE(gemv.ok());
  const auto cell = GruCell::Make(DefaultVectorKernels(), gemv->weights(), r, problem.options(), DefaultPolicy());
  const auto layer = Gru::Make(DefaultKernels(), DefaultVectorKernels(), gemm->weights(), r, problem.options(),
                               problem.shape(3), DefaultPolicy());
  problem.Check(problem.Run(problem.Ok(cell)));
  problem.Check(problem.Run(problem.Ok(layer), 4));
}

TEST_CASE("recurrent layers: without y only the state is computed") {
  const SequenceProblem<GruOptions> problem({.steps = 5, .lengths = {5, 3}});
  const auto layer = PlanLayer(problem.input(), problem.recurrent(), problem.options(), problem.shape(2));
  const SequenceOutputs expected = problem.Run(problem.Ok(layer), 5);
  std::vector<float> x(5 * 2 * 5), h(2 * 7);
  SequenceProblem<GruOptions> copy(problem.setup());
  x = copy.x();
  h = copy.h();
  std::vector<std::byte> workspace(layer->WorkspaceBytes(1));
  REQUIRE(layer
              ->Run(TensorView<const float, 3>::Planar(x.data(), {5, 2, 5}), {},
                    {.h = MatrixView<float>::ColumnMajor(h.data(), 7, 2)},
                    {.workspace = workspace, .lengths = problem.setup().lengths})
              .ok());
  CHECK(h == expected.h);
}

TEST_CASE("recurrent layers: Run allocates nothing") {
  SequenceProblem<GruOptions> problem({.steps = 5, .lengths = {5, 3}});
  const auto w = problem.input("csr"), r = problem.recurrent("csr");
  const auto layer = PlanLayer(w, r, problem.options(), problem.shape(2));
  const auto cell = PlanCell(w, r, problem.options());
  REQUIRE(layer.ok());
  REQUIRE(cell.ok());
  std::vector<float> y(5 * 2 * 7);
  std::vector<std::byte> workspace(std::max(layer->WorkspaceBytes(1), cell->WorkspaceBytes(1, 2)));
  const RecurrentState state{.h = MatrixView<float>::ColumnMajor(problem.h().data(), 7, 2)};
  const size_t before = Allocations();
  const Status sequence = layer->Run(TensorView<const float, 3>::Planar(problem.x().data(), {5, 2, 5}),
                                     TensorView<float, 3>::Planar(y.data(), {5, 2, 7}), state,
                                     {.workspace = workspace, .lengths = problem.setup().lengths});
  const Status step =
      cell->Run(MatrixView<const float>::ColumnMajor(problem.x().data(), 5, 2), state, {.workspace = workspace});
  const size_t after = Allocations();
  CHECK(before > 0);
  CHECK(after == before);
  CHECK(sequence.ok());
  CHECK(step.ok());
}

// A bidirectional layer is its two halves, in ONNX's layouts.
template <RecurrentOptions Options>
void CheckBidirectional(bool batch_first) {
  constexpr int64_t kSteps = 5, kBatch = 3, kHidden = 7, kInput = 4;
  const std::vector<int32_t> lengths = {5, 2, 4};
  SequenceSetup<Options> setup{
      .input = kInput, .hidden = kHidden, .batch = kBatch, .steps = kSteps, .lengths = lengths};
  const SequenceProblem<Options> forward(setup);
  setup.direction = Direction::kReverse;
  const SequenceProblem<Options> other(setup);  // the same x and states
  SequenceProblem<Options> data(setup);
  auto first = PlanLayer(forward.input(), forward.recurrent(), forward.options(), forward.shape(3));
  auto second = PlanLayer(other.input("csr"), other.recurrent("csr"), other.options(), other.shape(2));
  const SequenceOutputs expected[2] = {forward.Run(forward.Ok(first), kSteps), other.Run(other.Ok(second), kSteps)};
  const auto both = MakeBidirectional(*std::move(first), *std::move(second));
  REQUIRE(both.ok());
  CHECK(both->forward().shape().steps == 3);
  CHECK(both->reverse().shape().direction == Direction::kReverse);

  // [time][direction][batch][hidden] or [batch][time][direction][hidden].
  std::vector<float> y(kSteps * 2 * kBatch * kHidden, kNan), h(2 * kBatch * kHidden), c(h.size(), 0.0f);
  TensorView<float, 4> out{y.data(), {kSteps, 2, kBatch, kHidden}, {}};
  out.stride = batch_first ? Extents<4>{2 * kHidden, kHidden, kSteps * 2 * kHidden, 1}
                           : Extents<4>{2 * kBatch * kHidden, kBatch * kHidden, kHidden, 1};
  const auto state_view = [&](std::vector<float>& values) {
    return TensorView<float, 3>{
        values.data(),
        {2, kBatch, kHidden},
        batch_first ? Extents<3>{kHidden, 2 * kHidden, 1} : Extents<3>{kBatch * kHidden, kHidden, 1}};
  };
  const BidirectionalState state{.h = state_view(h), .c = state_view(c)};
  const auto at = [&](const TensorView<float, 3>& view, int64_t d, int64_t i) -> float& {
    return view.data[d * view.stride[0] + i / kHidden * view.stride[1] + i % kHidden];
  };
  for (int64_t d = 0; d < 2; ++d) {
    for (int64_t i = 0; i < kBatch * kHidden; ++i) {
      at(state.h, d, i) = data.h()[static_cast<size_t>(i)];
      if (Options::kHasCellState) at(state.c, d, i) = data.c()[static_cast<size_t>(i)];
    }
  }
  std::vector<std::byte> workspace(both->WorkspaceBytes(1));
  REQUIRE(both->Run(TensorView<const float, 3>::Planar(data.x().data(), {kSteps, kBatch, kInput}), out, state,
                    {.workspace = workspace, .lengths = lengths})
              .ok());
  int wrong = 0;
  for (int64_t d = 0; d < 2; ++d) {
    const SequenceOutputs& e = expected[d];
    for (int64_t i = 0; i < kBatch * kHidden; ++i) {
      wrong += at(state.h, d, i) != e.h[static_cast<size_t>(i)];
      if (Options::kHasCellState) wrong += at(state.c, d, i) != e.c[static_cast<size_t>(i)];
      for (int64_t t = 0; t < kSteps; ++t) {
        const float actual =
            out.data[t * out.stride[0] + d * out.stride[1] + i / kHidden * out.stride[2] + i % kHidden];
        wrong += actual != e.y[static_cast<size_t>(t * kBatch * kHidden + i)];
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("recurrent layers: bidirectional, both layouts") {
  for (const bool batch_first : {false, true}) {
    CheckBidirectional<RnnOptions>(batch_first);
    CheckBidirectional<GruOptions>(batch_first);
    CheckBidirectional<LstmOptions>(batch_first);
  }
}

// Entry 1 of 3 meets `special` at step 2; what the reference makes of it in double is what IEEE says.
template <RecurrentOptions Options>
void CheckSpecial(const Options& options, float special) {
  CAPTURE(Options::kName);
  CAPTURE(special);
  constexpr int64_t kHidden = 19, kInput = 6, kBatch = 3, kSteps = 5;
  const SequenceSetup<Options> setup{
      .input = kInput, .hidden = kHidden, .batch = kBatch, .steps = kSteps, .options = options};
  const SequenceProblem<Options> clean(setup);
  SequenceProblem<Options> problem(setup);
  problem.x()[(2 * kBatch + 1) * kInput + 3] = special;
  std::vector<double> y(kSteps * kBatch * kHidden), h(problem.h().begin(), problem.h().end());
  std::vector<double> c(problem.c().begin(), problem.c().end());
  const auto [w, r] = problem.dense();
  REQUIRE(reference::Recurrent<double>(reference::RecurrentWeights{kInput, kHidden, w, r}, problem.options(),
                                       Direction::kForward, {},
                                       TensorView<const float, 3>::Planar(problem.x().data(), {kSteps, kBatch, kInput}),
                                       TensorView<double, 3>::Planar(y.data(), {kSteps, kBatch, kHidden}),
                                       MatrixView<double>::ColumnMajor(h.data(), kHidden, kBatch),
                                       MatrixView<double>::ColumnMajor(c.data(), kHidden, kBatch))
              .ok());
  const auto check = [&](const SequenceOutputs& actual, const SequenceOutputs& untouched) {
    size_t wrong = 0, nans = 0;
    for (size_t i = 0; i < actual.y.size(); ++i) {
      const float value = actual.y[i];
      const bool reached = i / kHidden % kBatch == 1 && i / kHidden / kBatch >= 2;
      if (!reached) {
        wrong += value != untouched.y[i];
      } else if (std::isnan(y[i]) || std::isnan(value)) {
        wrong += !std::isnan(y[i]) || !std::isnan(value);
      } else {
        wrong += std::isinf(y[i]) || std::isinf(value) ? double{value} != y[i] : 0;  // others: see gru_test and so on
      }
      nans += std::isnan(y[i]);
    }
    CHECK(wrong == 0);
    if (std::isnan(special)) CHECK(nans == 3 * kHidden);
  };
  ForEachTarget([&] {
    const auto layer = PlanLayer(problem.input(), problem.recurrent(), problem.options(), problem.shape(2));
    const auto cell = PlanCell(problem.input(), problem.recurrent(), problem.options());
    check(problem.Run(problem.Ok(layer), kSteps), clean.Run(*layer, kSteps));
    check(problem.Run(problem.Ok(cell)), clean.Run(*cell));
  });
}

TEST_CASE("recurrent layers: NaN and infinities go where IEEE says, and to no other sequence") {
  for (const float special : {kNan, kInfinity, -kInfinity}) {
    CheckSpecial(RnnOptions{}, special);
    CheckSpecial(RnnOptions{.f = GateFunction::Of(GateActivation::kRelu)}, special);
    CheckSpecial(RnnOptions{.f = GateFunction::Of(GateActivation::kSoftsign)}, special);
    CheckSpecial(RnnOptions{.f = kIdentity, .clip = 2.0f}, special);
    CheckSpecial(GruOptions{}, special);
    CheckSpecial(GruOptions{.linear_before_reset = true}, special);
    CheckSpecial(GruOptions{.f = kStep, .g = kIdentity}, special);
    CheckSpecial(LstmOptions{}, special);
    CheckSpecial(LstmOptions{.input_forget = true}, special);
    CheckSpecial(LstmOptions{.f = kStep, .g = kIdentity, .h = GateFunction::Of(GateActivation::kSoftplus)}, special);
  }
}

TEST_CASE("MakeGru, MakeGruCell: what they refuse") {
  const auto matrix = [](int64_t rows, int64_t columns) {
    return InFormat("dense", std::vector<float>(static_cast<size_t>(rows * columns)), rows, columns);
  };
  const std::vector<float> bias(47), peephole(11);
  const auto refuse = [&](const AnyWeights<float>& w, const AnyWeights<float>& r, const GruOptions& options,
                          const char* message) {
    CheckInvalid(PlanCell(w, r, options).status(), message);
    CheckInvalid(PlanLayer(w, r, options).status(), message);
  };
  const auto w = matrix(24, 5), r = matrix(24, 8);
  refuse(w, matrix(25, 8), {}, "recurrent weights are 25 x 8, must be 3 * hidden x hidden");
  refuse(w, matrix(24, 9), {}, "recurrent weights are 24 x 9, must be 3 * hidden x hidden");
  refuse(matrix(23, 5), r, {}, "input weights have 23 rows, must have gates * hidden = 24");
  refuse(w, r, {.bias = bias}, "options.bias has 47 values, must have 2 * 3 gates * hidden = 48 or none");
  refuse(w, r, {.clip = 0.0f}, "options.clip is 0, must be above 0");
  refuse(w, r, {.clip = kNan}, "options.clip is nan, must be above 0");
  refuse(w, r, {.f = {static_cast<GateActivation>(11)}}, "options.f.activation is 11, must be a GateActivation");
  refuse(w, r, {.g = {static_cast<GateActivation>(255)}}, "options.g.activation is 255, must be a GateActivation");
  refuse(w, r, {.g = {GateActivation::kElu, kNan}}, "options.g has alpha nan and beta 0, both must be numbers");
  CheckInvalid(PlanCell(matrix(32, 5), matrix(32, 8), LstmOptions{.peephole = peephole}).status(),
               "options.peephole has 11 values, must have 3 * hidden = 24 or none");
  CheckInvalid(PlanCell(matrix(32, 5), matrix(32, 8), LstmOptions{.h = {GateActivation::kElu, 1.0f, kNan}}).status(),
               "options.h has alpha 1 and beta nan");
  const std::vector<float> values(24 * 8);
  auto grouped = DenseWeights<float>::View({.rows = 24, .columns = 8, .groups = 2}, values);
  REQUIRE(grouped.ok());
  CheckInvalid(PlanCell(w, *std::move(grouped), GruOptions()).status(),
               "weights have 2 groups, must have 1 for a range of rows");

  const std::pair<SequenceShape, const char*> shapes[] = {
      {{.batch = 0}, "shape.batch is 0, must be at least 1"},
      {{.steps = -3}, "shape.steps is -3, must be at least 1"},
      {{.batch = kHuge, .steps = kHuge}, "exceed the limit of "},
      {{.batch = kMaxElements / 24, .steps = 2}, "exceed the limit of "},
      {{.direction = static_cast<Direction>(2)}, "shape.direction is 2, must be a Direction"},
  };
  for (const auto& [shape, message] : shapes) CheckInvalid(PlanLayer(w, r, GruOptions(), shape).status(), message);
  CheckInvalid(PlanLayer(w, Shared<RecurrentStep<GruOptions>>()).status(),
               "step is an empty Shared, must hold a cell's");
}

TEST_CASE("GruCell::Run: views, state and workspace") {
  const SequenceProblem<LstmOptions> problem({.input = 5, .hidden = 7, .batch = 2});
  const auto cell = PlanCell(problem.input(), problem.recurrent(), problem.options());
  REQUIRE(cell.ok());
  std::vector<float> x(20), h(20, 42.0f), c(20, 42.0f);
  std::vector<std::byte> workspace(cell->WorkspaceBytes(1, 2));
  using In = MatrixView<const float>;
  using State = MatrixView<float>;
  const In good_x = In::ColumnMajor(x.data(), 5, 2);
  const State good_h = State::ColumnMajor(h.data(), 7, 2), good_c = State::ColumnMajor(c.data(), 7, 2);
  const CellArgs good{.workspace = workspace};
  CheckInvalid(cell->Run(In::ColumnMajor(nullptr, 5, 2), {good_h, good_c}, good), "x.data is null");
  CheckInvalid(cell->Run(In::ColumnMajor(x.data(), 6, 2), {good_h, good_c}, good), "x is 6 x 2, must be 5 x 2");
  CheckInvalid(cell->Run(In::ColumnMajor(x.data(), 5, 0), {good_h, good_c}, good), "x.columns is 0, must be in [1, ");
  CheckInvalid(cell->Run(In::ColumnMajor(x.data(), 5, kHuge, 5), {good_h, good_c}, good),
               "x.columns is 9223372036854775807, must be in [1, ");
  CheckInvalid(cell->Run(good_x, {{}, good_c}, good), "state.h.data is null, must point to the matrix");
  CheckInvalid(cell->Run(good_x, {good_h, {}}, good), "state.c.data is null, must point to the matrix");
  CheckInvalid(cell->Run(good_x, {State::ColumnMajor(h.data(), 7, 1), good_c}, good),
               "state.h is 7 x 1, must be 7 x 2");
  CheckInvalid(cell->Run(good_x, {good_h, State::ColumnMajor(c.data(), 8, 2)}, good),
               "state.c is 8 x 2, must be 7 x 2");
  CheckInvalid(cell->Run(good_x, {State::RowMajor(h.data(), 7, 2), good_c}, good),
               "state.h has strides 2 and 1, must have 1 and at least 7");
  CheckInvalid(cell->Run(good_x, {State::ColumnMajor(h.data(), 7, 2, 6), good_c}, good),
               "state.h has strides 1 and 6, must have 1 and at least 7");
  CheckInvalid(cell->Run(good_x, {good_h, good_c}, {}),
               "args.workspace has 0 bytes, must have WorkspaceBytes(1, 2) = ");
  CheckInvalid(cell->Run(good_x, {good_h, good_c}, {.workspace = std::span(workspace).first(workspace.size() - 1)}),
               "must have WorkspaceBytes(1, 2) = ");
  CHECK(h == std::vector<float>(20, 42.0f));  // nothing is written when a Run is refused
  CHECK(c == std::vector<float>(20, 42.0f));
  CHECK(cell->Run(good_x, {good_h, good_c}, good).ok());
}

TEST_CASE("Gru::Run: views, state, lengths and workspace") {
  const SequenceProblem<GruOptions> problem({.input = 5, .hidden = 7, .batch = 2});
  const auto layer = PlanLayer(problem.input(), problem.recurrent(), problem.options(), problem.shape(3));
  REQUIRE(layer.ok());
  std::vector<float> x(100), y(100, 42.0f), h(100, 42.0f);
  std::vector<std::byte> workspace(layer->WorkspaceBytes(1));
  using In = TensorView<const float, 3>;
  using Out = TensorView<float, 3>;
  const In good_x = In::Planar(x.data(), {4, 2, 5});
  const Out good_y = Out::Planar(y.data(), {4, 2, 7});
  const RecurrentState good_h{.h = MatrixView<float>::ColumnMajor(h.data(), 7, 2)};
  const SequenceArgs good{.workspace = workspace};
  const auto run = [&](const In& in, const Out& out) { return layer->Run(in, out, good_h, good); };
  CheckInvalid(run(In::Planar(nullptr, {4, 2, 5}), good_y), "x.data is null");
  CheckInvalid(run(In::Planar(x.data(), {0, 2, 5}), good_y), "x.extent[0] is 0, must be in [1, ");
  CheckInvalid(run({x.data(), {kHuge, 2, 5}, {10, 5, 1}}, good_y), "x.extent[0] is 9223372036854775807");
  CheckInvalid(run(In::Planar(x.data(), {4, 3, 5}), good_y), "x.extent[1] is 3, must be in [1, shape.batch = 2]");
  CheckInvalid(run(In::Planar(x.data(), {4, 0, 5}), good_y), "x.extent[1] is 0, must be in [1, shape.batch = 2]");
  CheckInvalid(run(In::Planar(x.data(), {4, 2, 6}), good_y), "x.extent[2] is 6, must be 5");
  CheckInvalid(run({x.data(), {4, 2, 5}, {10, 4, 1}}, good_y), "x.stride[1] is 4, must be at least 5");
  CheckInvalid(run({x.data(), {4, 2, 5}, {4, 20, 1}}, good_y), "x.stride[0] is 4, must be at least 5");
  CheckInvalid(run({x.data(), {4, 2, 5}, {20, 10, 2}}, good_y), "x.stride[2] is 2, must be 1");
  CheckInvalid(run(good_x, Out::Planar(y.data(), {3, 2, 7})), "y.extent[0] is 3, must be 4");
  CheckInvalid(run(good_x, Out::Planar(y.data(), {4, 2, 8})), "y.extent[2] is 8, must be 7");
  CheckInvalid(run(good_x, {y.data(), {4, 2, 7}, {14, -7, 1}}), "y.stride[1] is -7");
  CheckInvalid(run(good_x, {y.data(), {4, 2, 7}, {14, 7, 3}}), "y.stride[2] is 3, must be 1");
  CheckInvalid(layer->Run(good_x, good_y, {}, good), "state.h.data is null, must point to the matrix");
  const std::vector<int32_t> three(3, 1), negative = {1, -1}, long_one = {5, 4};
  CheckInvalid(layer->Run(good_x, good_y, good_h, {.workspace = workspace, .lengths = three}),
               "args.lengths has 3 values, must have 2 or none");
  CheckInvalid(layer->Run(good_x, good_y, good_h, {.workspace = workspace, .lengths = negative}),
               "args.lengths[1] is -1, must be in [0, 4]");
  CheckInvalid(layer->Run(good_x, good_y, good_h, {.workspace = workspace, .lengths = long_one}),
               "args.lengths[0] is 5, must be in [0, 4]");
  CheckInvalid(layer->Run(good_x, good_y, good_h, {.workspace = std::span(workspace).first(workspace.size() - 1)}),
               "must have WorkspaceBytes(1) = ");
  CHECK(y == std::vector<float>(100, 42.0f));  // nothing is written when a Run is refused
  CHECK(h == std::vector<float>(100, 42.0f));
  CHECK(run(good_x, good_y).ok());
  // A smaller batch than the plan's.
  CHECK(layer
            ->Run(In::Planar(x.data(), {4, 1, 5}), Out::Planar(y.data(), {4, 1, 7}),
                  {.h = MatrixView<float>::ColumnMajor(h.data(), 7, 1)}, good)
            .ok());
}

TEST_CASE("BidirectionalLayer: what it refuses") {
  const auto make = [](Direction direction, int64_t hidden) {
    const SequenceProblem<GruOptions> problem({.input = 5, .hidden = hidden, .batch = 2, .direction = direction});
    auto layer = PlanLayer(problem.input(), problem.recurrent(), problem.options(), problem.shape(3));
    REQUIRE(layer.ok());
    return *std::move(layer);
  };
  CheckInvalid(MakeBidirectional(make(Direction::kReverse, 7), make(Direction::kForward, 7)).status(),
               "layers must have the directions forward and reverse, in that order");
  CheckInvalid(MakeBidirectional(make(Direction::kForward, 7), make(Direction::kReverse, 8)).status(),
               "forward has 5 inputs and 7 hidden units, reverse 5 and 8, must have the same");
  const auto both = MakeBidirectional(make(Direction::kForward, 7), make(Direction::kReverse, 7));
  REQUIRE(both.ok());
  std::vector<float> x(100), y(200, 42.0f), h(100, 42.0f);
  std::vector<std::byte> workspace(both->WorkspaceBytes(1));
  using Out = TensorView<float, 4>;
  using State = TensorView<float, 3>;
  const auto in = TensorView<const float, 3>::Planar(x.data(), {4, 2, 5});
  const SequenceArgs good{.workspace = workspace};
  const BidirectionalState state{.h = State::Planar(h.data(), {2, 2, 7})};
  CheckInvalid(both->Run(in, Out::Planar(y.data(), {4, 1, 2, 7}), state, good), "y.extent[1] is 1, must be 2");
  CheckInvalid(both->Run(in, Out::Planar(y.data(), {4, 2, 2, 8}), state, good), "y.extent[2] is 8, must be 7");
  CheckInvalid(both->Run(in, Out::Planar(y.data(), {4, 2, 2, 7}), {.h = State::Planar(h.data(), {1, 2, 7})}, good),
               "state.h has 1 directions, must have 2 and data");
  CheckInvalid(both->Run(in, Out::Planar(y.data(), {4, 2, 2, 7}), {}, good), "state.h has 0 directions");
  CheckInvalid(both->Run(in, Out::Planar(y.data(), {4, 2, 2, 7}), state, {}), "args.workspace has 0 bytes");
  CHECK(y == std::vector<float>(200, 42.0f));
  CHECK(h == std::vector<float>(100, 42.0f));
  CHECK(both->Run(in, {}, state, good).ok());
}

}  // namespace
}  // namespace lacuna::test
