// Rnn layers and cells against reference/, over every attribute of ONNX's RNN.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/sequence.h"

namespace lacuna::test {
namespace {

using Setup = SequenceSetup<RnnOptions>;

TEST_CASE("rnn: integers are exact in every format") {
  for (const char* input : kFormats) {
    for (const char* recurrent : kFormats) {
      Setup setup{.input = 11, .hidden = 20, .options = {.f = kIdentity, .clip = 4.0f}, .integers = true};
      setup.density = 0.5;
      CheckEverywhere(setup, input, recurrent);
    }
  }
}

TEST_CASE("rnn: every activation, with its default parameters and with others") {
  for (int i = 0; i < kGateActivations; ++i) {
    const auto activation = static_cast<GateActivation>(i);
    const std::string name = GateActivationName(activation);
    CAPTURE(name);
    CheckEverywhere(Setup{.hidden = 19, .options = {.f = GateFunction::Of(activation)}});
    // A threshold at which nothing lies.
    const float alpha = activation == GateActivation::kThresholdedRelu ? -0.0123f : 0.3f;
    CheckEverywhere(Setup{.hidden = 19, .options = {.f = {activation, alpha, 0.7f}}});
  }
}

TEST_CASE("rnn: clip, with and without bias, both directions, both layouts") {
  for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
    for (const bool batch_first : {false, true}) {
      for (const Layout layout : {Layout::kPlanar, Layout::kPlanarGaps}) {
        for (const float clip : {0.25f, kNoClip}) {
          CheckEverywhere(Setup{.options = {.clip = clip},
                                .bias = clip != kNoClip,
                                .direction = direction,
                                .batch_first = batch_first,
                                .layout = layout});
        }
      }
    }
  }
}

TEST_CASE("rnn: lengths") {
  for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
    for (const std::vector<int32_t>& lengths : {std::vector<int32_t>{5, 2, 0}, {1, 4, 3}, {0, 0, 0}, {5, 5, 5}}) {
      CheckEverywhere(Setup{.batch = 3, .steps = 5, .direction = direction, .lengths = lengths});
      CheckEverywhere(Setup{.batch = 3,
                            .steps = 5,
                            .options = {.f = kIdentity, .clip = 3.0f},
                            .direction = direction,
                            .lengths = lengths,
                            .integers = true});
    }
  }
}

TEST_CASE("rnn: one of everything, and more units than a thread takes at a time") {
  CheckEverywhere(Setup{.input = 1, .hidden = 1, .batch = 1, .steps = 1});
  CheckEverywhere(Setup{.input = 1, .hidden = 1, .batch = 3, .steps = 2, .batch_first = true});
  CheckEverywhere(Setup{.input = 3,
                        .hidden = kGateUnits + 5,
                        .steps = 2,
                        .options = {.f = kIdentity, .clip = 2.0f},
                        .density = 0.01,
                        .integers = true},
                  "csr", "csr");
}

}  // namespace
}  // namespace lacuna::test
