// Translation units with different -march flags and different lists of SIMD targets in one binary: each sees the
// targets of its own, and a plan made in one runs in the others.

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <vector>

#include "tests/march/unit.h"
#include "tests/support/for_each_target.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

// WideUnit's code must not be entered on a CPU that lacks its instructions.
bool CpuRunsWideUnit() {
#if HWY_ARCH_X86
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

TEST_CASE("translation units with different -march flags and SIMD targets") {
  if (!CpuRunsWideUnit()) {
    MESSAGE("skipped: this CPU lacks the instructions of the second unit");
    return;
  }
  const ConvShape<2> shape{
      .in_channels = 5, .out_channels = 19, .input = {9, 23}, .kernel = {3, 3}, .pad_begin = {1, 1}, .pad_end = {1, 1}};
  std::vector<float> values(static_cast<size_t>(shape.weight_elements())),
      x(static_cast<size_t>(shape.input_elements()));
  std::vector<float> expected(static_cast<size_t>(shape.output_elements()));
  FillIntegers(values, 1);
  FillIntegers(x, 2);
  const auto dense = DenseWeights<float>::View(MatrixShapeOf(shape), values);
  REQUIRE(dense.ok());
  const auto pruned = prune::ProjectBcr(*dense, {.rows = 8, .columns = 16, .column_keep = 0.25});
  REQUIRE(pruned.ok());
  const auto kept = pruned->ToDense();
  REQUIRE(kept.ok());
  REQUIRE(reference::Convolution<2>(shape, kept->values(), Epilogue{.activation = Activation::kRelu},
                                    TensorView<const float, 4>::Planar(x.data(), {1, 5, 9, 23}),
                                    TensorView<float, 4>::Planar(expected.data(), {1, 19, 9, 23}))
              .ok());

  const MarchUnit units[] = {BaselineUnit(), WideUnit(), OldUnit()};
#if HWY_ARCH_X86
  CHECK((units[0].targets & HWY_SSE4) == 0);
  CHECK(units[2].targets == (HWY_SSE4 | HWY_STATIC_TARGET));
  CHECK(units[1].static_target < units[0].static_target);  // lower bits are better targets
#endif
  std::vector<int64_t> targets = Targets();
  targets.push_back(hwy::SupportedTargets() & (HWY_SSE4 | HWY_STATIC_TARGET));
  targets.push_back(0);  // no restriction
  for (const int64_t target : targets) {
    const ScopedTarget scope(target);
    CAPTURE(hwy::TargetName(target));
    for (const MarchUnit& maker : units) {
      const Result<Convolution<2>> plan = maker.make(*pruned, shape);
      REQUIRE(plan.ok());
      CHECK(plan->target() == maker.active_target());
      CHECK((plan->target() & maker.targets) != 0);
      for (const MarchUnit& runner : units) {
        std::vector<float> y(expected.size(), -1.0f);
        REQUIRE(runner.run(*plan, x, y).ok());
        CHECK(y == expected);
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::test
