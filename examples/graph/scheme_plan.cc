#include "graph/scheme_plan.h"

#include <limits>
#include <set>

#include "graph/json_file.h"
#include "graph/threads.h"

namespace graph {
namespace {

using nlohmann::json;

constexpr JsonFormat kFormat = {"lacuna scheme plan", 1};

constexpr double kMostMs = 1e12;

// Reads `key` into `value` if it is there. False if it is no number in [low, high].
bool ReadNumber(const json& object, const char* key, double low, double high, double& value) {
  if (!object.contains(key)) return true;
  const auto number = NumberMember(object, key);
  if (!number.has_value() || !(*number >= low && *number <= high)) return false;
  value = *number;
  return true;
}

bool ReadText(const json& object, const char* key, std::string& value) {
  if (!object.contains(key)) return true;
  const auto text = StringMember(object, key);
  if (text.has_value()) value = *text;
  return text.has_value();
}

bool ReadShape(const json& object, const char* key, Shape& shape) {
  if (!object.contains(key)) return true;
  const json* extents = ArrayMember(object, key);
  if (extents == nullptr) return false;
  for (const json& extent : *extents) {
    if (!extent.is_number_integer() || extent < 1 || extent > kMaxTensorElements) return false;
    shape.push_back(extent.get<int64_t>());
  }
  return !shape.empty();
}

// Errors do not say yet where the layer stands.
Result<PlannedLayer> LayerOf(const json& object) {
  const auto wrong = [](const char* what) { return Status::Make(StatusCode::kDataLoss, "%s", what); };
  PlannedLayer layer;
  if (!object.is_object()) return wrong("must be an object");
  const auto name = StringMember(object, "layer"), scheme = StringMember(object, "scheme");
  if (!name.has_value() || name->empty()) return wrong("\"layer\" must be the name of a layer");
  layer.layer = *name;
  if (!scheme.has_value()) return wrong("\"scheme\" must be a string");
  const auto parsed = lacuna::prune::ParseScheme(*scheme);
  if (!parsed.ok()) return wrong(parsed.status().message());
  layer.scheme = *parsed;
  if (!ReadShape(object, "shape", layer.shape)) return wrong("\"shape\" must be an array of extents");
  if (!ReadNumber(object, "ms", 0, kMostMs, layer.ms)) return wrong("\"ms\" must be in [0, 1e12]");
  if (!ReadNumber(object, "rate", 1, std::numeric_limits<double>::max(), layer.rate)) {
    return wrong("\"rate\" must be a number of at least 1");
  }
  if (!ReadNumber(object, "energy_removed", 0, 1, layer.energy_removed)) {
    return wrong("\"energy_removed\" must be in [0, 1]");
  }
  if (!ReadNumber(object, "sensitivity", 0, kMostMs, layer.sensitivity)) {
    return wrong("\"sensitivity\" must be in [0, 1e12]");
  }
  return layer;
}

// Errors name members; the path comes in front of them.
Status ReadMembers(const json& object, SchemePlan& plan) {
  const auto wrong = [](const char* key) {
    return Status::Make(StatusCode::kDataLoss, "\"%s\" is malformed or out of range", key);
  };
  if (!ReadText(object, "network", plan.network)) return wrong("network");
  if (!ReadText(object, "mapper", plan.mapper)) return wrong("mapper");
  if (!ReadText(object, "objective", plan.objective)) return wrong("objective");
  if (!ReadText(object, "cpu", plan.cpu)) return wrong("cpu");
  if (!ReadText(object, "target", plan.target)) return wrong("target");
  if (object.contains("threads")) {
    const auto threads = IntegerMember(object, "threads", 1, Threads::kMax);
    if (!threads.has_value()) return wrong("threads");
    plan.threads = static_cast<size_t>(*threads);
  }
  if (!ReadNumber(object, "other_ms", 0, kMostMs, plan.other_ms)) return wrong("other_ms");
  if (!ReadNumber(object, "dense_ms", 0, kMostMs, plan.dense_ms)) return wrong("dense_ms");
  if (!ReadNumber(object, "weight_rate", 1, kMostMs, plan.weight_rate)) return wrong("weight_rate");
  if (!ReadNumber(object, "flops_rate", 1, kMostMs, plan.flops_rate)) return wrong("flops_rate");
  double gap = 0;
  if (!ReadNumber(object, "gap", 0, kMostMs, gap)) return wrong("gap");
  if (object.contains("gap")) plan.gap = gap;

  const json* layers = ArrayMember(object, "layers");
  if (layers == nullptr) return Status::Make(StatusCode::kDataLoss, "\"layers\" must be an array");
  std::set<std::string> names;
  for (const json& entry : *layers) {
    const auto about = [&](const char* what) {
      return Status::Make(StatusCode::kDataLoss, "layers[%zu]: %s", plan.layers.size(), what);
    };
    const auto layer = LayerOf(entry);
    if (!layer.ok()) return about(layer.status().message());
    if (!names.insert(layer->layer).second) return about(("\"" + layer->layer + "\" is there twice").c_str());
    plan.layers.push_back(*layer);
  }
  return Status();
}

}  // namespace

double SchemePlan::LayerMs() const {
  double sum = 0.0;
  for (const PlannedLayer& layer : layers) sum += layer.ms;
  return sum;
}

Result<SchemePlan> ReadPlan(const std::string& path) {
  LACUNA_ASSIGN_OR_RETURN(object, ReadJson(path, kFormat));
  SchemePlan plan;
  const Status status = ReadMembers(object, plan);
  if (status.ok()) return plan;
  return Status::Make(status.code(), "'%.100s': %s", path.c_str(), status.message());
}

Status WritePlan(const SchemePlan& plan, const std::string& path) {
  nlohmann::ordered_json object = JsonOf(kFormat);
  object["network"] = plan.network;
  object["mapper"] = plan.mapper;
  object["objective"] = plan.objective;
  object["cpu"] = plan.cpu;
  object["target"] = plan.target;
  object["threads"] = plan.threads;
  object["other_ms"] = plan.other_ms;
  object["dense_ms"] = plan.dense_ms;
  object["weight_rate"] = plan.weight_rate;
  object["flops_rate"] = plan.flops_rate;
  if (plan.gap.has_value()) object["gap"] = *plan.gap;
  object["layers"] = nlohmann::ordered_json::array();
  for (const PlannedLayer& layer : plan.layers) {
    nlohmann::ordered_json entry = {{"layer", layer.layer}, {"scheme", layer.scheme.Name()}};
    if (!layer.shape.empty()) entry["shape"] = layer.shape;
    if (layer.rate >= 1) entry["rate"] = layer.rate;
    entry["ms"] = layer.ms;
    entry["energy_removed"] = layer.energy_removed;
    entry["sensitivity"] = layer.sensitivity;
    object["layers"].push_back(std::move(entry));
  }
  return WriteJson(object, path);
}

}  // namespace graph
