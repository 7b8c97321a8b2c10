#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/prune/bcr.h"
#include "lacuna/prune/scheme.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace lacuna::inline LACUNA_ABI::prune {

LACUNA_FUNC std::string Scheme::KindName() const {
  std::string name = kSchemeNames[static_cast<size_t>(kind)].name;
  if (has_block()) name += "_" + std::to_string(block.rows) + "x" + std::to_string(block.columns);
  if (kind == SchemeKind::kPattern && group != 1) name += "_g" + std::to_string(group);
  if (kind == SchemeKind::kPunched && balanced) name += "_balanced";
  if (channel_group != 1) name += "_c" + std::to_string(channel_group);
  return name;
}

LACUNA_FUNC std::string Scheme::Name() const {
  if (kind == SchemeKind::kDense) return KindName();
  char rate_text[32];
  std::snprintf(rate_text, sizeof(rate_text), "-%gx", rate);
  return KindName() + rate_text;
}

LACUNA_FUNC Result<Scheme> MakeScheme(std::string_view kind, double rate) {
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

LACUNA_FUNC Result<Scheme> ParseScheme(std::string_view name) {
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

LACUNA_FUNC Result<BcrSpec> BcrSpecOf(const Scheme& scheme, int64_t taps) {
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
