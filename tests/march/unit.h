// A translation unit that makes and runs plans; march/unit.cc is compiled twice, with different -march flags.

#ifndef LACUNA_TESTS_MARCH_UNIT_H_
#define LACUNA_TESTS_MARCH_UNIT_H_

#include <lacuna/lacuna.h>

#include <cstdint>
#include <vector>

namespace lacuna::test {

struct MarchUnit {
  int64_t static_target;  // what the flags alone allow
  int64_t (*active_target)();
  Result<Convolution<2>> (*make)(const BcrWeights<float>& weights, const ConvShape<2>& shape);
  Status (*run)(const Convolution<2>& convolution, const std::vector<float>& x, std::vector<float>& y);
};

MarchUnit BaselineUnit();
MarchUnit WideUnit();

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_MARCH_UNIT_H_
