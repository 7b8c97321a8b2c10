// How both tools take a scheme.

#ifndef LACUNA_EXAMPLES_TOOLS_SCHEME_OPTIONS_H_
#define LACUNA_EXAMPLES_TOOLS_SCHEME_OPTIONS_H_

#include "lacuna/prune/scheme.h"

#include <optional>
#include <string>

namespace tools {

// "bcr_col-8x", or "bcr_col" and a rate.
inline lacuna::Result<lacuna::prune::Scheme> SchemeOf(const std::string& text, const std::optional<double>& rate) {
  return rate.has_value() ? lacuna::prune::MakeScheme(text, *rate) : lacuna::prune::ParseScheme(text);
}

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_SCHEME_OPTIONS_H_
