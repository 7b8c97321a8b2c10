// Scheme: the names of pruning regularities and rates, the same in code, on command lines and in benchmarks.

#ifndef LACUNA_PRUNE_SCHEME_H_
#define LACUNA_PRUNE_SCHEME_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/format/block_grid.h"
#include "lacuna/prune/bcr.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lacuna::inline LACUNA_ABI::prune {

enum class SchemeKind : uint8_t {
  kDense,
  kUnstructured,  // single weights
  kPattern,       // every kernel keeps one of 8 patterns of about 4 / 9 of its cells, and some kernels go
  kBcr,           // blocks of 8 rows x 16 columns: half the rows, 2 / rate of the columns
  kBcrCol,        // blocks of 8 x 16: all rows, 1 / rate of the columns
  kBcrKernel,     // blocks of 8 filters x 16 input channels: all filters, 1 / rate of the channels, with all taps
  kPunched,       // blocks of 8 filters x 4 channels: every kernel of a block keeps the same cells
  kBlock,         // whole blocks of the OC x (IC * taps) matrix
  kBlockKernel,   // whole blocks of output x input channels, with all taps: kBlock where kernels have one
  kConnectivity,  // whole kernels
  kFilter,        // whole output channels
};

struct SchemeName {
  SchemeKind kind;
  const char* name;   // without the parameters
  const char* shown;  // in messages
};
inline constexpr SchemeName kSchemeNames[] = {
    {SchemeKind::kDense, "dense", "dense"},
    {SchemeKind::kUnstructured, "unstructured", "unstructured"},
    {SchemeKind::kPattern, "pattern", "pattern, pattern_g4"},
    {SchemeKind::kBcr, "bcr", "bcr"},
    {SchemeKind::kBcrCol, "bcr_col", "bcr_col"},
    {SchemeKind::kBcrKernel, "bcr_kernel", "bcr_kernel"},
    {SchemeKind::kPunched, "punched", "punched, punched_balanced"},
    {SchemeKind::kBlock, "block", "block_8x1"},
    {SchemeKind::kBlockKernel, "block_kernel", "block_kernel_8x4 (any block)"},
    {SchemeKind::kConnectivity, "connectivity", "connectivity"},
    {SchemeKind::kFilter, "filter", "filter"},
};

struct Scheme {
  SchemeKind kind = SchemeKind::kDense;
  double rate = 1.0;      // dense weights / kept weights
  BlockShape block{};     // of kBlock; of kBlockKernel in kernels: output x input channels
  int64_t group = 1;      // of kPattern: neighbouring filters that share channels and patterns
  bool balanced = false;  // of kPunched: every block keeps as many cells
  // Of kBcrCol, kBcrKernel and kBlock: neighbouring input channels that live or die together at a tap, for kernels that
  // multiply so many at once (4 of 8-bit integers).
  int64_t channel_group = 1;

  friend bool operator==(const Scheme&, const Scheme&) = default;

  bool has_block() const { return kind == SchemeKind::kBlock || kind == SchemeKind::kBlockKernel; }
  bool takes_channel_group() const {
    return kind == SchemeKind::kBcrCol || kind == SchemeKind::kBcrKernel || kind == SchemeKind::kBlock;
  }
  // "block_8x1", "pattern_g4", "punched_balanced", "bcr_col", "bcr_col_c4".
  std::string KindName() const { return KindText().data(); }
  // "bcr_col-8x"; just "dense" for dense.
  std::string Name() const { return Text().data(); }
  // The same, zero-terminated and without an allocation.
  using NameText = std::array<char, 128>;
  LACUNA_API NameText KindText() const;
  LACUNA_API NameText Text() const;
};

// A larger rate would leave nothing of most layers.
inline constexpr double kMaxRate = 10000.0;

// The scheme called `kind` ("bcr_col", "block_8x1", "block_kernel_8x4", "pattern_g4") at `rate`.
LACUNA_API Result<Scheme> MakeScheme(std::string_view kind, double rate);

// Parses "dense" or "<scheme>-<rate>x". Allocates nothing.
LACUNA_API Result<Scheme> ParseScheme(std::string_view name);

// How a BCR scheme prunes a layer whose kernels have `taps` cells (1 for a GEMM).
LACUNA_API Result<BcrSpec> BcrSpecOf(const Scheme& scheme, int64_t taps);

}  // namespace lacuna::inline LACUNA_ABI::prune

#ifndef LACUNA_COMPILED
#include "lacuna/prune/scheme.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_PRUNE_SCHEME_H_
