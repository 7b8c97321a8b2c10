// Every scheme that the tools take, each at a rate that leaves weights in small layers.

#ifndef LACUNA_EXAMPLES_TESTS_SCHEMES_H_
#define LACUNA_EXAMPLES_TESTS_SCHEMES_H_

#include "lacuna/prune/scheme.h"

#include <doctest/doctest.h>

namespace test {

inline constexpr const char* kSparseSchemes[] = {
    "unstructured-4x", "pattern-2.25x",       "pattern-8x",          "pattern_g4-8x", "bcr-4x",       "bcr_col-8x",
    "bcr_kernel-4x",   "punched-4x",          "punched_balanced-4x", "block_8x1-4x",  "block_4x4-4x", "block_1x16-4x",
    "block_16x2-4x",   "block_kernel_8x4-4x", "connectivity-4x",     "filter-2x",
};

inline lacuna::prune::Scheme SchemeNamed(const char* name) {
  const auto scheme = lacuna::prune::ParseScheme(name);
  REQUIRE_MESSAGE(scheme.ok(), std::string(scheme.status().message()));
  return *scheme;
}

}  // namespace test

#endif  // LACUNA_EXAMPLES_TESTS_SCHEMES_H_
