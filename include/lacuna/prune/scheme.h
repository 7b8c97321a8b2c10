// Scheme: the names of pruning regularities and rates, the same in code, on command lines and in benchmarks.

#ifndef LACUNA_PRUNE_SCHEME_H_
#define LACUNA_PRUNE_SCHEME_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/format/block_grid.h"
#include "lacuna/prune/bcr.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
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
  std::string KindName() const {
    std::string name = kSchemeNames[static_cast<size_t>(kind)].name;
    if (has_block()) name += "_" + std::to_string(block.rows) + "x" + std::to_string(block.columns);
    if (kind == SchemeKind::kPattern && group != 1) name += "_g" + std::to_string(group);
    if (kind == SchemeKind::kPunched && balanced) name += "_balanced";
    if (channel_group != 1) name += "_c" + std::to_string(channel_group);
    return name;
  }
  // "bcr_col-8x"; just "dense" for dense.
  std::string Name() const {
    if (kind == SchemeKind::kDense) return KindName();
    char rate_text[32];
    std::snprintf(rate_text, sizeof(rate_text), "-%gx", rate);
    return KindName() + rate_text;
  }
};

// A larger rate would leave nothing of most layers.
inline constexpr double kMaxRate = 10000.0;

// The scheme called `kind` ("bcr_col", "block_8x1", "block_kernel_8x4", "pattern_g4") at `rate`.
inline Result<Scheme> MakeScheme(std::string_view kind, double rate) {
  if (!(rate >= 1.0 && rate <= kMaxRate)) {  // catches NaN
    return Status::InvalidArgument("rate is %g, must be in [1, %g]", rate, kMaxRate);
  }
  Scheme scheme{.rate = rate};
  if (const size_t suffix = kind.rfind("_c"); suffix != std::string_view::npos) {
    int channels = 0;
    std::sscanf(std::string(kind.substr(suffix, 10)).c_str(), "_c%5d", &channels);
    if (channels > 1) {
      LACUNA_ASSIGN_OR_RETURN(base, MakeScheme(kind.substr(0, suffix), rate));
      scheme = base;
      scheme.channel_group = channels;
      if (scheme.takes_channel_group() && scheme.KindName() == kind) return scheme;
    }
  }
  scheme = {.rate = rate};
  // Parameters are at most 5 digits: "_g4" of a pattern, "_8x1" of a block.
  const std::string text(kind.substr(0, 40));
  int rows = 0, columns = 0, group = 0;
  const bool block = std::sscanf(text.c_str(), "block_%5dx%5d", &rows, &columns) == 2;
  if (block || std::sscanf(text.c_str(), "block_kernel_%5dx%5d", &rows, &columns) == 2) {
    scheme.kind = block ? SchemeKind::kBlock : SchemeKind::kBlockKernel;
    scheme.block = {rows, columns};
    LACUNA_RETURN_IF_ERROR(scheme.block.Validate());
    if (scheme.KindName() == kind) return scheme;
  } else if (std::sscanf(text.c_str(), "pattern_g%5d", &group) == 1 && group > 1) {
    scheme.kind = SchemeKind::kPattern;
    scheme.group = group;
    if (scheme.KindName() == kind) return scheme;
  } else if (text == "punched_balanced") {
    scheme.kind = SchemeKind::kPunched;
    scheme.balanced = true;
    return scheme;
  }
  std::string known;
  for (const SchemeName& entry : kSchemeNames) {
    scheme = {.kind = entry.kind, .rate = entry.kind == SchemeKind::kDense ? 1.0 : rate};
    if (kind == entry.name && !scheme.has_block()) return scheme;
    known += std::string(known.empty() ? "" : ", ") + entry.shown;
  }
  return Status::InvalidArgument("scheme is \"%.40s\", must be one of %s", std::string(kind).c_str(), known.c_str());
}

// Parses "dense" or "<scheme>-<rate>x".
inline Result<Scheme> ParseScheme(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) {
    if (name == "dense") return Scheme{};
    LACUNA_RETURN_IF_ERROR(MakeScheme(name, 1.0).status());
    return Status::InvalidArgument("scheme \"%.40s\" has no rate, must read like \"bcr_col-8x\"",
                                   std::string(name).c_str());
  }
  const std::string rate_text(name.substr(dash + 1));
  char* end = nullptr;
  const double rate = std::strtod(rate_text.c_str(), &end);
  const bool hexadecimal = rate_text.find('x') + 1 < rate_text.size();
  if (end == rate_text.c_str() || std::string_view(end) != "x" || hexadecimal) {
    return Status::InvalidArgument("scheme \"%.40s\" has the rate \"%.20s\", must be a number and \"x\", as in \"8x\"",
                                   std::string(name).c_str(), rate_text.c_str());
  }
  return MakeScheme(name.substr(0, dash), rate);
}

// How a BCR scheme prunes a layer whose kernels have `taps` cells (1 for a GEMM).
inline Result<BcrSpec> BcrSpecOf(const Scheme& scheme, int64_t taps) {
  if (taps < 1) return Status::InvalidArgument("taps is %lld, must be at least 1", static_cast<long long>(taps));
  switch (scheme.kind) {
    case SchemeKind::kBcr:
      if (scheme.rate < 2.0)
        return Status::InvalidArgument("rate is %g, scheme bcr keeps half the rows: at least 2", scheme.rate);
      return BcrSpec{.rows = 8, .columns = 16, .row_keep = 0.5, .column_keep = 2.0 / scheme.rate};
    // 16 columns or kernels, or as many groups of them.
    case SchemeKind::kBcrCol:
      return BcrSpec{.rows = 8,
                     .columns = 16 * scheme.channel_group,
                     .column_group = scheme.channel_group,
                     .column_keep = 1.0 / scheme.rate};
    case SchemeKind::kBcrKernel:
      return BcrSpec{.rows = 8,
                     .columns = 16 * scheme.channel_group * taps,
                     .column_group = scheme.channel_group * taps,
                     .column_keep = 1.0 / scheme.rate};
    default: break;
  }
  return Status::InvalidArgument("scheme \"%s\" has no BCR blocks", scheme.Name().c_str());
}

}  // namespace lacuna::inline LACUNA_ABI::prune

#endif  // LACUNA_PRUNE_SCHEME_H_
