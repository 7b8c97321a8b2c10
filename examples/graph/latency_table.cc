#include "graph/latency_table.h"

#include "lacuna/policy/machine.h"
#include "lacuna/version.h"

#include <cstdio>
#include <utility>

#include "graph/json_file.h"
#include "graph/target.h"

namespace graph {
namespace {

using nlohmann::json;

constexpr JsonFormat kFormat = {"lacuna latencies", 1};

constexpr double kMostMs = 1e12;

}  // namespace

LatencyConditions LatencyConditions::Of(const CompileOptions& options) {
  const char* by = "cost model";
  if (options.kernels.by == SelectBy::kMeasurement) by = "measurement";
  if (options.kernels.by == SelectBy::kName) by = options.kernels.candidate.c_str();
  char settings[160];
  std::snprintf(settings, sizeof(settings), "%zu thread(s), kernels by %.60s, Winograd error %g", options.threads, by,
                options.kernels.winograd_error);
  return {.cpu = lacuna::CpuName(), .target = ActiveTargetName(), .settings = settings};
}

std::optional<double> LatencyTable::Find(const std::string& key) const {
  const auto found = ms_.find(key);
  if (found == ms_.end()) return std::nullopt;
  return found->second;
}

Status LatencyTable::Load(const std::string& path) {
  ms_.clear();
  LACUNA_ASSIGN_OR_RETURN(object, ReadJson(path, kFormat));
  const std::pair<const char*, const std::string> expected[] = {{"library", LACUNA_VERSION},
                                                                {"cpu", conditions_.cpu},
                                                                {"target", conditions_.target},
                                                                {"settings", conditions_.settings}};
  for (const auto& [key, value] : expected) {
    const auto found = StringMember(object, key);
    if (found == value) continue;
    return Status::Make(StatusCode::kUnsupported, "'%.80s' is stale: \"%s\" is \"%.40s\", must be \"%.40s\"",
                        path.c_str(), key, found.value_or("").c_str(), value.c_str());
  }
  const auto latencies = object.find("ms");
  if (latencies == object.end() || !latencies->is_object()) {
    return Status::Make(StatusCode::kDataLoss, "'%.120s': \"ms\" must be an object", path.c_str());
  }
  std::map<std::string, double> read;
  for (const auto& [key, value] : latencies->items()) {
    const double ms = value.is_number() ? value.get<double>() : -1.0;
    if (!(ms >= 0 && ms <= kMostMs)) {
      return Status::Make(StatusCode::kDataLoss, "'%.80s': the latency of \"%.80s\" must be in [0, 1e12]", path.c_str(),
                          key.c_str());
    }
    read[key] = ms;
  }
  ms_ = std::move(read);
  return Status();
}

Status LatencyTable::Save(const std::string& path) const {
  nlohmann::ordered_json object = JsonOf(kFormat);
  object["library"] = LACUNA_VERSION;
  object["cpu"] = conditions_.cpu;
  object["target"] = conditions_.target;
  object["settings"] = conditions_.settings;
  object["ms"] = ms_;
  return WriteJson(object, path);
}

}  // namespace graph
