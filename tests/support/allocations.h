// Counts what a test binary allocates. Only binaries that allocations.cc is a source of have this.

#ifndef LACUNA_TESTS_SUPPORT_ALLOCATIONS_H_
#define LACUNA_TESTS_SUPPORT_ALLOCATIONS_H_

#include <cstddef>

namespace lacuna::test {

// Calls of operator new, so far.
size_t Allocations();

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_ALLOCATIONS_H_
