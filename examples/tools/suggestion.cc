#include "tools/suggestion.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <system_error>

#include "graph/builtin.h"

namespace tools {
namespace {

// How many single-letter edits lie between two names (Levenshtein, 1966).
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Closest(std::string_view name, const std::vector<std::string>& known) {
  return *std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    return Distance(name, a) < Distance(name, b);
  });
}

lacuna::Status CheckModelName(const std::string& name) {
  std::error_code error;
  if (graph::IsBuiltinNetwork(name) || std::filesystem::exists(name, error) ||
      name.find_first_of("/.") != std::string::npos) {
    return lacuna::Status();
  }
  std::vector<std::string> known;
  for (const graph::BuiltinSource& network : graph::BuiltinNetworks()) known.emplace_back(network.name);
  return lacuna::Status::Make(lacuna::StatusCode::kNotFound,
                              "'%.40s' is no file and no built-in network; did you mean %s? There are %s", name.c_str(),
                              Closest(name, known).c_str(), graph::BuiltinNetworkNames().c_str());
}

}  // namespace tools
