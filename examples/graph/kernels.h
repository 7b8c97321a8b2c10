#ifndef LACUNA_EXAMPLES_GRAPH_KERNELS_H_
#define LACUNA_EXAMPLES_GRAPH_KERNELS_H_

#include "lacuna/kernel/table.h"
#include "lacuna/kernel/vector_table.h"

namespace graph {

// The kernels of KernelPolicy on the SIMD target that is active. One source compiles them, for all steps.
const lacuna::KernelTable& ActiveKernels();
const lacuna::VectorKernels& ActiveVectorKernels();

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_KERNELS_H_
