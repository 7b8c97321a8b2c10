// ForEachTarget: runs a test on every SIMD target that is compiled in and that this CPU supports.

#ifndef LACUNA_TESTS_SUPPORT_FOR_EACH_TARGET_H_
#define LACUNA_TESTS_SUPPORT_FOR_EACH_TARGET_H_

#include <lacuna/lacuna.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "hwy/targets.h"

namespace lacuna::test {

// Bits of the targets that run here, the best first. The fallback (HWY_SCALAR or HWY_EMU128) runs on every CPU, but
// Highway's compiled library names only the one of the compiler it was built with.
inline std::vector<int64_t> Targets() {
  std::vector<int64_t> targets;
  const int64_t runnable =
      (hwy::SupportedTargets() | HWY_STATIC_TARGET | HWY_SCALAR | HWY_EMU128) & int64_t{HWY_TARGETS};
  for (int64_t left = runnable; left != 0; left &= left - 1) targets.push_back(left & -left);
  return targets;
}

// Makes every choice of a target until the end of the scope choose `target`.
class ScopedTarget {
 public:
  explicit ScopedTarget(int64_t target) { hwy::SetSupportedTargetsForTest(target); }
  ~ScopedTarget() { hwy::SetSupportedTargetsForTest(0); }
  ScopedTarget(const ScopedTarget&) = delete;
  ScopedTarget& operator=(const ScopedTarget&) = delete;
};

// Calls f() with each target active in turn. A failure inside f is reported with the name of the target.
template <class F>
void ForEachTarget(const F& f) {
  for (const int64_t bit : Targets()) {
    const std::string target = hwy::TargetName(bit);
    CAPTURE(target);
    const ScopedTarget scope(bit);
    REQUIRE(ActiveTarget() == bit);
    f();
  }
}

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_FOR_EACH_TARGET_H_
