// JSON files that name their format and its version.

#ifndef LACUNA_EXAMPLES_GRAPH_JSON_FILE_H_
#define LACUNA_EXAMPLES_GRAPH_JSON_FILE_H_

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

#include "graph/graph.h"

namespace graph {

// The members "format" and "version" of a file's object.
struct JsonFormat {
  const char* name;
  int version;
};

// {"format": ..., "version": ...}, to add members to.
nlohmann::ordered_json JsonOf(const JsonFormat& format);

// kNotFound if the file cannot be read, kDataLoss if it is no JSON object of that format, kUnsupported if it is of
// another version. Messages name the path.
Result<nlohmann::json> ReadJson(const std::string& path, const JsonFormat& format);

// By ReplaceFile. kNotFound names the path.
Status WriteJson(const nlohmann::ordered_json& json, const std::string& path);

// The member `key` of `object`; nothing if it is absent or of another type, or `object` is no object.
std::optional<std::string> StringMember(const nlohmann::json& object, const char* key);
std::optional<double> NumberMember(const nlohmann::json& object, const char* key);
// An integer in [low, high].
std::optional<int64_t> IntegerMember(const nlohmann::json& object, const char* key, int64_t low, int64_t high);
// Null likewise.
const nlohmann::json* ArrayMember(const nlohmann::json& object, const char* key);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_JSON_FILE_H_
