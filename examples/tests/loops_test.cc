// The vector loops of steps, against std:: functions in double.
#include "graph/simd/loops.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "graph/graph.h"
#include "tests/support/for_each_target.h"

namespace {

using graph::ActiveLoops;
using graph::Binary;
using graph::Loops;
using graph::Unary;
using lacuna::test::ForEachTarget;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<float> Random(int64_t count, unsigned seed, float low = -3.0f, float high = 3.0f) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = uniform(random);
  return values;
}

struct UnaryCase {
  Unary function;
  double (*expected)(double x, double a, double b);
  float a = 0.0f, b = 0.0f;
  float low = -12.0f, high = 12.0f;
  double relative = 1e-6, absolute = 1e-7;
};

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double Softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double Rounded(graph::ElementType type, double x) { return double{graph::RoundedTo(type, static_cast<float>(x))}; }

const UnaryCase kUnaryCases[] = {
    {Unary::kAffine, [](double x, double a, double b) { return a * x + b; }, 1.5f, -0.25f},
    {Unary::kBfloat16, [](double x, double, double) { return Rounded(graph::ElementType::kBfloat16, x); }, 0, 0, -9, 9,
     0, 0},
    {Unary::kClamp, [](double x, double a, double b) { return std::clamp(x, a, b); }, -1.0f, 2.5f},
    {Unary::kElu, [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }, 1.3f},
    {Unary::kErf, [](double x, double, double) { return std::erf(x); }, 0, 0, -5, 5},
    {Unary::kExp, [](double x, double, double) { return std::exp(x); }, 0, 0, -80, 80, 2e-6},
    {Unary::kGelu, [](double x, double, double) { return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0))); }, 0, 0, -6, 6,
     1e-6, 1e-6},
    {Unary::kGeluTanh,
     [](double x, double, double) {
       return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / 3.14159265358979) * (x + 0.044715 * x * x * x)));
     },
     0, 0, -6, 6, 2e-6, 1e-6},
    {Unary::kHalf, [](double x, double, double) { return Rounded(graph::ElementType::kFloat16, x); }, 0, 0, -9, 9, 0,
     0},
    {Unary::kHardSigmoid, [](double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }, 0.2f, 0.5f},
    {Unary::kHardSwish, [](double x, double, double) { return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0; }},
    {Unary::kLeakyRelu, [](double x, double a, double) { return x < 0 ? a * x : x; }, 0.1f},
    {Unary::kMish, [](double x, double, double) { return x * std::tanh(Softplus(x)); }, 0, 0, -30, 30, 2e-6},
    {Unary::kReciprocal, [](double x, double, double) { return 1.0 / x; }},
    {Unary::kRelu, [](double x, double, double) { return std::max(x, 0.0); }},
    {Unary::kSigmoid, [](double x, double, double) { return Sigmoid(x); }, 0, 0, -30, 30, 2e-6},
    {Unary::kSilu, [](double x, double, double) { return x * Sigmoid(x); }, 0, 0, -30, 30, 2e-6},
    {Unary::kSoftplus, [](double x, double, double) { return Softplus(x); }, 0, 0, -30, 30},
    {Unary::kSqrt, [](double x, double, double) { return std::sqrt(x); }, 0, 0, 0, 100},
    {Unary::kSquare, [](double x, double, double) { return x * x; }},
    {Unary::kTanh, [](double x, double, double) { return std::tanh(x); }, 0, 0, -12, 12, 2e-6},
};
static_assert(std::size(kUnaryCases) == Loops::kCountOf<Unary>);

TEST_CASE("every function of one element is what std:: gives in double, on every target") {
  ForEachTarget([] {
    for (const UnaryCase& test : kUnaryCases) {
      CAPTURE(static_cast<int>(test.function));
      for (const int64_t count : {1, 2, 3, 4, 5, 15, 16, 17, 63, 1000}) {
        const std::vector<float> x = Random(count, 7, test.low, test.high);
        std::vector<float> y(x.size() + 1, 99.0f);
        ActiveLoops()[test.function](x.data(), y.data(), count, test.a, test.b);
        for (size_t i = 0; i < x.size(); ++i) {
          const double expected = test.expected(double{x[i]}, double{test.a}, double{test.b});
          CAPTURE(x[i]);
          CHECK(std::abs(double{y[i]} - expected) <= test.absolute + test.relative * std::abs(expected));
        }
        CHECK(y[x.size()] == 99.0f);
        std::vector<float> in_place = x;
        ActiveLoops()[test.function](in_place.data(), in_place.data(), count, test.a, test.b);
        CHECK(std::equal(in_place.begin(), in_place.end(), y.begin()));
      }
    }
  });
}

TEST_CASE("functions of one element keep NaN, and are their limits at infinity") {
  ForEachTarget([] {
    const auto at = [](Unary function, float x) {
      float y = 0.0f;
      ActiveLoops()[function](&x, &y, 1, 1.0f, 1.0f);
      return y;
    };
    for (const UnaryCase& test : kUnaryCases) {
      CAPTURE(static_cast<int>(test.function));
      CHECK(std::isnan(at(test.function, kNaN)));
    }
    CHECK(at(Unary::kExp, kInfinity) == kInfinity);
    CHECK(at(Unary::kExp, -kInfinity) == 0.0f);
    CHECK(at(Unary::kExp, 89.0f) == kInfinity);
    CHECK(at(Unary::kErf, kInfinity) == 1.0f);
    CHECK(at(Unary::kErf, -kInfinity) == -1.0f);
    CHECK(at(Unary::kMish, kInfinity) == kInfinity);
    CHECK(at(Unary::kMish, -kInfinity) == 0.0f);
    CHECK(at(Unary::kSoftplus, kInfinity) == kInfinity);
    CHECK(at(Unary::kSoftplus, -kInfinity) == 0.0f);
    CHECK(at(Unary::kTanh, -kInfinity) == -1.0f);
    CHECK(at(Unary::kElu, -kInfinity) == -1.0f);
    CHECK(at(Unary::kSigmoid, -kInfinity) == 0.0f);
  });
}

TEST_CASE("rounding to half precision and bfloat16, bit for bit where they are coarse, small or overflow") {
  ForEachTarget([] {
    std::vector<float> x;
    for (int exponent = -40; exponent < 20; ++exponent) {
      for (const float mantissa : Random(40, static_cast<unsigned>(exponent + 40), -2.0f, 2.0f)) {
        x.push_back(std::ldexp(mantissa, exponent));
      }
      for (const int tie : {1, 3, 5, 4095}) x.push_back(std::ldexp(1.0f + static_cast<float>(tie) / 2048.0f, exponent));
    }
    x.insert(x.end(), {0.0f, -0.0f, 65519.0f, 65520.0f, -65536.0f, 3e38f, kInfinity, -kInfinity, 5.96e-8f, 2.98e-8f});
    std::vector<float> y(x.size());
    const struct {
      Unary function;
      graph::ElementType type;
    } cases[] = {{Unary::kHalf, graph::ElementType::kFloat16}, {Unary::kBfloat16, graph::ElementType::kBfloat16}};
    for (const auto& [function, type] : cases) {
      ActiveLoops()[function](x.data(), y.data(), static_cast<int64_t>(x.size()), 0.0f, 0.0f);
      for (size_t i = 0; i < x.size(); ++i) {
        CAPTURE(x[i]);
        CHECK(y[i] == graph::RoundedTo(type, x[i]));
        CHECK(std::signbit(y[i]) == std::signbit(x[i]));
      }
    }
  });
}

TEST_CASE("functions of two elements, each of which may be one for all") {
  const auto expected = [](Binary function, float a, float b) {
    switch (function) {
      case Binary::kAdd: return a + b;
      case Binary::kSubtract: return a - b;
      case Binary::kMultiply: return a * b;
      case Binary::kDivide: return a / b;
      case Binary::kMax: return std::max(a, b);
      case Binary::kMin: return std::min(a, b);
      case Binary::kCount: break;
    }
    return 0.0f;
  };
  ForEachTarget([&] {
    for (size_t f = 0; f < Loops::kCountOf<Binary>; ++f) {
      const auto function = static_cast<Binary>(f);
      for (const int64_t count : {1, 3, 16, 37}) {
        const std::vector<float> a = Random(count, 1), b = Random(count, 2);
        for (const bool walks_a : {false, true}) {
          for (const bool walks_b : {false, true}) {
            std::vector<float> y(a.size());
            ActiveLoops()[function]({a.data(), walks_a}, {b.data(), walks_b}, y.data(), count);
            for (size_t i = 0; i < y.size(); ++i) {
              CHECK(y[i] == expected(function, a[walks_a ? i : 0], b[walks_b ? i : 0]));
            }
          }
        }
      }
    }
    for (const Binary function : {Binary::kMax, Binary::kMin}) {
      const float number = 1.0f, nan = kNaN;
      float y = 0.0f;
      ActiveLoops()[function]({&number, true}, {&nan, true}, &y, 1);
      CHECK(std::isnan(y));
      ActiveLoops()[function]({&nan, true}, {&number, true}, &y, 1);
      CHECK(std::isnan(y));
    }
  });
}

TEST_CASE("moments of a row far from zero lose nothing") {
  ForEachTarget([] {
    for (const int64_t count : {1, 5, 64, 333, 10000}) {
      const std::vector<float> x = Random(count, 3, 999.0f, 1001.0f);
      double mean = 0.0, squares = 0.0;
      for (const float value : x) mean += double{value} / static_cast<double>(count);
      for (const float value : x) squares += (double{value} - mean) * (double{value} - mean);
      const graph::Moments moments = ActiveLoops().moments(x.data(), count, true);
      CHECK(std::abs(moments.mean - mean) <= 1e-4);
      CHECK(std::abs(moments.squares - squares) <= 1e-4 * static_cast<double>(count));
      CHECK(std::abs(ActiveLoops().sum(x.data(), count) / static_cast<double>(count) - mean) <= 1e-4);
      const graph::Moments of_zero = ActiveLoops().moments(x.data(), count, false);
      CHECK(of_zero.mean == 0.0);
      CHECK(of_zero.squares == doctest::Approx(squares + mean * mean * static_cast<double>(count)).epsilon(1e-6));
    }
  });
}

TEST_CASE("softmax of a row: a probability, NaN where it is none") {
  ForEachTarget([] {
    for (const int64_t count : {1, 7, 16, 384, 1001}) {
      const std::vector<float> x = Random(count, 4, -20.0f, 20.0f);
      std::vector<float> y(x.size());
      ActiveLoops().softmax(x.data(), y.data(), count);
      double sum = 0.0;
      for (const float value : x) sum += std::exp(double{value});
      for (size_t i = 0; i < x.size(); ++i) {
        CHECK(double{y[i]} == doctest::Approx(std::exp(double{x[i]}) / sum).epsilon(1e-5));
      }
    }
    for (const float odd : {kNaN, kInfinity, -kInfinity}) {
      std::vector<float> x(20, odd == -kInfinity ? odd : 1.0f), y(20);
      x[13] = odd;
      ActiveLoops().softmax(x.data(), y.data(), 20);
      for (const float value : y) CHECK(std::isnan(value));
    }
    std::vector<float> masked = {-kInfinity, 0.0f, 0.0f};
    ActiveLoops().softmax(masked.data(), masked.data(), 3);
    CHECK(masked == std::vector<float>{0.0f, 0.5f, 0.5f});
  });
}

TEST_CASE("products of two computed matrices, of any strides") {
  struct Extents {
    int64_t rows, depth, columns;
  };
  ForEachTarget([] {
    for (const Extents& e :
         {Extents{1, 1, 1}, {3, 5, 7}, {1, 40, 130}, {13, 64, 64}, {6, 300, 65}, {20, 0, 9}, {29, 513, 48}}) {
      for (const bool transposed_a : {false, true}) {
        for (const bool transposed_b : {false, true}) {
          const std::vector<float> a = Random(e.rows * e.depth, 5), b = Random(e.depth * e.columns, 6);
          std::vector<float> y(static_cast<size_t>(e.rows * e.columns), 99.0f);
          std::vector<float> workspace(graph::kMatMulWorkspace);
          const int64_t a_row = transposed_a ? 1 : e.depth, a_column = transposed_a ? e.rows : 1;
          const int64_t b_row = transposed_b ? 1 : e.columns, b_column = transposed_b ? e.depth : 1;
          const graph::MatMulArgs args{a.data(), a_row,     a_column, b.data(), b_row, b_column,
                                       y.data(), e.columns, e.rows,   e.depth,  0.5f};
          // In two parts, as threads take them.
          const int64_t middle = std::min(e.columns, ActiveLoops().panel);
          ActiveLoops().matmul(args, 0, middle, workspace.data());
          ActiveLoops().matmul(args, middle, e.columns, workspace.data());
          for (int64_t m = 0; m < e.rows; ++m) {
            for (int64_t n = 0; n < e.columns; ++n) {
              double sum = 0.0, magnitude = 0.0;
              for (int64_t k = 0; k < e.depth; ++k) {
                const double product = 0.5 * double{a[static_cast<size_t>(m * a_row + k * a_column)]} *
                                       double{b[static_cast<size_t>(k * b_row + n * b_column)]};
                sum += product;
                magnitude += std::abs(product);
              }
              const double bound = static_cast<double>(e.depth + 2) * 6e-8 * magnitude;
              CHECK(std::abs(double{y[static_cast<size_t>(m * e.columns + n)]} - sum) <= bound);
            }
          }
        }
      }
    }
  });
}

}  // namespace
