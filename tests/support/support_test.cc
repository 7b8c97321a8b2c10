#include "lacuna/core/view.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "tests/support/error_bound.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lacuna::test {
namespace {

TEST_CASE("GuardedBuffer: one end lies at a page boundary, every element is usable") {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (const size_t size : {size_t{0}, size_t{1}, size_t{17}, size_t{5000}}) {
    CAPTURE(size);
    GuardedBuffer<float> after(size);
    CHECK(reinterpret_cast<uintptr_t>(after.end()) % page == 0);
    GuardedBuffer<float> before(size, Guard::kBefore);
    CHECK(reinterpret_cast<uintptr_t>(before.begin()) % page == 0);
    for (GuardedBuffer<float>* buffer : {&after, &before}) {
      FillIntegers(buffer->span(), 1);
      bool in_range = true;
      for (const float value : *buffer) in_range = in_range && value >= -4 && value <= 4;
      CHECK(in_range);
    }
  }
}

TEST_CASE("random data: the seed decides, the densities 0 and 1 are exact") {
  std::vector<float> first(1000), second(1000), third(1000);
  FillGaussian(first, 7);
  FillGaussian(second, 7);
  FillGaussian(third, 8);
  CHECK(first == second);
  CHECK(first != third);
  Thin(second, 1, 1.0);
  CHECK(first == second);
  Thin(second, 1, 0.0);
  CHECK(second == std::vector<float>(1000));
}

TEST_CASE("ErrorBound: accepts any order of summation, refuses a lost product and NaN") {
  constexpr int64_t kDepth = 512;
  std::vector<float> w(kDepth), x(kDepth);
  FillGaussian(w, 1);
  FillGaussian(x, 2);
  w[100] = x[100] = 1.0f;
  float sum = 0, lost = 0;
  double exact = 0, magnitude = 0;
  for (size_t k = 0; k < kDepth; ++k) {
    sum += w[k] * x[k];
    if (k != 100) lost += w[k] * x[k];
    exact += double{w[k]} * double{x[k]};
    magnitude += std::abs(double{w[k]} * double{x[k]});
  }
  const ErrorBound bound = BoundOf(kDepth);
  const double allowed = bound(exact, magnitude);
  CHECK(std::abs(double{sum} - exact) <= allowed);
  CHECK(std::abs(double{lost} - exact) > allowed);

  std::vector<float> expected(6, static_cast<float>(exact));
  std::vector<double> magnitudes(6, magnitude);
  const std::vector<float> actual(6, sum);
  CheckClose<2>({actual.data(), {2, 3}, {1, 2}}, {expected.data(), {2, 3}, {3, 1}}, {magnitudes.data(), {2, 3}, {3, 1}},
                bound);
}

TEST_CASE("Gamma: first order") {
  CHECK(Gamma(0) == 0.0);
  CHECK(Gamma(1) > kUnitRoundoff);
  CHECK(Gamma(1000) < 1001 * kUnitRoundoff);
}

}  // namespace
}  // namespace lacuna::test
