// Counts what a test binary allocates, and lets allocations fail. Only binaries that allocations.cc is a source of have
// this.

#ifndef LACUNA_TESTS_SUPPORT_ALLOCATIONS_H_
#define LACUNA_TESTS_SUPPORT_ALLOCATIONS_H_

#include <cstddef>

namespace lacuna::test {

// Calls of operator new, so far.
size_t Allocations();
// Those that have not been deleted yet.
size_t LiveAllocations();

// Until the end of the scope operator new fails after `successes` more calls, once or from then on: it returns null or
// throws std::bad_alloc, as its kind does.
class FailingAllocations {
 public:
  enum class Failures { kOne, kAllFurther };
  FailingAllocations(size_t successes, Failures failures);
  ~FailingAllocations();
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;
};

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_ALLOCATIONS_H_
