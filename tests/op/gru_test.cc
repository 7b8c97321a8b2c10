// Gru layers and cells against reference/, over every attribute of ONNX's GRU.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/sequence.h"

namespace lacuna::test {
namespace {

using Setup = SequenceSetup<GruOptions>;

TEST_CASE("gru: integers are exact in every format") {
  for (const bool linear : {false, true}) {
    CAPTURE(linear);
    for (const char* input : kFormats) {
      for (const char* recurrent : kFormats) {
        CheckEverywhere(Setup{.input = 11,
                              .hidden = 20,
                              .options = {.f = kStep, .g = kIdentity, .clip = 4.0f, .linear_before_reset = linear},
                              .density = 0.5,
                              .integers = true},
                        input, recurrent);
      }
    }
  }
}

TEST_CASE("gru: linear_before_reset, clip, bias, direction, layout") {
  for (const bool linear : {false, true}) {
    for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
      for (const bool batch_first : {false, true}) {
        for (const float clip : {0.25f, kNoClip}) {
          CAPTURE(linear);
          CheckEverywhere(Setup{.options = {.clip = clip, .linear_before_reset = linear},
                                .bias = clip != kNoClip,
                                .direction = direction,
                                .batch_first = batch_first,
                                .layout = batch_first ? Layout::kPlanarGaps : Layout::kPlanar});
        }
      }
    }
  }
}

TEST_CASE("gru: each gate has the function that belongs to it") {
  for (int i = 0; i < kGateActivations; ++i) {
    const auto activation = static_cast<GateActivation>(i);
    if (activation == GateActivation::kThresholdedRelu) continue;  // not continuous: see rnn_test
    const std::string name = GateActivationName(activation);
    CAPTURE(name);
    for (const bool linear : {false, true}) {
      GruOptions options{.linear_before_reset = linear};
      options.f = {activation, 0.3f, 0.4f};
      CheckEverywhere(Setup{.hidden = 18, .steps = 2, .options = options});
      options = {.g = {activation, 0.3f, 0.4f}, .linear_before_reset = linear};
      CheckEverywhere(Setup{.hidden = 18, .steps = 2, .options = options});
    }
  }
}

TEST_CASE("gru: batches and extents around vectors") {
  for (const int64_t batch : {1, 2, 3, 4, 5, 8, 9, 16, 17}) {
    for (const int64_t hidden : {15, 16, 33}) {
      CheckEverywhere(Setup{.input = 9,
                            .hidden = hidden,
                            .batch = batch,
                            .steps = 3,
                            .options = {.f = kStep, .g = kIdentity, .clip = 3.0f},
                            .integers = true});
    }
    CheckEverywhere(Setup{.input = 40, .hidden = 130, .batch = batch, .steps = 2, .density = 0.2}, "csr", "bcr");
  }
}

TEST_CASE("gru: lengths") {
  for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
    for (const bool linear : {false, true}) {
      CheckEverywhere(Setup{.batch = 4,
                            .steps = 6,
                            .options = {.linear_before_reset = linear},
                            .direction = direction,
                            .lengths = {6, 1, 0, 4}});
      CheckEverywhere(Setup{.batch = 4,
                            .steps = 6,
                            .options = {.linear_before_reset = linear},
                            .direction = direction,
                            .lengths = {3, 1, 0, 2},
                            .batch_first = true});
    }
  }
}

TEST_CASE("gru: weights of every scheme") {
  for (const char* scheme : {"bcr_col-8x", "bcr-8x", "unstructured-8x", "block_8x1-4x"}) {
    CheckEverywhere(Setup{.input = 48, .hidden = 96, .steps = 3, .scheme = scheme}, scheme, scheme);
  }
}

TEST_CASE("gru: the plans and what they explain") {
  const SequenceProblem<GruOptions> problem({.input = 9, .hidden = 20, .density = 0.5});
  const auto w = problem.input("csr"), r = problem.recurrent("csr");
  const auto layer = PlanLayer(w, r, problem.options(), problem.shape(8));
  const auto cell = PlanCell(w, r, problem.options());
  REQUIRE(layer.ok());
  REQUIRE(cell.ok());
  CHECK(layer->input() == 9);
  CHECK(layer->hidden() == 20);
  CHECK(layer->target() == ActiveTarget());
  CHECK(layer->shape().steps == 8);
  CHECK(cell->input() == 9);
  CHECK(cell->hidden() == 20);
  CHECK(cell->target() == ActiveTarget());
  CHECK(cell->step()->products() == 2);
  CHECK(cell->step()->product(0).m() == 40);
  CHECK(cell->step()->product(1).m() == 20);
  CHECK(cell->ExplainInput().nnz == w.nnz());
  CHECK(layer->ExplainInput().nnz == w.nnz());
  CHECK(cell->ExplainRecurrent(0).nnz + cell->ExplainRecurrent(1).nnz == r.nnz());
  GruOptions linear = problem.options();
  linear.linear_before_reset = true;
  const auto one = PlanCell(w, r, linear);
  REQUIRE(one.ok());
  CHECK(one->step()->products() == 1);
  CHECK(one->ExplainRecurrent().nnz == r.nnz());
}

}  // namespace
}  // namespace lacuna::test
