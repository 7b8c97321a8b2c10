// A plan stays with the SIMD target it was made for, whatever becomes active later.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/check_error.h"
#include "tests/support/for_each_target.h"
#include "tests/support/layer.h"
#include "tests/support/plans.h"

namespace lacuna::test {
namespace {

ConvShape<2> Shape() {
  return {.in_channels = 12,
          .out_channels = 20,
          .input = {9, 31},
          .kernel = {3, 3},
          .pad_begin = {1, 1},
          .pad_end = {1, 1}};
}

TEST_CASE("target: a plan made for one target runs, unchanged to the bit, while another is active") {
  const ConvLayer<2> layer(Shape(), {.density = 0.4, .integers = false, .bias = true});
  const auto bcr = layer.bcr();
  for (const int64_t made : Targets()) {
    std::vector<float> before;
    auto plan = [&] {
      const ScopedTarget scope(made);
      auto result = PlanConvolution<2>(bcr, layer.shape(), layer.epilogue());
      REQUIRE(result.ok());
      before = layer.Run(*result);
      return result;
    }();
    for (const int64_t active : Targets()) {
      const ScopedTarget scope(active);
      REQUIRE(ActiveTarget() == active);
      CHECK(plan->target() == made);
      CHECK(plan->Explain().target == made);
      CHECK(layer.Run(*plan) == before);
      layer.Check(plan);
    }
    CHECK(layer.Run(*plan) == before);
  }
}

TEST_CASE("target: the same for Gemm") {
  const GemmLayer layer(20, 50, 33, {.density = 0.4});
  const auto bcr = layer.bcr();
  for (const int64_t made : Targets()) {
    const auto plan = [&] {
      const ScopedTarget scope(made);
      return PlanGemm(bcr, {.n = 33}, layer.epilogue());
    }();
    REQUIRE(plan.ok());
    ForEachTarget([&] {
      CHECK(plan->target() == made);
      layer.Check(plan);
    });
  }
}

TEST_CASE("target: plans made now are bound to the active target, and Explain names it") {
  const ConvLayer<2> layer(Shape());
  const auto dense = layer.dense();
  ForEachTarget([&] {
    const auto plan = PlanConvolution<2>(dense, layer.shape());
    REQUIRE(plan.ok());
    CHECK(plan->target() == ActiveTarget());
    CHECK(plan->Explain().ToString().find(hwy::TargetName(ActiveTarget())) != std::string::npos);
    CHECK(plan->Explain().lanes >= 1);
  });
}

TEST_CASE("target: weights packed for one target serve another that has the same panels, or are refused") {
  const ConvLayer<2> layer(Shape(), {.density = 0.3});
  const auto bcr = layer.bcr();
  for (const int64_t packed_for : Targets()) {
    const auto packed = [&] {
      const ScopedTarget scope(packed_for);
      return PackDefault(bcr);
    }();
    REQUIRE(packed.ok());
    ForEachTarget([&] {
      const auto plan = PlanConvolution<2>(*packed, layer.shape(), layer.epilogue());
      if (plan.ok()) return layer.Check(plan);
      CHECK(ActiveTarget() != packed_for);
      CheckInvalid(plan.status(), "weights are packed for panels of ");
      CheckInvalid(plan.status(), hwy::TargetName(ActiveTarget()));
    });
  }
}

}  // namespace
}  // namespace lacuna::test
