// Lstm layers and cells against reference/, over every attribute of ONNX's LSTM.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/sequence.h"

namespace lacuna::test {
namespace {

using Setup = SequenceSetup<LstmOptions>;

TEST_CASE("lstm: integers are exact in every format") {
  for (const bool peephole : {false, true}) {
    CAPTURE(peephole);
    for (const char* input : kFormats) {
      for (const char* recurrent : kFormats) {
        CheckEverywhere(Setup{.input = 11,
                              .hidden = 20,
                              .options = {.f = kStep, .g = kIdentity, .h = kIdentity, .clip = 4.0f},
                              .peephole = peephole,
                              .density = 0.5,
                              .integers = true},
                        input, recurrent);
      }
    }
  }
}

TEST_CASE("lstm: peepholes, input_forget, clip, bias, direction, layout") {
  for (const bool peephole : {false, true}) {
    for (const bool input_forget : {false, true}) {
      for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
        for (const bool batch_first : {false, true}) {
          for (const float clip : {0.25f, kNoClip}) {
            CAPTURE(peephole);
            CAPTURE(input_forget);
            CheckEverywhere(Setup{.options = {.clip = clip, .input_forget = input_forget},
                                  .bias = clip != kNoClip || peephole,
                                  .peephole = peephole,
                                  .direction = direction,
                                  .batch_first = batch_first,
                                  .layout = batch_first ? Layout::kPlanarGaps : Layout::kPlanar});
          }
        }
      }
    }
  }
}

TEST_CASE("lstm: each gate has the function that belongs to it") {
  for (int i = 0; i < kGateActivations; ++i) {
    const auto activation = static_cast<GateActivation>(i);
    if (activation == GateActivation::kThresholdedRelu) continue;  // not continuous: see rnn_test
    const std::string name = GateActivationName(activation);
    CAPTURE(name);
    const GateFunction function = {activation, 0.3f, 0.4f};
    for (const bool peephole : {false, true}) {
      CheckEverywhere(Setup{.hidden = 18, .steps = 2, .options = {.f = function}, .peephole = peephole});
      CheckEverywhere(Setup{.hidden = 18, .steps = 2, .options = {.g = function}, .peephole = peephole});
      CheckEverywhere(Setup{.hidden = 18, .steps = 2, .options = {.h = function}, .peephole = peephole});
    }
  }
}

// The state is not clipped, only what goes into h: a state of 2 + 2 and a clip of 3.
TEST_CASE("lstm: the state grows beyond the clip") {
  const float one = 1.0f;
  const std::vector<float> w = {0, 0, 0, 2}, r(4), bias = {1, 1, 1, 0, 0, 0, 0, 0};
  const LstmOptions options{.bias = bias, .f = kStep, .g = kIdentity, .h = kIdentity, .clip = 3.0f};
  ForEachTarget([&] {
    const auto cell = PlanCell(InFormat("dense", w, 4, 1), InFormat("dense", r, 4, 1), options);
    REQUIRE(cell.ok());
    std::vector<std::byte> workspace(cell->WorkspaceBytes(1));
    float h = 0, c = 0;
    for (const auto& [expected_h, expected_c] : {std::pair{2.0f, 2.0f}, {3.0f, 4.0f}, {3.0f, 6.0f}}) {
      REQUIRE(cell->Run(MatrixView<const float>::ColumnMajor(&one, 1, 1),
                        {.h = MatrixView<float>::ColumnMajor(&h, 1, 1), .c = MatrixView<float>::ColumnMajor(&c, 1, 1)},
                        {.workspace = workspace})
                  .ok());
      CHECK(h == expected_h);
      CHECK(c == expected_c);
    }
  });
}

TEST_CASE("lstm: batches and extents around vectors") {
  for (const int64_t batch : {1, 2, 4, 7, 16, 18}) {
    for (const int64_t hidden : {15, 16, 33}) {
      CheckEverywhere(Setup{.input = 9,
                            .hidden = hidden,
                            .batch = batch,
                            .steps = 3,
                            .options = {.f = kStep, .g = kIdentity, .h = kIdentity, .clip = 3.0f},
                            .peephole = true,
                            .integers = true});
    }
    CheckEverywhere(Setup{.input = 40, .hidden = 66, .batch = batch, .steps = 2, .density = 0.2}, "csr", "bcr");
  }
}

TEST_CASE("lstm: lengths") {
  for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
    for (const bool input_forget : {false, true}) {
      CheckEverywhere(Setup{.batch = 4,
                            .steps = 6,
                            .options = {.input_forget = input_forget},
                            .peephole = true,
                            .direction = direction,
                            .lengths = {6, 1, 0, 4}});
    }
  }
}

}  // namespace
}  // namespace lacuna::test
