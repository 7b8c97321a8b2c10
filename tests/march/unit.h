// A translation unit that makes and runs plans; march/unit.cc is compiled three times: with different -march flags, and
// for different SIMD targets.

#ifndef LACUNA_TESTS_MARCH_UNIT_H_
#define LACUNA_TESTS_MARCH_UNIT_H_

#include <lacuna/lacuna.h>

#include <cstdint>
#include <vector>

namespace lacuna::test {

struct MarchUnit {
  int64_t static_target;  // what the flags alone allow
  int64_t targets;        // all that are compiled
  int64_t (*active_target)();
  Result<Convolution<2>> (*make)(const BcrWeights<float>& weights, const ConvShape<2>& shape);
  Status (*run)(const Convolution<2>& convolution, const std::vector<float>& x, std::vector<float>& y);
};

MarchUnit BaselineUnit();
MarchUnit WideUnit();
MarchUnit OldUnit();  // on x86 SSE4 and the fallback alone

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_MARCH_UNIT_H_
