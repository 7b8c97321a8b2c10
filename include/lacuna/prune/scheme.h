// Scheme: the names of pruning regularities and rates, the same in code, on command lines and in benchmarks.

#ifndef LACUNA_PRUNE_SCHEME_H_
#define LACUNA_PRUNE_SCHEME_H_

#include "lacuna/core/status.h"
#include "lacuna/prune/bcr.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace lacuna::prune {

enum class SchemeKind : uint8_t {
  kDense,
  kBcr,        // blocks of 8 rows x 16 columns: half the rows, 2 / rate of the columns
  kBcrCol,     // blocks of 8 x 16: all rows, 1 / rate of the columns
  kBcrKernel,  // blocks of 8 filters x 16 input channels: all filters, 1 / rate of the channels, with all taps
};

struct SchemeName {
  SchemeKind kind;
  const char* name;
};
inline constexpr SchemeName kSchemeNames[] = {
    {SchemeKind::kDense, "dense"},
    {SchemeKind::kBcr, "bcr"},
    {SchemeKind::kBcrCol, "bcr_col"},
    {SchemeKind::kBcrKernel, "bcr_kernel"},
};

struct Scheme {
  SchemeKind kind = SchemeKind::kDense;
  double rate = 1.0;  // dense weights / kept weights

  friend bool operator==(const Scheme&, const Scheme&) = default;

  // "bcr_col-8x"; just "dense" for dense.
  std::string Name() const {
    std::string name = kSchemeNames[static_cast<size_t>(kind)].name;
    if (kind == SchemeKind::kDense) return name;
    char rate_text[32];
    std::snprintf(rate_text, sizeof(rate_text), "-%gx", rate);
    return name + rate_text;
  }
};

// A larger rate would leave nothing of most layers.
inline constexpr double kMaxRate = 10000.0;

// The scheme called `kind` ("bcr_col") at `rate`.
inline Result<Scheme> MakeScheme(std::string_view kind, double rate) {
  if (!(rate >= 1.0 && rate <= kMaxRate)) {  // catches NaN
    return Status::InvalidArgument("rate is %g, must be in [1, %g]", rate, kMaxRate);
  }
  for (const SchemeName& entry : kSchemeNames) {
    if (kind == entry.name) return Scheme{entry.kind, entry.kind == SchemeKind::kDense ? 1.0 : rate};
  }
  std::string known;
  for (const SchemeName& entry : kSchemeNames) known += std::string(known.empty() ? "" : ", ") + entry.name;
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
  if (end == rate_text.c_str() || std::string_view(end) != "x") {
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
    case SchemeKind::kBcrCol: return BcrSpec{.rows = 8, .columns = 16, .column_keep = 1.0 / scheme.rate};
    case SchemeKind::kBcrKernel:
      return BcrSpec{.rows = 8, .columns = 16 * taps, .column_group = taps, .column_keep = 1.0 / scheme.rate};
    case SchemeKind::kDense: break;
  }
  return Status::InvalidArgument("scheme \"%s\" has no BCR blocks", scheme.Name().c_str());
}

}  // namespace lacuna::prune

#endif  // LACUNA_PRUNE_SCHEME_H_
