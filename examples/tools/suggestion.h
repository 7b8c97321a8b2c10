// What was probably meant by a name that nothing has.

#ifndef LACUNA_EXAMPLES_TOOLS_SUGGESTION_H_
#define LACUNA_EXAMPLES_TOOLS_SUGGESTION_H_

#include "lacuna/core/status.h"

#include <string>
#include <string_view>
#include <vector>

namespace tools {

// Of `known`, the name that the fewest edits of a letter make of `name`; the first of several. Precondition: there is
// one.
std::string Closest(std::string_view name, const std::vector<std::string>& known);

// kNotFound with a suggestion where `name` looks like that of a built-in network rather than a file, and is neither.
lacuna::Status CheckModelName(const std::string& name);

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_SUGGESTION_H_
