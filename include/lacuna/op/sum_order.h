// SumOrder: whether all outputs are summed in one order.

#ifndef LACUNA_OP_SUM_ORDER_H_
#define LACUNA_OP_SUM_ORDER_H_

#include "lacuna/core/abi.h"

#include <cstdint>

namespace lacuna::inline LACUNA_ABI {

// Whether the last few positions of a row may be summed in another order than the others. If not, a result depends, to
// the bit, on its own inputs alone, not on how many positions there are.
enum class SumOrder : uint8_t { kFastest, kUniform };

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_OP_SUM_ORDER_H_
