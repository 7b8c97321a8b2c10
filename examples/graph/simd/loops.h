// Loops: what steps without weights spend their time in, compiled for each SIMD target.

#ifndef LACUNA_EXAMPLES_GRAPH_SIMD_LOOPS_H_
#define LACUNA_EXAMPLES_GRAPH_SIMD_LOOPS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace graph {

// Functions of one element x with parameters a and b. Error: a few units in the last place; NaN stays NaN.
enum class Unary : uint8_t {
  kAffine,       // a x + b
  kBfloat16,     // rounded to bfloat16, to nearest even, as RoundedTo does
  kClamp,        // min(max(x, a), b)
  kElu,          // x < 0 ? a (e^x - 1) : x
  kErf,          // to 5e-7 of it
  kExp,          //
  kGelu,         // x (1 + erf(x / sqrt 2)) / 2
  kGeluTanh,     // its approximation by tanh
  kHalf,         // rounded to float16
  kHardSigmoid,  // min(max(a x + b, 0), 1)
  kHardSwish,    // x min(max(x + 3, 0), 6) / 6
  kLeakyRelu,    // x < 0 ? a x : x
  kMish,         // x tanh(log(1 + e^x))
  kReciprocal,   // 1 / x
  kRelu,         // max(x, 0)
  kSigmoid,      // 1 / (1 + e^-x)
  kSilu,         // x / (1 + e^-x)
  kSoftplus,     // log(1 + e^x)
  kSqrt,         //
  kSquare,       // x^2
  kTanh,         //
  kCount
};

// Functions of two elements. kMax and kMin are NaN if either is.
enum class Binary : uint8_t { kAdd, kSubtract, kMultiply, kDivide, kMax, kMin, kCount };

// An operand of a loop over two: as many elements as there are results, or one for all of them.
struct RowOperand {
  const float* data;
  bool walks;
};

struct Moments {
  double mean, squares;  // squares: sum of squared differences from the mean
};

// y[rows, columns] = alpha a[rows, depth] b[depth, columns], both of any strides.
struct MatMulArgs {
  const float* a;
  int64_t a_row, a_column;  // strides
  const float* b;
  int64_t b_row, b_column;
  float* y;
  int64_t y_row;  // its columns are neighbours
  int64_t rows, depth;
  float alpha;
};

// y may be x (or an operand) everywhere but in matmul; else they must not overlap.
struct Loops {
  template <class F>
  static constexpr size_t kCountOf = static_cast<size_t>(F::kCount);
  using UnaryFn = void (*)(const float* x, float* y, int64_t count, float a, float b);
  using BinaryFn = void (*)(const RowOperand& a, const RowOperand& b, float* y, int64_t count);

  std::array<UnaryFn, kCountOf<Unary>> unary;
  std::array<BinaryFn, kCountOf<Binary>> binary;
  // Sums in double. Of nothing: 0.
  double (*sum)(const float* x, int64_t count);
  // In one pass, by blocks that stay in the cache (Chan, Golub and LeVeque, 1979). A mean of 0 is taken for what it is
  // where it is not `centred`.
  Moments (*moments)(const float* x, int64_t count, bool centred);
  // y = (x - mean) * inverse * scale + bias, the last two per element, null for 1 and 0.
  void (*normalize)(const float* x, float* y, int64_t count, float mean, float inverse, const float* scale,
                    const float* bias);
  // NaN everywhere if x has NaN or infinity, or is -infinity everywhere.
  void (*softmax)(const float* x, float* y, int64_t count);
  // Columns [first, end) of a product; both are multiples of `panel`, but for the last end. `workspace`, of
  // kMatMulWorkspace floats, is aligned as vectors are.
  void (*matmul)(const MatMulArgs& args, int64_t first, int64_t end, float* workspace);
  int64_t panel;  // columns that matmul computes together

  UnaryFn operator[](Unary function) const { return unary[static_cast<size_t>(function)]; }
  BinaryFn operator[](Binary function) const { return binary[static_cast<size_t>(function)]; }
};

inline constexpr int64_t kMatMulDepth = 256;  // of what is packed at a time
inline constexpr int64_t kMaxPanel = 64;
inline constexpr int64_t kMatMulWorkspace = (kMatMulDepth + 8) * kMaxPanel;

// Of the target that is active.
const Loops& ActiveLoops();

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_SIMD_LOOPS_H_
