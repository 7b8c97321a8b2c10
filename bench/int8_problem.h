// Int8Problem: a problem rounded to 8 bits, the same for all engines.

#ifndef LACUNA_BENCH_INT8_PROBLEM_H_
#define LACUNA_BENCH_INT8_PROBLEM_H_

#include "lacuna/core/quantization.h"
#include "lacuna/core/status.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/quantized_rows.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine.h"

namespace lacuna::bench {

// Activations are u8 with zero point 0, as they are behind a relu: what is negative in the problem's input is 0.
// Weights are s8 with a scale a row. Refers to the problem.
struct Int8Problem {
  std::unique_ptr<const DenseWeights<float>> dense;  // what `rows` refers to, if the problem is not pruned
  QuantizedRows rows;                                // in the format of the weights
  std::vector<uint8_t> x;                            // planar
  QuantizedEpilogue epilogue{};                      // but for weight_scale, which is that of `rows`

  static Result<Int8Problem> Of(const Problem& problem);
};

// Ok if `output` (planar, real numbers) is what reference/quantized.h makes of the problem, over all pixels of a few
// output channels, within a step of the output's type: libraries multiply scales in different orders. Returns the
// largest error of those outputs over their root mean square.
Result<double> VerifyInt8(const Problem& problem, std::span<const float> output);

}  // namespace lacuna::bench

#endif  // LACUNA_BENCH_INT8_PROBLEM_H_
