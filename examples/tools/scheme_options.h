// How both tools take a scheme.

#ifndef LACUNA_EXAMPLES_TOOLS_SCHEME_OPTIONS_H_
#define LACUNA_EXAMPLES_TOOLS_SCHEME_OPTIONS_H_

#include "lacuna/prune/scheme.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/suggestion.h"

namespace tools {

// "bcr_col-8x", or "bcr_col" and a rate. The error of an unknown scheme says which was probably meant.
inline lacuna::Result<lacuna::prune::Scheme> SchemeOf(const std::string& text, const std::optional<double>& rate) {
  auto scheme = rate.has_value() ? lacuna::prune::MakeScheme(text, *rate) : lacuna::prune::ParseScheme(text);
  if (scheme.ok() || !std::string_view(scheme.status().message()).starts_with("scheme is \"")) return scheme;
  const std::string kind = rate.has_value() ? text : text.substr(0, text.rfind('-'));
  std::vector<std::string> names = {"pattern_g4", "punched_balanced", "block_8x1", "block_kernel_8x4"};
  for (const lacuna::prune::SchemeName& name : lacuna::prune::kSchemeNames) names.emplace_back(name.name);
  std::string shown;
  for (const lacuna::prune::SchemeName& name : lacuna::prune::kSchemeNames) {
    shown += (shown.empty() ? "" : ", ") + std::string(name.shown);
  }
  return lacuna::Status::InvalidArgument("scheme is \"%.20s\"; did you mean %s? It must be one of %s", kind.c_str(),
                                         Closest(kind, names).c_str(), shown.c_str());
}

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_SCHEME_OPTIONS_H_
