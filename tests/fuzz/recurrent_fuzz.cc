// Random RNN, GRU and LSTM layers and cells against reference/: any options, format, direction, lengths, layout and
// SIMD target; the same bits however a sequence is cut and for any number of slots.

#include <type_traits>

#include "tests/fuzz/decisions.h"
#include "tests/support/sequence.h"

namespace lacuna::fuzz::recurrent_fuzzer {
namespace {

GateFunction PickGate(Input& in, const GateFunction& usual) {
  if (in.Byte() % 4 != 0) return usual;
  return GateFunction::Of(static_cast<GateActivation>(in.Index(kGateActivations)));
}

template <RecurrentOptions Options>
void RunCell(Input& in) {
  test::SequenceSetup<Options> setup;
  setup.input = in.Range(1, 40);
  setup.hidden = in.Range(1, 40);
  setup.batch = in.Range(1, 5);
  setup.steps = in.Range(1, 6);
  setup.options.f = PickGate(in, setup.options.f);
  if (in.Byte() % 4 == 0) setup.options.clip = 0.5f;
  if constexpr (!std::is_same_v<Options, RnnOptions>) setup.options.g = PickGate(in, setup.options.g);
  if constexpr (std::is_same_v<Options, GruOptions>) setup.options.linear_before_reset = in.Flip();
  if constexpr (std::is_same_v<Options, LstmOptions>) {
    setup.options.h = PickGate(in, setup.options.h);
    setup.options.input_forget = in.Flip();
    setup.peephole = in.Flip();
  }
  setup.bias = in.Flip();
  setup.direction = in.Flip() ? Direction::kReverse : Direction::kForward;
  if (in.Byte() % 4 == 0) {
    for (int64_t b = 0; b < setup.batch; ++b) setup.lengths.push_back(static_cast<int32_t>(in.Range(0, setup.steps)));
  }
  setup.batch_first = in.Flip();
  setup.layout = in.Flip() ? test::Layout::kPlanarGaps : test::Layout::kPlanar;
  constexpr double kDensities[] = {1.0, 0.5, 0.1, 0.0};
  setup.density = in.Pick(kDensities);
  setup.seed = in.Word() % 1000000;
  const char* input = in.Pick(test::kFormats);
  const char* recurrent = in.Pick(test::kFormats);
  const test::SequenceProblem<Options> problem(setup);
  const AnyWeights<float> w = problem.input(input), r = problem.recurrent(recurrent);

  const test::ScopedTarget scope(PickTarget(in));
  const TurnsExecutor executor = PickExecutor(in);
  const auto layer = test::PlanLayer(w, r, problem.options(), problem.shape(in.Range(1, 4)));
  const auto whole = problem.Run(problem.Ok(layer), setup.steps);
  problem.Check(whole);
  CHECK(problem.Run(*layer, in.Range(1, setup.steps), executor) == whole);
  if (!setup.lengths.empty()) return;
  const auto cell = test::PlanCell(w, r, problem.options());
  const auto stepped = problem.Run(problem.Ok(cell));
  problem.Check(stepped);
  CHECK(problem.Run(*cell, executor) == stepped);
}

void Run(std::span<const uint8_t> bytes) {
  Input in(bytes);
  switch (in.Range(0, 2)) {
    case 0: return RunCell<RnnOptions>(in);
    case 1: return RunCell<GruOptions>(in);
    default: return RunCell<LstmOptions>(in);
  }
}

const Registration kRegistration({.name = "recurrent", .run = &Run, .test_runs = 80});

}  // namespace
}  // namespace lacuna::fuzz::recurrent_fuzzer
