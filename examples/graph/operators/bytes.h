// Values of UINT8 and INT8 in memory: bytes where every step that makes or reads them can do with these (narrow), else
// int64_t as all integers.

#ifndef LACUNA_EXAMPLES_GRAPH_OPERATORS_BYTES_H_
#define LACUNA_EXAMPLES_GRAPH_OPERATORS_BYTES_H_

#include <algorithm>
#include <cstdint>

#include "graph/graph.h"
#include "graph/step.h"

namespace graph {

// f(pointer to the elements of input i).
template <class F>
Status VisitBytes(const StepArgs& args, size_t i, ElementType type, bool narrow, const F& f) {
  if (!narrow) return f(args.in<int64_t>(i));
  return type == ElementType::kUint8 ? f(args.in<uint8_t>(i)) : f(args.in<int8_t>(i));
}
// The same of output 0.
template <class F>
Status VisitOutput(const StepArgs& args, ElementType type, bool narrow, const F& f) {
  if (!narrow) return f(args.out<int64_t>());
  return type == ElementType::kUint8 ? f(args.out<uint8_t>()) : f(args.out<int8_t>());
}

// What an 8-bit type holds.
struct ByteRange {
  float lowest, highest;

  explicit ByteRange(ElementType type)
      : lowest(type == ElementType::kUint8 ? 0.0f : -128.0f), highest(type == ElementType::kUint8 ? 255.0f : 127.0f) {}

  // saturate(round(value) + zero), half to even. The sum rounds: at 1.5 * 2^23 floats are whole numbers.
  template <class T>
  T Quantized(float value, float zero) const {
    constexpr float kRound = 12582912.0f;
    const float held = std::min(std::max(value, lowest - zero), highest - zero);
    return static_cast<T>(static_cast<int32_t>((held + kRound) - kRound + zero));
  }
};

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_OPERATORS_BYTES_H_
