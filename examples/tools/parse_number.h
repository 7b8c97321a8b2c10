// A number of a command line.

#ifndef LACUNA_EXAMPLES_TOOLS_PARSE_NUMBER_H_
#define LACUNA_EXAMPLES_TOOLS_PARSE_NUMBER_H_

#include <charconv>
#include <string_view>
#include <system_error>

namespace tools {

// Whether all of `text` is a number of type T.
template <class T>
bool ParseNumber(std::string_view text, T& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_PARSE_NUMBER_H_
