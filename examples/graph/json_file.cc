#include "graph/json_file.h"

#include <ostream>

#include "graph/onnx_file.h"
#include "graph/replace_file.h"

namespace graph {
namespace {

using nlohmann::json;

const json* Member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

nlohmann::ordered_json JsonOf(const JsonFormat& format) {
  return {{"format", format.name}, {"version", format.version}};
}

Result<json> ReadJson(const std::string& path, const JsonFormat& format) {
  LACUNA_ASSIGN_OR_RETURN(bytes, ReadFile(path));
  json object = json::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return Status::Make(StatusCode::kDataLoss, "'%.120s' is no JSON object", path.c_str());
  }
  if (StringMember(object, "format") != format.name) {
    return Status::Make(StatusCode::kDataLoss, "'%.120s': \"format\" must be \"%s\"", path.c_str(), format.name);
  }
  const json* version = Member(object, "version");
  if (version == nullptr || *version != format.version) {
    // Only what is not nested: writing it is recursive.
    const std::string text = version == nullptr         ? "absent"
                             : version->is_structured() ? "no number"
                                                        : version->dump(-1, ' ', true).substr(0, 20);
    return Status::Make(StatusCode::kUnsupported, "'%.120s': \"version\" is %s, must be %d", path.c_str(), text.c_str(),
                        format.version);
  }
  return object;
}

Status WriteJson(const nlohmann::ordered_json& object, const std::string& path) {
  return ReplaceFile(path, [&](std::ostream& file) {
    file << object.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
    return true;
  });
}

std::optional<std::string> StringMember(const json& object, const char* key) {
  const json* member = Member(object, key);
  if (member == nullptr || !member->is_string()) return std::nullopt;
  return member->get<std::string>();
}

std::optional<double> NumberMember(const json& object, const char* key) {
  const json* member = Member(object, key);
  if (member == nullptr || !member->is_number()) return std::nullopt;
  return member->get<double>();
}

std::optional<int64_t> IntegerMember(const json& object, const char* key, int64_t low, int64_t high) {
  const json* member = Member(object, key);
  if (member == nullptr || !member->is_number_integer()) return std::nullopt;
  if (*member < low || *member > high) return std::nullopt;  // as JSON: an unsigned one may exceed int64_t
  return member->get<int64_t>();
}

const json* ArrayMember(const json& object, const char* key) {
  const json* member = Member(object, key);
  return member != nullptr && member->is_array() ? member : nullptr;
}

}  // namespace graph
