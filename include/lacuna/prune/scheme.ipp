#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/core/text_writer.h"
#include "lacuna/prune/bcr.h"
#include "lacuna/prune/scheme.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace lacuna::inline LACUNA_ABI::prune {

LACUNA_FUNC Scheme::NameText Scheme::KindText() const {
  NameText name;
  TextWriter text(name.data(), name.size());
  text.Add("%s", kSchemeNames[static_cast<size_t>(kind)].name);
  if (has_block()) {
    text.Add("_%lldx%lld", static_cast<long long>(block.rows), static_cast<long long>(block.columns));
  }
  if (kind == SchemeKind::kPattern && group != 1) text.Add("_g%lld", static_cast<long long>(group));
  if (kind == SchemeKind::kPunched && balanced) text.Add("_balanced");
  if (channel_group != 1) text.Add("_c%lld", static_cast<long long>(channel_group));
  return name;
}

LACUNA_FUNC Scheme::NameText Scheme::Text() const {
  NameText name = KindText();
  if (kind == SchemeKind::kDense) return name;
  const size_t used = std::strlen(name.data());
  TextWriter(name.data() + used, name.size() - used).Add("-%gx", rate);
  return name;
}

namespace scheme {

// The beginning of `text`, zero-terminated: enough of it for the longest name, and for messages.
using Start = std::array<char, 48>;
inline Start StartOf(std::string_view text) {
  Start start{};
  text.copy(start.data(), start.size() - 1);
  return start;
}

}  // namespace scheme

LACUNA_FUNC Result<Scheme> MakeScheme(std::string_view kind, double rate) {
  if (!(rate >= 1.0 && rate <= kMaxRate)) {  // catches NaN
    return Status::InvalidArgument("rate is %g, must be in [1, %g]", rate, kMaxRate);
  }
  Scheme scheme{.rate = rate};
  const auto is_named = [&] { return kind == scheme.KindText().data(); };
  if (const size_t suffix = kind.rfind("_c"); suffix != std::string_view::npos) {
    int channels = 0;
    std::sscanf(scheme::StartOf(kind.substr(suffix)).data(), "_c%5d", &channels);
    if (channels > 1) {
      LACUNA_ASSIGN_OR_RETURN(base, MakeScheme(kind.substr(0, suffix), rate));
      scheme = base;
      scheme.channel_group = channels;
      if (scheme.takes_channel_group() && is_named()) return scheme;
    }
  }
  scheme = {.rate = rate};
  // Parameters are at most 5 digits: "_g4" of a pattern, "_8x1" of a block.
  const scheme::Start text = scheme::StartOf(kind);
  int rows = 0, columns = 0, group = 0;
  const bool block = std::sscanf(text.data(), "block_%5dx%5d", &rows, &columns) == 2;
  if (block || std::sscanf(text.data(), "block_kernel_%5dx%5d", &rows, &columns) == 2) {
    scheme.kind = block ? SchemeKind::kBlock : SchemeKind::kBlockKernel;
    scheme.block = {rows, columns};
    LACUNA_RETURN_IF_ERROR(scheme.block.Validate());
    if (is_named()) return scheme;
  } else if (std::sscanf(text.data(), "pattern_g%5d", &group) == 1 && group > 1) {
    scheme.kind = SchemeKind::kPattern;
    scheme.group = group;
    if (is_named()) return scheme;
  } else if (kind == "punched_balanced") {
    scheme.kind = SchemeKind::kPunched;
    scheme.balanced = true;
    return scheme;
  }
  std::array<char, 192> names;
  TextWriter known(names.data(), names.size());
  for (const SchemeName& entry : kSchemeNames) {
    scheme = {.kind = entry.kind, .rate = entry.kind == SchemeKind::kDense ? 1.0 : rate};
    if (kind == entry.name && !scheme.has_block()) return scheme;
    known.Add("%s%s", known.length() == 0 ? "" : ", ", entry.shown);
  }
  return Status::InvalidArgument("scheme is \"%.40s\", must be one of %s", text.data(), names.data());
}

LACUNA_FUNC Result<Scheme> ParseScheme(std::string_view name) {
  const scheme::Start start = scheme::StartOf(name);
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) {
    if (name == "dense") return Scheme{};
    LACUNA_RETURN_IF_ERROR(MakeScheme(name, 1.0).status());
    return Status::InvalidArgument("scheme \"%.40s\" has no rate, must read like \"bcr_col-8x\"", start.data());
  }
  const std::string_view digits = name.substr(dash + 1);
  const scheme::Start rate_text = scheme::StartOf(digits);
  char* end = nullptr;
  const double rate = std::strtod(rate_text.data(), &end);
  const bool hexadecimal = digits.find('x') + 1 < digits.size();
  if (end == rate_text.data() || std::string_view(end) != "x" || hexadecimal || digits.size() >= rate_text.size()) {
    return Status::InvalidArgument("scheme \"%.40s\" has the rate \"%.20s\", must be a number and \"x\", as in \"8x\"",
                                   start.data(), rate_text.data());
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
  return Status::InvalidArgument("scheme \"%s\" has no BCR blocks", scheme.Text().data());
}

}  // namespace lacuna::inline LACUNA_ABI::prune
