#include "lacuna/prune/scheme.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "tests/support/check_error.h"

namespace lacuna::test {
namespace {

using prune::BcrSpecOf;
using prune::MakeScheme;
using prune::ParseScheme;
using prune::Scheme;
using prune::SchemeKind;

TEST_CASE("ParseScheme: names and rates, there and back") {
  const std::pair<const char*, Scheme> cases[] = {
      {"dense", {SchemeKind::kDense, 1}},
      {"bcr-4x", {SchemeKind::kBcr, 4}},
      {"bcr_col-8x", {SchemeKind::kBcrCol, 8}},
      {"bcr_kernel-16x", {SchemeKind::kBcrKernel, 16}},
      {"bcr_col-2.5x", {SchemeKind::kBcrCol, 2.5}},
      {"unstructured-8x", {SchemeKind::kUnstructured, 8}},
      {"pattern-8x", {SchemeKind::kPattern, 8}},
      {"pattern_g4-8x", {.kind = SchemeKind::kPattern, .rate = 8, .group = 4}},
      {"punched-3.6x", {SchemeKind::kPunched, 3.6}},
      {"punched_balanced-3.6x", {.kind = SchemeKind::kPunched, .rate = 3.6, .balanced = true}},
      {"block_8x1-8x", {.kind = SchemeKind::kBlock, .rate = 8, .block = {8, 1}}},
      {"block_16x4-2x", {.kind = SchemeKind::kBlock, .rate = 2, .block = {16, 4}}},
      {"block_kernel_8x4-4x", {.kind = SchemeKind::kBlockKernel, .rate = 4, .block = {8, 4}}},
      {"block_kernel_16x16-3.6x", {.kind = SchemeKind::kBlockKernel, .rate = 3.6, .block = {16, 16}}},
      {"connectivity-4x", {SchemeKind::kConnectivity, 4}},
      {"filter-2x", {SchemeKind::kFilter, 2}},
  };
  for (const auto& [name, scheme] : cases) {
    const auto parsed = ParseScheme(name);
    REQUIRE(parsed.ok());
    CHECK((*parsed == scheme));
    CHECK(parsed->Name() == name);
  }
  CHECK(MakeScheme("dense", 8)->rate == 1);
  CHECK(MakeScheme("bcr", 2)->Name() == "bcr-2x");
}

TEST_CASE("ParseScheme: what it refuses") {
  const std::pair<const char*, const char*> cases[] = {
      {"", "scheme is \"\", must be one of dense, unstructured, pattern, pattern_g4, bcr, bcr_col, bcr_kernel, "},
      {"sparse",
       "scheme is \"sparse\", must be one of dense, unstructured, pattern, pattern_g4, bcr, bcr_col, bcr_kernel, "},
      {"sparse-8x", "scheme is \"sparse\", must be one of"},
      {"bcr_col", "scheme \"bcr_col\" has no rate, must read like \"bcr_col-8x\""},
      {"bcr_col-", "has the rate \"\", must be a number and \"x\""},
      {"bcr_col-x", "has the rate \"x\", must be a number and \"x\""},
      {"bcr_col-8", "has the rate \"8\", must be a number and \"x\""},
      {"bcr_col-8xx", "has the rate \"8xx\", must be a number and \"x\""},
      {"bcr_col-8 x", "has the rate \"8 x\", must be a number and \"x\""},
      {"bcr_col-0x", "rate is 0, must be in [1, 10000]"},
      {"bcr_col-0.5x", "rate is 0.5, must be in [1, 10000]"},
      {"bcr_col-nanx", "rate is nan, must be in [1, 10000]"},
      {"bcr_col-infx", "rate is inf, must be in [1, 10000]"},
      {"bcr_col-1e9x", "rate is 1e+09, must be in [1, 10000]"},
      {"BCR-8x", "scheme is \"BCR\", must be one of"},
      {"bcr_col-0x8x", "has the rate \"0x8x\", must be a number and \"x\""},
      {"block-8x", "scheme is \"block\", must be one of"},
      {"block_8-8x", "scheme is \"block_8\", must be one of"},
      {"block_8x1y-8x", "scheme is \"block_8x1y\", must be one of"},
      {"block_08x1-8x", "scheme is \"block_08x1\", must be one of"},
      {"block_0x1-8x", "block is 0 x 1, each extent must be in [1, 65535]"},
      {"block_99999x1-8x", "block is 99999 x 1, each extent must be in [1, 65535]"},
      {"block_kernel-8x", "scheme is \"block_kernel\", must be one of"},
      {"block_kernel_8-8x", "scheme is \"block_kernel_8\", must be one of"},
      {"block_kernel_8x4", "scheme \"block_kernel_8x4\" has no rate"},
      {"block_kernel_8x4x9-8x", "scheme is \"block_kernel_8x4x9\", must be one of"},
      {"block_kernel_8x04-8x", "scheme is \"block_kernel_8x04\", must be one of"},
      {"block_kernel_8x0-8x", "block is 8 x 0, each extent must be in [1, 65535]"},
      {"block_kernel_8x-4-8x", "block is 8 x -4, each extent must be in [1, 65535]"},
      {"block_kernel_8x4-0x", "rate is 0, must be in [1, 10000]"},
      {"pattern_g1-8x", "scheme is \"pattern_g1\", must be one of"},
      {"punched_balance-8x", "scheme is \"punched_balance\", must be one of"},
      {"punched_balanced", "scheme \"punched_balanced\" has no rate"},
      {"bcr_balanced-8x",
       "bcr_kernel, punched, punched_balanced, block_8x1, block_kernel_8x4 (any block), connectivity, filter"},
      {"pattern_g-8x", "scheme is \"pattern_g\", must be one of"},
  };
  for (const auto& [name, message] : cases) CheckInvalid(ParseScheme(name).status(), message);
  // A name of any length fits the message.
  CheckInvalid(ParseScheme(std::string(10000, 'a')).status(), "scheme is \"aaaa");
}

TEST_CASE("BcrSpecOf: blocks and fractions of the schemes") {
  const auto column = BcrSpecOf({SchemeKind::kBcrCol, 8}, 9);
  REQUIRE(column.ok());
  CHECK(column->rows == 8);
  CHECK(column->columns == 16);
  CHECK(column->column_group == 1);
  CHECK(column->row_keep == 1.0);
  CHECK(column->column_keep == 1.0 / 8);
  const auto both = BcrSpecOf({SchemeKind::kBcr, 4}, 9);
  REQUIRE(both.ok());
  CHECK(both->row_keep == 0.5);
  CHECK(both->column_keep == 0.5);
  const auto kernel = BcrSpecOf({SchemeKind::kBcrKernel, 16}, 9);
  REQUIRE(kernel.ok());
  CHECK(kernel->columns == 16 * 9);
  CHECK(kernel->column_group == 9);
  CHECK(kernel->column_keep == 1.0 / 16);
  CHECK(kernel->Validate().ok());

  CheckInvalid(BcrSpecOf({SchemeKind::kDense, 1}, 9).status(), "scheme \"dense\" has no BCR blocks");
  CheckInvalid(BcrSpecOf({SchemeKind::kBcr, 1.5}, 9).status(),
               "rate is 1.5, scheme bcr keeps half the rows: at least 2");
  CheckInvalid(BcrSpecOf({SchemeKind::kBcrKernel, 8}, 0).status(), "taps is 0, must be at least 1");
}

}  // namespace
}  // namespace lacuna::test
