#include "lacuna/core/recurrent.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <string_view>

#include "tests/support/check_error.h"

namespace lacuna::test {
namespace {

TEST_CASE("GateFunction: ONNX's names, in any case, with ONNX's defaults") {
  for (int i = 0; i < kGateActivations; ++i) {
    const auto activation = static_cast<GateActivation>(i);
    const std::string name = GateActivationName(activation);
    CAPTURE(name);
    const auto function = GateFunction::Parse(name);
    REQUIRE(function.ok());
    CHECK(function->activation == activation);
    CHECK(function->alpha == GateFunction::Of(activation).alpha);
  }
  const auto hard = GateFunction::Parse("hARDsigmoid");
  REQUIRE(hard.ok());
  CHECK(hard->activation == GateActivation::kHardSigmoid);
  CHECK(hard->alpha == 0.2f);
  CHECK(hard->beta == 0.5f);
  CHECK(GateFunction::Of(GateActivation::kLeakyRelu).alpha == 0.01f);
  CHECK(GateFunction::Of(GateActivation::kThresholdedRelu).alpha == 1.0f);
  CHECK(GateFunction::Of(GateActivation::kElu).alpha == 1.0f);
  CHECK(std::string(GateActivationName(static_cast<GateActivation>(99))) == "unknown");
}

TEST_CASE("GateFunction: names that are none") {
  CheckInvalid(GateFunction::Parse("Sigmoi").status(), "activation is \"Sigmoi\", must be one of");
  CheckInvalid(GateFunction::Parse("").status(), "activation is \"\"");
  CheckInvalid(GateFunction::Parse("Relu ").status(), "activation is \"Relu \"");
  const std::string longest(1000, 'x');
  CheckInvalid(GateFunction::Parse(longest).status(), "must be one of");
}

}  // namespace
}  // namespace lacuna::test
