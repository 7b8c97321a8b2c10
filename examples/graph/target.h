#ifndef LACUNA_EXAMPLES_GRAPH_TARGET_H_
#define LACUNA_EXAMPLES_GRAPH_TARGET_H_

#include <string>

namespace graph {

// The SIMD target that layers are made for, "AVX3" say.
std::string ActiveTargetName();

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_TARGET_H_
